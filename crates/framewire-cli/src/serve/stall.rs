//! Detection of peers that take nothing of what waits for them.

use std::time::{Duration, Instant};

/// The time for which a peer has taken nothing of what waits for it.
///
/// Begins when something has to wait, and again whenever the peer has taken something. The system reports a
/// socket as writable only once a good part of its buffer is free. So the write is tried again [a few
/// times](Self::next_try) within the limit, and a peer that takes a little is not ended. A peer that takes
/// nothing is ended between 1 and 1.25 times the limit after it took something last.
///
/// That holds on Linux and Android, where [`bound_unsent`](crate::accept::bound_unsent) has an effect. Elsewhere the
/// system's buffer may go on growing, which looks like a peer that takes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stall {
    since: Instant,
    tried: Instant,
}

impl Stall {
    /// Begins now, when a write has taken nothing.
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            since: now,
            tried: now,
        }
    }

    /// Records that another try has written nothing.
    pub(super) fn failed(&mut self, now: Instant) {
        self.tried = now;
    }

    /// Returns when to try again.
    pub(super) fn next_try(&self, limit: Duration) -> Instant {
        let limit = limit.min(LONGEST);
        (self.tried + limit / TRIES).min(self.since + limit)
    }

    /// Returns whether the peer has taken nothing for `limit`.
    pub(super) fn is_over(&self, now: Instant, limit: Duration) -> bool {
        now.saturating_duration_since(self.since) >= limit
    }
}

/// Returns how long a write may block before it is tried again.
pub(super) fn slice(limit: Duration) -> Duration {
    (limit / TRIES).max(Duration::from_millis(1))
}

/// How often a write is tried again within the limit.
const TRIES: u32 = 8;
/// Longer than any connection, and short enough to be added to the current time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(8);

    /// Tries as an engine does, until the peer is ended.
    fn ends_after(stall: &mut Stall) -> Duration {
        let start = stall.since;
        loop {
            let now = stall.next_try(LIMIT);
            if stall.is_over(now, LIMIT) {
                return now - start;
            }
            stall.failed(now);
        }
    }

    #[test]
    fn a_peer_that_takes_nothing_is_given_up_at_the_limit() {
        assert_eq!(ends_after(&mut Stall::begin(Instant::now())), LIMIT);
    }

    /// What a peer takes right after a try is seen at the next try, which begins anew.
    #[test]
    fn what_is_seen_late_puts_the_end_off_by_one_try() {
        let stall = Stall::begin(Instant::now());
        let seen = stall.next_try(LIMIT);
        assert_eq!(seen - stall.since, LIMIT / 8);
        let late = (seen - stall.since) + ends_after(&mut Stall::begin(seen));
        assert_eq!(late, LIMIT + LIMIT / 8);
    }

    #[test]
    fn a_limit_of_any_length_can_be_had() {
        let now = Instant::now();
        let stall = Stall::begin(now);
        assert!(stall.next_try(Duration::MAX) > now);
        assert!(!stall.is_over(now, Duration::MAX));
    }
}
