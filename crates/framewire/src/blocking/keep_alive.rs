//! Whether the peer is still there.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::WriteHalf;
use super::shutdown::after;
use crate::Duplicate;
use crate::error::{Error, ErrorKind};
use crate::lock::lock;

/// Why a [`keep_alive`](WriteHalf::keep_alive) ended.
#[derive(Debug)]
pub enum KeepAliveEnd {
    /// [`stop_keep_alive`](WriteHalf::stop_keep_alive) was called.
    Stopped,
    /// A Ping had no Pong within its deadline: the peer is gone, or does not read.
    NoPong,
    /// A Ping could not be written, and why. Also where the interval is 0.
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
    /// 5.5.3). A thread that is in the middle of a write sends the Ping when it is done, and the
    /// Pong is due `pong_deadline` after that. A stream that takes nothing holds the Ping for as
    /// long as its write time-out: give it one. A Ping that finds no room in time is left out.
    ///
    /// One at a time: a second call stops the first. To let go of a peer that is gone, see
    /// [`abort`](Self::abort).
    #[must_use = "it says whether the peer is still there"]
    pub fn keep_alive(&self, interval: Duration, pong_deadline: Duration) -> KeepAliveEnd {
        if interval.is_zero() {
            let error = ErrorKind::Config("keep-alive interval of 0");
            return KeepAliveEnd::WriteFailed(error.into());
        }
        let heartbeat = &self.shared().heartbeat;
        let call = heartbeat.begin();
        loop {
            let due = after(Instant::now(), interval);
            if let Some(end) = heartbeat.wait(call, due, pong_deadline) {
                return end;
            }
            if let Err(error) = self.shared().queue_ping(heartbeat.next_number())
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
    number: u64,
    /// The number of the last Ping that a Pong answered.
    answered: u64,
    /// The Pings without a Pong, and when they were sent: the oldest first.
    unanswered: VecDeque<(u64, Instant)>,
    calls: u64,
    stopped: bool,
    ended: bool,
    failed: Option<Error>,
}

impl Heartbeat {
    /// Notes a Pong; one that answers no Ping of ours changes nothing.
    pub(super) fn pong(&self, payload: &[u8]) {
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

    /// Notes that a Ping was sent. Its Pong can have come by then.
    pub(super) fn sent(&self, number: u64) {
        self.update(|beat| {
            if number > beat.answered && beat.unanswered.len() < MAX_UNANSWERED {
                beat.unanswered.push_back((number, Instant::now()));
            }
        });
    }

    /// Notes that a Ping could not be sent.
    pub(super) fn fail(&self, error: Error) {
        if !error.is_would_block() {
            self.update(|beat| beat.failed = Some(error));
        }
    }

    /// Notes that nothing more will be read.
    pub(super) fn end(&self) {
        self.update(|beat| beat.ended = true);
    }

    fn begin(&self) -> u64 {
        self.update(|beat| {
            beat.calls += 1;
            beat.unanswered.clear();
            beat.calls
        })
    }

    fn next_number(&self) -> u64 {
        self.update(|beat| {
            beat.number += 1;
            beat.number
        })
    }

    fn update<R>(&self, change: impl FnOnce(&mut Beat) -> R) -> R {
        let result = change(&mut lock(&self.beat));
        self.changed.notify_all();
        result
    }

    /// Waits until a Ping is due, or for a reason to stop.
    fn wait(&self, call: u64, due: Instant, pong_deadline: Duration) -> Option<KeepAliveEnd> {
        let mut beat = lock(&self.beat);
        loop {
            if beat.stopped || beat.calls != call {
                return Some(KeepAliveEnd::Stopped);
            }
            if let Some(error) = beat.failed.take() {
                return Some(KeepAliveEnd::WriteFailed(error));
            }
            if beat.ended {
                return Some(KeepAliveEnd::Ended);
            }
            let now = Instant::now();
            let oldest = beat.unanswered.front();
            let deadline = oldest.map(|&(_, sent)| after(sent, pong_deadline));
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Some(KeepAliveEnd::NoPong);
            }
            if now >= due {
                return None;
            }
            let until = deadline.map_or(due, |deadline| deadline.min(due));
            let waited = self.changed.wait_timeout(beat, until - now);
            beat = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// How many Pings without a Pong have a deadline of their own; those after them have none.
const MAX_UNANSWERED: usize = 64;
