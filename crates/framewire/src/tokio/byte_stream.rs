//! A stream of bytes over binary messages.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::WebSocket;
use super::access::{poll_flush, poll_send};
use super::message_reader::AT_ONCE;
use super::polled::Job;
use super::source::{Source as _, has_answer, or_pending};
use crate::connection::{Outbound, close_payload, read_bytes};
use crate::error::{Error, ErrorKind};
use crate::frame::{CloseCode, Opcode, Rsv};

/// Bytes over binary messages, whose bounds mean nothing: a tunnel for any protocol.
///
/// Reading waits for the next byte and gives 0 after a Close frame with 1000, 1001 or no code, when what was
/// written before and what answers the Close frame has been sent. Text,
/// which is no bytes, is answered with Close 1003. A write of any size is fed as messages of at most
/// the connection's chunk size; flushing, or a read that waits, sends them. Shutting down flushes and
/// sends a Close frame with 1000, which ends both directions: a WebSocket connection has no half-close
/// (RFC 6455 1.4), so that what the peer has still to say then is lost.
///
/// A `read` or `write` that is cancelled has read or taken nothing. tokio's `read_exact` and `write_all`
/// are not cancel-safe, over this as over any stream: how far they came nobody knows.
///
/// Without a flush nothing is sent until then: `tokio::io::copy_bidirectional` flushes where it
/// would wait.
#[derive(Debug)]
pub struct ByteStream<S> {
    websocket: WebSocket<S>,
}

impl<S> WebSocket<S> {
    /// The connection as a stream of bytes over binary messages.
    #[must_use]
    pub fn into_byte_stream(self) -> ByteStream<S> {
        ByteStream { websocket: self }
    }
}

impl<S> ByteStream<S> {
    /// The connection, to close it or to go back to messages.
    pub fn get_mut(&mut self) -> &mut WebSocket<S> {
        &mut self.websocket
    }

    /// The connection.
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
        let WebSocket { inbound, writer } = &mut self.get_mut().websocket;
        let room = buf.remaining().min(AT_ONCE);
        let output = buf.initialize_unfilled_to(room);
        let mut polled = writer.polled(cx.waker(), Job::Reading);
        let read = ready!(or_pending(read_bytes(inbound, &mut polled, output)));
        let is_end = match &read {
            Ok(len) => *len == 0 && room > 0,
            Err(error) => has_answer(error) || writer.closed().is_some(),
        };
        if is_end && !writer.send_all(cx.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(read.map(|len| buf.advance(len)).map_err(Error::into))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut writer = &mut self.get_mut().websocket.writer;
        writer.check_no_frame()?;
        let len = buf.len().min(writer.outbound.chunk_size());
        if len > 0 {
            let feed = |outbound: &mut Outbound| {
                outbound.stage_fed(Opcode::Binary, Rsv::NONE, &buf[..len])
            };
            ready!(poll_send(&mut writer, cx, feed))?;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut writer = &mut self.get_mut().websocket.writer;
        poll_flush(&mut writer, cx).map_err(Error::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut writer = &mut self.get_mut().websocket.writer;
        if !writer.outbound.has_sent_close() {
            let payload = close_payload(CloseCode::NORMAL, "")?;
            let close = |outbound: &mut Outbound| {
                outbound.stage_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
            };
            let closed = ready!(poll_send(&mut writer, cx, close));
            match closed.map_err(Error::into_kind) {
                Ok(()) | Err(ErrorKind::Closed(_)) => {}
                Err(kind) => return Poll::Ready(Err(Error::from(kind).into())),
            }
        }
        poll_flush(&mut writer, cx).map_err(Error::into)
    }
}
