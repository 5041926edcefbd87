//! The writing side of a connection whose two directions are used at once.
//!
//! A task or thread holds the writer for the time of one frame. The reading side never waits for it: while the writer
//! is held, its holder sends the replies.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Instant;

use super::Heartbeat;
use crate::connection::{Closing, Outbound, Replies as _, Reply, Step};
use crate::drive::{WriteSide, is_blocked, now};
use crate::error::{Close, Closed, Error, TryFeedError};
use crate::frame::{Opcode, Rsv};
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Mutex, MutexGuard, lock, try_lock};

#[derive(Debug)]
pub(crate) struct SharedWriter<W> {
    /// Locked for each frame.
    writer: Mutex<W>,
    /// What the next holder of the writer sends.
    queued: Mutex<Queued>,
    /// Whether something waited to be written when the writer was last released.
    unflushed: AtomicBool,
    pub(crate) heartbeat: Heartbeat,
}

#[derive(Debug, Default)]
struct Queued {
    reply: Option<Reply>,
    /// The number of a Ping of the heartbeat.
    ping: Option<u64>,
    flush: bool,
    /// A Ping for which there was no room. The next holder of the writer sends it; nothing locks the writer for it
    /// alone.
    late_ping: Option<u64>,
    /// How the connection ends, as far as the writer knows, and with what is queued for it.
    closing: Closing,
}

impl<W> SharedWriter<W> {
    /// Returns why nothing more is read, without waiting for the writer.
    pub(crate) fn read_error(&self) -> Error {
        lock(&self.queued).closing.read_error()
    }

    /// Returns what is known of the closing handshake, without waiting for the writer.
    pub(crate) fn closed(&self) -> Option<Closed> {
        lock(&self.queued).closing.closed().cloned()
    }
}

impl<W: WriteSide> SharedWriter<W> {
    pub(crate) fn new(mut writer: W, clock: fn() -> Instant) -> Self {
        // The reading half does not say when there is nothing more to wait for.
        writer.outbound().expect_more(false);
        let queued = Queued {
            closing: writer.outbound().closing().clone(),
            ..Queued::default()
        };
        Self {
            queued: Mutex::new(queued),
            unflushed: AtomicBool::new(writer.outbound().has_pending_output()),
            heartbeat: Heartbeat::new(clock),
            writer: Mutex::new(writer),
        }
    }

