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

    /// Returns the sooner of the two, or this one where both are at the same time.
    pub(crate) fn or_sooner(self, other: Self) -> Self {
        match (self.end, other.end) {
            (Some(end), Some(sooner)) if sooner < end => other,
            (None, Some(_)) => other,
            _ => self,
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
        self.left_at(Instant::now())
    }

    fn left_at(self, now: Instant) -> io::Result<Option<Duration>> {
        let Some(end) = self.end else {
            return Ok(None);
        };
        match end.checked_duration_since(now) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A socket takes no time-out of zero.
    #[test]
    fn time_is_over_at_its_end_and_not_before() {
        let start = Instant::now();
        let [nearly, tick] = [999, 1].map(Duration::from_millis);
        let deadline = Deadline::starting(start, nearly + tick);
        assert_eq!(deadline.left_at(start + nearly).unwrap(), Some(tick));
        for over in [nearly + tick, nearly + 2 * tick] {
            let error = deadline.left_at(start + over).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{over:?}");
        }
        let never = Deadline::starting(start, Duration::MAX);
        assert_eq!(never.left_at(start).unwrap(), None);
    }

    #[test]
    fn the_sooner_of_two_deadlines_counts_and_never_is_the_latest() {
        let now = Instant::now();
        let [soon, late] =
            [1, 2].map(|seconds| Deadline::starting(now, Duration::from_secs(seconds)));
        let never = Deadline::starting(now, Duration::MAX);
        assert_eq!(never.end(), None);
        for (one, other, sooner) in [
            (soon, late, soon),
            (late, soon, soon),
            (soon, never, soon),
            (never, soon, soon),
            (never, never, never),
        ] {
            let end = one.or_sooner(other).end();
            assert_eq!(end, sooner.end(), "{one:?} {other:?}");
        }
        let as_late = Deadline::starting(now + Duration::from_secs(1), Duration::from_secs(1));
        assert_eq!(late.or_sooner(as_late).time, late.time);
    }
}
