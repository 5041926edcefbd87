//! What the connections of one receiver share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::files::part::Inbox;
use crate::files::progress::Screen;

/// What the connections of one receiver share.
pub(super) struct Shared {
    pub(super) inbox: Inbox,
    pub(super) screen: Screen,
    pub(super) idle_timeout: Duration,
    /// How many files have arrived.
    pub(super) arrived: AtomicUsize,
    /// After how many files the program ends.
    pub(super) files: Option<usize>,
    /// Ends the program, with what went wrong.
    pub(super) end: Sender<Result<(), String>>,
}

impl Shared {
    /// Counts a file that has arrived.
    pub(super) fn count(&self) {
        let arrived = self.arrived.fetch_add(1, Ordering::Relaxed) + 1;
        if self.files.is_some_and(|files| arrived >= files) {
            self.end(Ok(()));
        }
    }

    /// Ends the program, with what went wrong.
    pub(super) fn end(&self, outcome: Result<(), String>) {
        // It fails if the program is ending already.
        let _ = self.end.send(outcome);
    }
}
