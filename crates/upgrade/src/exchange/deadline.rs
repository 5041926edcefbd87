//! The time by which something must be done.

use crate::error::{UpgradeError, UpgradeErrorKind};
use std::io;
use std::time::{Duration, Instant};

/// A point in time by which something must be done, and how long that was from the start.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// `None` is never.
    end: Option<Instant>,
    time: Duration,
}

impl Deadline {
    /// Returns the deadline `time` from now; [`Duration::MAX`] is never.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self::starting(Instant::now(), time)
    }

    /// Returns the deadline `time` after a point in time, which a front end may take from another clock.
    #[must_use]
    pub fn starting(now: Instant, time: Duration) -> Self {
        Self {
            end: now.checked_add(time),
            time,
        }
    }

    /// Returns when the time is over; `None` is never.
    #[must_use]
    pub fn end(self) -> Option<Instant> {
        self.end
    }

    /// Returns the sooner of the two.
    pub(crate) fn or_sooner(self, other: Self) -> Self {
        match (self.end, other.end) {
            (Some(end), Some(other)) if end <= other => self,
            _ => other,
        }
    }

    /// Returns an equal part of the time that is left, for one of `count` attempts; `None` without a deadline.
    pub(crate) fn share(self, count: usize) -> io::Result<Option<Duration>> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(self.left()?.map(|left| left / count.max(1)))
    }

    pub(crate) fn is_over(self) -> bool {
        self.left().is_err()
    }

    /// Returns the error for something that was not done in time.
    #[must_use]
    pub fn error_for(self, what: &str) -> UpgradeError {
        let message = format!("{what} was not done within the limit of {:?}", self.time);
        UpgradeError::new(UpgradeErrorKind::TimedOut, message)
    }

    /// Returns the time that is left by the clock of the operating system; `None` without a deadline.
    pub(crate) fn left(self) -> io::Result<Option<Duration>> {
        let Some(end) = self.end else {
            return Ok(None);
        };
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Returns the error for something that the stream failed at.
    pub(crate) fn error(
        self,
        error: io::Error,
        kind: UpgradeErrorKind,
        doing: &str,
    ) -> UpgradeError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            // A TLS stream says so where it was cut.
            return UpgradeError::new(UpgradeErrorKind::Closed, "stream ended").with_cause(error);
        }
        if !self.is_time_out(&error) {
            return UpgradeError::new(kind, format!("{doing} failed")).with_cause(error);
        }
        self.error_for(doing)
    }

    /// Returns whether an error means that the time is over. `WouldBlock` is how Unix reports a time-out, and how a
    /// non-blocking stream says "not yet": it means the former once the time is over.
    fn is_time_out(self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::TimedOut => true,
            io::ErrorKind::WouldBlock => self.end.is_some_and(|end| Instant::now() + TICK >= end),
            _ => false,
        }
    }
}

/// A kernel that counts time-outs in ticks may end one this much early.
const TICK: Duration = Duration::from_millis(10);
