//! A time-out for a call that uses the socket several times.

use crate::exchange::Deadline;
use std::io;
use std::time::Duration;

/// What is left of a time-out, for a call that uses the socket several times.
pub(super) struct Allowance {
    deadline: Deadline,
    used: bool,
}

impl Allowance {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        Self {
            deadline: Deadline::after(timeout.unwrap_or(Duration::MAX)),
            used: false,
        }
    }

    /// Returns the allowance for what a reader sends, whatever the time-out of writes.
    pub(super) fn of_an_answer() -> Self {
        Self {
            used: true,
            ..Self::new(Some(ANSWER_TIME))
        }
    }

    /// Returns the time-out to set before a call of the socket. `None` where the socket's own is right, as for the
    /// first call.
    pub(super) fn next(&mut self) -> io::Result<Option<Duration>> {
        if std::mem::replace(&mut self.used, true) {
            self.deadline.left()
        } else {
            Ok(None)
        }
    }
}

/// How long a reader may wait to send an answer.
const ANSWER_TIME: Duration = Duration::from_millis(10);
