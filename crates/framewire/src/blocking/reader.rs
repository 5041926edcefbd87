//! The calls that read, of a whole connection and of its reading half.

use std::ops::{Deref, DerefMut};

use super::receiving::{Receiving, next_message, read, until_done};
use super::{CloseReply, Frame, MessageReader, PingReply, Writer};
use crate::connection::Inbound;
use crate::drive::poll_read_frame;
use crate::error::{Error, or_end};
use crate::frame::{CloseCode, Header};
use crate::protocol::Message;

/// The reading side of a connection: of a [`WebSocket`](super::WebSocket), which dereferences to it, and of a
/// [`ReadHalf`](super::ReadHalf), which is one.
///
/// While it reads, it answers Pings and echoes Close frames, unless a handler says otherwise. All that waits to
/// be written goes out before a read that may block. A Pong goes out even earlier, as far as the stream takes
/// it: before what came after its Ping is returned, since the application may work on that for a long time.
///
/// # The end
/// A call that reads returns `None` once the peer's Close frame is there and was answered, and so does every call
/// after it. `closed` then has the codes and reasons of both ends. Where the stream would block, the answer is still
/// to be written (`has_pending_output`), and where a handler of Close frames answers nothing, the application is to
/// answer.
///
/// Dropping a connection over TLS cuts the stream without `close_notify`: [`shutdown`](super::WebSocket::shutdown) ends
/// TLS too, also after `None`.
///
/// # Errors
/// Reading fails with [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost) if the stream ends without a
/// Close frame, with [`ErrorKind::Violation`](crate::ErrorKind::Violation) after the Close frame that answers it was
/// sent, and with [`ErrorKind::Io`](crate::ErrorKind::Io). The first two are final: every further read gives the
/// same. With a keep-alive it fails with [`ErrorKind::NoPong`](crate::ErrorKind::NoPong), again at each read until a
/// Pong comes.
///
/// # Memory
/// A read buffer ([`Config::read_buffer`](super::Config::read_buffer)) once it reads. A message that does not come in
/// one read is assembled in memory that stays for the next such message. That is freed after 128 messages in a row that
/// did not need it, or two reads in a row that timed out or would block.
#[derive(Debug)]
pub struct Reader<T> {
    pub(super) inbound: Inbound,
    pub(super) side: T,
}

impl<T: Receiving> Reader<T> {
    /// Returns the next message, lent until the next call; `None` once the connection was closed. Blocks until the
    /// message is whole.
    ///
    /// A message that came in one piece is lent from the read buffer; any other is assembled. Allocates only to
    /// assemble, and only for what has arrived. To answer a message while it is lent, read with
    /// [`next_message_and_writer`](super::WebSocket::next_message_and_writer).
    ///
    /// # Errors
    /// As [`Reader`]. A message over [`Limits::message`](crate::protocol::Limits::message) is a violation,
    /// which the header shows.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        let Self { inbound, side } = self;
        let found = or_end(next_message(inbound, side))?;
        Ok(found.map(|found| inbound.lend(&found)))
    }

    /// Appends the next message to what is in `buf`, and lends it from there; `None` once the connection was closed.
    /// Blocks until the message is whole.
    ///
    /// If `buf` is empty and the message was assembled, they exchange their memory and nothing is copied.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message). `buf` is then unchanged, and what has arrived of the message is
    /// there for the next call.
    pub fn append_message<'b>(
        &mut self,
        buf: &'b mut Vec<u8>,
    ) -> Result<Option<Message<'b>>, Error> {
        let Self { inbound, side } = self;
        let found = or_end(next_message(inbound, side))?;
        Ok(found.map(|found| inbound.append(&found, buf)))
    }

    /// Returns a reader of the next message, which may be of any size, in constant memory; `None` once the connection
    /// was closed. Blocks until the message's first header is there.
    ///
    /// [`Limits::message`](crate::protocol::Limits::message) does not apply. The next call skips what was not
    /// read.
    ///
    /// # Errors
    /// As [`Reader`].
    pub fn message_reader(&mut self) -> Result<Option<MessageReader<'_, T>>, Error> {
        or_end(MessageReader::begin(&mut self.inbound, &mut self.side))
    }

    /// Returns the reader of the message that [`message_reader`](Self::message_reader) began and that was not
    /// read to its end; `None` if there is none.
    pub fn resume_message_reader(&mut self) -> Option<MessageReader<'_, T>> {
        MessageReader::resume(&mut self.inbound, &mut self.side)
    }

    /// Returns the header of the next raw frame; `None` once the connection was closed. Blocks until it is there.
    ///
    /// Consumes nothing: the next call may read the frame raw, or read the message that it begins in any way.
    ///
    /// # Errors
    /// As [`Reader`].
    pub fn read_header(&mut self) -> Result<Option<Header>, Error> {
        let Self { inbound, side } = self;
        or_end(read(inbound, side, Inbound::read_header))
    }

    /// Reads the next raw frame into `buf` and unmasks it there; `None` once the connection was closed. Blocks until
    /// the frame is whole.
    ///
    /// Returns control frames too, after their automatic reply. The rules of RFC 6455 hold as for any other
    /// call.
    ///
    /// # Errors
    /// [`ErrorKind::FrameBufferTooSmall`](crate::ErrorKind::FrameBufferTooSmall) if `buf` is shorter than the
    /// payload: nothing is consumed. Otherwise as [`Reader`].
    pub fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Option<Frame<'b>>, Error> {
        let Self { inbound, side } = self;
        let header = or_end(until_done(inbound, side, |inbound, side| {
            poll_read_frame(inbound, side, buf)
        }))?;
        Ok(header.map(|header| Frame::read(header, buf)))
    }
}

impl<T> Reader<T> {
    /// Gives back memory that holds nothing, as a read that has to wait does: for a program that will not read for a
    /// while. With a [pool](super::WebSocket::set_buffer_pool) the buffers go back to it; otherwise the memory of long
    /// messages is freed by the second such call.
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
