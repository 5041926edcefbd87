//! A connection whose two directions are used by one thread.

use std::io::{Read, Write};

use super::{
    BufferPool, CloseReply, Config, Frame, MessageReader, MessageWriter, PingReply,
    PreparedMessage, Writer,
};
use crate::connection::set_extension;
use crate::connection::{Buffers, Inbound, open};
use crate::drive::{now, poll_read_frame, poll_step};
use crate::error::{Error, TryFeedError};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
use crate::protocol::{Agreement, Message, Role};

/// A WebSocket connection over a blocking (or non-blocking) stream.
///
/// While it reads, it answers Pings and echoes Close frames, unless a handler says otherwise. All that waits to
/// be written goes out before a read that may block. A Pong goes out even earlier, as far as the stream takes
/// it: before what came after its Ping is returned, since the application may work on that for a long time.
///
/// # Errors
/// Reading fails with [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the peer's Close frame is there,
/// with [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost) if the stream ends without one, with
/// [`ErrorKind::Violation`](crate::ErrorKind::Violation) after the Close frame that answers it was sent, and
/// with [`ErrorKind::Io`](crate::ErrorKind::Io). The first three are final: every further read gives the same.
///
/// # Memory
/// A read buffer ([`Config::read_buffer`]) once it reads, and the memory of its [`Writer`]. A message that does
/// not come in one read is assembled in memory that stays for the next such message. That is freed after 128
/// messages in a row that did not need it, or two reads in a row that timed out or would block.
#[derive(Debug)]
pub struct WebSocket<S> {
    pub(super) inbound: Inbound,
    pub(super) writer: Writer<S>,
}

