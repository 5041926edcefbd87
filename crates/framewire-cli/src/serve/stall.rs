//! How long a peer has taken nothing of what waits for it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// A peer for which something waits.
///
/// Begins when something has to wait, and again whenever the peer has taken something. The system
/// tells that a socket is writable only once a good part of what it holds is gone: so what waits is
/// tried again [a few times](Self::next_try) within the limit, and a peer that takes little but
/// something goes on. One that takes nothing is ended between 1 and 1.25 times the limit after it took
/// something last. So on Linux and Android, where [`bound_unsent`] has an effect; elsewhere the system's
/// buffer may grow for longer, and look like a peer that takes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stall {
    since: Instant,
    tried: Instant,
}

impl Stall {
    /// What waits was tried now, and does not go out.
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            since: now,
            tried: now,
        }
    }

    /// What waits was tried, and none of it went out.
    pub(super) fn failed(&mut self, now: Instant) {
        self.tried = now;
    }

    /// When to try again.
    pub(super) fn next_try(&self, limit: Duration) -> Instant {
        let limit = limit.min(LONGEST);
        (self.tried + limit / TRIES).min(self.since + limit)
    }

    /// Whether the peer has taken nothing for as long as it may.
    pub(super) fn is_over(&self, now: Instant, limit: Duration) -> bool {
        now.saturating_duration_since(self.since) >= limit
    }
}

/// Has the system hold little for a peer whose window is closed: what it then takes is what the peer
/// has made room for, and not what fits into a buffer of this end. For all connections of a listener.
pub(super) fn bound_unsent(listener: &TcpListener) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        // Where it cannot be set, a peer that takes nothing is ended later.
        let _ = SockRef::from(listener).set_tcp_notsent_lowat(UNSENT);
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = SockRef::from(listener);
}

/// How long a write that blocks waits before it tries again.
pub(super) fn slice(limit: Duration) -> Duration {
    (limit / TRIES).max(Duration::from_millis(1))
}

/// How often what waits is tried again within the limit.
const TRIES: u32 = 8;
/// Longer than any connection, and not too long to be added to the time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// How many bytes the system holds at most that it has not sent.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(8);

    /// Tries as an engine does, until the peer is given up.
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

    /// What a peer took right after a try is seen at the next one, which begins anew.
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
