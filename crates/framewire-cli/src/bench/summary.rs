//! Results for a terminal.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};

use super::buckets::{Bucket, buckets};
use super::figures::{bytes, count, percent, rate, things, time, time_or_none};
use super::latencies::QUANTILES;
use super::plan::Pace;
use super::results::Results;
use crate::terminal::is_deceptive;

/// Returns the results as text with colours, no line of which is longer than `width`, if that is 40 or more, but for
/// what comes from outside.
pub(crate) fn summary(results: &Results, width: usize) -> String {
    let mut text = Text::default();
    text.head(results);
    if results.run.connected == 0 {
        text.errors(results);
        return text.0;
    }
    text.key_figures(results);
    text.latencies(results);
    text.histogram(results, width);
    text.errors(results);
    text.warnings(results, width);
    text.0
}

/// Text with colours. Writing to it does not fail.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, results: &Results) {
        let (plan, run) = (&results.plan, &results.run);
        self.line(format_args!("{BOLD}{}{BOLD:#}", plain(&results.url)));
        let kind = if plan.binary { "binary" } else { "text" };
        let pace = match plan.pace {
            Pace::Closed(depth) => format!("{} under way on each", things(depth as u64, "message")),
            Pace::Open(per_second) => format!("{} messages/s", rate(per_second)),
        };
        self.line(format_args!(
            "{} on {}, {pace}, {kind} of {}",
            things(plan.connections as u64, "connection"),
            things(plan.threads as u64, "thread"),
            things(plan.size as u64, "byte"),
        ));
        if let Some(agreed) = &run.agreed {
            if let Some(place) = &agreed.redirected_to {
                self.line(format_args!("redirected to {}", plain(place)));
            }
            let compression = agreed.compression.as_deref().map(plain);
            self.line(format_args!(
                "{}, compression {}",
                if agreed.is_tls { "TLS" } else { "no TLS" },
                compression.as_deref().unwrap_or("none"),
            ));
        }
    }

    fn key_figures(&mut self, results: &Results) {
        let (plan, run, counts) = (&results.plan, &results.run, &results.run.record.counts);
        self.title("throughput", format_args!(""));
        if run.measured.is_zero() {
            let why = if run.was_interrupted {
                "it was interrupted"
            } else {
                "all connections ended"
            };
            self.line(format_args!(
                "  measured   nothing: {why} before that began"
            ));
        } else {
            self.rates(results);
        }
        for (number, reason) in counts.unsent_by_reason() {
            if number > 0 {
                let number = count(number);
                self.line(format_args!(
                    "  unsent     {number} that were due, as {reason}"
                ));
            }
        }
        if counts.greetings > 0 {
            self.line(format_args!(
                "  greetings  {} before the first message, not counted",
                count(counts.greetings)
            ));
        }
        let connecting = &run.record.connecting;
        self.line(format_args!(
            "  connected  {} of {}, p50 {}, max {}",
            count(run.connected),
            count(plan.connections as u64),
            time_or_none(connecting.quantile(0.5)),
            time_or_none(connecting.max()),
        ));
    }

    fn rates(&mut self, results: &Results) {
        let (run, counts) = (&results.run, &results.run.record.counts);
        let (messages, payload) = results.throughput();
        self.line(format_args!(
            "  messages   {BOLD}{}/s{BOLD:#}",
            rate(messages)
        ));
        self.line(format_args!(
            "  payload    {}/s sent, and as much received",
            bytes(payload)
        ));
        let end = if run.was_interrupted {
            ", then interrupted"
        } else {
            ""
        };
        self.line(format_args!("  measured   {}{end}", time(run.measured)));
        let after = match counts.answered.saturating_sub(results.answers()) {
            0 => String::new(),
            late => format!(", {} of them after that time", count(late)),
        };
        self.line(format_args!(
            "  answered   {} of {} sent{after}",
            count(counts.answered),
            count(counts.sent)
        ));
    }

    fn latencies(&mut self, results: &Results) {
        let (corrected, measured) = (&results.corrected, results.measured());
        if corrected.count() == 0 {
            return;
        }
        self.title("latency", format_args!("    corrected     measured"));
        let mut row = |name: &str, corrected, measured| {
            let (corrected, measured) = (time_or_none(corrected), time_or_none(measured));
            self.line(format_args!("  {name:<7} {corrected:>12} {measured:>12}"));
        };
        row("min", corrected.min(), measured.min());
        for (name, share) in QUANTILES {
            row(name, corrected.quantile(share), measured.quantile(share));
        }
        row("max", corrected.max(), measured.max());
        row("mean", corrected.mean(), measured.mean());
        if let Pace::Open(_) = results.plan.pace {
            let late = &results.run.record.lateness;
            let (median, p99) = (late.quantile(0.5), late.quantile(0.99));
            self.line(format_args!(
                "  {DIM}sent late by the bench itself: p50 {}, p99 {}{DIM:#}",
                time_or_none(median),
                time_or_none(p99)
            ));
        }
    }

    fn histogram(&mut self, results: &Results, width: usize) {
        let buckets = buckets(&results.corrected, MOST_ROWS);
        let Some(most) = buckets.iter().map(|bucket| bucket.count).max() else {
            return;
        };
        self.title("distribution", format_args!(" (corrected)"));
        let total = results.corrected.count();
        let bar_width = width.saturating_sub(BESIDE_BAR).clamp(10, 60);
        for Bucket { to, count, .. } in buckets {
            let bound = time(std::time::Duration::from_nanos(to));
            let (bar, share) = (bar(count, most, bar_width), percent(count, total));
            self.line(format_args!(
                "  < {bound:>7}  {CYAN}{bar:<bar_width$}{CYAN:#} {share:>8}"
            ));
        }
    }

    fn errors(&mut self, results: &Results) {
        let troubles = &results.run.record.troubles;
        if troubles.is_empty() {
            return;
        }
        self.title("errors", format_args!(""));
        for (kind, trouble) in troubles.iter() {
            let (number, first) = (count(trouble.count), plain(&trouble.first));
            self.line(format_args!("  {RED}{number} × {kind}{RED:#}: {first}"));
        }
    }

    fn warnings(&mut self, results: &Results, width: usize) {
        for warning in &results.warnings {
            self.0.push('\n');
            for line in wrapped(&format!("WARNING: {warning}."), width) {
                self.line(format_args!("{YELLOW}{line}{YELLOW:#}"));
            }
        }
    }

    fn title(&mut self, title: &str, rest: fmt::Arguments<'_>) {
        self.line(format_args!("\n{BOLD}{title}{BOLD:#}{rest}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{line}");
    }
}