impl<S> WebSocket<S> {
    /// Creates the server's end of a connection, over a stream on which the handshake is done.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    pub fn server(stream: S, config: Config) -> Result<Self, Error> {
        Self::with_leftover(stream, &[], Role::Server, config)
    }

    /// Creates the client's end of a connection, over a stream on which the handshake is done.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    pub fn client(stream: S, config: Config) -> Result<Self, Error> {
        Self::with_leftover(stream, &[], Role::Client, config)
    }

    /// Creates either end of a connection. `leftover` is read first: bytes that came after the handshake and
    /// were read with it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    pub fn with_leftover(
        stream: S,
        leftover: &[u8],
        role: Role,
        config: Config,
    ) -> Result<Self, Error> {
        let (inbound, outbound) = open(leftover, role, &config, Buffers::Kept)?;
        let writer = Writer { outbound, stream };
        Ok(Self { inbound, writer })
    }

    /// Makes an extension transform messages in both directions from now on, as was agreed on.
    /// `from_established` does that by itself.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        set_extension(&mut self.inbound, &mut self.writer.outbound, agreed);
    }

    /// Switches compression off, or on again, for messages that begin from now on. No effect if none was agreed
    /// on.
    pub fn set_compression(&mut self, enabled: bool) {
        self.writer.set_compression(enabled);
    }

    /// Makes the connection take its buffers from `pool` while it needs them, instead of owning its buffers.
    ///
    /// For many connections on non-blocking streams: a blocking read needs a buffer all the time. The memory of
    /// an assembled message goes back with the first read that would block.
    pub fn set_buffer_pool(&mut self, pool: &BufferPool) {
        self.inbound.set_buffers(Buffers::Pooled(pool.clone()));
        self.writer
            .outbound
            .set_buffers(Buffers::Pooled(pool.clone()));
    }

    /// Returns the stream, and the bytes that were read from it and not used up.
    ///
    /// Between messages, another `WebSocket` can go on with these ([`with_leftover`](Self::with_leftover)).
    /// Compression that was agreed on must be set again (`set_extension`); its contexts are lost. In the middle
    /// of a message or control frame, its beginning is lost too. So is what waits to be written:
    /// [`flush`](Self::flush) first.
    #[must_use]
    pub fn into_inner(self) -> (S, Vec<u8>) {
        let leftover = self.inbound.leftover();
        (self.writer.stream, leftover)
    }

    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.writer.stream()
    }

    /// Returns the stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        self.writer.stream_mut()
    }

    /// Returns the writing side.
    pub fn writer(&mut self) -> &mut Writer<S> {
        &mut self.writer
    }

    /// Returns whether bytes wait to be written, or were written and not flushed. On a non-blocking stream,
    /// call [`flush`](Self::flush) when it is writable.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.writer.has_pending_output()
    }

    /// Returns how many bytes wait to be written.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.writer.buffered()
    }

    /// Calls `handler` for each Ping. Its result decides the reply, by default a Pong with the same payload.
    ///
    /// `handler` is boxed once and called by any call that reads.
    pub fn on_ping(&mut self, handler: impl FnMut(&[u8]) -> PingReply + Send + 'static) {
        self.inbound.handlers_mut().ping = Some(Box::new(handler));
    }

    /// Calls `handler` for each Pong. `handler` is boxed once and called by any call that reads.
    pub fn on_pong(&mut self, handler: impl FnMut(&[u8]) + Send + 'static) {
        self.inbound.handlers_mut().pong = Some(Box::new(handler));
    }

    /// Calls `handler` for the peer's Close frame. Its result decides the reply, by default a Close frame with
    /// the same code.
    ///
    /// `handler` is boxed once and called by any call that reads.
    pub fn on_close(
        &mut self,
        handler: impl FnMut(Option<CloseCode>, &str) -> CloseReply + Send + 'static,
    ) {
        self.inbound.handlers_mut().close = Some(Box::new(handler));
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// Returns the next message, lent until the next call. Blocks until it is whole.
    ///
    /// A message that came in one piece is lent from the read buffer; any other is assembled. Allocates only to
    /// assemble, and only for what has arrived.
    ///
    /// # Errors
    /// As [`WebSocket`]. A message over [`Limits::message`](crate::protocol::Limits::message) is a violation,
    /// which the header shows.
    pub fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let found = now(poll_step(
            &mut self.inbound,
            &mut self.writer,
            Inbound::next_message,
        ))?;
        Ok(self.inbound.lend(&found))
    }

    /// Returns the next message, as [`next_message`](Self::next_message) does, with the writing side to answer
    /// it.
    ///
    /// What is [fed](Writer::feed_message) goes out before the next read that may block, so that a burst of
    /// messages is answered with one system call.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    pub fn next_message_and_writer(&mut self) -> Result<(Message<'_>, &mut Writer<S>), Error> {
        let found = now(poll_step(
            &mut self.inbound,
            &mut self.writer,
            Inbound::next_message,
        ))?;
        Ok((self.inbound.lend(&found), &mut self.writer))
    }

    /// Appends the next message to `buf` and returns its opcode. Blocks until it is whole.
    ///
    /// If `buf` is empty and the message was assembled, they exchange their memory and nothing is copied.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message). `buf` is then unchanged, and what has arrived of the message is
    /// there for the next call.
    pub fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        self.read_message_ext(buf).map(|(opcode, _)| opcode)
    }

    /// Appends the next message to `buf`, as [`read_message`](Self::read_message) does, and returns its opcode
    /// and its reserved bits, for the extension that they belong to.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    pub fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = now(poll_step(
            &mut self.inbound,
            &mut self.writer,
            Inbound::next_message,
        ))?;
        Ok(self.inbound.hand_over(&found, buf))
    }

    /// Returns a reader of the next message, which may be of any size, in constant memory. Blocks until its
    /// first header is there.
    ///
    /// [`Limits::message`](crate::protocol::Limits::message) does not apply. The next call skips what was not
    /// read.
    ///
    /// # Errors
    /// As [`WebSocket`].
    pub fn message_reader(&mut self) -> Result<MessageReader<'_, Writer<S>>, Error> {
        MessageReader::begin(&mut self.inbound, &mut self.writer)
    }

    /// Returns the reader of the message that [`message_reader`](Self::message_reader) began and that was not
    /// read to its end; `None` if there is none.
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, Writer<S>>> {
        MessageReader::resume(&mut self.inbound, &mut self.writer)
    }

    /// Returns the header of the next raw frame. Blocks until it is there.
    ///
    /// Consumes nothing: the next call may read the frame raw, or read the message that it begins in any way.
    ///
    /// # Errors
    /// As [`WebSocket`].
    pub fn read_header(&mut self) -> Result<Header, Error> {
        now(poll_step(
            &mut self.inbound,
            &mut self.writer,
            Inbound::read_header,
        ))
    }

    /// Reads the next raw frame into `buf` and unmasks it there. Blocks until it is whole.
    ///
    /// Returns control frames too, after their automatic reply. The rules of RFC 6455 hold as for any other
    /// call.
    ///
    /// # Errors
    /// [`ErrorKind::FrameBufferTooSmall`](crate::ErrorKind::FrameBufferTooSmall) if `buf` is shorter than the
    /// payload: nothing is consumed. Otherwise as [`WebSocket`].
    pub fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        let header = now(poll_read_frame(&mut self.inbound, &mut self.writer, buf))?;
        Ok(Frame::read(header, buf))
    }
}

