//! The writing side of a connection whose two directions are used at once.
//!
//! A task or thread holds the writer for the time of one frame. While it is held, its holder sends the replies of the
//! reading side, which does not wait for it. Over tokio the reading side waits at the end of the connection, until its
//! last reply was sent.

use std::io;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::Heartbeat;
use crate::connection::{Closing, Outbound, Replies as _, Reply, Step};
use crate::drive::{WriteSide, is_blocked, now};
use crate::error::{Close, Closed, Error, TryFeedError};
use crate::frame::{Opcode, Rsv};
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Condvar, Mutex, MutexGuard, lock, try_lock};
use crate::protocol::ToOutgoing;

#[derive(Debug)]
pub(crate) struct SharedWriter<W> {
    /// Locked for each frame.
    writer: Mutex<W>,
    /// What the next holder of the writer sends.
    queued: Mutex<Queued>,
    /// Whether something waited to be written when the writer was last released, or something queued is being sent.
    unflushed: AtomicBool,
    /// Whether a holder of the writer has sent what was queued, and has not said so.
    sent_queued: AtomicBool,
    /// Notified when the writer is released, where that [is awaited](Queued::is_awaited).
    released: Condvar,
    /// The task of the reader, which may wait for what another task sends.
    reader: Waker,
    pub(crate) heartbeat: Heartbeat,
}

#[derive(Debug, Default)]
struct Queued {
    reply: Option<Reply>,
    /// A Close frame with 1000, and when it leaves.
    normal_close: Option<Order>,
    /// The number of a Ping of the heartbeat.
    ping: Option<u64>,
    flush: bool,
    /// A Ping for which there was no room. The next holder of the writer sends it; nothing locks the writer for it
    /// alone.
    late_ping: Option<u64>,
    /// How the connection ends, as far as the writer knows, and with what is queued for it.
    closing: Closing,
    /// Whether a thread waits for the writer to be released.
    is_awaited: bool,
}

/// When a Close frame of this end leaves, against a queued reply to the peer's.
#[derive(Debug, Clone, Copy)]
enum Order {
    BeforeReply,
    AfterReply,
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

    /// Returns the error of a write, after which nothing more is written, without waiting for the writer.
    pub(crate) fn failure(&self) -> Option<io::ErrorKind> {
        lock(&self.queued).closing.failure()
    }

    /// Returns whether anything waits to be written or flushed, without waiting for the writer.
    pub(crate) fn has_pending_output(&self) -> bool {
        self.unflushed.load(Ordering::Acquire) || !lock(&self.queued).is_empty()
    }

    /// Queues a Close frame with 1000, unless this end has sent one or can send nothing. It leaves with what
    /// [waits](Self::send_waiting).
    pub(crate) fn queue_normal_close(&self) {
        let mut queued = lock(&self.queued);
        if queued.closing.record_normal_close() {
            queued.normal_close = Some(match queued.reply {
                None | Some(Reply::Pong(_)) => Order::BeforeReply,
                Some(_) => Order::AfterReply,
            });
        }
    }
}

