//! The writing side of a connection.

use tokio::io::{AsyncRead, AsyncWrite};

use std::future::poll_fn;
use std::task::Waker;

use super::MessageWriter;
use super::access::{Access, flush, poll_stage, write_all};
use super::polled::{Blocked, Job, Polled, PolledStream};
use crate::connection::{NotStaged, Outbound, PreparedMessage, Unsent, close_payload};
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::{CloseCode, Opcode, Rsv};

/// The writing side of a connection, with the stream that it writes to.
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
pub struct Writer<S> {
    pub(super) outbound: Outbound,
    pub(super) stream: S,
    blocked: Option<Box<Blocked>>,
}

impl<S> Writer<S> {
    pub(super) fn new(outbound: Outbound, stream: S) -> Self {
        Self {
            outbound,
            stream,
            blocked: None,
        }
    }

    /// Returns the writing side with the task that the stream wakes.
    pub(super) fn polled<'a>(&'a mut self, waker: &'a Waker, job: Job) -> Polled<'a, S> {
        Polled {
            outbound: &mut self.outbound,
            stream: PolledStream {
                stream: &mut self.stream,
                waker,
                job,
                blocked: &mut self.blocked,
            },
        }
    }

    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Switches compression off, or on again; see
    /// [`blocking::Writer::set_compression`](crate::blocking::Writer::set_compression).
    pub fn set_compression(&mut self, enabled: bool) {
        self.outbound.set_compression(enabled);
    }

    /// Returns whether bytes wait to be written, or were written and not flushed.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.outbound.has_pending_output()
    }

    /// Returns how many bytes wait to be written.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.outbound.buffered()
    }

    /// Returns how the connection was closed, once either end has sent its Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.outbound.closed()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
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
    pub async fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.write_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// Sends a message with the reserved bits of an extension; see [`write_message`](Self::write_message).
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub async fn write_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_message(opcode, rsv, payload);
        match self.try_stage(stage) {
            Ok(Unsent::Nothing) => {}
            staged => self.take(staged, stage).await?,
        }
        self.flush_message().await
    }

    /// Stages a message for the next flush, so that many leave with one system call.
    ///
    /// Waits only if the write buffer would grow over its bound, or if the stream did not take all that it was
    /// given last: that must go first.
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub async fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.feed_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// Stages a message with the reserved bits of an extension; see [`feed_message`](Self::feed_message).
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub async fn feed_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_fed(opcode, rsv, payload);
        match self.try_stage(stage) {
            Ok(Unsent::Nothing) => Ok(()),
            staged => self.take(staged, stage).await,
        }
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back. Neither waits nor writes.
    ///
    /// # Errors
    /// [`TryFeedError::Full`] with the payload; [`TryFeedError::Failed`] with an error of
    /// [`write_message`](Self::write_message).
    pub fn try_feed_message<P: AsRef<[u8]>>(
        &mut self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        self.outbound.try_feed(opcode, payload)
    }

    /// Sends one raw frame, without compression. The rules of RFC 6455 hold: no message inside another, no
    /// control frame over 125 bytes, and so on.
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub async fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_frame(fin, rsv, opcode, payload);
        let staged = self.try_stage(stage);
        self.take(staged, stage).await?;
        self.flush().await
    }

    /// Sends a message that was framed beforehand, with one system call.
    ///
    /// A server writes it without copying. A client must mask it, and a connection with context takeover must
    /// compress it against its own context, so that both gain nothing over
    /// [`write_message`](Self::write_message).
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub async fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_prepared(message);
        let staged = self.try_stage(stage);
        self.take(staged, stage).await?;
        self.flush_message().await
    }

    /// Sends all that a reader gives as one message, in fragments of `chunk_size`. Returns the number of bytes
    /// in the message. Waits for the reader and for the stream.
    ///
    /// Reads one byte ahead, so that the last fragment carries FIN and no empty frame follows. Holds one chunk.
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
    /// go on with it.
    pub async fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
            .await
    }

    /// Sends all that a reader gives as one message, with the reserved bits of an extension; see
    /// [`stream_message`](Self::stream_message).
    ///
    /// # Errors
    /// As [`stream_message`](Self::stream_message).
    pub async fn stream_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        MessageWriter::open(self, opcode, rsv, Some(chunk_size))?
            .finish_from(reader)
            .await
    }

    /// Opens a message that is written in pieces of any size. Does not wait.
    ///
    /// Dropped without [`finish`](MessageWriter::finish), the message stays open and other messages are
    /// refused. [`resume_message_writer`](Self::resume_message_writer) goes on with it.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) if another message is open;
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn message_writer(&mut self, opcode: Opcode) -> Result<MessageWriter<&mut Self>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE)
    }

    /// Opens a message that is written in pieces, with the reserved bits of an extension; see
    /// [`message_writer`](Self::message_writer).
    ///
    /// # Errors
    /// As [`message_writer`](Self::message_writer).
    pub fn message_writer_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<&mut Self>, Error> {
        MessageWriter::open(self, opcode, rsv, None)
    }

    /// Returns the writer of the message that [`message_writer`](Self::message_writer) or
    /// [`stream_message`](Self::stream_message) opened and did not finish; `None` if there is none.
    pub fn resume_message_writer(&mut self) -> Option<MessageWriter<&mut Self>> {
        MessageWriter::resume(self)
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

    /// Sends a Close frame: the last frame of this end (RFC 6455 5.5.1). Go on reading until
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed), or use `shutdown`.
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
        flush(&mut &mut *self).await
    }

    /// Stages a frame if that needs no stream, without a future and a waker.
    #[inline]
    fn try_stage<'p>(
        &mut self,
        stage: impl FnOnce(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<Unsent<'p>, NotStaged> {
        stage(&mut self.outbound)
    }

    /// Sends a frame whole or nothing of it, after [`try_stage`](Self::try_stage) tried to stage it.
    async fn take<'p>(
        &mut self,
        staged: Result<Unsent<'p>, NotStaged>,
        mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<(), Error> {
        let mut this = self;
        let unsent = match staged {
            Ok(unsent) => unsent,
            Err(NotStaged::Full) => poll_fn(|cx| poll_stage(&mut this, cx, &mut stage)).await?,
            // A future was forgotten and took the rest of its frame with it.
            Err(NotStaged::InFrame) => return this.outbound.check_no_frame(),
            Err(NotStaged::Failed(error)) => return Err(error),
        };
        write_all(&mut this, unsent).await
    }

    /// Flushes, unless the message may wait for those after it.
    async fn flush_message(&mut self) -> Result<(), Error> {
        if self.outbound.may_coalesce() {
            return Ok(());
        }
        self.flush().await
    }
}

/// The stream wakes the one task that owns the connection.
impl<S: AsyncRead + AsyncWrite + Unpin> Access for &mut Writer<S> {
    type Side<'a>
        = Polled<'a, S>
    where
        Self: 'a;

    fn side<'a>(&'a mut self, waker: &'a Waker) -> Polled<'a, S> {
        self.polled(waker, Job::Writing)
    }
}
