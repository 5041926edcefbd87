//! A connection whose two directions are used by different threads.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::keep_alive::Heartbeat;
use super::message_writer::Access;
use super::reader::Reader;
use super::transport::{Reply, Transport};
use super::{
    CloseReply, Frame, MessageReader, MessageWriter, PingReply, PreparedMessage, WebSocket, Writer,
};
use crate::Duplicate;
use crate::error::{Closed, Error, Side};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
use crate::protocol::Message;

/// The reading half of a [split](WebSocket::split) connection.
///
/// Its automatic replies never wait for a thread that writes: where one holds the writing half, the
/// latest reply is left with it, and goes out when that write is done. Without one, replies are
/// written here, and so is what was [fed](WriteHalf::feed_message), before a read that may block;
/// such a write blocks for as long as the stream does.
#[derive(Debug)]
pub struct ReadHalf<S> {
    reader: Reader,
    link: Link<S>,
}

/// The writing half of a [split](WebSocket::split) connection, to be cloned into as many threads as
/// want to write.
///
/// Messages never interleave: a message that is being streamed keeps other messages waiting. Its
/// fragments let control frames through.
#[derive(Debug)]
pub struct WriteHalf<S> {
    shared: Arc<Shared<S>>,
}

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

impl<S: Duplicate> WebSocket<S> {
    /// Splits the connection into a half that reads and a half that writes. Starts nothing.
    ///
    /// Takes two more handles to the stream: one to read from, and one to
    /// [abort](WriteHalf::abort) with.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the stream cannot be duplicated.
    pub fn split(self) -> Result<(ReadHalf<S>, WriteHalf<S>), Error> {
        let stream = self.writer.stream().duplicate()?;
        let socket = self.writer.stream().duplicate()?;
        let unflushed = self.writer.has_pending_output();
        let closed = self.writer.closed();
        let closed_by = closed.map_or(NOBODY, |closed| closed_by_bits(closed.by));
        let shared = Arc::new(Shared {
            message: Mutex::new(()),
            writer: Mutex::new(self.writer),
            queued: Mutex::default(),
            unflushed: AtomicBool::new(unflushed),
            closed_by: AtomicU8::new(closed_by),
            socket: Mutex::new(socket),
            heartbeat: Heartbeat::default(),
        });
        if self.reader.has_ended() {
            shared.heartbeat.end();
        }
        let read_half = ReadHalf {
            reader: self.reader,
            link: Link {
                stream,
                shared: Arc::clone(&shared),
            },
        };
        Ok((read_half, WriteHalf { shared }))
    }
}

impl<S: Duplicate> ReadHalf<S> {
    /// See [`WebSocket::next_message`].
    ///
    /// # Errors
    /// As there.
    pub fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let found = self.reader.next_message(&mut self.link)?;
        Ok(self.reader.lend(&found))
    }

    /// See [`WebSocket::read_message`].
    ///
    /// # Errors
    /// As there.
    pub fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        self.read_message_ext(buf).map(|(opcode, _)| opcode)
    }

    /// See [`WebSocket::read_message_ext`].
    ///
    /// # Errors
    /// As there.
    pub fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = self.reader.next_message(&mut self.link)?;
        Ok(self.reader.hand_over(&found, buf))
    }

    /// See [`WebSocket::message_reader`].
    ///
    /// # Errors
    /// As there.
    pub fn message_reader(&mut self) -> Result<MessageReader<'_, Link<S>>, Error> {
        MessageReader::begin(&mut self.reader, &mut self.link)
    }

    /// See [`WebSocket::resume_message_reader`].
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, Link<S>>> {
        MessageReader::resume(&mut self.reader, &mut self.link)
    }

    /// See [`WebSocket::read_header`].
    ///
    /// # Errors
    /// As there.
    pub fn read_header(&mut self) -> Result<Header, Error> {
        self.reader.read_header(&mut self.link)
    }

    /// See [`WebSocket::read_frame`].
    ///
    /// # Errors
    /// As there.
    pub fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        self.reader.read_frame(buf, &mut self.link)
    }

    /// See [`WebSocket::on_ping`].
    pub fn on_ping(&mut self, handler: impl FnMut(&[u8]) -> PingReply + Send + 'static) {
        self.reader.handlers.ping = Some(Box::new(handler));
    }

    /// See [`WebSocket::on_pong`].
    pub fn on_pong(&mut self, handler: impl FnMut(&[u8]) + Send + 'static) {
        self.reader.handlers.pong = Some(Box::new(handler));
    }

    /// See [`WebSocket::on_close`].
    pub fn on_close(
        &mut self,
        handler: impl FnMut(Option<CloseCode>, &str) -> CloseReply + Send + 'static,
    ) {
        self.reader.handlers.close = Some(Box::new(handler));
    }

    /// The stream, to set its options. Reading from it breaks the connection.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.link.stream
    }

    /// Makes one connection of both halves again: for [`WebSocket::shutdown`], or
    /// [`WebSocket::into_inner`].
    ///
    /// # Errors
    /// Gives both halves back where they are not of one connection, or where the writing half has
    /// other clones.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the lines above prove it"
    )]
    pub fn reunite(
        self,
        write_half: WriteHalf<S>,
    ) -> Result<WebSocket<S>, Box<(Self, WriteHalf<S>)>> {
        let is_pair = Arc::ptr_eq(&self.link.shared, &write_half.shared);
        if !is_pair || Arc::strong_count(&write_half.shared) != 2 {
            return Err(Box::new((self, write_half)));
        }
        drop(self.link);
        let shared = Arc::into_inner(write_half.shared).expect("of two, one was dropped");
        Ok(WebSocket {
            reader: self.reader,
            writer: shared.into_writer(),
        })
    }
}

