//! The writing side of a connection whose directions are used at once.
//!
//! Whoever writes has the writer for as long as one frame takes. The reading side never waits for
//! that: what it has to answer it leaves, where the writer is taken, to the one who has it.

use std::io::Write;
use std::mem;
use std::sync::PoisonError;
use std::time::Instant;

use super::heartbeat::Heartbeat;
use super::{Reply, Writer};
use crate::error::{Close, Closed, Error, TryFeedError};
use crate::frame::{Opcode, Rsv};
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Mutex, MutexGuard, lock, try_lock};

#[derive(Debug)]
pub(crate) struct Exchange<S> {
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
    closed: Option<Box<Closed>>,
}

impl<S> Exchange<S> {
    pub(crate) fn new(mut writer: Writer<S>, clock: fn() -> Instant) -> Self {
        // The reading half does not say when there is nothing more to wait for.
        writer.holds_back = false;
        let queued = Queued {
            closed: writer.closed.clone(),
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
        lock(&self.queued).closed.as_deref().cloned()
    }
}

impl<S: Write> Exchange<S> {
    /// Has the writer for a frame, and sends what was queued meanwhile.
    pub(crate) fn with<R>(&self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        let mut writer = lock(&self.writer);
        let result = job(&mut writer);
        if writer.owes_reply() {
            // What fails here fails again with the next write, which reports it.
            let _ = writer.flush_taken();
        }
        self.release(writer);
        result
    }

    /// Has the writer for a Close frame with this payload. An answer that comes at once has to find out
    /// that this end closed first. Where the peer did, what answers its Close goes before this frame.
    pub(crate) fn with_close<R>(&self, payload: &[u8], job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        self.with(|writer| {
            let is_first = {
                let mut queued = lock(&self.queued);
                let is_first = queued.closed.is_none();
                if is_first {
                    Closed::send(&mut queued.closed, Close::of(payload));
                }
                is_first
            };
            if !is_first {
                self.settle(writer);
            }
            let result = job(writer);
            if is_first && writer.closed().is_none() {
                lock(&self.queued).forget_close();
            }
            result
        })
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
        let result = writer.try_feed(opcode, payload);
        self.release(writer);
        result
    }

    /// Looks at the writer, or sets something of it, and writes nothing but what was queued meanwhile.
    pub(crate) fn look<R>(&self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        let result = job(&mut lock(&self.writer));
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
        self.settle(&mut writer);
        let sent = writer.frame_under_way().is_some()
            || !matches!(writer.write_all_out(), Err(error) if error.is_would_block());
        self.release(writer);
        sent
    }

    /// Takes an automatic reply, which goes out when the writer is free.
    pub(crate) fn reply(&self, reply: Reply) {
        if let Some(mut writer) = try_lock(&self.writer) {
            // First what is older, so that the latest Pong is the one that stays.
            self.settle(&mut writer);
            writer.reply(reply);
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
        let begun = writer.begin_frame(true, Rsv::NONE, Opcode::Ping, &number_bytes);
        let is_late = matches!(&begun, Err(error) if error.is_would_block());
        // In place of an older one: Pongs answer those before them.
        lock(&self.queued).late_ping = is_late.then_some(number);
        writer.send_all(begun?)?;
        writer.flush_taken()?;
        self.heartbeat.sent(number);
        Ok(())
    }

    fn release(&self, mut writer: MutexGuard<'_, Writer<S>>) {
        self.settle(&mut writer);
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
            self.settle(&mut writer);
        }
    }

    fn settle(&self, writer: &mut Writer<S>) {
        let queued = lock(&self.queued).take();
        let flushes = queued.flush || queued.reply.is_some();
        if let Some(reply) = queued.reply {
            writer.reply(reply);
        }
        if flushes {
            // What fails here fails again with the next write, which reports it.
            let _ = writer.flush_taken();
        }
        if let Some(number) = queued.ping.or(queued.late_ping) {
            if queued.ping.is_none() && !writer.has_room_for_control() {
                lock(&self.queued).late_ping = Some(number);
            } else if let Err(error) = self.ping(writer, number) {
                self.heartbeat.fail(error);
            }
        }
        self.unflushed
            .store(writer.has_pending_output(), Ordering::Release);
        if writer.closed.is_some() {
            let mut queued = lock(&self.queued);
            // A Close that was queued meanwhile is not known to the writer yet.
            if matches!(queued.reply, None | Some(Reply::Pong(_))) {
                queued.closed.clone_from(&writer.closed);
            }
        }
    }

    /// The writer, when nobody else has it any more.
    pub(crate) fn into_writer(self) -> Writer<S> {
        let writer = self.writer.into_inner();
        let mut writer = writer.unwrap_or_else(PoisonError::into_inner);
        let queued = self.queued.into_inner();
        if let Some(reply) = queued.unwrap_or_else(PoisonError::into_inner).reply {
            writer.reply(reply);
        }
        writer
    }
}

impl Queued {
    fn is_empty(&self) -> bool {
        self.reply.is_none() && self.ping.is_none() && !self.flush
    }

    /// Takes what there is to send.
    fn take(&mut self) -> Self {
        let closed = self.closed.take();
        let queued = mem::take(self);
        self.closed = closed;
        queued
    }

    /// The latest Pong counts, and a Close more than any Pong.
    fn put(&mut self, reply: Reply) {
        note(&mut self.closed, &reply);
        if matches!(self.reply, None | Some(Reply::Pong(_))) {
            self.reply = Some(reply);
        }
    }

    /// This end's Close was not sent after all. What counts is what was queued meanwhile.
    fn forget_close(&mut self) {
        self.closed = None;
        if let Some(reply) = &self.reply {
            note(&mut self.closed, reply);
        }
    }
}

/// What a reply says of the closing handshake.
fn note(closed: &mut Option<Box<Closed>>, reply: &Reply) {
    match reply {
        Reply::Close(answer, received) => {
            Closed::receive(closed, received.clone());
            if let Some(payload) = answer {
                Closed::send(closed, Close::of(payload.as_slice()));
            }
        }
        Reply::Violation(violation) => Closed::send(closed, Close::of_violation(violation)),
        Reply::Pong(_) | Reply::Lost => {}
    }
}
