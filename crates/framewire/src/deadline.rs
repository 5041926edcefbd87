//! Points in time that lie ahead.

use std::time::{Duration, Instant};

/// Returns the time that lies `time` after `now`, or a century after it where that is less.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now + time.min(A_CENTURY)
}

/// Longer than any connection, and short enough to add to the current time.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