    /// Locks the writer for a frame. What is queued meanwhile is sent before it is unlocked.
    pub(crate) fn lock(&self) -> WriterGuard<'_, W> {
        WriterGuard {
            writer: lock(&self.writer),
            shared: self,
            records_close: false,
            _after_unlock: SendQueued(self),
        }
    }

    /// Locks the writer for a Close frame with this payload, and records that this end closed first: an answer may
    /// arrive at once. Where the peer closed first, the answer to its Close is sent before this frame.
    pub(crate) fn lock_to_close(&self, payload: &[u8]) -> WriterGuard<'_, W> {
        let mut guard = self.lock();
        let mut queued = lock(&self.queued);
        if queued.closing.is_open() {
            queued.closing.record(Step::Sent(Close::of(payload)));
            guard.records_close = true;
            return guard;
        }
        drop(queued);
        self.flush_queued(&mut guard.writer);
        guard
    }

    /// Feeds a message if the write buffer has room and the writer is free. Writes only what was queued meanwhile.
    pub(crate) fn try_feed<P: AsRef<[u8]>>(
        &self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        let Some(mut writer) = try_lock(&self.writer) else {
            return Err(TryFeedError::Full(payload));
        };
        let result = writer.outbound().try_feed(opcode, payload);
        self.release(writer);
        result
    }

    /// Calls `job` with the sending side. Writes only what was queued meanwhile.
    pub(crate) fn with_outbound<R>(&self, job: impl FnOnce(&mut Outbound) -> R) -> R {
        let result = job(lock(&self.writer).outbound());
        self.send_queued();
        result
    }

    /// Sends what waits. Returns `false` where the stream does not take it now. What another holder of the writer, or
    /// the sender of a frame under way, will send does not count.
    #[cfg(feature = "tokio")]
    pub(crate) fn send_all(&self) -> bool {
        let Some(mut writer) = try_lock(&self.writer) else {
            return true;
        };
        self.flush_queued(&mut writer);
        let sent =
            writer.outbound().frame_under_way().is_some() || !is_blocked(&writer.poll_flush());
        self.release(writer);
        sent
    }

    /// Takes an automatic reply, which leaves once the writer is free.
    pub(crate) fn reply(&self, reply: Reply) {
        if let Some(mut writer) = try_lock(&self.writer) {
            // Older replies go first, so that the latest Pong stays.
            self.flush_queued(&mut writer);
            writer.outbound().reply(reply);
            self.release(writer);
        } else {
            lock(&self.queued).put(reply);
            self.send_queued();
        }
    }

    /// Sends what waits, as far as the stream takes it. While the writer is held, its holder does that.
    pub(crate) fn send_waiting(&self) {
        if !self.unflushed.load(Ordering::Acquire) {
            return self.send_queued();
        }
        if let Some(mut writer) = try_lock(&self.writer) {
            self.flush_queued(&mut writer);
            // A failure here recurs at the next write, which reports it.
            let _ = writer.flush_staged();
            self.release(writer);
        } else {
            lock(&self.queued).flush = true;
            self.send_queued();
        }
    }

    /// Sends a Ping of the heartbeat. While the writer is held, its holder does that.
    ///
    /// After `WouldBlock` the Ping leaves when the stream takes more, or at the end of the frame under way.
    pub(crate) fn queue_ping(&self, number: u64) -> Result<(), Error> {
        let Some(mut writer) = try_lock(&self.writer) else {
            lock(&self.queued).ping = Some(number);
            self.send_queued();
            return Ok(());
        };
        let result = self.ping(&mut writer, number);
        self.release(writer);
        result
    }

    /// Sends a Ping of the heartbeat. Its Pong is due from now on.
    fn ping(&self, writer: &mut W, number: u64) -> Result<(), Error> {
        let number_bytes = number.to_be_bytes();
        let sent = writer.poll_send(|outbound| {
            outbound.stage_frame(true, Rsv::NONE, Opcode::Ping, &number_bytes)
        });
        let is_late = is_blocked(&sent);
        // It replaces an older late Ping: a Pong also answers the Pings before its own.
        lock(&self.queued).late_ping = is_late.then_some(number);
        now(sent)?;
        writer.flush_staged()?;
        self.heartbeat.sent(number);
        Ok(())
    }

    fn release(&self, mut writer: MutexGuard<'_, W>) {
        self.flush_queued(&mut writer);
        drop(writer);
        self.send_queued();
    }

    /// Sends what was queued, unless another holder of the writer will.
    ///
    /// To be called after queueing and after unlocking the writer. Either the task that queued something or the one
    /// that held the writer meanwhile then sees it.
    fn send_queued(&self) {
        while !lock(&self.queued).is_empty() {
            let Some(mut writer) = try_lock(&self.writer) else {
                return;
            };
            self.flush_queued(&mut writer);
        }
    }

    /// Sends what was queued, and records what the writer knows.
    fn flush_queued(&self, writer: &mut W) {
        let queued = {
            let mut queued = lock(&self.queued);
            let has_work = !queued.is_empty() || queued.late_ping.is_some();
            has_work.then(|| queued.take())
        };
        if let Some(queued) = queued {
            self.send(queued, writer);
        }
        let outbound = writer.outbound();
        self.unflushed
            .store(outbound.has_pending_output(), Ordering::Release);
        let closing = outbound.closing();
        if !closing.is_open() {
            let mut queued = lock(&self.queued);
            // The writer does not know yet of a Close that was queued meanwhile.
            if matches!(queued.reply, None | Some(Reply::Pong(_))) {
                queued.closing = closing.clone();
            }
        }
    }

    #[cold]
    fn send(&self, queued: Queued, writer: &mut W) {
        let flushes = queued.flush || queued.reply.is_some();
        if let Some(reply) = queued.reply {
            writer.outbound().reply(reply);
        }
        if flushes {
            // A failure here recurs at the next write, which reports it.
            let _ = writer.flush_staged();
        }
        if let Some(number) = queued.ping.or(queued.late_ping) {
            if queued.ping.is_none() && !writer.outbound().has_room_for_control() {
                lock(&self.queued).late_ping = Some(number);
            } else if let Err(error) = self.ping(writer, number) {
                self.heartbeat.fail(error);
            }
        }
    }

    /// Returns the writer, which nothing else shares any more.
    pub(crate) fn into_writer(self) -> W {
        let writer = self.writer.into_inner();
        let mut writer = writer.unwrap_or_else(PoisonError::into_inner);
        let queued = self.queued.into_inner();
        if let Some(reply) = queued.unwrap_or_else(PoisonError::into_inner).reply {
            writer.outbound().reply(reply);
        }
        writer
    }
}

