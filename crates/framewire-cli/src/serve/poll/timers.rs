//! What has to happen by when.

use std::collections::BTreeSet;
use std::time::Instant;

/// The deadlines of those connections that have one: a connection at rest has none.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, usize)>,
}

impl Timers {
    /// Gives a connection another deadline.
    pub(super) fn change(&mut self, key: usize, from: Option<Instant>, to: Option<Instant>) {
        if from == to {
            return;
        }
        if let Some(time) = from {
            self.by_time.remove(&(time, key));
        }
        if let Some(time) = to {
            self.by_time.insert((time, key));
        }
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// Takes the next connection whose deadline is over.
    pub(super) fn next_due(&mut self) -> Option<usize> {
        if self.next()? > Instant::now() {
            return None;
        }
        self.by_time.pop_first().map(|(_, key)| key)
    }
}
