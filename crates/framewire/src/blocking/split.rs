//! A connection whose two directions are used by different threads.

use std::io::{self, Read};
use std::sync::Arc;

use super::message_writer::Access as _;
use super::shared::{ReadEnd, SendTurn, Shared};
use super::{
    CloseReply, Frame, MessageReader, MessageWriter, PingReply, PreparedMessage, WebSocket, Writer,
};
use crate::Duplicate;
use crate::connection::{Drive, Inbound, abort, close_payload, read, read_frame};
use crate::error::{Closed, Error, TryFeedError};
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
    inbound: Inbound,
    read_end: ReadEnd<S>,
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

impl<S: Duplicate> WebSocket<S> {
    /// Splits the connection into a half that reads and a half that writes. Starts nothing.
    ///
    /// Takes two more handles to the stream: one to read from, and one to
    /// [abort](WriteHalf::abort) with.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) where the stream cannot be duplicated.
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
        let found = read(&mut self.inbound, &mut self.read_end, Inbound::next_message)?;
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
        let found = read(&mut self.inbound, &mut self.read_end, Inbound::next_message)?;
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
        read(&mut self.inbound, &mut self.read_end, Inbound::read_header)
    }

    /// Reads the next raw frame into `buf`; see [`WebSocket::read_frame`].
    ///
    /// # Errors
    /// As [`WebSocket::read_frame`].
    pub fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        let header = read_frame(&mut self.inbound, &mut self.read_end, buf)?;
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

    /// The stream, to set its options. Reading from it breaks the connection.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.read_end.stream()
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
    /// Sends a message; see [`Writer::write_message`]. Waits for a message that another thread is sending.
    ///
    /// # Errors
    /// As [`Writer::write_message`].
    pub fn write_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.write_message(opcode, payload))
    }

    /// Sends a message with the reserved bits of an extension; see [`Writer::write_message_ext`]. Waits for a
    /// message that another thread is sending.
    ///
    /// # Errors
    /// As [`Writer::write_message_ext`].
    pub fn write_message_ext(&self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.write_message_ext(opcode, rsv, payload))
    }

    /// Stages a message for the next flush; see [`Writer::feed_message`]. Goes out with the next
    /// [`flush`](Self::flush), or before the reading half waits. Waits for a message that another thread is
    /// sending.
    ///
    /// # Errors
    /// As [`Writer::feed_message`].
    pub fn feed_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.feed_message(opcode, payload))
    }

    /// Stages a message for the next flush with the reserved bits of an extension; see
    /// [`Writer::feed_message_ext`], and [`feed_message`](Self::feed_message).
    ///
    /// # Errors
    /// As [`Writer::feed_message_ext`].
    pub fn feed_message_ext(&self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error> {
        self.turn()
            .with(|writer| writer.feed_message_ext(opcode, rsv, payload))
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back; see
    /// [`Writer::try_feed_message`]. Gives the message back, too, while another thread is sending one, or
    /// writes anything. Waits for neither, but may send what the reading half left meanwhile.
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

    /// Switches the compression of messages off, or on again; see [`Writer::set_compression`]. It is for the
    /// messages of all clones. Waits for a frame that another thread is writing.
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
        self.shared.writer().lock().flush()
    }

    /// Sends one raw frame; see [`Writer::write_frame`]. A data frame waits for a message that another thread
    /// is sending; one with the fragments of a message is the caller's to send without a gap.
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

    /// Sends a message that was framed beforehand; see [`Writer::write_prepared`]. Waits for a message that
    /// another thread is sending.
    ///
    /// # Errors
    /// As [`Writer::write_prepared`].
    pub fn write_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.turn().with(|writer| writer.write_prepared(message))
    }

    /// Sends all that a reader gives as one message; see [`Writer::stream_message`]. Waits for a message that
    /// another thread is sending, and keeps other messages waiting, but not control frames, while it reads.
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

    /// Sends all that a reader gives as one message, with the reserved bits of an extension; see
    /// [`Writer::stream_message_ext`], and [`stream_message`](Self::stream_message).
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

    /// Opens a message that is written in pieces; see [`Writer::message_writer`]. Waits for a message that
    /// another thread is sending, and keeps other messages waiting, but not control frames, until it is
    /// dropped: a thread that sends another message before that waits for itself.
    ///
    /// # Errors
    /// As [`Writer::message_writer`].
    pub fn message_writer(&self, opcode: Opcode) -> Result<MessageWriter<SendTurn<'_, S>>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE)
    }

    /// Opens a message that is written in pieces, with the reserved bits of an extension; see
    /// [`Writer::message_writer_ext`], and [`message_writer`](Self::message_writer).
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
    /// [`Writer::resume_message_writer`], and [`message_writer`](Self::message_writer).
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

    /// Sends a Close frame; see [`Writer::close`]. Does not wait for a message that another thread is sending:
    /// that one fails, as nothing may follow a Close frame.
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
    }

    /// Ends the connection under whoever waits for it, without a closing handshake: the reading
    /// half fails at once with [`ConnectionAborted`](io::ErrorKind::ConnectionAborted), and a thread
    /// that writes with the error that the stream has for that. For a peer that is gone, as
    /// [`keep_alive`](Self::keep_alive) can tell.
    ///
    /// # Errors
    /// The stream's own.
    pub fn abort(&self) -> io::Result<()> {
        self.shared.abort()
    }

    pub(super) fn shared(&self) -> &Shared<S> {
        &self.shared
    }

    /// The right to send a message.
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
