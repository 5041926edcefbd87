//! The heartbeat: what the senders of Pings and the reader of Pongs tell each other.

use std::sync::PoisonError;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::drive::{NextBeat, NoPong, Pings, Pulse};
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
    pings: Pings,
    /// The number of the keep-alive that runs, over all that were begun or stopped.
    call: u64,
    ended: bool,
    failed: Option<Error>,
    /// The task that waits for a change.
    waker: Option<Waker>,
}

/// One running keep-alive.
#[derive(Debug)]
pub(crate) struct Call {
    number: u64,
    pulse: Pulse,
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
    ) -> Result<Call, KeepAliveEnd> {
        let pulse = Pulse::begin(interval, pong_deadline, (self.clock)());
        let pulse = pulse.map_err(KeepAliveEnd::WriteFailed)?;
        let number = self.update(|beat| {
            beat.pings.forget();
            beat.call += 1;
            beat.call
        });
        Ok(Call { number, pulse })
    }

    /// Returns the number of a Ping to send now.
    pub(crate) fn next_number(&self, call: &mut Call) -> u64 {
        call.pulse.beat((self.clock)());
        self.update(|beat| beat.pings.next_number())
    }

    /// Returns what to do next. `waker` is woken when that may have changed.
    #[cfg(feature = "tokio")]
    pub(crate) fn next(&self, call: &Call, waker: &Waker) -> NextBeat<KeepAliveEnd> {
        let now = (self.clock)();
        let mut beat = lock(&self.beat);
        let next = beat.next(call, now);
        let mut before = None;
        if let NextBeat::Wait(_) = next {
            before = beat.waker.replace(waker.clone());
        }
        drop(beat);
        drop(before);
        next
    }

    /// Waits until a Ping is due, or returns why the keep-alive ends.
    pub(crate) fn wait(&self, call: &Call) -> Option<KeepAliveEnd> {
        let mut beat = lock(&self.beat);
        loop {
            let now = (self.clock)();
            match beat.next(call, now) {
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
        self.update(|beat| beat.pings.answered(number));
    }

    /// Records that a Ping was sent. Its Pong may already have arrived.
    pub(crate) fn sent(&self, number: u64) {
        let now = (self.clock)();
        self.update(|beat| beat.pings.sent(number, now));
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

    /// Ends the keep-alive under way. Another can be begun after it.
    pub(crate) fn stop(&self) {
        self.update(|beat| beat.call += 1);
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
    fn next(&mut self, call: &Call, now: Instant) -> NextBeat<KeepAliveEnd> {
        if self.call != call.number {
            return NextBeat::End(KeepAliveEnd::Stopped);
        }
        if let Some(error) = self.failed.take() {
            return NextBeat::End(KeepAliveEnd::WriteFailed(error));
        }
        if self.ended {
            return NextBeat::End(KeepAliveEnd::Ended);
        }
        match self.pings.next(&call.pulse, now) {
            NextBeat::End(NoPong) => NextBeat::End(KeepAliveEnd::NoPong),
            NextBeat::Ping => NextBeat::Ping,
            NextBeat::Wait(until) => NextBeat::Wait(until),
        }
    }
}

#[cfg(all(test, not(framewire_model)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::error::{Close, Closed, Side};

    fn end_after(failure: ErrorKind) -> KeepAliveEnd {
        let heartbeat = Heartbeat::new(Instant::now);
        let call = heartbeat.begin(Duration::MAX, Duration::MAX).unwrap();
        heartbeat.fail(failure.into());
        heartbeat.wait(&call).unwrap()
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