impl<W: WriteSide> SharedWriter<W> {
    /// `reader` is woken when another holder of the writer has sent what the reader queued.
    pub(crate) fn new(mut writer: W, clock: fn() -> Instant, reader: Waker) -> Self {
        // The reading half does not say when there is nothing more to wait for.
        writer.outbound().expect_more(false);
        let queued = Queued {
            closing: writer.outbound().closing().clone(),
            ..Queued::default()
        };
        Self {
            queued: Mutex::new(queued),
            unflushed: AtomicBool::new(writer.outbound().has_pending_output()),
            sent_queued: AtomicBool::new(false),
            released: Condvar::new(),
            reader,
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
    pub(crate) fn try_feed<M: ToOutgoing>(&self, message: M) -> Result<(), TryFeedError<M>> {
        let Some(mut writer) = try_lock(&self.writer) else {
            return Err(TryFeedError::Full(message));
        };
        let result = writer.outbound().try_feed(message);
        self.release(writer);
        result
    }

    /// Calls `job` with the sending side. Writes only what was queued meanwhile.
    pub(crate) fn with_outbound<R>(&self, job: impl FnOnce(&mut Outbound) -> R) -> R {
        let result = job(lock(&self.writer).outbound());
        self.send_queued();
        result
    }

    /// Sends what waits, for the end of the connection. Returns `false` where the stream does not take it now, or where
    /// another task's frame has to end first.
    #[cfg(feature = "tokio")]
    pub(crate) fn send_all(&self) -> bool {
        let mut writer = lock(&self.writer);
        self.flush_queued(&mut writer);
        let flushed = writer.poll_flush();
        let outbound = writer.outbound();
        let waits_for_frame = matches!(flushed, Poll::Ready(Ok(())))
            && outbound.frame_under_way().is_some()
            && outbound.has_pending_output();
        self.release(writer);
        !is_blocked(&flushed) && !waits_for_frame
    }

    /// Calls `end`, which ends what is written, unless something is not sent yet.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_end(
        &self,
        end: impl FnOnce() -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        self.end_with(lock(&self.writer), end)
    }

    /// As [`poll_end`](Self::poll_end). Pending while another thread holds the writer, which may be stuck.
    pub(crate) fn try_end(
        &self,
        end: impl FnOnce() -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        match try_lock(&self.writer) {
            Some(writer) => self.end_with(writer, end),
            None => Poll::Pending,
        }
    }

    fn end_with(
        &self,
        mut writer: MutexGuard<'_, W>,
        end: impl FnOnce() -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        let ended = if writer.outbound().is_sent() {
            end()
        } else {
            Poll::Ready(Ok(()))
        };
        self.release(writer);
        ended
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

    /// Queues an automatic reply, which leaves with what [waits](Self::send_waiting).
    pub(crate) fn queue_reply(&self, reply: Reply) {
        lock(&self.queued).put(reply);
    }

    /// Waits until no other thread holds the writer, or `until`.
    pub(crate) fn wait_for_release(&self, until: Instant) {
        let mut queued = lock(&self.queued);
        while try_lock(&self.writer).is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queued.is_awaited = true;
            let waited = self.released.wait_timeout(queued, left);
            queued = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        queued.is_awaited = false;
    }

    /// Writes some of what waits, with one call. Returns whether anything still waits. Pending while the writer is
    /// held, as its holder writes.
    pub(crate) fn write_some(&self) -> Poll<Result<bool, Error>> {
        let Some(mut writer) = try_lock(&self.writer) else {
            return Poll::Pending;
        };
        let mut queued = lock(&self.queued).take_replies();
        queued.stage(writer.outbound());
        let written = writer.poll_write_some();
        self.release(writer);
        written
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
        loop {
            let queued = lock(&self.queued);
            if queued.is_awaited {
                self.released.notify_all();
            }
            if queued.is_empty() {
                break;
            }
            drop(queued);
            let Some(mut writer) = try_lock(&self.writer) else {
                break;
            };
            self.flush_queued(&mut writer);
        }
        if self.sent_queued.load(Ordering::Acquire) {
            self.sent_queued.store(false, Ordering::Release);
            self.reader.wake_by_ref();
        }
    }

    /// Sends what was queued, and records what the writer knows.
    fn flush_queued(&self, writer: &mut W) {
        let queued = {
            let mut queued = lock(&self.queued);
            let has_work = !queued.is_empty() || queued.late_ping.is_some();
            if has_work {
                self.unflushed.store(true, Ordering::Release);
            }
            has_work.then(|| queued.take())
        };
        if let Some(queued) = queued {
            if queued.is_the_readers() {
                self.sent_queued.store(true, Ordering::Release);
            }
            self.send(queued, writer);
        }
        let outbound = writer.outbound();
        self.unflushed
            .store(outbound.has_pending_output(), Ordering::Release);
        let closing = outbound.closing();
        if !closing.is_open() {
            let mut queued = lock(&self.queued);
            // The writer does not know yet of a Close that was queued meanwhile.
            let is_pong = matches!(queued.reply, None | Some(Reply::Pong(_)));
            if is_pong && queued.normal_close.is_none() {
                queued.closing = closing.clone();
            }
        }
    }

    #[cold]
    fn send(&self, mut queued: Queued, writer: &mut W) {
        let staged = queued.stage(writer.outbound());
        let flushes = queued.flush || staged;
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
        let mut queued = queued.unwrap_or_else(PoisonError::into_inner);
        queued.stage(writer.outbound());
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
        !self.is_the_readers() && self.ping.is_none()
    }

    /// Returns whether the reader has queued anything.
    fn is_the_readers(&self) -> bool {
        self.reply.is_some() || self.normal_close.is_some() || self.flush
    }

    /// Takes what is queued, and leaves the state of the closing handshake.
    fn take(&mut self) -> Self {
        Self {
            ping: self.ping.take(),
            flush: mem::take(&mut self.flush),
            late_ping: self.late_ping.take(),
            ..self.take_replies()
        }
    }

    /// Takes the queued reply and Close frame.
    fn take_replies(&mut self) -> Self {
        Self {
            reply: self.reply.take(),
            normal_close: self.normal_close.take(),
            ..Self::default()
        }
    }

    /// Stages the reply and the Close frame, in their order. Returns whether there was either.
    fn stage(&mut self, outbound: &mut Outbound) -> bool {
        let (close, reply) = (self.normal_close.take(), self.reply.take());
        let has_any = close.is_some() || reply.is_some();
        if let Some(Order::BeforeReply) = close {
            outbound.queue_normal_close();
        }
        if let Some(reply) = reply {
            outbound.reply(reply);
        }
        if let Some(Order::AfterReply) = close {
            outbound.queue_normal_close();
        }
        has_any
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
        if let Some(Order::BeforeReply) = self.normal_close {
            self.closing.record_normal_close();
        }
        if let Some(reply) = &self.reply {
            self.closing.record_reply(reply);
        }
        if let Some(Order::AfterReply) = self.normal_close {
            self.closing.record_normal_close();
        }
    }
}
