//! The results of a run, as all outputs tell them.

use std::time::{Duration, SystemTime};

use super::latencies::Latencies;
use super::load::Run;
use super::options::Options;
use super::plan::Plan;
use super::{command, verdict};

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Results {
    /// The URL, without a password.
    pub(crate) url: String,
    /// What to type to do it again, an option at a time.
    pub(crate) command: Vec<String>,
    pub(crate) date: SystemTime,
    pub(crate) plan: Plan,
    pub(crate) run: Run,
    /// The latencies, corrected for coordinated omission.
    pub(crate) corrected: Latencies,
    /// Why the figures may say more of the bench than of the server.
    pub(crate) warnings: Vec<String>,
}

impl Results {
    pub(crate) fn new(options: &Options, plan: &Plan, run: Run) -> Self {
        Self {
            url: command::without_password(&options.url),
            command: command::command(options, plan),
            date: SystemTime::now(),
            corrected: run.record.corrected(&run.window),
            warnings: verdict::warnings(plan, &run),
            plan: plan.clone(),
            run,
        }
    }

    /// Returns the latencies of the messages that were sent, and no others.
    pub(crate) fn measured(&self) -> &Latencies {
        &self.run.record.from_sent
    }

    /// Returns how often anything went wrong.
    pub(crate) fn errors(&self) -> u64 {
        let troubles = self.run.record.troubles.iter();
        troubles.map(|(_, trouble)| trouble.count).sum()
    }

    /// Returns how many answers came in a second, and how many bytes of payload.
    #[expect(clippy::cast_precision_loss, reason = "rates need few digits")]
    pub(crate) fn throughput(&self) -> (f64, f64) {
        let time = self.run.measured.as_secs_f64();
        let bytes: u64 = self.slices().map(|(_, _, slice)| slice.bytes).sum();
        if time > 0.0 {
            (self.answers() as f64 / time, bytes as f64 / time)
        } else {
            (0.0, 0.0)
        }
    }

    /// Returns how many answers came while it was measured.
    pub(crate) fn answers(&self) -> u64 {
        self.slices().map(|(_, _, slice)| slice.answers).sum()
    }

    /// Returns what came in each slice of the time, with its beginning and its length.
    pub(crate) fn slices(
        &self,
    ) -> impl Iterator<Item = (Duration, Duration, &super::record::Slice)> {
        self.run.record.slices.until(self.run.measured)
    }
}
