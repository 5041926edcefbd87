//! The heartbeat: what the senders of Pings and the reader of Pongs tell each other.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::deadline::after;
use crate::error::{Error, ErrorKind};
use crate::lock::{Condvar, Mutex, lock};

/// Why a keep-alive ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeepAliveEnd {
    /// `stop_keep_alive` was called, or another keep-alive was begun.
    Stopped,
    /// No Pong answered a Ping within its deadline: the peer is gone, or does not read.
    NoPong,
    /// A Ping could not be written, and why. Also where the interval is 0.
    WriteFailed(Error),
    /// The reading half saw the connection end, or was dropped.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Heartbeat {
    clock: fn() -> Instant,
    beat: Mutex<Beat>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Beat {
    /// The number of the last Ping, over all calls.
    number: u64,
    /// The number of the last Ping that a Pong answered.
    answered: u64,
    /// The Pings without a Pong, and when they were sent, the oldest first.
    unanswered: VecDeque<(u64, Instant)>,
    calls: u64,
    stopped: bool,
    ended: bool,
    failed: Option<Error>,
    /// The task that waits for a change.
    waker: Option<Waker>,
}

/// What a keep-alive does next.
#[derive(Debug)]
pub(crate) enum NextBeat {
    End(KeepAliveEnd),
    Ping,
    Wait(Instant),
}

/// One running keep-alive.
#[derive(Debug)]
pub(crate) struct Pulse {
    call: u64,
    interval: Duration,
    pong_deadline: Duration,
    due: Instant,
}

impl Heartbeat {
    pub(crate) fn new(clock: fn() -> Instant) -> Self {
        Self {
            clock,
            beat: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Begins a keep-alive and ends any other.
    pub(crate) fn begin(
        &self,
        interval: Duration,
        pong_deadline: Duration,
    ) -> Result<Pulse, KeepAliveEnd> {
        if interval.is_zero() {
            let error = ErrorKind::Config("keep-alive interval of 0");
            return Err(KeepAliveEnd::WriteFailed(error.into()));
        }
        let call = self.update(|beat| {
            beat.calls += 1;
            beat.unanswered.clear();
            beat.calls
        });
        Ok(Pulse {
            call,
            interval,
            pong_deadline,
            due: after((self.clock)(), interval),
        })
    }

    /// Returns the number of a Ping to send now.
    pub(crate) fn next_number(&self, pulse: &mut Pulse) -> u64 {
        pulse.due = after((self.clock)(), pulse.interval);
        self.update(|beat| {
            beat.number += 1;
            beat.number
        })
    }

    /// Returns what to do next. `waker` is woken when that may have changed.
    #[cfg(feature = "tokio")]
    pub(crate) fn next(&self, pulse: &Pulse, waker: &Waker) -> NextBeat {
        let now = (self.clock)();
        let mut beat = lock(&self.beat);
        let next = beat.next(pulse, now);
        let mut before = None;
        if let NextBeat::Wait(_) = next {
            before = beat.waker.replace(waker.clone());
        }
        drop(beat);
        drop(before);
        next
    }

    /// Waits until a Ping is due, or returns why the keep-alive ends.
    pub(crate) fn wait(&self, pulse: &Pulse) -> Option<KeepAliveEnd> {
        let mut beat = lock(&self.beat);
        loop {
            let now = (self.clock)();
            match beat.next(pulse, now) {
                NextBeat::End(end) => return Some(end),
                NextBeat::Ping => return None,
                NextBeat::Wait(until) => {
                    let waited = self.changed.wait_timeout(beat, until - now);
                    beat = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Records a Pong. One that answers no Ping of ours changes nothing.
    pub(crate) fn pong(&self, payload: &[u8]) {
        let Ok(number) = payload.try_into().map(u64::from_be_bytes) else {
            return;
        };
        self.update(|beat| {
            if number <= beat.number {
                beat.unanswered.retain(|&(ping, _)| ping > number);
                beat.answered = beat.answered.max(number);
            }
        });
    }

    /// Records that a Ping was sent. Its Pong may already have arrived.
    pub(crate) fn sent(&self, number: u64) {
        let now = (self.clock)();
        self.update(|beat| {
            if number > beat.answered && beat.unanswered.len() < MAX_UNANSWERED {
                beat.unanswered.push_back((number, now));
            }
        });
    }

    /// Records that a Ping could not be sent. No effect where it will be sent later. After the end of the connection
    /// no Ping can be sent, and that end is the one to report.
    pub(crate) fn fail(&self, error: Error) {
        if error.is_would_block() {
            return;
        }
        let has_ended = match error.kind() {
            ErrorKind::ConnectionLost => true,
            ErrorKind::Closed(closed) => closed.peer.is_some(),
            _ => false,
        };
        self.update(|beat| {
            if has_ended {
                beat.ended = true;
            } else {
                beat.failed = Some(error);
            }
        });
    }

    /// Ends the keep-alive under way, and any later one.
    pub(crate) fn stop(&self) {
        self.update(|beat| beat.stopped = true);
    }

    /// Records that nothing more will be read.
    pub(crate) fn end(&self) {
        self.update(|beat| beat.ended = true);
    }

    fn update<R>(&self, change: impl FnOnce(&mut Beat) -> R) -> R {
        let mut beat = lock(&self.beat);
        let result = change(&mut beat);
        let waker = beat.waker.take();
        drop(beat);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }
}

impl Beat {
    fn next(&mut self, pulse: &Pulse, now: Instant) -> NextBeat {
        if self.stopped || self.calls != pulse.call {
            return NextBeat::End(KeepAliveEnd::Stopped);
        }
        if let Some(error) = self.failed.take() {
            return NextBeat::End(KeepAliveEnd::WriteFailed(error));
        }
        if self.ended {
            return NextBeat::End(KeepAliveEnd::Ended);
        }
        let oldest = self.unanswered.front();
        let deadline = oldest.map(|&(_, sent)| after(sent, pulse.pong_deadline));
        if deadline.is_some_and(|deadline| now >= deadline) {
            return NextBeat::End(KeepAliveEnd::NoPong);
        }
        if now >= pulse.due {
            return NextBeat::Ping;
        }
        NextBeat::Wait(deadline.map_or(pulse.due, |deadline| deadline.min(pulse.due)))
    }
}

/// How many Pings without a Pong have a deadline. Those after them have none.
const MAX_UNANSWERED: usize = 64;

#[cfg(all(test, not(framewire_model)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::error::{Close, Closed, Side};

    fn end_after(failure: ErrorKind) -> KeepAliveEnd {
        let heartbeat = Heartbeat::new(Instant::now);
        let pulse = heartbeat.begin(Duration::MAX, Duration::MAX).unwrap();
        heartbeat.fail(failure.into());
        heartbeat.wait(&pulse).unwrap()
    }

    #[test]
    fn a_ping_that_fails_as_the_connection_has_ended_is_its_end() {
        let ours = Some(Close::of(b""));
        let mut closed = Closed {
            local: ours.clone(),
            peer: None,
            by: Side::Local,
        };
        let end = end_after(ErrorKind::Closed(Box::new(closed.clone())));
        assert!(matches!(end, KeepAliveEnd::WriteFailed(_)), "{end:?}");
        closed.peer = ours;
        for failure in [
            ErrorKind::Closed(Box::new(closed)),
            ErrorKind::ConnectionLost,
        ] {
            let end = end_after(failure);
            assert!(matches!(end, KeepAliveEnd::Ended), "{end:?}");
        }
    }
}
