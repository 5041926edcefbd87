//! A connection whose two directions are used by different tasks.

use std::sync::Arc;
use std::task::Waker;

use tokio::io::{AsyncRead, AsyncWrite};

use super::access::{Access as _, flush, send_frame, write_all};
use super::shared::{FrameWriter, ReadEnd, SendTurn, Shared};
use super::source::{read, read_frame};
use super::{MessageReader, MessageWriter, WebSocket};
use crate::connection::{
    self, CloseReply, Frame, Inbound, NotStaged, Outbound, PingReply, PreparedMessage, Unsent,
    close_payload,
};
use crate::drive::WriteSide as _;
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
use crate::protocol::Message;

/// The reading half of a [split](WebSocket::split) connection.
///
/// It never waits for a task that writes. Its automatic replies go between the frames of the writing tasks.
/// While no task writes, it sends them itself before a read that waits, together with what was
/// [fed](WriteHalf::feed_message).
///
/// # Errors
/// As [`WebSocket`]. A read that reports the end of the connection first waits until the Close frame that
/// answers it is sent, but not for a task that is in the middle of a frame. [`WriteHalf::abort`] ends both
/// waits.
///
/// # Cancel safety
/// Every method is cancel-safe, as on [`WebSocket`].
#[derive(Debug)]
pub struct ReadHalf<S> {
    pub(super) inbound: Inbound,
    pub(super) read_end: ReadEnd<S>,
}

