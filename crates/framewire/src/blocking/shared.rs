//! What the two halves of a split connection have in common.

use std::io::{self, Write};
use std::net;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Writer;
use super::keep_alive::Heartbeat;
use crate::Duplicate;
use crate::connection::Access;
use crate::connection::{Reply, Transport};
use crate::error::{Error, Side};
use crate::lock::{lock, try_lock};

/// What both halves have.
#[derive(Debug)]
pub(super) struct Shared<S> {
    /// Held for as long as a message is being sent, which may be many frames.
    message: Mutex<()>,
    /// Held for each frame.
    writer: Mutex<Writer<S>>,
    /// What is to be sent by whoever holds the writer.
    queued: Mutex<Queued>,
    /// Whether something waits to be written, as of when the writer was last let go.
    unflushed: AtomicBool,
    /// Who sent the first Close frame, in the terms of `closed_by_bits`.
    closed_by: AtomicU8,
    /// Ends the connection under whoever waits for it.
    socket: Mutex<S>,
    pub(super) heartbeat: Heartbeat,
}

#[derive(Debug, Default)]
struct Queued {
    reply: Option<Reply>,
    /// The number of a Ping of the heartbeat.
    ping: Option<u64>,
    flush: bool,
}

/// The reading half's own handle to the stream, and the way to the writing half.
#[derive(Debug)]
pub struct Link<S> {
    stream: S,
    shared: Arc<Shared<S>>,
}

/// The right to send a message from one of many threads.
#[derive(Debug)]
pub struct SharedWriter<'a, S> {
    shared: &'a Shared<S>,
    _message: MutexGuard<'a, ()>,
}

impl<S: Duplicate> Access for SharedWriter<'_, S> {
    type Stream = S;

    fn with<R>(&mut self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        self.shared.with(job)
    }
}

impl<S: Duplicate> Link<S> {
    /// Shares a writer, and takes two more handles to its stream.
    pub(super) fn new(writer: Writer<S>) -> Result<Self, Error> {
        let stream = writer.stream().duplicate()?;
        let socket = writer.stream().duplicate()?;
        let closed_by = writer
            .closed()
            .map_or(NOBODY, |closed| closed_by_bits(closed.by));
        let shared = Shared {
            message: Mutex::new(()),
            queued: Mutex::default(),
            unflushed: AtomicBool::new(writer.has_pending_output()),
            closed_by: AtomicU8::new(closed_by),
            socket: Mutex::new(socket),
            heartbeat: Heartbeat::default(),
            writer: Mutex::new(writer),
        };
        Ok(Self {
            stream,
            shared: Arc::new(shared),
        })
    }
}

impl<S> Link<S> {
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    pub(super) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }
}

