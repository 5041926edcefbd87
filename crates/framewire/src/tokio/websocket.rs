//! A connection whose two directions are used by one task.

use tokio::io::{AsyncRead, AsyncWrite};

use super::source::{read, read_frame, read_on, try_read};
use super::{MessageReader, MessageWriter, Writer};
use crate::connection::set_extension;
use crate::connection::{
    BufferPool, Buffers, CloseReply, Config, Frame, Inbound, Outbound, PingReply, PreparedMessage,
    open,
};
use crate::error::{Error, TryFeedError};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
#[cfg(feature = "handshake")]
use crate::handshake::Established;
use crate::protocol::{Agreement, Message, Role};

/// A WebSocket connection over a stream of tokio's.
///
/// Pings are answered and Close frames echoed while reading, unless a handler says otherwise.
/// Everything that waits to be written goes out before a read that waits.
/// A Pong also goes out before what came after its Ping is handed over, as far as the stream takes it
/// then: the application may work on that for as long as it likes.
///
/// # Cancellation
/// Every method is cancel-safe unless it says otherwise: dropped at any point, a read has lost
/// nothing and the next one goes on where it stopped; for writes see [`Writer`].
///
/// # Memory
/// At rest, none but its own size: its read buffer ([`Config::read_buffer`]) and its write buffer
/// come from a [`BufferPool`] when bytes arrive or wait, and are given back when they are used up.
/// A message that does not come in one read is assembled in memory that comes from there too, and is
/// given back with the first read that waits while nothing of a message is held, or after 128
/// messages in a row that did not need it. In the middle of a message it may be twice as much as
/// [`Limits::message`](crate::protocol::Limits::message), however little of it has come.
///
/// # Errors
/// Reading fails with [`ErrorKind::Closed`](crate::ErrorKind::Closed) once the peer's Close frame
/// is there, with [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost) where the stream
/// ends without one, with [`ErrorKind::Violation`](crate::ErrorKind::Violation) after the Close
/// frame that answers it was sent, and with [`ErrorKind::Io`](crate::ErrorKind::Io). The first
/// three are final: every further read gives the same.
///
/// `Closed` and `Violation` come when this end's Close frame, and what waited before it, has been
/// sent, so that the connection can be dropped then. A peer that reads nothing holds that up for as
/// long as it likes: bound the read with a time-out, after which nothing but to drop the connection is left.
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
        let sides = open(stream, leftover, role, &config, Self::buffers())?;
        Ok(Self::of(sides))
    }

    /// Takes over a stream on which the handshake is done, with the bytes that came after it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where a size is 0.
    #[cfg(feature = "handshake")]
    pub fn from_established(
        established: Established<S>,
        role: Role,
        config: Config,
    ) -> Result<Self, Error> {
        let parts = established.into_parts();
        let mut websocket = Self::with_leftover(parts.stream, &parts.leftover, role, config)?;
        if let Some(agreed) = parts.extension {
            websocket.set_extension(&*agreed);
        }
        Ok(websocket)
    }

    fn buffers() -> Buffers {
        Buffers::Pooled(BufferPool::per_thread())
    }

    fn of((inbound, outbound, stream): (Inbound, Outbound, S)) -> Self {
        let writer = Writer::new(outbound, stream);
        Self { inbound, writer }
    }

    /// Has the connection take its buffers from another pool than that of the thread.
    pub fn set_buffer_pool(&mut self, pool: &BufferPool) {
        self.inbound.set_buffers(Buffers::Pooled(pool.clone()));
        let buffers = Buffers::Pooled(pool.clone());
        self.writer.outbound.set_buffers(buffers);
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

    /// The stream, and the bytes that were read from it and not used up.
    ///
    /// Between messages these are all that another `WebSocket` needs to go on
    /// ([`with_leftover`](Self::with_leftover)); in the middle of one, or of a control frame, its
    /// beginning is lost, and so are the contexts of compression with context takeover. Compression
    /// that was agreed on has to be [set](Self::set_extension) again. What waits
    /// to be written is lost too: [`flush`](Self::flush) first.
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

    /// Whether bytes wait that the stream has not taken, or not been made to pass on.
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

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The next message, lent until the next call: from the read buffer where it came in one
    /// piece, else assembled. Waits until it is whole.
    ///
    /// Allocates only to assemble, and only what has arrived. Cancelled, nothing is lost: what has come
    /// of the message is kept for the next call of this or of [`read_message`](Self::read_message), and
    /// calls that read in another way fail until then
    /// ([`ErrorKind::MessageInProgress`](crate::ErrorKind::MessageInProgress)).
    ///
    /// # Errors
    /// See [`WebSocket`]. A message over [`Limits::message`](crate::protocol::Limits::message)
    /// is a violation that is seen in the header.
    pub async fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let Self { inbound, writer } = self;
        let step = Inbound::next_message;
        let found = match try_read(inbound, writer, step) {
            Ok(found) => found,
            Err(halt) => read_on(inbound, writer, halt, step).await?,
        };
        Ok(self.inbound.lend(&found))
    }

    /// As [`next_message`](Self::next_message), with the writing side to answer while the message
    /// is lent.
    ///
    /// What is [fed](Writer::feed_message) goes out before the next read that waits, so that a
    /// burst of messages is answered with one system call: the fastest loop there is.
    ///
    /// Cancelled, nothing is lost, as there. A message that was given is not given again: a future that
    /// reads it and then feeds the answer loses that where it is dropped before it is taken.
    ///
    /// # Errors
    /// As there.
    pub async fn next_message_and_writer(
        &mut self,
    ) -> Result<(Message<'_>, &mut Writer<S>), Error> {
        let Self { inbound, writer } = self;
        let step = Inbound::next_message;
        let found = match try_read(inbound, writer, step) {
            Ok(found) => found,
            Err(halt) => read_on(inbound, writer, halt, step).await?,
        };
        Ok((self.inbound.lend(&found), &mut self.writer))
    }

    /// Appends the next message to `buf` and says what it is. Waits until it is whole.
    ///
    /// After an error, or cancelled, `buf` is as it was, and what has come of the message is kept
    /// for the next call. Where `buf` is empty and the message was assembled, they exchange their
    /// memory and nothing is copied.
    ///
    /// # Errors
    /// As for [`next_message`](Self::next_message).
    pub async fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        let (opcode, _) = self.read_message_ext(buf).await?;
        Ok(opcode)
    }

    /// As [`read_message`](Self::read_message), with the reserved bits of the message for the
    /// extension that they belong to.
    ///
    /// # Errors
    /// As for [`next_message`](Self::next_message).
    pub async fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = read(&mut self.inbound, &mut self.writer, Inbound::next_message).await?;
        Ok(self.inbound.hand_over(&found, buf))
    }

    /// The next message as a reader: of any size, in constant memory. Waits until its first header
    /// is there.
    ///
    /// [`Limits::message`](crate::protocol::Limits::message) does not bind it. What was not read
    /// is skipped by the next call. Cancelled, nothing of the message is lost: the next call, in
    /// whatever way it reads, begins with it.
    ///
    /// # Errors
    /// See [`WebSocket`].
    pub async fn message_reader(&mut self) -> Result<MessageReader<'_, Writer<S>>, Error> {
        MessageReader::begin(&mut self.inbound, &mut self.writer).await
    }

    /// The message that [`message_reader`](Self::message_reader) began and that was not read to
    /// its end, to go on with it; `None` where there is none.
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, Writer<S>>> {
        MessageReader::resume(&mut self.inbound, &mut self.writer)
    }

    /// The header of the next raw frame. Waits until it is there, and consumes nothing: the next
    /// call may read the frame raw, or the message that it begins in any way. Cancelled, nothing is
    /// lost.
    ///
    /// # Errors
    /// See [`WebSocket`].
    pub async fn read_header(&mut self) -> Result<Header, Error> {
        read(&mut self.inbound, &mut self.writer, Inbound::read_header).await
    }

    /// The next raw frame, its payload unmasked in `buf`. Waits until it is whole.
    ///
    /// Control frames are given too, after their automatic reply. The rules of RFC 6455 hold as
    /// for any other call. Cancelled, what has come of the frame is kept for the next call, and
    /// `buf` holds some of it or none.
    ///
    /// # Errors
    /// [`ErrorKind::FrameBufferTooSmall`](crate::ErrorKind::FrameBufferTooSmall) where `buf` is
    /// shorter than the payload: nothing is consumed. See [`WebSocket`] for the rest.
    pub async fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        read_frame(&mut self.inbound, &mut self.writer, buf).await
    }
}

