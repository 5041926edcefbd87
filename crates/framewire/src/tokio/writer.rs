//! The calls that send, of a whole connection and of its writing half.

use std::task::Waker;

use tokio::io::AsyncRead;

use super::access::{Access as _, Sending, flush, send, send_frame};
use super::whole::Whole;
use super::{MessageWriter, PreparedMessage};
use crate::connection::{NotStaged, Outbound, Unsent, close_payload};
use crate::drive::WriteSide as _;
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::{CloseCode, Opcode, Rsv};
use crate::protocol::{MessageKind, Outgoing, ToOutgoing};

/// The writing side of a connection: of a [`WebSocket`](super::WebSocket), which dereferences to it, and of a
/// [`WriteHalf`](super::WriteHalf), which is one.
///
/// What is sent is one value, anything that is [`ToOutgoing`]: `"text"`, bytes, a message that was received, or an
/// [`Outgoing`](crate::Outgoing) with all that there is to say.
///
/// # Of a half
/// Messages never interleave. A call that sends a message, or any other data frame, waits for its turn while another
/// task is sending a message. Waiting futures have their turn in the order in which they came. A future that is neither
/// polled nor dropped holds up those behind it, as with a lock of tokio's. A half that is used as a `Sink` loses its
/// turn if it is not polled. Control frames need no turn: they go between the fragments of a message that is being
/// streamed.
///
/// # Cancel safety
/// Every method is cancel-safe. Dropped before it is done, it has taken its message or frame whole, or nothing
/// of it. What was taken goes out with the next call that writes, or before the next read that waits;
/// [`has_pending_output`](Self::has_pending_output) tells whether there is any.
///
/// Exception: a future that is [forgotten](std::mem::forget) in the middle of a long frame, neither polled to
/// its end nor dropped, leaves a connection that can send nothing more.
///
/// # Memory
/// A write buffer while something waits in it, of at most [`Config::write_buffer`](crate::Config::write_buffer)
/// bytes and the chunk size. A payload over the chunk size is not copied into it but written from the caller's
/// memory. If the call is cancelled in the middle of it, the rest is copied. One chunk once a message was
/// streamed; two if [`stream_message`](Self::stream_message) compressed it.
#[derive(Debug)]
pub struct Writer<T> {
    pub(super) side: T,
}

