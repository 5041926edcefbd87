//! What is shown while a bench runs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::figures::{count, rate, things};
use super::plan::Window;

/// A line on standard error, which is written again and again. Nothing where that is no terminal.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(STEPS), target);
        // Where the template is not understood, the default does.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        Self(bar)
    }

    pub(crate) fn connecting(&self, tried: u64, connections: u64) {
        self.0.set_position(tried * STEPS / connections.max(1));
        let (tried, connections) = (count(tried), things(connections, "connection"));
        self.0
            .set_message(format!("connecting: {tried} of {connections}"));
    }

    /// Shows how far a run has come at a time of its clock.
    #[expect(
        clippy::cast_precision_loss,
        reason = "rates are shown with few digits"
    )]
    pub(crate) fn running(&self, window: &Window, now: u64, answers: u64, troubles: u64) {
        let (passed, whole) = (now - window.start, window.to - window.start);
        let position = u128::from(passed) * u128::from(STEPS) / u128::from(whole.max(1));
        self.0
            .set_position(u64::try_from(position).unwrap_or(STEPS).min(STEPS));
        let what = if now < window.from {
            "warming up".to_owned()
        } else if now < window.to {
            let left = Duration::from_nanos(window.to - now);
            format!("{:.1} s left", left.as_secs_f64())
        } else {
            "waiting for the last answers".to_owned()
        };
        let answered = rate(answers as f64 * 1e9 / passed.min(whole).max(1) as f64);
        let errors = match troubles {
            0 => String::new(),
            _ => format!(", {}", things(troubles, "error")),
        };
        self.0
            .set_message(format!("{what}, {answered} messages/s{errors}"));
    }

    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// The resolution of the bar.
const STEPS: u64 = 1000;
