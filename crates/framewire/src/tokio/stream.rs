//! Connections as a `Stream` of owned messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use tokio::io::{AsyncRead, AsyncWrite};

use super::receiving::{Receiving, poll_message};
use super::{OwnedMessage, ReadHalf, Reader, WebSocket};
use crate::connection::Inbound;
use crate::error::{Error, ErrorKind};

/// Yields data messages. Control frames are answered on the way, as [`next_message`](Reader::next_message)
/// does.
///
/// The stream ends after a Close frame, whose code and reason [`closed`](super::Writer::closed) has, and after one
/// error. What was fed to the
/// [`Sink`](futures_sink::Sink) goes out before a read that waits. It also goes out, with the reply to the
/// Close frame, before the end is reported: a peer that takes nothing holds that up.
///
/// With futures' `StreamExt` in scope, `buffered` is the method of that trait. The one of the
/// [`writer`](WebSocket::writer) returns how many bytes wait.
///
/// A message with reserved bits, which only come if [`Config::rsv`](crate::Config::rsv) allows them, is yielded
/// as [`Binary`](OwnedMessage::Binary), since only the extension knows what is in it.
///
/// # Memory
/// Allocates each message. A message that was assembled has the memory that it was assembled in.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<OwnedMessage, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Reader { inbound, side } = &mut self.get_mut().reader;
        poll_next(inbound, side, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.reader.inbound.has_reported_end()
    }
}

/// The same as the stream of a [whole connection](WebSocket#impl-Stream-for-WebSocket<S>).
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for ReadHalf<S> {
    type Item = Result<OwnedMessage, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inbound, side } = self.get_mut();
        poll_next(inbound, side, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for ReadHalf<S> {
    fn is_terminated(&self) -> bool {
        self.inbound.has_reported_end()
    }
}

fn poll_next(
    inbound: &mut Inbound,
    source: &mut impl Receiving,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<OwnedMessage, Error>>> {
    if inbound.has_reported_end() {
        return Poll::Ready(None);
    }
    let found = ready!(poll_message(inbound, source, cx));
    Poll::Ready(match found {
        Ok(found) => {
            let mut payload = Vec::new();
            let message = inbound.append(&found, &mut payload);
            let (opcode, rsv) = (message.opcode(), message.rsv());
            Some(Ok(OwnedMessage::received(opcode, rsv, payload)))
        }
        Err(error) => {
            inbound.report_end();
            let is_closed = matches!(error.kind(), ErrorKind::Closed(_));
            (!is_closed).then_some(Err(error))
        }
    })
}