/// The writing half of a [split](WebSocket::split) connection. Clone it for each task that writes.
///
/// Messages never interleave. A call that sends a message, or any other data frame, waits for its turn while
/// another task is sending a message. Waiting futures have their turn in the order in which they came. A future
/// that is neither polled nor dropped holds up those behind it, as with a lock of tokio's. A half that is used
/// as a `Sink` loses its turn if it is not polled.
///
/// Control frames need no turn: they go between the fragments of a message that is being streamed.
///
/// # Cancel safety
/// Every method is cancel-safe, as on [`Writer`](super::Writer). A call that is cancelled while it waits for
/// its turn has sent nothing, and leaves the queue.
///
/// # Examples
/// ```no_run
/// # async fn run(stream: tokio::io::DuplexStream) -> Result<(), framewire::Error> {
/// use framewire::Opcode;
///
/// let (mut reading, writing) = framewire::tokio::WebSocket::client(stream, Default::default())?.split();
/// tokio::spawn(async move { writing.write_message(Opcode::Text, b"hello").await });
/// println!("{:?}", reading.next_message().await?.text());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WriteHalf<S> {
    pub(super) shared: Arc<Shared<S>>,
    #[cfg(feature = "futures")]
    pub(super) sink: super::sink_state::SinkState,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Splits the connection into a half that reads and a half that writes, over any stream. Starts nothing and
    /// does not wait. The halves share a lock that is held while the stream is polled.
    #[must_use]
    pub fn split(self) -> (ReadHalf<S>, WriteHalf<S>) {
        let Self { inbound, writer } = self;
        let shared = Arc::new(Shared::new(writer));
        if inbound.has_ended() {
            shared.writer().heartbeat.end();
        }
        let read_end = ReadEnd::new(Arc::clone(&shared));
        (ReadHalf { inbound, read_end }, WriteHalf::new(shared))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReadHalf<S> {
    /// Returns the next message, lent until the next call; see [`WebSocket::next_message`].
    ///
    /// # Errors
    /// As [`WebSocket::next_message`].
    pub async fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let found = read(&mut self.inbound, &mut self.read_end, Inbound::next_message).await?;
        Ok(self.inbound.lend(&found))
    }

    /// Appends the next message to `buf` and returns its opcode; see [`WebSocket::read_message`].
    ///
    /// # Errors
    /// As [`WebSocket::read_message`].
    pub async fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        let (opcode, _) = self.read_message_ext(buf).await?;
        Ok(opcode)
    }

    /// Appends the next message to `buf` and returns its opcode and its reserved bits; see
    /// [`WebSocket::read_message_ext`].
    ///
    /// # Errors
    /// As [`WebSocket::read_message_ext`].
    pub async fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = read(&mut self.inbound, &mut self.read_end, Inbound::next_message).await?;
        Ok(self.inbound.hand_over(&found, buf))
    }

    /// Returns a reader of the next message, of any size; see [`WebSocket::message_reader`].
    ///
    /// # Errors
    /// As [`WebSocket::message_reader`].
    pub async fn message_reader(&mut self) -> Result<MessageReader<'_, ReadEnd<S>>, Error> {
        MessageReader::begin(&mut self.inbound, &mut self.read_end).await
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
    pub async fn read_header(&mut self) -> Result<Header, Error> {
        read(&mut self.inbound, &mut self.read_end, Inbound::read_header).await
    }

    /// Reads the next raw frame into `buf`; see [`WebSocket::read_frame`].
    ///
    /// # Errors
    /// As [`WebSocket::read_frame`].
    pub async fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        read_frame(&mut self.inbound, &mut self.read_end, buf).await
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

    /// Calls `job` with the stream, to inspect it or to set its options. Neither half polls the stream
    /// meanwhile.
    pub fn with_stream<R>(&self, job: impl FnOnce(&mut S) -> R) -> R {
        self.read_end.shared().with_stream(job)
    }

    /// Joins both halves into one connection again, for [`WebSocket::shutdown`] or [`WebSocket::into_inner`].
    ///
    /// # Errors
    /// Returns both halves if they are not of one connection, if the writing half has other clones, or if as a
    /// `Sink` it still holds a message. In the last case flush it first.
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
        if !is_pair || !write_half.is_last_of_two() {
            return Err(Box::new((self, write_half)));
        }
        drop(self.read_end);
        let shared = Arc::clone(&write_half.shared);
        drop(write_half);
        let shared = Arc::into_inner(shared).expect("of two, one was dropped");
        let is_aborted = shared.is_aborted();
        let (mut inbound, mut writer) = (self.inbound, shared.into_writer());
        if is_aborted {
            connection::abort(&mut inbound, &mut writer.outbound);
        }
        Ok(WebSocket { inbound, writer })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WriteHalf<S> {
    /// Sends a message when it has its turn; see [`Writer::write_message`](super::Writer::write_message).
    ///
    /// # Errors
    /// As [`Writer::write_message`](super::Writer::write_message).
    pub async fn write_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.write_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// Sends a message with the reserved bits of an extension when it has its turn; see
    /// [`Writer::write_message_ext`](super::Writer::write_message_ext).
    ///
    /// # Errors
    /// As [`Writer::write_message_ext`](super::Writer::write_message_ext).
    pub async fn write_message_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.take_message(|outbound| outbound.stage_message(opcode, rsv, payload))
            .await?;
        self.flush().await
    }

    /// Stages a message when it has its turn, for the next [`flush`](Self::flush) or until the reading half
    /// waits; see [`Writer::feed_message`](super::Writer::feed_message).
    ///
    /// # Errors
    /// As [`Writer::feed_message`](super::Writer::feed_message).
    pub async fn feed_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.feed_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// Stages a message with the reserved bits of an extension, as [`feed_message`](Self::feed_message) does;
    /// see [`Writer::feed_message_ext`](super::Writer::feed_message_ext).
    ///
    /// # Errors
    /// As [`Writer::feed_message_ext`](super::Writer::feed_message_ext).
    pub async fn feed_message_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.take_message(|outbound| outbound.stage_fed(opcode, rsv, payload))
            .await
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back. See
    /// [`Writer::try_feed_message`](super::Writer::try_feed_message).
    ///
    /// Gives the message back, too, while another task is sending one, or is writing anything at that moment.
    /// Never waits, but may send a reply that the reading half has queued.
    ///
    /// # Errors
    /// As [`Writer::try_feed_message`](super::Writer::try_feed_message).
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

    /// Switches the compression of messages off, or on again, for all clones; see
    /// [`Writer::set_compression`](super::Writer::set_compression).
    pub fn set_compression(&self, enabled: bool) {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.set_compression(enabled));
    }

    /// Returns whether bytes wait to be written or flushed; see
    /// [`Writer::has_pending_output`](super::Writer::has_pending_output).
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.has_pending_output())
    }

    /// Returns how many bytes wait to be written; see [`Writer::buffered`](super::Writer::buffered).
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.buffered())
    }

    /// Returns how the connection was closed, once either end has sent its Close frame; see
    /// [`Writer::closed`](super::Writer::closed).
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.writer().closed()
    }

    /// Writes all that waits, and flushes the stream; see [`Writer::flush`](super::Writer::flush).
    ///
    /// # Errors
    /// As [`Writer::flush`](super::Writer::flush).
    pub async fn flush(&self) -> Result<(), Error> {
        flush(&mut self.frames()).await
    }

    /// Sends one raw frame; see [`Writer::write_frame`](super::Writer::write_frame).
    ///
    /// A data frame waits for its turn. Between the frames of a fragmented message the turn is free: the caller
    /// must see to it that no other task sends a message then.
    ///
    /// # Errors
    /// As [`Writer::write_frame`](super::Writer::write_frame).
    pub async fn write_frame(
        &self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_frame(fin, rsv, opcode, payload);
        if opcode == Opcode::Close {
            send_frame(&mut self.frames().closing(payload), stage).await?;
        } else if opcode.is_control() {
            send_frame(&mut self.frames(), stage).await?;
        } else {
            self.take_message(stage).await?;
        }
        self.flush().await
    }

    /// Sends a message that was framed beforehand when it has its turn; see
    /// [`Writer::write_prepared`](super::Writer::write_prepared).
    ///
    /// # Errors
    /// As [`Writer::write_prepared`](super::Writer::write_prepared).
    pub async fn write_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.take_message(|outbound| outbound.stage_prepared(message))
            .await?;
        self.flush().await
    }

    /// Sends all that a reader gives as one message; see
    /// [`Writer::stream_message`](super::Writer::stream_message).
    ///
    /// Waits for its turn and has it until the message ends, so that other messages wait for the reader as
    /// well. Control frames do not.
    ///
    /// # Errors
    /// As [`Writer::stream_message`](super::Writer::stream_message).
    ///
    /// # Cancel safety
    /// As [`Writer::stream_message`](super::Writer::stream_message). Cancelled before it has its turn, it has
    /// opened and read nothing.
    pub async fn stream_message(
        &self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
            .await
    }

    /// Sends all that a reader gives as one message with the reserved bits of an extension, as
    /// [`stream_message`](Self::stream_message) does; see
    /// [`Writer::stream_message_ext`](super::Writer::stream_message_ext).
    ///
    /// # Errors
    /// As [`Writer::stream_message_ext`](super::Writer::stream_message_ext).
    pub async fn stream_message_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        MessageWriter::open(self.turn().await?, opcode, rsv, Some(chunk_size))?
            .finish_from(reader)
            .await
    }

    /// Opens a message that is written in pieces; see
    /// [`Writer::message_writer`](super::Writer::message_writer).
    ///
    /// Waits for its turn. The [`MessageWriter`] has the turn until it is dropped: other messages wait, control
    /// frames do not. A task that sends another message before it drops the [`MessageWriter`] waits for ever.
    ///
    /// # Errors
    /// As [`Writer::message_writer`](super::Writer::message_writer).
    ///
    /// # Cancel safety
    /// Cancelled, it has opened nothing, and leaves the queue.
    pub async fn message_writer(
        &self,
        opcode: Opcode,
    ) -> Result<MessageWriter<SendTurn<'_, S>>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE).await
    }

    /// Opens a message that is written in pieces, with the reserved bits of an extension, as
    /// [`message_writer`](Self::message_writer) does; see
    /// [`Writer::message_writer_ext`](super::Writer::message_writer_ext).
    ///
    /// # Errors
    /// As [`Writer::message_writer_ext`](super::Writer::message_writer_ext).
    pub async fn message_writer_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<SendTurn<'_, S>>, Error> {
        MessageWriter::open(self.turn().await?, opcode, rsv, None)
    }

    /// Returns the writer of the message that was opened and not finished; see
    /// [`Writer::resume_message_writer`](super::Writer::resume_message_writer).
    ///
    /// Waits for its turn and has it as [`message_writer`](Self::message_writer) does. Returns `None` also if
    /// the connection is [aborted](Self::abort) meanwhile.
    ///
    /// # Cancel safety
    /// Cancelled, the message is open as before, and the call leaves the queue.
    pub async fn resume_message_writer(&self) -> Option<MessageWriter<SendTurn<'_, S>>> {
        MessageWriter::resume(self.turn().await.ok()?)
    }

    /// Sends a Ping; see [`Writer::ping`](super::Writer::ping).
    ///
    /// # Errors
    /// As [`Writer::ping`](super::Writer::ping).
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Ping, payload)
            .await
    }

    /// Sends a Pong; see [`Writer::pong`](super::Writer::pong).
    ///
    /// # Errors
    /// As [`Writer::pong`](super::Writer::pong).
    pub async fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Pong, payload)
            .await
    }

    /// Sends a Close frame; see [`Writer::close`](super::Writer::close).
    ///
    /// Does not wait for its turn. A message that another task is sending fails, as nothing may follow a Close
    /// frame.
    ///
    /// # Errors
    /// As [`Writer::close`](super::Writer::close).
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
            .await
    }

    /// Ends the connection without a closing handshake: for a peer that is gone, as
    /// [`keep_alive`](Self::keep_alive) can tell.
    ///
    /// A call of either half that uses the stream or waits for it fails with
    /// [`ConnectionAborted`](std::io::ErrorKind::ConnectionAborted). The stream is closed when both halves are
    /// dropped.
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// Sends a message whole, or nothing of it.
    async fn take_message<'p>(
        &self,
        mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<(), Error> {
        let Some(mut turn) = self.shared.try_free_turn() else {
            return send_frame(&mut self.turn().await?, stage).await;
        };
        // Nobody waits, so that this needs no waker where there is room.
        let staged = stage(turn.side(Waker::noop()).outbound());
        match staged {
            Ok(Unsent::Nothing) => Ok(()),
            Ok(unsent) => write_all(&mut turn, unsent).await,
            Err(NotStaged::Failed(error)) => Err(error),
            Err(NotStaged::Full | NotStaged::InFrame) => send_frame(&mut turn, stage).await,
        }
    }

    /// Takes the turn to send a message.
    async fn turn(&self) -> Result<SendTurn<'_, S>, Error> {
        self.shared.turn().await
    }

    fn frames(&self) -> FrameWriter<'_, S> {
        FrameWriter::new(&self.shared)
    }
}

impl<S> WriteHalf<S> {
    fn new(shared: Arc<Shared<S>>) -> Self {
        Self {
            shared,
            #[cfg(feature = "futures")]
            sink: super::sink_state::SinkState::default(),
        }
    }

    /// Returns whether this is the only clone and holds no message.
    fn is_last_of_two(&self) -> bool {
        #[cfg(feature = "futures")]
        if self.sink.has_message() {
            return false;
        }
        Arc::strong_count(&self.shared) == 2
    }
}

impl<S> Clone for WriteHalf<S> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}
