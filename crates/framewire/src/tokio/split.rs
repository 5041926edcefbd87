//! A connection whose two directions are used by different tasks.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::access::{flush, take};
use super::shared::{FrameWriter, ReadEnd, SendTurn, Shared};
use super::source::{read, read_frame};
use super::{MessageReader, MessageWriter, WebSocket};
use crate::connection::{
    self, CloseReply, Frame, Inbound, NotStaged, Outbound, PingReply, PreparedMessage, Unsent,
    close_payload,
};
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
use crate::protocol::Message;

/// The reading half of a [split](WebSocket::split) connection.
///
/// It never waits for a task that writes. Its automatic replies go between the frames of others, and
/// where nobody writes it sends them itself, with what was [fed](WriteHalf::feed_message), before a
/// read that waits.
///
/// Every method is cancel-safe: see [`WebSocket`]. A read that has the end of the connection to tell
/// waits for its answer to be sent as there, but not for a task that is in the middle of a frame;
/// [`WriteHalf::abort`] ends any.
#[derive(Debug)]
pub struct ReadHalf<S> {
    pub(super) inbound: Inbound,
    pub(super) read_end: ReadEnd<S>,
}

/// The writing half of a [split](WebSocket::split) connection, to be cloned into as many tasks as
/// want to write.
///
/// Messages never interleave: a message that is being streamed keeps other messages waiters, but not
/// control frames, which go between its fragments. Futures that wait for another's message have their
/// turn in the order in which they came: one that is kept and not polled keeps those behind it waiters,
/// as with a lock of tokio's. A half that is used as a `Sink` loses its turn where it is not polled.
///
/// Every method is cancel-safe: see [`Writer`](super::Writer). One that is cancelled while it waits for another's
/// message has taken nothing, and gives up its waiter in the line.
#[derive(Debug)]
pub struct WriteHalf<S> {
    pub(super) shared: Arc<Shared<S>>,
    #[cfg(feature = "futures")]
    pub(super) sink: super::sink::Held,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Splits the connection into a half that reads and a half that writes, over any stream. Starts
    /// nothing, and waits for nothing: the halves share a lock that is held for as long as the
    /// stream is polled.
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
    /// See [`WebSocket::next_message`].
    ///
    /// # Errors
    /// As there.
    pub async fn next_message(&mut self) -> Result<Message<'_>, Error> {
        let found = read(&mut self.inbound, &mut self.read_end, Inbound::next_message).await?;
        Ok(self.inbound.lend(&found))
    }

    /// See [`WebSocket::read_message`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error> {
        let (opcode, _) = self.read_message_ext(buf).await?;
        Ok(opcode)
    }

    /// See [`WebSocket::read_message_ext`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error> {
        let found = read(&mut self.inbound, &mut self.read_end, Inbound::next_message).await?;
        Ok(self.inbound.hand_over(&found, buf))
    }

    /// See [`WebSocket::message_reader`].
    ///
    /// # Errors
    /// As there.
    pub async fn message_reader(&mut self) -> Result<MessageReader<'_, ReadEnd<S>>, Error> {
        MessageReader::begin(&mut self.inbound, &mut self.read_end).await
    }

    /// See [`WebSocket::resume_message_reader`].
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, ReadEnd<S>>> {
        MessageReader::resume(&mut self.inbound, &mut self.read_end)
    }

    /// See [`WebSocket::read_header`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_header(&mut self) -> Result<Header, Error> {
        read(&mut self.inbound, &mut self.read_end, Inbound::read_header).await
    }

    /// See [`WebSocket::read_frame`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error> {
        read_frame(&mut self.inbound, &mut self.read_end, buf).await
    }

    /// See [`WebSocket::on_ping`].
    pub fn on_ping(&mut self, handler: impl FnMut(&[u8]) -> PingReply + Send + 'static) {
        self.inbound.handlers_mut().ping = Some(Box::new(handler));
    }

    /// See [`WebSocket::on_pong`].
    pub fn on_pong(&mut self, handler: impl FnMut(&[u8]) + Send + 'static) {
        self.inbound.handlers_mut().pong = Some(Box::new(handler));
    }

    /// See [`WebSocket::on_close`].
    pub fn on_close(
        &mut self,
        handler: impl FnMut(Option<CloseCode>, &str) -> CloseReply + Send + 'static,
    ) {
        self.inbound.handlers_mut().close = Some(Box::new(handler));
    }

    /// Has the stream, to look at it or to set its options, while neither half polls it.
    pub fn with_stream<R>(&self, job: impl FnOnce(&mut S) -> R) -> R {
        self.read_end.shared().with_stream(job)
    }

    /// Makes one connection of both halves again: for [`WebSocket::shutdown`], or
    /// [`WebSocket::into_inner`].
    ///
    /// # Errors
    /// Gives both halves back where they are not of one connection, or where the writing half has
    /// other clones, or as a `Sink` still holds a message: flush it first.
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
    /// See [`Writer::write_message`](super::Writer::write_message). Waits for a message that another task is sending.
    ///
    /// # Errors
    /// As there.
    pub async fn write_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.write_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// See [`Writer::write_message_ext`](super::Writer::write_message_ext). Waits for a message that another task is sending.
    ///
    /// # Errors
    /// As there.
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

    /// See [`Writer::feed_message`](super::Writer::feed_message). Goes out with the next [`flush`](Self::flush), or before the
    /// reading half waits. Waits for a message that another task is sending.
    ///
    /// # Errors
    /// As there.
    pub async fn feed_message(&self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.feed_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// See [`Writer::feed_message_ext`](super::Writer::feed_message_ext), and [`feed_message`](Self::feed_message).
    ///
    /// # Errors
    /// As there.
    pub async fn feed_message_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.take_message(|outbound| outbound.stage_fed(opcode, rsv, payload))
            .await
    }

    /// See [`Writer::try_feed_message`](super::Writer::try_feed_message). Gives the message back, too, while another task is sending
    /// one. Never waits, but may send a reply that was left for whoever has the writer next.
    ///
    /// # Errors
    /// As there.
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

    /// See [`Writer::set_compression`](super::Writer::set_compression). It is for the messages of all clones.
    pub fn set_compression(&self, enabled: bool) {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.set_compression(enabled));
    }

    /// See [`Writer::has_pending_output`](super::Writer::has_pending_output).
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.has_pending_output())
    }

    /// See [`Writer::buffered`](super::Writer::buffered).
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.shared
            .writer()
            .with_outbound(|outbound| outbound.buffered())
    }

    /// See [`Writer::closed`](super::Writer::closed).
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.shared.writer().closed()
    }

    /// See [`Writer::flush`](super::Writer::flush).
    ///
    /// # Errors
    /// As there.
    pub async fn flush(&self) -> Result<(), Error> {
        flush(&mut self.frames()).await
    }

    /// See [`Writer::write_frame`](super::Writer::write_frame). A data frame waits for a message that another task is sending;
    /// one with the fragments of a message is the caller's to send without a gap.
    ///
    /// # Errors
    /// As there.
    pub async fn write_frame(
        &self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_frame(fin, rsv, opcode, payload);
        if opcode == Opcode::Close {
            take(&mut self.frames().closing(payload), stage).await?;
        } else if opcode.is_control() {
            take(&mut self.frames(), stage).await?;
        } else {
            self.take_message(stage).await?;
        }
        self.flush().await
    }

    /// See [`Writer::write_prepared`](super::Writer::write_prepared). Waits for a message that another task is sending.
    ///
    /// # Errors
    /// As there.
    pub async fn write_prepared(&self, message: &PreparedMessage) -> Result<(), Error> {
        self.take_message(|outbound| outbound.stage_prepared(message))
            .await?;
        self.flush().await
    }

    /// See [`Writer::stream_message`](super::Writer::stream_message). Waits for a message that another task is sending, and keeps
    /// other messages waiters, but not control frames, while it reads. Cancelled before it has its turn,
    /// it has opened and read nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn stream_message(
        &self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
            .await
    }

    /// See [`Writer::stream_message_ext`](super::Writer::stream_message_ext), and [`stream_message`](Self::stream_message).
    ///
    /// # Errors
    /// As there.
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

    /// See [`Writer::message_writer`](super::Writer::message_writer). Waits for a message that another task is sending, and keeps
    /// other messages waiters, but not control frames, until it is dropped: a task that sends
    /// another message before that waits for itself. Cancelled, it has opened nothing, and gives up its
    /// waiter in the line.
    ///
    /// # Errors
    /// As there.
    pub async fn message_writer(
        &self,
        opcode: Opcode,
    ) -> Result<MessageWriter<SendTurn<'_, S>>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE).await
    }

    /// See [`Writer::message_writer_ext`](super::Writer::message_writer_ext), and [`message_writer`](Self::message_writer).
    ///
    /// # Errors
    /// As there.
    pub async fn message_writer_ext(
        &self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<SendTurn<'_, S>>, Error> {
        MessageWriter::open(self.turn().await?, opcode, rsv, None)
    }

    /// See [`Writer::resume_message_writer`](super::Writer::resume_message_writer), and [`message_writer`](Self::message_writer). `None`
    /// also where the connection is [aborted](Self::abort) while this waits. Cancelled, the message is
    /// open as before, and the waiter in the line is given up.
    pub async fn resume_message_writer(&self) -> Option<MessageWriter<SendTurn<'_, S>>> {
        MessageWriter::resume(self.turn().await.ok()?)
    }

    /// See [`Writer::ping`](super::Writer::ping).
    ///
    /// # Errors
    /// As there.
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Ping, payload)
            .await
    }

    /// See [`Writer::pong`](super::Writer::pong).
    ///
    /// # Errors
    /// As there.
    pub async fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Pong, payload)
            .await
    }

    /// See [`Writer::close`](super::Writer::close). Does not wait for a message that another task is sending: that one
    /// fails, as nothing may follow a Close frame.
    ///
    /// # Errors
    /// As there.
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
            .await
    }

    /// Ends the connection under whoever waits for it, without a closing handshake: the reading
    /// half, or a task that writes, fails at once with
    /// [`ConnectionAborted`](std::io::ErrorKind::ConnectionAborted). For a peer that is gone, as
    /// [`keep_alive`](Self::keep_alive) can tell. The stream is closed when both halves are dropped.
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// Takes a message whole, or nothing of it.
    async fn take_message<'p>(
        &self,
        stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<(), Error> {
        take(&mut self.turn().await?, stage).await
    }

    /// The right to send a message.
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
            sink: super::sink::Held::default(),
        }
    }

    /// Whether it is the only one, with nothing that the others would not know of.
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