impl<S: Duplicate> WriteHalf<S> {
    /// See [`Writer::write_message`]. Waits for a message that another thread is sending.
    ///
    /// # Errors
    /// As there.
    pub fn write_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.message()
            .with(|writer| writer.write_message(opcode, payload))
    }

    /// See [`Writer::write_message_ext`]. Waits for a message that another thread is sending.
    ///
    /// # Errors
    /// As there.
    pub fn write_message_ext(&self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error> {
        self.message()
            .with(|writer| writer.write_message_ext(opcode, rsv, payload))
    }

    /// See [`Writer::feed_message`]. Goes out with the next [`flush`](Self::flush), or before the
    /// reading half waits. Waits for a message that another thread is sending.
    ///
    /// # Errors
    /// As there.
    pub fn feed_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.message()
            .with(|writer| writer.feed_message(opcode, payload))
    }

    /// See [`Writer::feed_message_ext`], and [`feed_message`](Self::feed_message).
    ///
    /// # Errors
    /// As there.
    pub fn feed_message_ext(&self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error> {
        self.message()
            .with(|writer| writer.feed_message_ext(opcode, rsv, payload))
    }

    /// See [`Writer::has_pending_output`].
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.shared.with(|writer| writer.has_pending_output())
    }

    /// See [`Writer::closed`].
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.with(|writer| writer.closed().cloned())
    }

    /// See [`Writer::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.with(Writer::flush)
    }

    /// See [`Writer::write_frame`]. A data frame waits for a message that another thread is
    /// sending; one with the fragments of a message is the caller's to send without a gap.
    ///
    /// # Errors
    /// As there.
    pub fn write_frame(
        &self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let _message = (!opcode.is_control()).then(|| self.message());
        let job = |writer: &mut Writer<S>| writer.write_frame(fin, rsv, opcode, payload);
        if opcode == Opcode::Close {
            self.shared.with_close(job)
        } else {
            self.shared.with(job)
        }
    }

    /// See [`Writer::write_prepared`]. Waits for a message that another thread is sending.
    ///
    /// # Errors
    /// As there.
    pub fn write_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.message().with(|writer| writer.write_prepared(message))
    }

    /// See [`Writer::stream_message`]. Waits for a message that another thread is sending, and
    /// keeps other messages waiting, but not control frames, while it reads.
    ///
    /// # Errors
    /// As there.
    pub fn stream_message(
        &self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
    }

    /// See [`Writer::stream_message_ext`], and [`stream_message`](Self::stream_message).
    ///
    /// # Errors
    /// As there.
    pub fn stream_message_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        MessageWriter::open(self.message(), opcode, rsv, Some(chunk_size))?.finish_from(reader)
    }

    /// See [`Writer::message_writer`]. Waits for a message that another thread is sending, and
    /// keeps other messages waiting, but not control frames, until it is dropped: a thread that
    /// sends another message before that waits for itself.
    ///
    /// # Errors
    /// As there.
    pub fn message_writer(
        &self,
        opcode: Opcode,
    ) -> Result<MessageWriter<SharedWriter<'_, S>>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE)
    }

    /// See [`Writer::message_writer_ext`], and [`message_writer`](Self::message_writer).
    ///
    /// # Errors
    /// As there.
    pub fn message_writer_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<SharedWriter<'_, S>>, Error> {
        MessageWriter::open(self.message(), opcode, rsv, None)
    }

    /// See [`Writer::resume_message_writer`], and [`message_writer`](Self::message_writer).
    #[must_use]
    pub fn resume_message_writer(&self) -> Option<MessageWriter<SharedWriter<'_, S>>> {
        MessageWriter::resume(self.message())
    }

    /// See [`Writer::ping`].
    ///
    /// # Errors
    /// As there.
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.shared.with(|writer| writer.ping(payload))
    }

    /// See [`Writer::pong`].
    ///
    /// # Errors
    /// As there.
    pub fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.shared.with(|writer| writer.pong(payload))
    }

    /// See [`Writer::close`]. Does not wait for a message that another thread is sending: that one
    /// fails, as nothing may follow a Close frame.
    ///
    /// # Errors
    /// As there.
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.shared.with_close(|writer| writer.close(code, reason))
    }

    /// Ends the connection under whoever waits for it, without a closing handshake: the reading
    /// half, or a thread that writes, fails at once. For a peer that is gone, as
    /// [`keep_alive`](Self::keep_alive) can tell.
    ///
    /// # Errors
    /// The stream's own.
    pub fn abort(&self) -> io::Result<()> {
        lock(&self.shared.socket).shutdown(Shutdown::Both)
    }

    pub(super) fn shared(&self) -> &Shared<S> {
        &self.shared
    }

    /// The right to send a message.
    fn message(&self) -> SharedWriter<'_, S> {
        SharedWriter {
            _message: lock(&self.shared.message),
            shared: &self.shared,
        }
    }
}

impl<S> Clone for WriteHalf<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
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

impl<S: Duplicate> Shared<S> {
    /// Has the writer for a frame, and sends what was queued meanwhile.
    fn with<R>(&self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        let mut writer = lock(&self.writer);
        let result = job(&mut writer);
        self.release(writer);
        result
    }

    /// As [`with`](Self::with), for a Close frame: an answer that comes at once has to find out who
    /// closed first, and one that comes while this waits for the writer that it was the peer.
    fn with_close(
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
    fn into_writer(self) -> Writer<S>
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

/// A thread that panicked left nothing half-done that the next one could not go on with.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
