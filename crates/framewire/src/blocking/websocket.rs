//! A connection whose two directions are used by one thread.

use std::io::{Read, Write};

use super::{
    BufferPool, CloseReply, Config, Frame, MessageReader, MessageWriter, PingReply,
    PreparedMessage, Writer,
};
use crate::connection::set_extension;
use crate::connection::{Buffers, Inbound, Outbound, open, read, read_frame};
use crate::error::{Error, TryFeedError};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
use crate::protocol::{Agreement, Message, Role};

/// A WebSocket connection over a blocking (or non-blocking) stream.
///
/// Pings are answered and Close frames echoed while reading, unless a handler says otherwise.
/// Everything that waits to be written goes out before a read that may block.
/// A Pong also goes out before what came after its Ping is handed over, as far as the stream takes it
/// then: the application may work on that for as long as it likes.
///
/// # Memory
/// A read buffer ([`Config::read_buffer`]) once it reads, what [`Writer`] holds, and a message that
/// does not come in one read for as long as such messages come: its memory is given back after 128
/// messages in a row that did not need it, or two reads in a row that timed out or would block.
///
/// # Errors
/// Reading fails with [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the peer's Close frame
/// is there, with [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost) where the stream
/// ends without one, with [`ErrorKind::Violation`](crate::ErrorKind::Violation) after the Close
/// frame that answers it was sent, and with [`ErrorKind::Io`](crate::ErrorKind::Io). The first
/// three are final: every further read gives the same.
#[derive(Debug)]
pub struct WebSocket<S> {
    pub(super) inbound: Inbound,
    pub(super) writer: Writer<S>,
}

impl<S> WebSocket<S> {
    /// The server's end of a stream on which the handshake is done.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where a size is 0.
    pub fn server(stream: S, config: Config) -> Result<Self, Error> {
        Self::with_leftover(stream, &[], Role::Server, config)
    }

    /// The client's end of a stream on which the handshake is done.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where a size is 0.
    pub fn client(stream: S, config: Config) -> Result<Self, Error> {
        Self::with_leftover(stream, &[], Role::Client, config)
    }

    /// Either end, where bytes that came after the handshake were read with it: `leftover` is read
    /// first.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where a size is 0.
    pub fn with_leftover(
        stream: S,
        leftover: &[u8],
        role: Role,
        config: Config,
    ) -> Result<Self, Error> {
        let sides = open(stream, leftover, role, &config, Buffers::Kept)?;
        Ok(Self::of(sides))
    }

    pub(super) fn of((inbound, outbound, stream): (Inbound, Outbound, S)) -> Self {
        let writer = Writer { outbound, stream };
        Self { inbound, writer }
    }

