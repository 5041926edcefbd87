//! A connection whose two directions are used by one task.

use std::ops::{Deref, DerefMut};

use tokio::io::{AsyncRead, AsyncWrite};

use super::source::{read, read_frame, read_on, try_read};
use super::{MessageReader, Writer};
use crate::connection::set_extension;
use crate::connection::{BufferPool, Buffers, CloseReply, Config, Frame, Inbound, PingReply, open};
use crate::error::Error;
use crate::frame::{CloseCode, Header, Opcode, Rsv};
#[cfg(feature = "handshake")]
use crate::handshake::{Established, Parts};
use crate::protocol::{Agreement, Message, Role};

/// A WebSocket connection over a tokio stream.
///
/// It reads, and sends with the calls of its [`Writer`], which it dereferences to: `websocket.write_message(..).await`.
///
/// While it reads, it answers Pings and echoes Close frames, unless a handler says otherwise. All that waits to
/// be written goes out before a read that waits. A Pong goes out even earlier, as far as the stream takes it:
/// before what came after its Ping is returned, since the application may work on that for a long time.
///
/// # Errors
/// Reading fails with [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the peer's Close frame is there,
/// with [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost) if the stream ends without one, with
/// [`ErrorKind::Violation`](crate::ErrorKind::Violation) after the Close frame that answers it was sent, and
/// with [`ErrorKind::Io`](crate::ErrorKind::Io). The first three are final: every further read gives the same.
///
/// `Closed` and `Violation` are reported when this end's Close frame, and what waited before it, has been sent.
/// The connection can be dropped then. A peer that reads nothing can hold that up for ever: bound the read with
/// a time-out, and drop the connection when it expires.
///
/// # Cancel safety
/// Every method is cancel-safe unless it says otherwise. A read that is dropped loses nothing: the next one
/// goes on where it stopped. For writes see [`Writer`].
///
/// # Memory
/// None at rest but its own size. Its read buffer ([`Config::read_buffer`]) and its write buffer come from a
/// [`BufferPool`] when bytes arrive or wait, and go back when they are used up.
///
/// A message that does not come in one read is assembled in memory from the pool too. That goes back with the
/// first read that waits while no message is under way, or after 128 messages in a row that did not need it. In
/// the middle of a message it may be twice as much as [`Limits::message`](crate::protocol::Limits::message),
/// however little has arrived.
///
/// # Examples
/// ```no_run
/// # async fn serve(stream: tokio::io::DuplexStream) -> Result<(), framewire::Error> {
/// use framewire::Opcode;
///
/// let mut websocket = framewire::tokio::WebSocket::server(stream, Default::default())?;
/// websocket.write_message(Opcode::Text, b"hello").await?;
/// while let Ok((message, writer)) = websocket.next_message_and_writer().await {
///     writer.feed_message(message.opcode(), message.payload()).await?;
/// }
/// println!("{:?}", websocket.closed());
/// # Ok(())
/// # }
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
        let buffers = Buffers::Pooled(BufferPool::per_thread());
        let (inbound, outbound) = open(leftover, role, &config, buffers)?;
        let writer = Writer::new(outbound, stream);
        Ok(Self { inbound, writer })
    }

    /// Creates a connection over a stream on which the handshake is done, with the bytes that came after it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    #[cfg(feature = "handshake")]
    pub fn from_established(established: Established<S>, config: Config) -> Result<Self, Error> {
        let Parts {
            stream,
            leftover,
            role,
            extension,
            ..
        } = established.into_parts();
        let mut websocket = Self::with_leftover(stream, &leftover, role, config)?;
        if let Some(agreed) = extension {
            websocket.set_extension(&*agreed);
        }
        Ok(websocket)
    }

    /// Makes the connection take its buffers from `pool` instead of the thread's pool.
    pub fn set_buffer_pool(&mut self, pool: &BufferPool) {
        self.inbound.set_buffers(Buffers::Pooled(pool.clone()));
        let buffers = Buffers::Pooled(pool.clone());
        self.writer.outbound.set_buffers(buffers);
    }

    /// Makes an extension transform messages in both directions from now on, as was agreed on.
    /// `from_established` does that by itself.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        set_extension(&mut self.inbound, &mut self.writer.outbound, agreed);
    }

    /// Returns the stream, and the bytes that were read from it and not used up.
    ///
    /// Between messages, another `WebSocket` can go on with these ([`with_leftover`](Self::with_leftover)).
    /// Compression that was agreed on must be [set](Self::set_extension) again; its contexts are lost. In the
    /// middle of a message or control frame, its beginning is lost too. So is what waits to be written:
    /// [`flush`](Self::flush) first.
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

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Returns the next message, lent until the next call. Waits until it is whole.
    ///
    /// A message that came in one piece is lent from the read buffer; any other is assembled. Allocates only to
    /// assemble, and only for what has arrived.
    ///
    /// # Errors
    /// As [`WebSocket`]. A message over [`Limits::message`](crate::protocol::Limits::message) is a violation,
    /// which the header shows.
    ///
    /// # Cancel safety
    /// Cancelled, nothing is lost. What has arrived of the message is there for the next call of this method or
    /// of [`read_message`](Self::read_message). Until then, calls that read in another way fail with
    /// [`ErrorKind::MessageInProgress`](crate::ErrorKind::MessageInProgress).
    pub async fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let Self { inbound, writer } = self;
        let step = Inbound::next_message;
        let found = match try_read(inbound, writer, step) {
            Ok(found) => found,
            Err(unfinished) => read_on(inbound, writer, unfinished, step).await?,
        };
        Ok(self.inbound.lend(&found))
    }

    /// Returns the next message, as [`next_message`](Self::next_message) does, with the writing side to answer
    /// it.
    ///
    /// What is [fed](Writer::feed_message) goes out before the next read that waits, so that a burst of
    /// messages is answered with one system call. This is the fastest loop.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    ///
    /// # Cancel safety
    /// As [`next_message`](Self::next_message). A message that was returned is not returned again: a future
    /// that reads a message and then feeds the answer loses the answer if it is dropped in between.
    pub async fn next_message_and_writer(
        &mut self,
    ) -> Result<(Message<'_>, &mut Writer<S>), Error> {
        let Self { inbound, writer } = self;
        let step = Inbound::next_message;
        let found = match try_read(inbound, writer, step) {
            Ok(found) => found,
            Err(unfinished) => read_on(inbound, writer, unfinished, step).await?,
        };
        Ok((self.inbound.lend(&found), &mut self.writer))
    }

    /// Appends the next message to `buf` and returns its opcode. Waits until it is whole.
    ///
    /// If `buf` is empty and the message was assembled, they exchange their memory and nothing is copied.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message). `buf` is then unchanged, and what has arrived of the message is
    /// there for the next call.
    ///
    /// # Cancel safety
    /// Cancelled, `buf` is unchanged, and what has arrived of the message is there for the next call.
    pub async fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        let (opcode, _) = self.read_message_ext(buf).await?;
        Ok(opcode)
    }

    /// Appends the next message to `buf`, as [`read_message`](Self::read_message) does, and returns its opcode
    /// and its reserved bits, for the extension that they belong to.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    pub async fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = read(&mut self.inbound, &mut self.writer, Inbound::next_message).await?;
        Ok(self.inbound.hand_over(&found, buf))
    }

    /// Returns a reader of the next message, which may be of any size, in constant memory. Waits for its first
    /// header.
    ///
    /// [`Limits::message`](crate::protocol::Limits::message) does not apply. The next call skips what was not
    /// read.
    ///
    /// # Errors
    /// As [`WebSocket`].
    ///
    /// # Cancel safety
    /// Cancelled, nothing of the message is lost: the next call that reads, of any kind, begins with it.
    pub async fn message_reader(&mut self) -> Result<MessageReader<'_, Writer<S>>, Error> {
        MessageReader::begin(&mut self.inbound, &mut self.writer).await
    }

    /// Returns the reader of the message that [`message_reader`](Self::message_reader) began and that was not
    /// read to its end; `None` if there is none.
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, Writer<S>>> {
        MessageReader::resume(&mut self.inbound, &mut self.writer)
    }

    /// Returns the header of the next raw frame. Waits for it.
    ///
    /// Consumes nothing: the next call may read the frame raw, or read the message that it begins in any way.
    ///
    /// # Errors
    /// As [`WebSocket`].
    ///
    /// # Cancel safety
    /// Cancelled, nothing is lost.
    pub async fn read_header(&mut self) -> Result<Header, Error> {
        read(&mut self.inbound, &mut self.writer, Inbound::read_header).await
    }

    /// Reads the next raw frame into `buf` and unmasks it there. Waits until it is whole.
    ///
    /// Returns control frames too, after their automatic reply. The rules of RFC 6455 hold as for any other
    /// call.
    ///
    /// # Errors
    /// [`ErrorKind::FrameBufferTooSmall`](crate::ErrorKind::FrameBufferTooSmall) if `buf` is shorter than the
    /// payload: nothing is consumed. Otherwise as [`WebSocket`].
    ///
    /// # Cancel safety
    /// Cancelled, what has arrived of the frame is there for the next call. `buf` may hold some of it.
    pub async fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        read_frame(&mut self.inbound, &mut self.writer, buf).await
    }
}

/// Calls of the writing side that would not be found where the traits of `futures` are in scope.
impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Writes all that waits, and flushes the stream; see [`Writer::flush`].
    ///
    /// # Errors
    /// As [`Writer::flush`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().await
    }

    /// Sends a Close frame; see [`Writer::close`].
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.writer.close(code, reason).await
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