impl<S: Duplicate> Shared<S> {
    /// The right to send a message: waits for the one that is being sent.
    pub(super) fn message(&self) -> SharedWriter<'_, S> {
        SharedWriter {
            _message: lock(&self.message),
            shared: self,
        }
    }

    /// Ends the connection under whoever waits for it.
    pub(super) fn abort(&self) -> io::Result<()> {
        lock(&self.socket).shutdown(net::Shutdown::Both)
    }

    /// Has the writer for a frame, and sends what was queued meanwhile.
    pub(super) fn with<R>(&self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        let mut writer = lock(&self.writer);
        let result = job(&mut writer);
        self.release(writer);
        result
    }

    /// As [`with`](Self::with), for a Close frame: an answer that comes at once has to find out who
    /// closed first, and one that comes while this waits for the writer that it was the peer.
    pub(super) fn with_close(
        &self,
        job: impl FnOnce(&mut Writer<S>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (release, acquire) = (Ordering::Release, Ordering::Acquire);
        let mark = |from, to| self.closed_by.compare_exchange(from, to, release, acquire);
        self.with(|writer| {
            let marked = mark(NOBODY, LOCAL).is_ok();
            let closed = job(writer);
            if marked && writer.closed().is_none() {
                let _ = mark(LOCAL, NOBODY);
            }
            closed
        })
    }

    /// Sends a Ping of the heartbeat without waiting for another thread's write: that one sends it.
    pub(super) fn queue_ping(&self, number: u64) -> Result<(), Error> {
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
        writer.ping(&number.to_be_bytes())?;
        self.heartbeat.sent(number);
        Ok(())
    }

    fn release(&self, mut writer: MutexGuard<'_, Writer<S>>) {
        self.settle(&mut writer);
        drop(writer);
        self.send_queued();
    }

    /// Sends what was queued, unless another thread has the writer and will.
    ///
    /// To call after queueing and after unlocking the writer. One of the two then sees what was
    /// queued: the thread that queued it, or the one that had the writer while it did.
    fn send_queued(&self) {
        while !lock(&self.queued).is_empty() {
            let Some(mut writer) = try_lock(&self.writer) else {
                return;
            };
            self.settle(&mut writer);
        }
    }

    fn settle(&self, writer: &mut Writer<S>) {
        let queued = std::mem::take(&mut *lock(&self.queued));
        if !queued.is_empty() {
            if let Some(reply) = queued.reply {
                writer.reply(reply);
            }
            if let Some(number) = queued.ping
                && let Err(error) = self.ping(writer, number)
            {
                self.heartbeat.fail(error);
            }
            // What fails here fails again with the next write, which reports it.
            let _ = writer.flush_taken();
        }
        self.unflushed
            .store(writer.has_pending_output(), Ordering::Release);
        if let Some(closed) = writer.closed() {
            self.closed_by
                .store(closed_by_bits(closed.by), Ordering::Release);
        }
    }
}

impl Queued {
    fn is_empty(&self) -> bool {
        self.reply.is_none() && self.ping.is_none() && !self.flush
    }

    /// The latest Pong counts, and a Close more than any Pong.
    fn put(&mut self, reply: Reply) {
        if matches!(self.reply, None | Some(Reply::Pong(_))) {
            self.reply = Some(reply);
        }
    }
}

impl<S: Duplicate> Transport for Link<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }

    fn reply(&mut self, reply: Reply) {
        if let Some(mut writer) = try_lock(&self.shared.writer) {
            // First what is older, so that the latest Pong is the one that stays.
            self.shared.settle(&mut writer);
            writer.reply(reply);
            self.shared.release(writer);
        } else {
            lock(&self.shared.queued).put(reply);
            self.shared.send_queued();
        }
    }

    fn settle(&mut self) {
        if self.shared.unflushed.load(Ordering::Acquire) {
            lock(&self.shared.queued).flush = true;
        }
        self.shared.send_queued();
    }

    fn note_pong(&mut self, payload: &[u8]) {
        self.shared.heartbeat.pong(payload);
    }

    fn hold_back(&mut self, _may: bool) {}

    fn note_end(&mut self) {
        self.shared.heartbeat.end();
    }

    fn closed_by(&mut self) -> Option<Side> {
        match self.shared.closed_by.load(Ordering::Acquire) {
            LOCAL => Some(Side::Local),
            PEER => Some(Side::Peer),
            _ => None,
        }
    }
}

/// A reading half that is gone reads no Pong.
impl<S> Drop for Link<S> {
    fn drop(&mut self) {
        self.shared.heartbeat.end();
    }
}

impl<S> Shared<S> {
    /// The writer, when nobody else has it any more.
    pub(super) fn into_writer(self) -> Writer<S>
    where
        S: Write,
    {
        let writer = self.writer.into_inner();
        let mut writer = writer.unwrap_or_else(PoisonError::into_inner);
        let queued = self.queued.into_inner();
        if let Some(reply) = queued.unwrap_or_else(PoisonError::into_inner).reply {
            writer.reply(reply);
        }
        writer
    }
}

const NOBODY: u8 = 0;
const LOCAL: u8 = 1;
const PEER: u8 = 2;

fn closed_by_bits(side: Side) -> u8 {
    match side {
        Side::Local => LOCAL,
        Side::Peer => PEER,
    }
}