/// Returns a bar of at most `width` characters, in eighths of one. What is more than nothing is seen.
fn bar(count: u64, most: u64, width: usize) -> String {
    let whole = u128::from(most.max(1));
    let eighths = (u128::from(count) * 8 * width as u128 + whole / 2) / whole;
    let eighths = (eighths as usize).max(usize::from(count > 0));
    let mut bar = "█".repeat(eighths / 8);
    if eighths % 8 > 0 {
        bar.push(EIGHTHS[eighths % 8 - 1]);
    }
    bar
}

/// Breaks a text into lines of at most `width` characters, where its words are not longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut();
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns what comes from outside without anything that a terminal obeys.
fn plain(text: &str) -> String {
    text.replace(is_deceptive, " ")
}

const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

const MOST_ROWS: usize = 18;
/// How many characters of a row stand beside its bar.
const BESIDE_BAR: usize = 24;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const CYAN: Style = AnsiColor::Cyan.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

#[cfg(test)]
mod tests {
    use super::{bar, wrapped};

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_nothing_of_something() {
        assert_eq!(bar(4, 4, 10), "██████████");
        assert_eq!(bar(1, 4, 10), "██▌");
        assert_eq!(bar(1, u64::MAX, 10), "▏");
        assert_eq!(bar(0, 4, 10), "");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("verylong x", 4), ["verylong", "x"]);
    }
}
