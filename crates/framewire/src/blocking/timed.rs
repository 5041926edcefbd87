//! A keep-alive that the reads of a connection carry out.

use std::io;
use std::time::{Duration, Instant};

use crate::connection::Inbound;
use crate::deadline::after;
use crate::drive::{KeepAlivePlan, WriteSide};
use crate::error::Error;
use crate::{Socket, Timeouts};

/// A keep-alive that is driven by reads, and how to give these a time-out.
#[derive(Debug)]
pub(super) struct Timed<S> {
    plan: KeepAlivePlan,
    next: Instant,
    pong_deadline: Duration,
    set_timeouts: fn(Timeouts, &S) -> io::Result<()>,
    /// The time-outs that the stream had before.
    before: Timeouts,
}

impl<S: Socket> Timed<S> {
    pub(super) fn new(plan: KeepAlivePlan, pong_deadline: Duration, stream: &S) -> Self {
        Self {
            next: plan.first(),
            plan,
            pong_deadline,
            set_timeouts: Timeouts::set_on,
            before: Timeouts::of(stream),
        }
    }
}

impl<S> Timed<S> {
    /// Gives a read the time until something is due, unless the caller's time-out is shorter.
    pub(super) fn before_read(&self, stream: &S) -> io::Result<()> {
        let left = self.next.saturating_duration_since(Instant::now());
        let left = left.max(RESOLUTION);
        let read = self.before.read.map_or(left, |before| before.min(left));
        (self.set_timeouts)(self.with(Some(read), self.before.write), stream)
    }

    /// Gives the write of a Ping the time that its Pong may take.
    pub(super) fn before_beat(&self, stream: &S) -> io::Result<()> {
        let write = self.pong_deadline.max(RESOLUTION);
        let write = self.before.write.map_or(write, |before| before.min(write));
        (self.set_timeouts)(self.with(self.before.read, Some(write)), stream)
    }

    fn with(&self, read: Option<Duration>, write: Option<Duration>) -> Timeouts {
        // What the system cannot tell is as good as none.
        let longest = |time: &Duration| *time < MOST;
        let mut timeouts = self.before;
        timeouts.read = read.filter(longest);
        timeouts.write = write.filter(longest);
        timeouts
    }

    /// Returns whether something is due after a read that has timed out. If not, the time-out is the caller's.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() + RESOLUTION >= self.next
    }

    /// Does what is due.
    pub(super) fn beat(
        &mut self,
        inbound: &mut Inbound,
        side: &mut impl WriteSide,
    ) -> Result<(), Error> {
        let now = Instant::now();
        let next = self.plan.beat(inbound, side, now.max(self.next))?;
        self.next = next.unwrap_or_else(|| after(now, Duration::MAX));
        Ok(())
    }

    /// Gives the stream back the time-outs that it had before.
    pub(super) fn restore(&self, stream: &S) {
        // A stream that is gone has none.
        let _ = (self.set_timeouts)(self.before, stream);
    }
}

/// How much too early a time-out may end.
const RESOLUTION: Duration = Duration::from_millis(5);

/// Longer than any time-out that is worth setting.
const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