/// A locked writer of a [`SharedWriter`]. Dropping it sends what was queued, and unlocks.
#[cfg_attr(
    not(feature = "tokio"),
    expect(unreachable_pub, reason = "it shows in bounds of tokio's types")
)]
pub struct WriterGuard<'a, W: WriteSide> {
    writer: MutexGuard<'a, W>,
    shared: &'a SharedWriter<W>,
    /// Whether a Close frame was recorded and is yet to be staged.
    records_close: bool,
    // Dropped last, when the writer is unlocked.
    _after_unlock: SendQueued<'a, W>,
}

impl<W: WriteSide> Deref for WriterGuard<'_, W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.writer
    }
}

impl<W: WriteSide> DerefMut for WriterGuard<'_, W> {
    fn deref_mut(&mut self) -> &mut W {
        &mut self.writer
    }
}

impl<W: WriteSide> WriteSide for WriterGuard<'_, W> {
    type Stream = W::Stream;

    fn parts(&mut self) -> (&mut Outbound, &mut W::Stream) {
        self.writer.parts()
    }
}

impl<W: WriteSide> Drop for WriterGuard<'_, W> {
    fn drop(&mut self) {
        if self.records_close && self.writer.outbound().closed().is_none() {
            lock(&self.shared.queued).forget_close();
        }
        if self.writer.outbound().can_send_reply() {
            // A failure here recurs at the next write, which reports it.
            let _ = self.writer.flush_staged();
        }
        self.shared.flush_queued(&mut self.writer);
    }
}

/// Sends what is queued when it is dropped.
struct SendQueued<'a, W: WriteSide>(&'a SharedWriter<W>);

impl<W: WriteSide> Drop for SendQueued<'_, W> {
    fn drop(&mut self) {
        self.0.send_queued();
    }
}

impl Queued {
    fn is_empty(&self) -> bool {
        self.reply.is_none() && self.ping.is_none() && !self.flush
    }

    /// Takes what is queued, and leaves the state of the closing handshake.
    fn take(&mut self) -> Self {
        let closing = mem::take(&mut self.closing);
        let queued = mem::take(self);
        self.closing = closing;
        queued
    }

    /// Queues a reply. It replaces a queued Pong, and no other reply.
    fn put(&mut self, reply: Reply) {
        self.closing.record_reply(&reply);
        if matches!(self.reply, None | Some(Reply::Pong(_))) {
            self.reply = Some(reply);
        }
    }

    /// Forgets this end's Close frame, which was not sent after all. What was queued meanwhile counts instead.
    fn forget_close(&mut self) {
        self.closing = Closing::default();
        if let Some(reply) = &self.reply {
            self.closing.record_reply(reply);
        }
    }
}
