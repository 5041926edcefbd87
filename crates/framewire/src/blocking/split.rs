//! A connection whose two directions are used by different threads.

use std::io::{self, Read};
use std::sync::Arc;

use super::access::Access as _;
use super::shared::{ReadEnd, SendTurn, Shared};
use super::{
    CloseReply, Frame, MessageReader, MessageWriter, PingReply, PreparedMessage, WebSocket, Writer,
};
use crate::Duplicate;
use crate::connection::{Inbound, abort, close_payload};
use crate::drive::{WriteSide, now, poll_read_frame, poll_step};
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
use crate::protocol::Message;

/// The reading half of a [split](WebSocket::split) connection.
///
/// Its automatic replies never wait for a thread that writes. If a thread holds the writing half, that thread
/// sends the latest reply when its write is done. Otherwise this half writes the reply itself. It also writes
/// what was [fed](WriteHalf::feed_message), before a read that may block. Such a write blocks for as long as
/// the stream does.
#[derive(Debug)]
pub struct ReadHalf<S> {
    inbound: Inbound,
    read_end: ReadEnd<S>,
}

/// The writing half of a [split](WebSocket::split) connection. Clone it for each thread that writes.
///
/// Messages never interleave. A call that sends a message, or any other data frame, waits for its turn while
/// another thread is sending a message. Control frames need no turn: they go between the fragments of a message
/// that is being streamed.
///
/// # Examples
/// ```no_run
/// use framewire::Opcode;
///
/// let (mut reading, writing) = framewire::connect("ws://127.0.0.1:9001/")?.split()?;
/// std::thread::spawn(move || writing.write_message(Opcode::Text, b"hello"));
/// println!("{:?}", reading.next_message()?.text());
/// # Ok::<(), framewire::Error>(())
/// ```
#[derive(Debug)]
pub struct WriteHalf<S> {
    shared: Arc<Shared<S>>,
}

impl<S: Duplicate> WebSocket<S> {
    /// Splits the connection into a half that reads and a half that writes. Starts nothing.
    ///
    /// Duplicates the stream twice: one handle to read from, one for [`abort`](WriteHalf::abort).
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the stream cannot be duplicated.
    pub fn split(self) -> Result<(ReadHalf<S>, WriteHalf<S>), Error> {
        let Self { inbound, writer } = self;
        let read_end = ReadEnd::new(writer)?;
        if inbound.has_ended() {
            read_end.shared().writer().heartbeat.end();
        }
        let shared = Arc::clone(read_end.shared());
        let read_half = ReadHalf { inbound, read_end };
        Ok((read_half, WriteHalf { shared }))
    }
}

