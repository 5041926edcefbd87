//! The writing side of a connection whose directions are used at once.
//!
//! Whoever writes has the writer for as long as one frame takes. The reading side never waits for
//! that: what it has to answer it leaves, where the writer is taken, to the one who has it.

use std::io::Write;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Instant;

use super::Heartbeat;
use crate::connection::{ClosingState, Drive, Outbound, Replies as _, Reply, Step, Writer};
use crate::error::{Close, Closed, Error, TryFeedError};
use crate::frame::{Opcode, Rsv};
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Mutex, MutexGuard, lock, try_lock};

#[derive(Debug)]
pub(crate) struct SharedWriter<S> {
    /// Held for each frame.
    writer: Mutex<Writer<S>>,
    /// What is to be sent by whoever holds the writer.
    queued: Mutex<Queued>,
    /// Whether something waits to be written, as of when the writer was last let go.
    unflushed: AtomicBool,
    pub(crate) heartbeat: Heartbeat,
}

#[derive(Debug, Default)]
struct Queued {
    reply: Option<Reply>,
    /// The number of a Ping of the heartbeat.
    ping: Option<u64>,
    flush: bool,
    /// A Ping for which there was no room: goes when somebody has the writer, and makes nobody take it.
    late_ping: Option<u64>,
    /// What is known of the closing handshake: what the writer knows, and what is queued for it.
    closing: ClosingState,
}

impl<S> SharedWriter<S> {
    pub(crate) fn new(mut writer: Writer<S>, clock: fn() -> Instant) -> Self {
        // The reading half does not say when there is nothing more to wait for.
        writer.outbound.expect_more(false);
        let queued = Queued {
            closing: writer.outbound.closing().clone(),
            ..Queued::default()
        };
        Self {
            queued: Mutex::new(queued),
            unflushed: AtomicBool::new(writer.has_pending_output()),
            heartbeat: Heartbeat::new(clock),
            writer: Mutex::new(writer),
        }
    }

    /// What is known of the closing handshake, whoever has the writer.
    pub(crate) fn closed(&self) -> Option<Closed> {
        lock(&self.queued).closing.closed().cloned()
    }
}

impl<S: Write> SharedWriter<S> {
    /// Has the writer for a frame; what was queued meanwhile is sent when that is let go.
    pub(crate) fn lock(&self) -> WriterGuard<'_, S> {
        WriterGuard {
            writer: lock(&self.writer),
            shared: self,
            records_close: false,
            _then: SendQueued(self),
        }
    }

    /// Has the writer for a Close frame with this payload. An answer that comes at once has to find out
    /// that this end closed first. Where the peer did, what answers its Close goes before this frame.
    pub(crate) fn lock_to_close(&self, payload: &[u8]) -> WriterGuard<'_, S> {
        let mut lease = self.lock();
        let mut queued = lock(&self.queued);
        if queued.closing.is_open() {
            queued.closing.record(Step::Sent(Close::of(payload)));
            lease.records_close = true;
            return lease;
        }
        drop(queued);
        self.flush_queued(&mut lease.writer);
        lease
    }

    /// Takes a message into the write buffer if that has room and nobody else has the writer, and writes
    /// nothing but what was queued meanwhile.
    pub(crate) fn try_feed<P: AsRef<[u8]>>(
        &self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        let Some(mut writer) = try_lock(&self.writer) else {
            return Err(TryFeedError::Full(payload));
        };
        let result = writer.outbound.try_feed(opcode, payload);
        self.release(writer);
        result
    }

    /// Looks at the writer, or sets something of it, and writes nothing but what was queued meanwhile.
    pub(crate) fn with_outbound<R>(&self, job: impl FnOnce(&mut Outbound) -> R) -> R {
        let result = job(&mut lock(&self.writer).outbound);
        self.send_queued();
        result
    }

    /// Sends what waits. `false` where the stream does not take it now; what is up to somebody else,
    /// who has the writer or is inside a frame, does not count.
    #[cfg(feature = "tokio")]
    pub(crate) fn send_all(&self) -> bool {
        let Some(mut writer) = try_lock(&self.writer) else {
            return true;
        };
        self.flush_queued(&mut writer);
        let sent = writer.outbound.frame_under_way().is_some()
            || !matches!(writer.flush(), Err(error) if error.is_would_block());
        self.release(writer);
        sent
    }

    /// Takes an automatic reply, which goes out when the writer is free.
    pub(crate) fn reply(&self, reply: Reply) {
        if let Some(mut writer) = try_lock(&self.writer) {
            // First what is older, so that the latest Pong is the one that stays.
            self.flush_queued(&mut writer);
            writer.outbound.reply(reply);
            self.release(writer);
        } else {
            lock(&self.queued).put(reply);
            self.send_queued();
        }
    }

    /// Sends what waits, as far as the stream takes it: by whoever has the writer.
    pub(crate) fn send_waiting(&self) {
        if self.unflushed.load(Ordering::Acquire) {
            lock(&self.queued).flush = true;
        }
        self.send_queued();
    }

    /// Sends a Ping of the heartbeat without waiting for another's write: that one sends it.
    ///
    /// After `WouldBlock` it goes when the stream takes more, or at the end of the frame that is under way.
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

    /// Sends a Ping of the heartbeat, whose Pong is due from now on.
    fn ping(&self, writer: &mut Writer<S>, number: u64) -> Result<(), Error> {
        let number_bytes = number.to_be_bytes();
        let sent = writer
            .send(|outbound| outbound.stage_frame(true, Rsv::NONE, Opcode::Ping, &number_bytes));
        let is_late = matches!(&sent, Err(error) if error.is_would_block());
        // In place of an older one: Pongs answer those before them.
        lock(&self.queued).late_ping = is_late.then_some(number);
        sent?;
        writer.flush_staged()?;
        self.heartbeat.sent(number);
        Ok(())
    }

    fn release(&self, mut writer: MutexGuard<'_, Writer<S>>) {
        self.flush_queued(&mut writer);
        drop(writer);
        self.send_queued();
    }

    /// Sends what was queued, unless somebody else has the writer and will.
    ///
    /// To call after queueing and after unlocking the writer. One of the two then sees what was
    /// queued: the one that queued it, or the one that had the writer meanwhile.
    fn send_queued(&self) {
        while !lock(&self.queued).is_empty() {
            let Some(mut writer) = try_lock(&self.writer) else {
                return;
            };
            self.flush_queued(&mut writer);
        }
    }

    fn flush_queued(&self, writer: &mut Writer<S>) {
        let queued = lock(&self.queued).take();
        let flushes = queued.flush || queued.reply.is_some();
        if let Some(reply) = queued.reply {
            writer.outbound.reply(reply);
        }
        if flushes {
            // What fails here fails again with the next write, which reports it.
            let _ = writer.flush_staged();
        }
        if let Some(number) = queued.ping.or(queued.late_ping) {
            if queued.ping.is_none() && !writer.outbound.has_room_for_control() {
                lock(&self.queued).late_ping = Some(number);
            } else if let Err(error) = self.ping(writer, number) {
                self.heartbeat.fail(error);
            }
        }
        self.unflushed
            .store(writer.has_pending_output(), Ordering::Release);
        let closing = writer.outbound.closing();
        if !closing.is_open() {
            let mut queued = lock(&self.queued);
            // A Close that was queued meanwhile is not known to the writer yet.
            if matches!(queued.reply, None | Some(Reply::Pong(_))) {
                queued.closing = closing.clone();
            }
        }
    }

    /// The writer, when nobody else has it any more.
    pub(crate) fn into_writer(self) -> Writer<S> {
        let writer = self.writer.into_inner();
        let mut writer = writer.unwrap_or_else(PoisonError::into_inner);
        let queued = self.queued.into_inner();
        if let Some(reply) = queued.unwrap_or_else(PoisonError::into_inner).reply {
            writer.outbound.reply(reply);
        }
        writer
    }
}