/// The writing side's methods, for one who does not care that there are two sides.
impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// See [`Writer::write_message`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.writer.write_message(opcode, payload).await
    }

    /// See [`Writer::write_message_ext`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.writer.write_message_ext(opcode, rsv, payload).await
    }

    /// See [`Writer::feed_message`].
    ///
    /// # Errors
    /// As there.
    pub async fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.writer.feed_message(opcode, payload).await
    }

    /// See [`Writer::feed_message_ext`].
    ///
    /// # Errors
    /// As there.
    pub async fn feed_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.writer.feed_message_ext(opcode, rsv, payload).await
    }

    /// See [`Writer::try_feed_message`].
    ///
    /// # Errors
    /// As there.
    pub fn try_feed_message<P: AsRef<[u8]>>(
        &mut self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        self.writer.try_feed_message(opcode, payload)
    }

    /// See [`Writer::flush`].
    ///
    /// # Errors
    /// As there.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().await
    }

    /// See [`Writer::write_frame`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.writer.write_frame(fin, rsv, opcode, payload).await
    }

    /// See [`Writer::write_prepared`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.writer.write_prepared(message).await
    }

    /// See [`Writer::stream_message`].
    ///
    /// # Errors
    /// As there.
    pub async fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        self.writer.stream_message(opcode, chunk_size, reader).await
    }

    /// See [`Writer::stream_message_ext`].
    ///
    /// # Errors
    /// As there.
    pub async fn stream_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        self.writer
            .stream_message_ext(opcode, rsv, chunk_size, reader)
            .await
    }

    /// See [`Writer::message_writer`].
    ///
    /// # Errors
    /// As there.
    pub fn message_writer(
        &mut self,
        opcode: Opcode,
    ) -> Result<MessageWriter<&mut Writer<S>>, Error> {
        self.writer.message_writer(opcode)
    }

    /// See [`Writer::message_writer_ext`].
    ///
    /// # Errors
    /// As there.
    pub fn message_writer_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<&mut Writer<S>>, Error> {
        self.writer.message_writer_ext(opcode, rsv)
    }

    /// See [`Writer::resume_message_writer`].
    pub fn resume_message_writer(&mut self) -> Option<MessageWriter<&mut Writer<S>>> {
        self.writer.resume_message_writer()
    }

    /// See [`Writer::ping`].
    ///
    /// # Errors
    /// As there.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.writer.ping(payload).await
    }

    /// See [`Writer::pong`].
    ///
    /// # Errors
    /// As there.
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.writer.pong(payload).await
    }

    /// See [`Writer::close`].
    ///
    /// # Errors
    /// As there.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.writer.close(code, reason).await
    }
}