impl<S: Duplicate> ReadHalf<S> {
    /// Returns the next message, lent until the next call; see [`WebSocket::next_message`].
    ///
    /// # Errors
    /// As [`WebSocket::next_message`].
    pub fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let found = now(poll_step(
            &mut self.inbound,
            &mut self.read_end,
            Inbound::next_message,
        ))?;
        Ok(self.inbound.lend(&found))
    }

    /// Appends the next message to `buf` and returns its opcode; see [`WebSocket::read_message`].
    ///
    /// # Errors
    /// As [`WebSocket::read_message`].
    pub fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        self.read_message_ext(buf).map(|(opcode, _)| opcode)
    }

    /// Appends the next message to `buf` and returns its opcode and its reserved bits; see
    /// [`WebSocket::read_message_ext`].
    ///
    /// # Errors
    /// As [`WebSocket::read_message_ext`].
    pub fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = now(poll_step(
            &mut self.inbound,
            &mut self.read_end,
            Inbound::next_message,
        ))?;
        Ok(self.inbound.hand_over(&found, buf))
    }

    /// Returns a reader of the next message, of any size; see [`WebSocket::message_reader`].
    ///
    /// # Errors
    /// As [`WebSocket::message_reader`].
    pub fn message_reader(&mut self) -> Result<MessageReader<'_, ReadEnd<S>>, Error> {
        MessageReader::begin(&mut self.inbound, &mut self.read_end)
    }

    /// Returns the reader of a message that was begun and not read to its end; see
    /// [`WebSocket::resume_message_reader`].
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, ReadEnd<S>>> {
        MessageReader::resume(&mut self.inbound, &mut self.read_end)
    }

    /// Returns the header of the next raw frame; see [`WebSocket::read_header`].
    ///
    /// # Errors
    /// As [`WebSocket::read_header`].
    pub fn read_header(&mut self) -> Result<Header, Error> {
        now(poll_step(
            &mut self.inbound,
            &mut self.read_end,
            Inbound::read_header,
        ))
    }

    /// Reads the next raw frame into `buf`; see [`WebSocket::read_frame`].
    ///
    /// # Errors
    /// As [`WebSocket::read_frame`].
    pub fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        let header = now(poll_read_frame(&mut self.inbound, &mut self.read_end, buf))?;
        Ok(Frame::read(header, buf))
    }

    /// Calls `handler` for each Ping; see [`WebSocket::on_ping`].
    pub fn on_ping(&mut self, handler: impl FnMut(&[u8]) -> PingReply + Send + 'static) {
        self.inbound.handlers_mut().ping = Some(Box::new(handler));
    }

    /// Calls `handler` for each Pong; see [`WebSocket::on_pong`].
    pub fn on_pong(&mut self, handler: impl FnMut(&[u8]) + Send + 'static) {
        self.inbound.handlers_mut().pong = Some(Box::new(handler));
    }

    /// Calls `handler` for the peer's Close frame; see [`WebSocket::on_close`].
    pub fn on_close(
        &mut self,
        handler: impl FnMut(Option<CloseCode>, &str) -> CloseReply + Send + 'static,
    ) {
        self.inbound.handlers_mut().close = Some(Box::new(handler));
    }

    /// Returns the stream, to set its options. Reading from it breaks the connection.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.read_end.stream()
    }

    /// Joins both halves into one connection again, for [`WebSocket::shutdown`] or [`WebSocket::into_inner`].
    ///
    /// # Errors
    /// Returns both halves if they are not of one connection, or if the writing half has other clones.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the lines above prove it"
    )]
    pub fn reunite(
        self,
        write_half: WriteHalf<S>,
    ) -> Result<WebSocket<S>, Box<(Self, WriteHalf<S>)>> {
        let is_pair = Arc::ptr_eq(self.read_end.shared(), &write_half.shared);
        if !is_pair || Arc::strong_count(&write_half.shared) != 2 {
            return Err(Box::new((self, write_half)));
        }
        drop(self.read_end);
        let shared = Arc::into_inner(write_half.shared).expect("of two, one was dropped");
        let is_aborted = shared.is_aborted();
        let (mut inbound, mut writer) = (self.inbound, shared.into_writer().into_writer());
        if is_aborted {
            abort(&mut inbound, &mut writer.outbound);
        }
        Ok(WebSocket { inbound, writer })
    }
}

