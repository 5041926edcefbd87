//! A time-out for a call that uses the socket several times.

use std::io;
use std::time::{Duration, Instant};

/// What is left of a time-out, for a call that uses the socket several times.
pub(super) struct Allowance {
    timeout: Option<(Duration, Instant)>,
    used: bool,
}

impl Allowance {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        Self {
            timeout: timeout.map(|timeout| (timeout, Instant::now())),
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
        let first = !std::mem::replace(&mut self.used, true);
        let Some((timeout, started)) = self.timeout.filter(|_| !first) else {
            return Ok(None);
        };
        match timeout.checked_sub(started.elapsed()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// How long a reader may wait to send an answer.
const ANSWER_TIME: Duration = Duration::from_millis(10);
