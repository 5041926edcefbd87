//! The deadlines of all connections.

use std::collections::BTreeSet;
use std::time::Instant;

/// The deadlines of the connections that have one. A connection at rest has none.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, usize)>,
}

impl Timers {
    /// Changes the deadline of a connection.
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

    /// Returns the next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(time, _)| *time)
    }

    /// Returns the next connection whose deadline has passed.
    pub(super) fn next_due(&mut self) -> Option<usize> {
        if self.next()? > Instant::now() {
            return None;
        }
        self.by_time.pop_first().map(|(_, key)| key)
    }
}
