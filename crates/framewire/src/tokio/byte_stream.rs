//! A stream of bytes over binary messages.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::access::{poll_flush, poll_send};
use super::message_reader::AT_ONCE;
use super::polled::Job;
use super::receiving::{Receiving as _, has_answer};
use super::{Reader, WebSocket};
use crate::connection::Outbound;
use crate::drive::poll_read_bytes;
use crate::error::Error;
use crate::protocol::Outgoing;

/// A connection as a stream of bytes, for tunnels. The bytes travel in binary messages; where a message ends
/// means nothing.
///
/// Reading waits for the next byte. It returns 0 after a Close frame with 1000, 1001 or no code, once all that
/// was written before, and the reply to the Close frame, has been sent. A text message is answered with Close
/// 1003.
///
/// Writing feeds the bytes as messages of at most the connection's chunk size. They are sent by a flush, or by
/// a read that waits: without either, nothing is sent. `tokio::io::copy_bidirectional` flushes where it would
/// wait.
///
/// Shutting down flushes and sends a Close frame with 1000. That ends both directions, as a WebSocket
/// connection has no half-close (RFC 6455 1.4): what the peer still had to say is lost.
///
/// # Cancel safety
/// A `read` that is cancelled has read nothing, and a `write` has taken nothing. tokio's `read_exact` and
/// `write_all` are not cancel-safe over any stream: nothing tells how far they came.
#[derive(Debug)]
pub struct ByteStream<S> {
    websocket: WebSocket<S>,
}

impl<S> WebSocket<S> {
    /// Turns the connection into a stream of bytes over binary messages.
    #[must_use]
    pub fn into_byte_stream(self) -> ByteStream<S> {
        ByteStream { websocket: self }
    }
}

impl<S> ByteStream<S> {
    /// Returns the connection, to close it or to send messages.
    pub fn get_mut(&mut self) -> &mut WebSocket<S> {
        &mut self.websocket
    }

    /// Returns the connection.
    #[must_use]
    pub fn into_inner(self) -> WebSocket<S> {
        self.websocket
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Reader { inbound, side } = &mut self.get_mut().websocket.reader;
        let room = buf.remaining().min(AT_ONCE);
        let output = buf.initialize_unfilled_to(room);
        let mut polled = side.side.polled(cx.waker(), Job::Reading);
        let read = match poll_read_bytes(inbound, &mut polled, output) {
            Poll::Pending => Err(ready!(side.poll_keep_alive(inbound, cx))),
            Poll::Ready(read) => read,
        };
        let is_end = match &read {
            Ok(len) => *len == 0 && room > 0,
            Err(error) => has_answer(error) || side.side.outbound.closed().is_some(),
        };
        let read = match read {
            _ if is_end && !side.send_all(cx.waker()) => {
                Err(ready!(side.poll_keep_alive(inbound, cx)))
            }
            read => read,
        };
        Poll::Ready(read.map(|len| buf.advance(len)).map_err(Error::into))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut whole = &mut self.get_mut().websocket.reader.side.side;
        whole.outbound.check_no_frame()?;
        let len = buf.len().min(whole.outbound.chunk_size());
        if len > 0 {
            let feed = |outbound: &mut Outbound| outbound.stage_fed(&Outgoing::binary(&buf[..len]));
            ready!(poll_send(&mut whole, cx, feed))?;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut whole = &mut self.get_mut().websocket.reader.side.side;
        poll_flush(&mut whole, cx).map_err(Error::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut whole = &mut self.get_mut().websocket.reader.side.side;
        if !whole.outbound.has_sent_close() {
            whole.outbound.check_open()?;
            whole.outbound.queue_normal_close();
        }
        poll_flush(&mut whole, cx).map_err(Error::into)
    }
}
