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
use crate::protocol::SendError;

/// The writing side of a connection, with the stream that it writes to.
///
/// # Cancellation
/// Every method is cancel-safe: dropped before it is done, it has taken its message whole or not at
/// all. What was taken goes out with the next call that writes, or before the next read that waits;
/// [`has_pending_output`](Self::has_pending_output) tells whether anything is. A future that is
/// neither awaited to its end nor dropped but forgotten ([`mem::forget`](std::mem::forget)) in the
/// middle of a long frame leaves a connection that can send nothing more.
///
/// # Memory
/// A write buffer while something waits in it, of at most
/// [`Config::write_buffer`](crate::Config::write_buffer) bytes and the chunk size. A payload over the
/// chunk size is not copied into it, but written from where it lies for as long as it is awaited:
/// where it is cancelled then, what is left of it is copied. Once a message was streamed, one chunk;
/// two where [`stream_message`](Self::stream_message) compressed it.
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

    /// With the task that the stream wakes.
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

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// See [`blocking::Writer::set_compression`](crate::blocking::Writer::set_compression).
    pub fn set_compression(&mut self, enabled: bool) {
        self.outbound.set_compression(enabled);
    }

    /// Whether bytes wait that the stream has not taken, or not been made to pass on.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.outbound.has_pending_output()
    }

    /// How many bytes wait that the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.outbound.buffered()
    }

    /// How the connection was closed, once either end has sent its Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.outbound.closed()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    /// Sends a message in one frame. Waits until the stream took it.
    ///
    /// One system call, together with everything that was fed before; a client masks a payload
    /// over the chunk size in pieces as long as the write buffer, one call each. A message that is compressed, and
    /// then still over [`Config::write_buffer`](crate::Config::write_buffer), leaves in fragments of
    /// about that size, one call each. Allocates nothing once the buffers have their size.
    ///
    /// Cancelled, the message was taken whole or not at all; one that was taken goes out with the next
    /// call that writes, or before the next read that waits.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) and nothing was sent;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io), which is final, as a frame may be cut off;
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed). Where the compression engine or the source of masking keys fails between two fragments, the
    /// message cannot be finished: close the connection.
    pub async fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.write_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// As [`write_message`](Self::write_message), with the reserved bits of an extension.
    ///
    /// # Errors
    /// As there.
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

    /// Queues a message for the next flush, so that many leave with one system call.
    ///
    /// Waits only where the write buffer would otherwise grow over its bound, and where the stream
    /// did not take all that it was given the last time: that has to go first. Cancelled, the message was
    /// taken whole, as where this returns, or not at all.
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
    pub async fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.feed_message_ext(opcode, Rsv::NONE, payload).await
    }

    /// As [`feed_message`](Self::feed_message), with the reserved bits of an extension.
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
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

    /// Queues a message if the write buffer has room for it, and else gives it back. Neither waits
    /// nor writes.
    ///
    /// # Errors
    /// [`TryFeedError::Full`] with the payload; [`TryFeedError::Failed`] with what
    /// [`write_message`](Self::write_message) fails with.
    pub fn try_feed_message<P: AsRef<[u8]>>(
        &mut self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        self.outbound.try_feed(opcode, payload)
    }

    /// Sends one raw frame: past any compression, and within RFC 6455 (no message inside another,
    /// no control frame over 125 bytes, …). Cancelled, the frame was taken whole or not at all, as a
    /// [message](Self::write_message) is.
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
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

    /// Sends a message that was framed beforehand. One system call.
    ///
    /// A server writes it from where it lies. A client has to mask it, and a connection with
    /// context takeover to compress it against its own context: they gain nothing over
    /// [`write_message`](Self::write_message). Cancelled, it was taken whole or not at all, as there.
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
    pub async fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        let stage = |outbound: &mut Outbound| outbound.stage_prepared(message);
        let staged = self.try_stage(stage);
        self.take(staged, stage).await?;
        self.flush_message().await
    }

    /// Sends what a reader gives until its end as one message, in fragments of `chunk_size`.
    /// Returns the number of bytes in the message. Waits for the reader and for the stream.
    ///
    /// Looks one byte ahead, so that the last fragment carries FIN and no empty frame trails; holds
    /// one chunk.
    ///
    /// # Cancellation
    /// Dropped before its end, the message is open, and nothing of what was read is lost:
    /// [`resume_message_writer`](Self::resume_message_writer) and
    /// [`finish_from`](MessageWriter::finish_from) go on with it.
    ///
    /// # Errors
    /// [`ErrorKind::ChunkSize`](crate::ErrorKind::ChunkSize) where `chunk_size` is 0 or over
    /// [`Config::chunk_size`](crate::Config::chunk_size);
    /// [`ErrorKind::Source`](crate::ErrorKind::Source) where the reader fails: the message is then
    /// open as if this was dropped; [`ErrorKind::Io`](crate::ErrorKind::Io).
    /// Text that turns out not to be UTF-8 ([`ErrorKind::Send`](crate::ErrorKind::Send)) leaves a
    /// message that cannot be finished: close the connection.
    pub async fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl AsyncRead + Unpin,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
            .await
    }

    /// As [`stream_message`](Self::stream_message), with the reserved bits of an extension.
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
        MessageWriter::open(self, opcode, rsv, Some(chunk_size))?
            .finish_from(reader)
            .await
    }

    /// Opens a message that is written in pieces of any size. Does not wait.
    ///
    /// Dropped without [`finish`](MessageWriter::finish) the message stays open, and other messages
    /// are refused: [`resume_message_writer`](Self::resume_message_writer) goes on with it.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) where another message is open;
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn message_writer(&mut self, opcode: Opcode) -> Result<MessageWriter<&mut Self>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE)
    }

    /// As [`message_writer`](Self::message_writer), with the reserved bits of an extension.
    ///
    /// # Errors
    /// As there.
    pub fn message_writer_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<&mut Self>, Error> {
        MessageWriter::open(self, opcode, rsv, None)
    }

    /// The message that [`message_writer`](Self::message_writer) or
    /// [`stream_message`](Self::stream_message) opened and did not finish, to go on with it; `None`
    /// where there is none.
    pub fn resume_message_writer(&mut self) -> Option<MessageWriter<&mut Self>> {
        MessageWriter::resume(self)
    }

    /// Sends a Ping. Cancelled, it was taken whole or not at all, as any
    /// [frame](Self::write_frame).
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) where the payload is over 125 bytes;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io); [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Ping, payload)
            .await
    }

    /// Sends a Pong that no Ping asked for, or that replaces an automatic one. Cancelled, it was taken
    /// whole or not at all, as any [frame](Self::write_frame).
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Pong, payload)
            .await
    }

    /// Sends a Close frame: the last frame of this end (RFC 6455 5.5.1). Go on reading until
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed), or use `shutdown`. Cancelled,
    /// [`closed`](Self::closed) tells whether it was taken; it goes out then as any
    /// [frame](Self::write_frame).
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) where the code is never sent or the reason is
    /// over 123 bytes; [`ErrorKind::Io`](crate::ErrorKind::Io);
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) where a Close frame was sent before.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
            .await
    }

    /// Writes what waits, and flushes the stream. Cancelled, the rest still waits.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io).
    pub async fn flush(&mut self) -> Result<(), Error> {
        flush(&mut &mut *self).await
    }

    /// Stages a frame where that needs no stream: without a future and a waker.
    #[inline]
    fn try_stage<'p>(
        &mut self,
        stage: impl FnOnce(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<Unsent<'p>, NotStaged> {
        stage(&mut self.outbound)
    }

    /// Takes a frame whole, or nothing of it, after it was tried to stage it.
    async fn take<'p>(
        &mut self,
        staged: Result<Unsent<'p>, NotStaged>,
        mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<(), Error> {
        let mut this = self;
        let unsent = match staged {
            Ok(unsent) => unsent,
            Err(NotStaged::Full) => poll_fn(|cx| poll_stage(&mut this, cx, &mut stage)).await?,
            Err(NotStaged::InFrame) => return this.check_no_frame(),
            Err(NotStaged::Failed(error)) => return Err(error),
        };
        write_all(&mut this, unsent).await
    }

    /// Fails where a future was forgotten, and with it the rest of its frame.
    pub(super) fn check_no_frame(&self) -> Result<(), Error> {
        match self.outbound.frame_under_way() {
            Some(opcode) => Err(SendError::MessageOpen(opcode).into()),
            None => Ok(()),
        }
    }

    /// Flushes, unless the message that was taken may wait.
    async fn flush_message(&mut self) -> Result<(), Error> {
        if self.outbound.may_coalesce() {
            return Ok(());
        }
        self.flush().await
    }
}

/// The one task that has the connection is the one that the stream wakes.
impl<S: AsyncRead + AsyncWrite + Unpin> Access for &mut Writer<S> {
    type Drive<'a>
        = Polled<'a, S>
    where
        Self: 'a;

    fn drive<'a>(&'a mut self, waker: &'a Waker) -> Polled<'a, S> {
        self.polled(waker, Job::Writing)
    }
}