/// The methods of the writing side.
impl<S: Write> WebSocket<S> {
    /// Sends a message; see [`Writer::write_message`].
    ///
    /// # Errors
    /// As [`Writer::write_message`].
    pub fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.writer.write_message(opcode, payload)
    }

    /// Sends a message with the reserved bits of an extension; see [`Writer::write_message_ext`].
    ///
    /// # Errors
    /// As [`Writer::write_message_ext`].
    pub fn write_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.writer.write_message_ext(opcode, rsv, payload)
    }

    /// Stages a message for the next flush; see [`Writer::feed_message`].
    ///
    /// # Errors
    /// As [`Writer::feed_message`].
    pub fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.writer.feed_message(opcode, payload)
    }

    /// Stages a message for the next flush with the reserved bits of an extension; see
    /// [`Writer::feed_message_ext`].
    ///
    /// # Errors
    /// As [`Writer::feed_message_ext`].
    pub fn feed_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.writer.feed_message_ext(opcode, rsv, payload)
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back; see
    /// [`Writer::try_feed_message`].
    ///
    /// # Errors
    /// As [`Writer::try_feed_message`].
    pub fn try_feed_message<P: AsRef<[u8]>>(
        &mut self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        self.writer.try_feed_message(opcode, payload)
    }

    /// Writes all that waits, and flushes the stream; see [`Writer::flush`].
    ///
    /// # Errors
    /// As [`Writer::flush`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush()
    }

    /// Sends one raw frame; see [`Writer::write_frame`].
    ///
    /// # Errors
    /// As [`Writer::write_frame`].
    pub fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.writer.write_frame(fin, rsv, opcode, payload)
    }

    /// Sends a message that was framed beforehand; see [`Writer::write_prepared`].
    ///
    /// # Errors
    /// As [`Writer::write_prepared`].
    pub fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.writer.write_prepared(message)
    }

    /// Sends all that a reader gives as one message; see [`Writer::stream_message`].
    ///
    /// # Errors
    /// As [`Writer::stream_message`].
    pub fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        self.writer.stream_message(opcode, chunk_size, reader)
    }

    /// Sends all that a reader gives as one message, with the reserved bits of an extension; see
    /// [`Writer::stream_message_ext`].
    ///
    /// # Errors
    /// As [`Writer::stream_message_ext`].
    pub fn stream_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        self.writer
            .stream_message_ext(opcode, rsv, chunk_size, reader)
    }

    /// Opens a message that is written in pieces; see [`Writer::message_writer`].
    ///
    /// # Errors
    /// As [`Writer::message_writer`].
    pub fn message_writer(
        &mut self,
        opcode: Opcode,
    ) -> Result<MessageWriter<&mut Writer<S>>, Error> {
        self.writer.message_writer(opcode)
    }

    /// Opens a message that is written in pieces, with the reserved bits of an extension; see
    /// [`Writer::message_writer_ext`].
    ///
    /// # Errors
    /// As [`Writer::message_writer_ext`].
    pub fn message_writer_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<&mut Writer<S>>, Error> {
        self.writer.message_writer_ext(opcode, rsv)
    }

    /// Returns the writer of the message that was opened and not finished; see
    /// [`Writer::resume_message_writer`].
    pub fn resume_message_writer(&mut self) -> Option<MessageWriter<&mut Writer<S>>> {
        self.writer.resume_message_writer()
    }

    /// Sends a Ping; see [`Writer::ping`].
    ///
    /// # Errors
    /// As [`Writer::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.writer.ping(payload)
    }

    /// Sends a Pong; see [`Writer::pong`].
    ///
    /// # Errors
    /// As [`Writer::pong`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.writer.pong(payload)
    }

    /// Sends a Close frame; see [`Writer::close`].
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.writer.close(code, reason)
    }
}
