//! Whether the peer is still there.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::WriteHalf;
use crate::Duplicate;
use crate::error::Error;
use crate::frame::ControlPayload;

/// Why a [`keep_alive`](WriteHalf::keep_alive) ended.
#[derive(Debug)]
pub enum KeepAliveEnd {
    /// [`stop_keep_alive`](WriteHalf::stop_keep_alive) was called.
    Stopped,
    /// A Ping had no Pong within its deadline: the peer is gone, or does not read.
    NoPong,
    /// A Ping could not be written, and why.
    WriteFailed(Error),
    /// The reading half saw the connection end, or was dropped.
    Ended,
}

impl<S: Duplicate> WriteHalf<S> {
    /// Sends a Ping each `interval`, the first after one, and blocks the calling thread until there
    /// is a reason to stop. The reading half has to be read from meanwhile, since it is what sees
    /// the Pongs.
    ///
    /// A Ping carries a number in eight bytes; a Pong answers it and those before it (RFC 6455
    /// 5.5.3). It is not held up by a thread that is in the middle of a write; but a stream that
    /// takes nothing holds the Ping itself for as long as its write time-out, so give it one.
    ///
    /// One at a time: a second call stops the first.
    #[must_use = "it says whether the peer is still there"]
    pub fn keep_alive(&self, interval: Duration, pong_deadline: Duration) -> KeepAliveEnd {
        let heartbeat = &self.shared().heartbeat;
        let begun = heartbeat.begin();
        let start = Instant::now();
        // The n-th Ping, from 1, is due at n intervals and its Pong a deadline later.
        let due = |n: u64| start + interval.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
        let mut sent = 0;
        loop {
            let deadline = |answered: u64| {
                let unanswered = (answered < sent).then(|| due(answered + 1) + pong_deadline);
                let ping = due(sent + 1);
                unanswered.map_or(ping, |pong| pong.min(ping))
            };
            match heartbeat.wait(&begun, deadline) {
                Wake::Stopped => return KeepAliveEnd::Stopped,
                Wake::Ended => return KeepAliveEnd::Ended,
                Wake::Due { answered } => {
                    let now = Instant::now();
                    if answered < sent && now >= due(answered + 1) + pong_deadline {
                        return KeepAliveEnd::NoPong;
                    }
                    if now < due(sent + 1) {
                        continue;
                    }
                }
            }
            sent += 1;
            let number = (begun.first + sent).to_be_bytes();
            heartbeat.sending(begun.first + sent);
            let payload = ControlPayload::new(&number).unwrap_or(ControlPayload::EMPTY);
            if let Err(error) = self.shared().queue_ping(payload)
                && !error.is_would_block()
            {
                return KeepAliveEnd::WriteFailed(error);
            }
        }
    }

    /// Ends the [`keep_alive`](Self::keep_alive) that another thread is in, and any later one.
    pub fn stop_keep_alive(&self) {
        self.shared().heartbeat.update(|beat| beat.stopped = true);
    }
}

/// What the threads that send Pings and read Pongs tell each other.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    beat: Mutex<Beat>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Beat {
    /// The number of the last Ping, over all calls.
    sent: u64,
    /// The highest number that came back.
    answered: u64,
    calls: u64,
    stopped: bool,
    ended: bool,
}

/// One call of `keep_alive`: which it is, and the number before its first Ping.
struct Begun {
    call: u64,
    first: u64,
}

enum Wake {
    Stopped,
    Ended,
    /// The time came; so many of this call's Pings are answered.
    Due {
        answered: u64,
    },
}

impl Heartbeat {
    /// Notes a Pong; one that answers no Ping of ours changes nothing.
    pub(super) fn pong(&self, payload: &[u8]) {
        if let Ok(number) = payload.try_into().map(u64::from_be_bytes) {
            self.update(|beat| {
                if number <= beat.sent {
                    beat.answered = beat.answered.max(number);
                }
            });
        }
    }

    /// Notes that nothing more will be read.
    pub(super) fn end(&self) {
        self.update(|beat| beat.ended = true);
    }

    fn sending(&self, number: u64) {
        self.update(|beat| beat.sent = number);
    }

    fn begin(&self) -> Begun {
        let mut begun = Begun { call: 0, first: 0 };
        self.update(|beat| {
            beat.calls += 1;
            begun.call = beat.calls;
            begun.first = beat.sent;
        });
        begun
    }

    fn update(&self, change: impl FnOnce(&mut Beat)) {
        change(&mut self.beat.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits for a reason to stop, or until the time that `deadline` tells from the number of
    /// Pings that are answered.
    fn wait(&self, begun: &Begun, deadline: impl Fn(u64) -> Instant) -> Wake {
        let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if beat.stopped || beat.calls != begun.call {
                return Wake::Stopped;
            }
            if beat.ended {
                return Wake::Ended;
            }
            let answered = beat.answered.saturating_sub(begun.first);
            let left = deadline(answered).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Wake::Due { answered };
            }
            let waited = self.changed.wait_timeout(beat, left);
            beat = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
