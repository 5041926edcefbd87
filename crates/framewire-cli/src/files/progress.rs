//! What the user sees of transfers: bars on a terminal, and a line for each file.

use std::fmt;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::{is_deceptive, note};

/// Standard error, with the bars of all transfers under way.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// Hidden where standard error is no terminal.
    bars: MultiProgress,
    quiet: bool,
}

impl Screen {
    pub(crate) fn new(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            quiet,
        }
    }

    /// Says something that is not needed.
    pub(crate) fn tell(&self, line: fmt::Arguments<'_>) {
        if !self.quiet {
            self.warn(line);
        }
    }

    /// Says something that must be known.
    pub(crate) fn warn(&self, line: fmt::Arguments<'_>) {
        self.bars.suspend(|| note(line));
    }

    /// Shows the progress of a file until that is dropped.
    pub(crate) fn begin(&self, name: &str, size: Option<u64>) -> Progress {
        let bar = match size {
            Some(size) => ProgressBar::new(size).with_style(style(SIZED)),
            None => ProgressBar::no_length().with_style(style(UNSIZED)),
        };
        bar.set_message(name.replace(is_deceptive, " "));
        let bar = self.bars.add(bar);
        if !self.bars.is_hidden() {
            // A thread of its own, so that the speed falls while nothing moves.
            bar.enable_steady_tick(TICK);
        }
        Progress {
            bar,
            began: Instant::now(),
            moved: 0,
            before: 0,
        }
    }
}

/// How far one file is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    began: Instant,
    /// How many bytes were transferred.
    moved: u64,
    /// How many bytes were there before.
    before: u64,
}

impl Progress {
    /// Shows how many bytes of what is there already were looked at.
    pub(crate) fn look(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Begins to count, where so many bytes are there already.
    pub(crate) fn start(&mut self, before: u64) {
        self.before = before;
        self.moved = 0;
        self.began = Instant::now();
        // Only a tick takes note of the position, and those of the thread come too late: what is there already would
        // count as transferred, in the speed and in the time that is left.
        self.bar.disable_steady_tick();
        self.bar.set_position(before);
        self.bar.tick();
        self.bar.reset_elapsed();
        if !self.bar.is_hidden() {
            self.bar.enable_steady_tick(TICK);
        }
    }

    pub(crate) fn add(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        self.bar.inc(bytes as u64);
    }

    /// Returns how many bytes are at the receiver, for people.
    pub(crate) fn there(&self) -> BinaryBytes {
        BinaryBytes(self.before + self.moved)
    }

    /// Returns how many bytes were there before.
    pub(crate) fn before(&self) -> u64 {
        self.before
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `300.00 MiB in 2.1 s (142.86 MiB/s)`, and what was there before.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.began.elapsed();
        let seconds = time.as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a speed is shown with a few digits"
        )]
        let speed = BinaryBytes((self.moved as f64 / seconds) as u64);
        let moved = BinaryBytes(self.moved);
        match (self.moved, self.before) {
            (0, 1..) => return f.write_str("was there already"),
            (0, 0) => return f.write_str("0 B"),
            // Too short to say anything of the speed.
            _ if time < Duration::from_millis(50) => write!(f, "{moved}")?,
            _ => write!(f, "{moved} in {seconds:.1} s ({speed}/s)")?,
        }
        if self.before > 0 {
            write!(f, " after {} that were there", BinaryBytes(self.before))?;
        }
        Ok(())
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

const TICK: Duration = Duration::from_millis(500);
const SIZED: &str = "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} \
                     {binary_bytes_per_sec} {eta} left";
const UNSIZED: &str = "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_transferred_and_what_was_there() {
        let screen = Screen::new(true);
        let mut progress = screen.begin("a", Some(4096));
        progress.start(0);
        assert_eq!(progress.to_string(), "0 B");
        progress.start(1024);
        assert_eq!(progress.to_string(), "was there already");
        progress.add(3072);
        progress.began -= Duration::from_secs(3);
        let line = progress.to_string();
        assert!(line.starts_with("3.00 KiB in 3."), "{line}");
        assert!(
            line.ends_with("/s) after 1.00 KiB that were there"),
            "{line}"
        );
    }

    #[test]
    fn what_was_there_is_no_part_of_the_speed() {
        for ticks in [false, true] {
            let mut progress = Screen::new(true).begin("a", Some(1 << 63));
            if ticks {
                progress.bar.enable_steady_tick(TICK);
            }
            progress.look(1 << 20);
            progress.start(1 << 62);
            progress.add(1);
            progress.bar.disable_steady_tick();
            progress.bar.tick();
            // Far more than a byte in a nanosecond, and far less than all in a minute.
            let speed = progress.bar.per_sec();
            assert!(speed < 1e15, "{speed} bytes a second, {ticks}");
        }
    }

    #[test]
    fn templates_are_well_formed() {
        for template in [SIZED, UNSIZED] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
