//! A connection whose two directions are used by one thread.

use std::io::{Read, Write};
use std::ops::{Deref, DerefMut};

use super::{BufferPool, CloseReply, Config, Frame, MessageReader, PingReply, Writer};
use crate::connection::set_extension;
use crate::connection::{Buffers, Inbound, open};
use crate::drive::{now, poll_read_frame, poll_step};
use crate::error::Error;
use crate::frame::{CloseCode, Header, Opcode, Rsv};
use crate::protocol::{Agreement, Message, Role};

/// A WebSocket connection over a blocking (or non-blocking) stream.
///
/// It reads, and sends with the calls of its [`Writer`], which it dereferences to: `websocket.write_message(..)`.
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
///
/// # Examples
/// ```no_run
/// use std::net::TcpListener;
///
/// let (stream, _) = TcpListener::bind("127.0.0.1:9001")?.accept()?;
/// let mut websocket = framewire::accept(stream)?;
/// loop {
///     let (message, writer) = websocket.next_message_and_writer()?;
///     writer.feed_message(message.opcode(), message.payload())?;
/// }
/// # #[expect(unreachable_code)]
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// [`flush`](Writer::flush) first.
    #[must_use]
    pub fn into_inner(self) -> (S, Vec<u8>) {
        let leftover = self.inbound.leftover();
        (self.writer.stream, leftover)
    }

    /// Returns the writing side.
    pub fn writer(&mut self) -> &mut Writer<S> {
        &mut self.writer
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

/// The calls that send are those of its [`Writer`].
impl<S> Deref for WebSocket<S> {
    type Target = Writer<S>;

    fn deref(&self) -> &Writer<S> {
        &self.writer
    }
}

impl<S> DerefMut for WebSocket<S> {
    fn deref_mut(&mut self) -> &mut Writer<S> {
        &mut self.writer
    }
}
