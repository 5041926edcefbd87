//! The calls that read, of a whole connection and of its reading half.

use std::ops::{Deref, DerefMut};

use super::receiving::{Receiving, next_message, read, read_frame};
use super::{CloseReply, Frame, MessageReader, PingReply, Writer};
use crate::connection::Inbound;
use crate::error::{Error, or_end};
use crate::frame::{CloseCode, Header};
use crate::protocol::Message;

/// The reading side of a connection: of a [`WebSocket`](super::WebSocket), which dereferences to it, and of a
/// [`ReadHalf`](super::ReadHalf), which is one.
///
/// While it reads, it answers Pings and echoes Close frames, unless a handler says otherwise. All that waits to
/// be written goes out before a read that waits. A Pong goes out even earlier, as far as the stream takes
/// it: before what came after its Ping is returned, since the application may work on that for a long time.
///
/// # The end
/// A call that reads returns `None` once the peer's Close frame is there and was answered, and so does every call
/// after it. `closed` then has the codes and reasons of both ends, and the connection can be dropped: this end's Close
/// frame, and what waited before it, has been sent, unless a handler of Close frames answers nothing. A half
/// also waits for the end of a frame that another task has begun: keep polling that task's future, or drop it. A peer
/// that reads nothing can hold that up for ever: bound the read with a time-out, and drop the connection when it
/// expires. The same is true of a violation.
///
/// Dropping a connection over TLS cuts the stream without `close_notify`, and so does closing it as a `Sink` or as a
/// byte stream: [`shutdown`](super::WebSocket::shutdown) ends TLS too, also after `None`.
///
/// # Errors
/// Reading fails with [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost) if the stream ends without a
/// Close frame, with [`ErrorKind::Violation`](crate::ErrorKind::Violation) after the Close frame that answers it was
/// sent, and with [`ErrorKind::Io`](crate::ErrorKind::Io). The first two are final: every further read gives the
/// same. With a keep-alive it fails with [`ErrorKind::NoPong`](crate::ErrorKind::NoPong), again at each read until a
/// Pong comes.
///
/// # Cancel safety
/// Every method is cancel-safe. A read that is dropped loses nothing: the next one goes on where it stopped.
///
/// # Memory
/// None at rest but its own size. Its read buffer ([`Config::read_buffer`](super::Config::read_buffer)) comes from a
/// [`BufferPool`](super::BufferPool) when bytes arrive, and goes back when they are used up.
///
/// A message that does not come in one read is assembled in memory from the pool too. That goes back with the
/// first read that waits while no message is under way, or after 128 messages in a row that did not need it. In
/// the middle of a message it may be twice as much as [`Limits::message`](crate::protocol::Limits::message),
/// however little has arrived.
#[derive(Debug)]
pub struct Reader<T> {
    pub(super) inbound: Inbound,
    pub(super) side: T,
}

impl<T: Receiving> Reader<T> {
    /// Returns the next message, lent until the next call; `None` once the connection was closed. Waits until the
    /// message is whole.
    ///
    /// A message that came in one piece is lent from the read buffer; any other is assembled. Allocates only to
    /// assemble, and only for what has arrived. To answer a message while it is lent, read with
    /// [`next_message_and_writer`](super::WebSocket::next_message_and_writer).
    ///
    /// # Errors
    /// As [`Reader`]. A message over [`Limits::message`](crate::protocol::Limits::message) is a violation,
    /// which the header shows.
    ///
    /// # Cancel safety
    /// Cancelled, nothing is lost. What has arrived of the message is there for the next call of this method or
    /// of [`append_message`](Self::append_message). Until then, calls that read in another way fail with
    /// [`ErrorKind::MessageInProgress`](crate::ErrorKind::MessageInProgress).
    pub async fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        let Self { inbound, side } = self;
        let found = or_end(next_message(inbound, side).await)?;
        Ok(found.map(|found| inbound.lend(&found)))
    }

    /// Appends the next message to what is in `buf`, and lends it from there; `None` once the connection was closed.
    /// Waits until the message is whole.
    ///
    /// If `buf` is empty and the message was assembled, they exchange their memory and nothing is copied.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message). `buf` is then unchanged, and what has arrived of the message is
    /// there for the next call.
    ///
    /// # Cancel safety
    /// As for an error.
    pub async fn append_message<'b>(
        &mut self,
        buf: &'b mut Vec<u8>,
    ) -> Result<Option<Message<'b>>, Error> {
        let Self { inbound, side } = self;
        let found = or_end(next_message(inbound, side).await)?;
        Ok(found.map(|found| inbound.append(&found, buf)))
    }

    /// Returns a reader of the next message, which may be of any size, in constant memory; `None` once the connection
    /// was closed. Waits for the message's first header.
    ///
    /// [`Limits::message`](crate::protocol::Limits::message) does not apply. The next call skips what was not
    /// read.
    ///
    /// # Errors
    /// As [`Reader`].
    ///
    /// # Cancel safety
    /// Cancelled, nothing of the message is lost: the next call that reads, of any kind, begins with it.
    pub async fn message_reader(&mut self) -> Result<Option<MessageReader<'_, T>>, Error> {
        or_end(MessageReader::begin(&mut self.inbound, &mut self.side).await)
    }

    /// Returns the reader of the message that [`message_reader`](Self::message_reader) began and that was not
    /// read to its end; `None` if there is none.
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, T>> {
        MessageReader::resume(&mut self.inbound, &mut self.side)
    }

    /// Returns the header of the next raw frame; `None` once the connection was closed. Waits until it is there.
    ///
    /// Consumes nothing: the next call may read the frame raw, or read the message that it begins in any way.
    ///
    /// # Errors
    /// As [`Reader`].
    pub async fn read_header(&mut self) -> Result<Option<Header>, Error> {
        let Self { inbound, side } = self;
        or_end(read(inbound, side, Inbound::read_header).await)
    }

    /// Reads the next raw frame into `buf` and unmasks it there; `None` once the connection was closed. Waits until the
    /// frame is whole.
    ///
    /// Returns control frames too, after their automatic reply. The rules of RFC 6455 hold as for any other
    /// call.
    ///
    /// # Errors
    /// [`ErrorKind::FrameBufferTooSmall`](crate::ErrorKind::FrameBufferTooSmall) if `buf` is shorter than the
    /// payload: nothing is consumed. Otherwise as [`Reader`].
    ///
    /// # Cancel safety
    /// Cancelled, what has arrived of the frame is there for the next call.
    pub async fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Option<Frame<'b>>, Error> {
        let Self { inbound, side } = self;
        let header = or_end(read_frame(inbound, side, buf).await)?;
        Ok(header.map(|header| Frame::read(header, buf)))
    }
}

impl<T> Reader<T> {
    /// Gives back memory that holds nothing, as a read that has to wait does: for a program that will not read for a
    /// while. The buffers go back to their [pool](crate::connection::BufferPool).
    pub fn rest(&mut self) {
        self.inbound.wait();
    }

    /// Returns the subprotocol that the handshake agreed on; `None` if there is none, or the connection was made
    /// without a handshake.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.inbound.subprotocol()
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

/// The calls that send are those of the [`Writer`], which a reader of a whole connection has.
impl<T> Deref for Reader<Writer<T>> {
    type Target = Writer<T>;

    fn deref(&self) -> &Writer<T> {
        &self.side
    }
}

impl<T> DerefMut for Reader<Writer<T>> {
    fn deref_mut(&mut self) -> &mut Writer<T> {
        &mut self.side
    }
}