impl<S: Duplicate> WriteHalf<S> {
    /// Sends a message when it has its turn; see [`Writer::write_message`].
    ///
    /// # Errors
    /// As [`Writer::write_message`].
    pub fn write_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.write_message(opcode, payload))
    }

    /// Sends a message with the reserved bits of an extension when it has its turn; see
    /// [`Writer::write_message_ext`].
    ///
    /// # Errors
    /// As [`Writer::write_message_ext`].
    pub fn write_message_ext(&self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.write_message_ext(opcode, rsv, payload))
    }

    /// Stages a message when it has its turn, for the next [`flush`](Self::flush) or until the reading half
    /// waits; see [`Writer::feed_message`].
    ///
    /// # Errors
    /// As [`Writer::feed_message`].
    pub fn feed_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.feed_message(opcode, payload))
    }

    /// Stages a message with the reserved bits of an extension, as [`feed_message`](Self::feed_message) does;
    /// see [`Writer::feed_message_ext`].
    ///
    /// # Errors
    /// As [`Writer::feed_message_ext`].
    pub fn feed_message_ext(&self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.feed_message_ext(opcode, rsv, payload))
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back. See
    /// [`Writer::try_feed_message`].
    ///
    /// Gives the message back, too, while another thread is sending one or is writing anything. Waits for
    /// neither, but may send a reply that the reading half has queued.
    ///
    /// # Errors
    /// As [`Writer::try_feed_message`].
    pub fn try_feed_message<P: AsRef<[u8]>>(
        &self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        match self.shared.try_turn() {
            Some(_message) => self.shared.writer().try_feed(opcode, payload),
            None => Err(TryFeedError::Full(payload)),
        }
    }

    /// Returns how many bytes wait to be written; see [`Writer::buffered`]. Waits for a frame that another
    /// thread is writing.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.buffered())
    }

    /// Switches the compression of messages off, or on again, for all clones; see [`Writer::set_compression`].
    /// Waits for a frame that another thread is writing.
    pub fn set_compression(&self, enabled: bool) {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.set_compression(enabled));
    }

    /// Returns whether bytes wait to be written or flushed; see [`Writer::has_pending_output`]. Waits for a
    /// frame that another thread is writing.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.has_pending_output())
    }

    /// Returns how the connection was closed, once either end has sent its Close frame; see [`Writer::closed`].
    /// Never waits for another thread's write.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.writer().closed()
    }

    /// Writes all that waits, and flushes the stream; see [`Writer::flush`].
    ///
    /// # Errors
    /// As [`Writer::flush`].
    pub fn flush(&self) -> Result<(), Error> {
        now(self.shared.writer().lock().poll_flush())
    }

    /// Sends one raw frame; see [`Writer::write_frame`].
    ///
    /// A data frame waits for its turn. Between the frames of a fragmented message the turn is free: the caller
    /// must see to it that no other thread sends a message then.
    ///
    /// # Errors
    /// As [`Writer::write_frame`].
    pub fn write_frame(
        &self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let _message = (!opcode.is_control()).then(|| self.turn());
        let job = |writer: &mut Writer<S>| writer.write_frame(fin, rsv, opcode, payload);
        if opcode == Opcode::Close {
            job(&mut self.shared.writer().lock_to_close(payload))
        } else {
            job(&mut self.shared.writer().lock())
        }
    }

    /// Sends a message that was framed beforehand when it has its turn; see [`Writer::write_prepared`].
    ///
    /// # Errors
    /// As [`Writer::write_prepared`].
    pub fn write_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.turn().with(|writer| writer.write_prepared(message))
    }

    /// Sends all that a reader gives as one message; see [`Writer::stream_message`].
    ///
    /// Waits for its turn and has it until the message ends, so that other messages wait for the reader as
    /// well. Control frames do not.
    ///
    /// # Errors
    /// As [`Writer::stream_message`].
    pub fn stream_message(
        &self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
    }

    /// Sends all that a reader gives as one message with the reserved bits of an extension, as
    /// [`stream_message`](Self::stream_message) does; see [`Writer::stream_message_ext`].
    ///
    /// # Errors
    /// As [`Writer::stream_message_ext`].
    pub fn stream_message_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        MessageWriter::open(self.turn(), opcode, rsv, Some(chunk_size))?.finish_from(reader)
    }

    /// Opens a message that is written in pieces; see [`Writer::message_writer`].
    ///
    /// Waits for its turn. The [`MessageWriter`] has the turn until it is dropped: other messages wait, control
    /// frames do not. A thread that sends another message before it drops the [`MessageWriter`] waits for ever.
    ///
    /// # Errors
    /// As [`Writer::message_writer`].
    pub fn message_writer(&self, opcode: Opcode) -> Result<MessageWriter<SendTurn<'_, S>>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE)
    }

    /// Opens a message that is written in pieces, with the reserved bits of an extension, as
    /// [`message_writer`](Self::message_writer) does; see [`Writer::message_writer_ext`].
    ///
    /// # Errors
    /// As [`Writer::message_writer_ext`].
    pub fn message_writer_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<SendTurn<'_, S>>, Error> {
        MessageWriter::open(self.turn(), opcode, rsv, None)
    }

    /// Returns the writer of the message that was opened and not finished; see
    /// [`Writer::resume_message_writer`]. Waits for its turn and has it as
    /// [`message_writer`](Self::message_writer) does.
    #[must_use]
    pub fn resume_message_writer(&self) -> Option<MessageWriter<SendTurn<'_, S>>> {
        MessageWriter::resume(self.turn())
    }

    /// Sends a Ping; see [`Writer::ping`].
    ///
    /// # Errors
    /// As [`Writer::ping`].
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.shared.writer().lock().ping(payload)
    }

    /// Sends a Pong; see [`Writer::pong`].
    ///
    /// # Errors
    /// As [`Writer::pong`].
    pub fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.shared.writer().lock().pong(payload)
    }

    /// Sends a Close frame; see [`Writer::close`].
    ///
    /// Does not wait for its turn. A message that another thread is sending fails, as nothing may follow a
    /// Close frame.
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
    }

    /// Ends the connection without a closing handshake: for a peer that is gone, as
    /// [`keep_alive`](Self::keep_alive) can tell.
    ///
    /// A call that blocks fails at once: of the reading half with
    /// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted), of a thread that writes with the stream's own
    /// error.
    ///
    /// # Errors
    /// The error of the stream's shutdown.
    pub fn abort(&self) -> io::Result<()> {
        self.shared.abort()
    }

    pub(super) fn shared(&self) -> &Shared<S> {
        &self.shared
    }

    /// Takes the turn to send a message.
    fn turn(&self) -> SendTurn<'_, S> {
        self.shared.turn()
    }
}

impl<S> Clone for WriteHalf<S> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}