impl<T: Sending> Writer<T> {
    /// Sends a message in one frame. Waits until the stream has taken it.
    ///
    /// Takes one system call, together with all that was fed before. A client masks a payload over the chunk
    /// size in pieces as long as the write buffer, with one call each. A message that is over
    /// [`Config::write_buffer`](crate::Config::write_buffer) even when compressed leaves in fragments of about
    /// that size, one call each. Allocates nothing once the buffers have their size.
    ///
    /// # Errors
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send): nothing was sent.
    /// * [`ErrorKind::Io`](crate::ErrorKind::Io): final, as a frame may be cut off.
    /// * [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    ///
    /// If the compression engine or the source of masking keys fails between two fragments, the message cannot
    /// be finished: close the connection.
    pub async fn write(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        let outgoing = message.to_outgoing();
        self.send_message(|outbound| outbound.stage_message(&outgoing))
            .await?;
        self.flush_message().await
    }

    /// Stages a message for the next flush, so that many leave with one system call.
    ///
    /// Waits only if the write buffer would grow over its bound, or if the stream did not take all that it was
    /// given last: that must go first. A payload over [`Config::chunk_size`](crate::Config::chunk_size) that a server
    /// sends without compression is not copied: it is written now, with what waits before it, and this waits until the
    /// stream has taken it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn feed(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        if self.stage_plain(&message.to_outgoing()) {
            return Ok(());
        }
        let outgoing = message.to_outgoing();
        self.send_message(|outbound| outbound.stage_any_fed(&outgoing))
            .await
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back. Neither waits nor writes.
    ///
    /// A half gives the message back, too, while another task is sending one or is writing anything at that moment. It
    /// may send a reply that the reading half has queued.
    ///
    /// A read that waits already does not send what is fed: [`flush`](Self::flush) it. Match the error, which holds the
    /// message and does not become an [`Error`].
    ///
    /// # Errors
    /// [`TryFeedError::Full`] with the message; [`TryFeedError::Failed`] with an error of [`write`](Self::write).
    pub fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>> {
        self.side.try_feed(message)
    }

    /// Sends a message that was framed beforehand, with one system call.
    ///
    /// A server writes it without copying. A client must mask it, and a connection with context takeover must
    /// compress it against its own context, so that both gain nothing over [`write`](Self::write).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        self.send_message(|outbound| outbound.stage_prepared(message))
            .await?;
        self.flush_message().await
    }

    /// Sends one raw frame, without compression. The rules of RFC 6455 hold: no message inside another, no
    /// control frame over 125 bytes, and so on.
    ///
    /// Between the frames of a fragmented message a half's turn is free: the caller must see to it that no other task
    /// sends a message then.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_frame(fin, rsv, opcode, payload);
        if opcode.is_control() {
            let close = (opcode == Opcode::Close).then_some(payload);
            send(&mut self.side.frames(close), stage).await?;
        } else {
            self.send_message(stage).await?;
        }
        self.flush().await
    }

    /// Sends all that a reader gives as one message, in fragments of `chunk_size`. Returns the number of bytes
    /// in the message. Waits for the reader and for the stream.
    ///
    /// Reads one byte ahead, so that the last fragment carries FIN and no empty frame follows. Holds one chunk.
    /// Control frames (Pongs that fall due) go out between fragments. A half has the turn until the message ends. Each
    /// fragment takes one system call; with [`Config::coalesce_writes`](crate::Config::coalesce_writes) those that fit
    /// into the write buffer leave together.
    ///
    /// # Errors
    /// * [`ErrorKind::ChunkSize`](crate::ErrorKind::ChunkSize) if `chunk_size` is 0 or over
    ///   [`Config::chunk_size`](crate::Config::chunk_size).
    /// * [`ErrorKind::Source`](crate::ErrorKind::Source) if the reader fails: the message is then open, as if
    ///   this was dropped.
    /// * [`ErrorKind::Io`](crate::ErrorKind::Io).
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send) if the bytes of a text turn out not to be UTF-8: the
    ///   message cannot be finished, close the connection.
    ///
    /// # Cancel safety
    /// Dropped before its end, the message is open, and nothing of what was read is lost:
    /// [`resume_message_writer`](Self::resume_message_writer) and [`finish_from`](MessageWriter::finish_from)
    /// go on with it. Dropped while it waits for its turn, it has opened and read nothing.
    pub async fn stream_message(
        &mut self,
        kind: impl Into<MessageKind>,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        MessageWriter::<T>::open(self.side.turn().await?, kind.into(), Some(chunk_size))?
            .finish_from(reader)
            .await
    }

    /// Opens a message that is written in pieces of any size.
    ///
    /// Dropped without [`finish`](MessageWriter::finish), the message stays open and other messages are
    /// refused. [`resume_message_writer`](Self::resume_message_writer) goes on with it. A half has the turn while the
    /// [`MessageWriter`] lives: a task that meanwhile sends a message by another clone waits for ever.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) if another message is open;
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    ///
    /// # Cancel safety
    /// Cancelled, it has opened nothing.
    pub async fn message_writer(
        &mut self,
        kind: impl Into<MessageKind>,
    ) -> Result<MessageWriter<'_, T>, Error> {
        MessageWriter::open(self.side.turn().await?, kind.into(), None)
    }

    /// Returns the writer of the message that [`message_writer`](Self::message_writer) or
    /// [`stream_message`](Self::stream_message) opened and did not finish; `None` if there is none. A half waits for
    /// its turn, and has none once it was [aborted](super::WriteHalf::abort).
    ///
    /// # Cancel safety
    /// Cancelled, the message is open as before.
    pub async fn resume_message_writer(&mut self) -> Option<MessageWriter<'_, T>> {
        MessageWriter::resume(self.side.turn().await.ok()?)
    }

    /// Sends a Ping.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) if the payload is over 125 bytes;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io); [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Ping, payload)
            .await
    }

    /// Sends a Pong that no Ping asked for, or that replaces an automatic one.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Pong, payload)
            .await
    }

    /// Sends a Close frame: the last frame of this end (RFC 6455 5.5.1). Go on reading until that returns `None`, or
    /// use `shutdown`. A message that another task is sending by a half fails, as nothing may follow a Close frame.
    ///
    /// # Errors
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send) if the code is never sent or the reason is over 123 bytes.
    /// * [`ErrorKind::Io`](crate::ErrorKind::Io).
    /// * [`ErrorKind::Closed`](crate::ErrorKind::Closed) if a Close frame was sent before.
    ///
    /// # Cancel safety
    /// Cancelled, [`closed`](Self::closed) tells whether the frame was taken. If so, it goes out later.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
            .await
    }

    /// Writes all that waits, and flushes the stream.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io).
    ///
    /// # Cancel safety
    /// Cancelled, the rest still waits.
    pub async fn flush(&mut self) -> Result<(), Error> {
        flush(&mut self.side.frames(None)).await
    }

    /// Switches the compression of messages off or on, for those that begin from now on, of all clones of a half. No
    /// effect where none was agreed on. [`Outgoing::uncompressed`](crate::Outgoing::uncompressed) sends a single
    /// message without compression.
    pub fn set_compression(&mut self, enabled: bool) {
        self.side
            .change(|outbound| outbound.set_compression(enabled));
    }

    /// Returns whether the stream has yet to take or to flush anything.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.side.inspect(Outbound::has_pending_output)
    }

    /// Returns how many bytes in the write buffer the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.side.inspect(Outbound::buffered)
    }

    /// Returns how the connection was closed, with the codes and reasons of both ends, once either end has sent its
    /// Close frame. Never waits. Copies the reasons.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.side.closed()
    }

    /// Stages a message where nothing has to be done but to copy it, without the state of another future.
    #[inline]
    fn stage_plain(&mut self, message: &Outgoing<'_>) -> bool {
        let Some(mut turn) = self.side.try_turn() else {
            return false;
        };
        turn.side(Waker::noop()).outbound().stage_plain(message)
    }

    /// Sends a message whole or nothing of it, without a waker where the turn is free and there is room.
    async fn send_message<'p>(
        &mut self,
        stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<(), Error> {
        if let Some(mut turn) = self.side.try_turn() {
            return send(&mut turn, stage).await;
        }
        send_frame(&mut self.side.turn().await?, stage).await
    }

    /// Flushes, unless the message may wait for those after it.
    async fn flush_message(&mut self) -> Result<(), Error> {
        if self.side.may_coalesce() {
            return Ok(());
        }
        self.flush().await
    }
}

impl<S> Writer<Whole<S>> {
    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.side.stream
    }

    /// Returns the stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.side.stream
    }
}