/// The writer of an [`SharedWriter`], for as long as this lives.
#[cfg_attr(
    not(feature = "tokio"),
    expect(unreachable_pub, reason = "it shows in bounds of tokio's types")
)]
pub struct WriterGuard<'a, S: Write> {
    writer: MutexGuard<'a, Writer<S>>,
    shared: &'a SharedWriter<S>,
    /// Whether a Close frame was recorded that is about to be staged.
    records_close: bool,
    // Dropped last, when the writer is free.
    _then: SendQueued<'a, S>,
}

impl<S: Write> Deref for WriterGuard<'_, S> {
    type Target = Writer<S>;

    fn deref(&self) -> &Writer<S> {
        &self.writer
    }
}

impl<S: Write> DerefMut for WriterGuard<'_, S> {
    fn deref_mut(&mut self) -> &mut Writer<S> {
        &mut self.writer
    }
}

impl<S: Write> Drive for WriterGuard<'_, S> {
    type Stream = S;

    fn parts(&mut self) -> (&mut Outbound, &mut S) {
        self.writer.parts()
    }
}

impl<S: Write> Drop for WriterGuard<'_, S> {
    fn drop(&mut self) {
        if self.records_close && self.writer.closed().is_none() {
            lock(&self.shared.queued).forget_close();
        }
        if self.writer.outbound.can_send_reply() {
            // What fails here fails again with the next write, which reports it.
            let _ = self.writer.flush_staged();
        }
        self.shared.flush_queued(&mut self.writer);
    }
}

/// Sends what is queued when it is dropped.
struct SendQueued<'a, S: Write>(&'a SharedWriter<S>);

impl<S: Write> Drop for SendQueued<'_, S> {
    fn drop(&mut self) {
        self.0.send_queued();
    }
}

impl Queued {
    fn is_empty(&self) -> bool {
        self.reply.is_none() && self.ping.is_none() && !self.flush
    }

    /// Takes what there is to send.
    fn take(&mut self) -> Self {
        let closing = mem::take(&mut self.closing);
        let queued = mem::take(self);
        self.closing = closing;
        queued
    }

    /// The latest Pong counts, and a Close more than any Pong.
    fn put(&mut self, reply: Reply) {
        self.closing.record_reply(&reply);
        if matches!(self.reply, None | Some(Reply::Pong(_))) {
            self.reply = Some(reply);
        }
    }

    /// This end's Close was not sent after all. What counts is what was queued meanwhile.
    fn forget_close(&mut self) {
        self.closing = ClosingState::Open;
        if let Some(reply) = &self.reply {
            self.closing.record_reply(reply);
        }
    }
}
