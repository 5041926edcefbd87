//! A keep-alive that the reads of a connection carry out.

use std::io;
use std::time::{Duration, Instant};

use crate::connection::Inbound;
use crate::deadline::after;
use crate::drive::{KeepAlivePlan, PollWrite, WriteSide};
use crate::error::Error;
use crate::{Socket, Timeouts};

/// A keep-alive that is driven by reads, and how to give these a time-out.
#[derive(Debug)]
pub(super) struct Timed<S> {
    plan: KeepAlivePlan,
    next: Instant,
    pong_deadline: Duration,
    set_read_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    set_write_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// The time-outs that the stream had before.
    before: Timeouts,
    /// Whether writes have the keep-alive's time-out: a Ping waits for a stream that has stalled.
    limits_writes: bool,
}

impl<S: Socket> Timed<S> {
    pub(super) fn new(plan: KeepAlivePlan, pong_deadline: Duration, stream: &S) -> Self {
        Self {
            next: plan.first(),
            plan,
            pong_deadline,
            set_read_timeout: S::set_read_timeout,
            set_write_timeout: S::set_write_timeout,
            before: Timeouts::of(stream),
            limits_writes: false,
        }
    }
}

impl<S> Timed<S> {
    /// Gives a read the time until something is due, unless the caller's time-out is shorter.
    pub(super) fn before_read(&mut self, stream: &S, has_pending_output: bool) -> io::Result<()> {
        if self.limits_writes && !has_pending_output {
            self.unlimit_writes(stream);
        }
        let left = self.next.saturating_duration_since(Instant::now());
        (self.set_read_timeout)(stream, shorter(left, self.before.read))
    }

    /// Returns whether something is due after a read that has timed out. If not, the time-out is the caller's.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() + RESOLUTION >= self.next
    }

    /// Does what is due. `side` writes to `stream`, for as long as the Pong of a Ping may take at most.
    pub(super) fn beat(
        &mut self,
        inbound: &mut Inbound,
        side: &mut impl WriteSide<Stream = S>,
    ) -> Result<(), Error>
    where
        S: PollWrite,
    {
        let write = shorter(self.pong_deadline, self.before.write);
        // A stream that takes no time-out fails the write too.
        let _ = (self.set_write_timeout)(side.parts().1, write);
        self.limits_writes = true;
        let now = Instant::now();
        let next = self.plan.beat(inbound, side, now.max(self.next));
        if !side.outbound().has_pending_output() {
            self.unlimit_writes(side.parts().1);
        }
        self.next = next?.unwrap_or_else(|| after(now, Duration::MAX));
        Ok(())
    }

    fn unlimit_writes(&mut self, stream: &S) {
        self.limits_writes = false;
        let _ = (self.set_write_timeout)(stream, self.before.write);
    }

    /// Gives the stream back the time-outs that it had before.
    pub(super) fn restore(&mut self, stream: &S) {
        // A stream that is gone has none.
        let _ = (self.set_read_timeout)(stream, self.before.read);
        if self.limits_writes {
            self.unlimit_writes(stream);
        }
    }
}

/// Returns the shorter time-out; `None` for one that is longer than the system can tell.
fn shorter(time: Duration, before: Option<Duration>) -> Option<Duration> {
    let time = time.max(RESOLUTION);
    let shorter = before.map_or(time, |before| before.min(time));
    (shorter < MOST).then_some(shorter)
}

/// How much too early a time-out may end.
const RESOLUTION: Duration = Duration::from_millis(5);

/// Longer than any time-out that is worth setting.
const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
