//! The time by which something is done.

use crate::error::{Error, ErrorKind};
use std::io;
use std::time::{Duration, Instant};

/// A point in time by which something is done, and how long that was from the start.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// `None` is never.
    end: Option<Instant>,
    time: Duration,
}

impl Deadline {
    /// So long from now; [`Duration::MAX`] is never.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self::starting(Instant::now(), time)
    }

    /// So long from a point in time, which a front end may take from another clock.
    #[must_use]
    pub fn starting(now: Instant, time: Duration) -> Self {
        Self {
            end: now.checked_add(time),
            time,
        }
    }

    /// When it is over; `None` is never.
    #[must_use]
    pub fn end(self) -> Option<Instant> {
        self.end
    }

    /// The sooner of the two.
    pub(crate) fn or_sooner(self, other: Self) -> Self {
        match (self.end, other.end) {
            (Some(end), Some(other)) if end <= other => self,
            _ => other,
        }
    }

    /// An equal part of what is left, for one of `count` attempts; `None` without a deadline.
    pub(crate) fn share(self, count: usize) -> io::Result<Option<Duration>> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(self.left()?.map(|left| left / count.max(1)))
    }

    pub(crate) fn is_over(self) -> bool {
        self.left().is_err()
    }

    /// The error for something that the time was too short for.
    #[must_use]
    pub fn error_for(self, what: &str) -> Error {
        let message = format!("{what} was not done within the limit of {:?}", self.time);
        Error::new(ErrorKind::TimedOut, message)
    }

    /// What is left by the clock of the operating system; `None` where it is never over.
    pub(crate) fn left(self) -> io::Result<Option<Duration>> {
        let Some(end) = self.end else {
            return Ok(None);
        };
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The error for something that the stream failed at.
    pub(crate) fn error(self, error: io::Error, kind: ErrorKind, doing: &str) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            // How a TLS stream says that it was cut.
            return Error::new(ErrorKind::Closed, "stream ended").with_cause(error);
        }
        if !self.is_time_out(&error) {
            return Error::new(kind, format!("{doing} failed")).with_cause(error);
        }
        self.error_for(doing)
    }

    /// `WouldBlock` is how Unix reports a time-out, and how a non-blocking stream says "not yet":
    /// what tells them apart is whether the time is over.
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