    /// Has an extension transform messages both ways from now on, as was agreed on: what
    /// `from_established` does by itself.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        set_extension(&mut self.inbound, &mut self.writer.outbound, agreed);
    }

    /// Switches the compression of messages off, or on again, for those that begin from now on.
    /// No effect where none was agreed on.
    pub fn set_compression(&mut self, enabled: bool) {
        self.writer.set_compression(enabled);
    }

    /// Has the connection take its buffers from a pool while it needs them, instead of keeping its
    /// own: for many connections on non-blocking streams. A blocking read needs one all the time.
    /// The memory of an assembled message goes back with the first read that would block.
    pub fn set_buffer_pool(&mut self, pool: &BufferPool) {
        self.inbound.set_buffers(Buffers::Pooled(pool.clone()));
        self.writer
            .outbound
            .set_buffers(Buffers::Pooled(pool.clone()));
    }

    /// The stream, and the bytes that were read from it and not used up.
    ///
    /// Between messages these are all that another `WebSocket` needs to go on
    /// ([`with_leftover`](Self::with_leftover)); in the middle of one, or of a control frame, its
    /// beginning is lost, and so are the contexts of compression with context takeover. Compression
    /// that was agreed on has to be set again (`set_extension`). What waits to be written is lost too:
    /// [`flush`](Self::flush) first.
    #[must_use]
    pub fn into_inner(self) -> (S, Vec<u8>) {
        let leftover = self.inbound.leftover();
        (self.writer.stream, leftover)
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.writer.stream()
    }

    /// The stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        self.writer.stream_mut()
    }

    /// The writing side.
    pub fn writer(&mut self) -> &mut Writer<S> {
        &mut self.writer
    }

    /// Whether bytes wait that the stream has not taken, or not been made to pass on: on a
    /// non-blocking stream, call [`flush`](Self::flush) when it is writable.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.writer.has_pending_output()
    }

    /// How many bytes wait that the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.writer.buffered()
    }

    /// Has `handler` look at each Ping and decide what answers it. Default: a Pong with the same
    /// payload. Boxed once; called by whatever call reads.
    pub fn on_ping(&mut self, handler: impl FnMut(&[u8]) -> PingReply + Send + 'static) {
        self.inbound.handlers_mut().ping = Some(Box::new(handler));
    }

    /// Has `handler` look at each Pong. Boxed once; called by whatever call reads.
    pub fn on_pong(&mut self, handler: impl FnMut(&[u8]) + Send + 'static) {
        self.inbound.handlers_mut().pong = Some(Box::new(handler));
    }

    /// Has `handler` look at the peer's Close frame and decide what answers it. Default: a Close
    /// frame with the same code. Boxed once; called by whatever call reads.
    pub fn on_close(
        &mut self,
        handler: impl FnMut(Option<CloseCode>, &str) -> CloseReply + Send + 'static,
    ) {
        self.inbound.handlers_mut().close = Some(Box::new(handler));
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// The next message, lent until the next call: from the read buffer where it came in one
    /// piece, else assembled. Blocks until it is whole.
    ///
    /// Allocates only to assemble, and only what has arrived.
    ///
    /// # Errors
    /// See [`WebSocket`]. A message over [`Limits::message`](crate::protocol::Limits::message)
    /// is a violation that is seen in the header.
    pub fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let found = read(&mut self.inbound, &mut self.writer, Inbound::next_message)?;
        Ok(self.inbound.lend(&found))
    }

    /// As [`next_message`](Self::next_message), with the writing side to answer while the message
    /// is lent.
    ///
    /// What is [fed](Writer::feed_message) goes out before the next read that may block, so that a
    /// burst of messages is answered with one system call.
    ///
    /// # Errors
    /// As there.
    pub fn next_message_and_writer(&mut self) -> Result<(Message<'_>, &mut Writer<S>), Error> {
        let found = read(&mut self.inbound, &mut self.writer, Inbound::next_message)?;
        Ok((self.inbound.lend(&found), &mut self.writer))
    }

    /// Appends the next message to `buf` and says what it is. Blocks until it is whole.
    ///
    /// After an error `buf` is as it was, and what has come of the message is kept for the next
    /// call. Where `buf` is empty and the message was assembled, they exchange their memory and
    /// nothing is copied.
    ///
    /// # Errors
    /// As for [`next_message`](Self::next_message).
    pub fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        self.read_message_ext(buf).map(|(opcode, _)| opcode)
    }

    /// As [`read_message`](Self::read_message), with the reserved bits of the message for the
    /// extension that they belong to.
    ///
    /// # Errors
    /// As for [`next_message`](Self::next_message).
    pub fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = read(&mut self.inbound, &mut self.writer, Inbound::next_message)?;
        Ok(self.inbound.hand_over(&found, buf))
    }

    /// The next message as a reader: of any size, in constant memory. Blocks until its first
    /// header is there.
    ///
    /// [`Limits::message`](crate::protocol::Limits::message) does not bind it. What was not read
    /// is skipped by the next call.
    ///
    /// # Errors
    /// See [`WebSocket`].
    pub fn message_reader(&mut self) -> Result<MessageReader<'_, Writer<S>>, Error> {
        MessageReader::begin(&mut self.inbound, &mut self.writer)
    }

    /// The message that [`message_reader`](Self::message_reader) began and that was not read to
    /// its end, to go on with it; `None` where there is none.
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, Writer<S>>> {
        MessageReader::resume(&mut self.inbound, &mut self.writer)
    }

    /// The header of the next raw frame. Blocks until it is there, and consumes nothing: the next
    /// call may read the frame raw, or the message that it begins in any way.
    ///
    /// # Errors
    /// See [`WebSocket`].
    pub fn read_header(&mut self) -> Result<Header, Error> {
        read(&mut self.inbound, &mut self.writer, Inbound::read_header)
    }

    /// The next raw frame, its payload unmasked in `buf`. Blocks until it is whole.
    ///
    /// Control frames are given too, after their automatic reply. The rules of RFC 6455 hold as
    /// for any other call.
    ///
    /// # Errors
    /// [`ErrorKind::FrameBufferTooSmall`](crate::ErrorKind::FrameBufferTooSmall) where `buf` is
    /// shorter than the payload: nothing is consumed. See [`WebSocket`] for the rest.
    pub fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        let header = read_frame(&mut self.inbound, &mut self.writer, buf)?;
        Ok(Frame::read(header, buf))
    }
}

/// The writing side's methods, for one who does not care that there are two sides.
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
