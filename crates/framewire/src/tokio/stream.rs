//! Connections as a `Stream` of owned messages.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use tokio::io::{AsyncRead, AsyncWrite};

use super::source::{Source, poll_read_to_end};
use super::{Message, ReadHalf, WebSocket};
use crate::connection::Reader;
use crate::error::{Error, ErrorKind};

/// Data messages alone: control frames are answered on the way, as
/// [`next_message`](WebSocket::next_message) does. Ends after a Close frame, and after one error of any
/// other kind. What the [`Sink`](futures_sink::Sink) was fed goes out before a read that waits, and before the
/// end is told, with what answers the Close frame: a peer that takes nothing holds that up.
///
/// With futures' `StreamExt` in scope `buffered` is that one's; that of the
/// [`writer`](WebSocket::writer) tells how many bytes wait.
///
/// Allocates each message; one that was assembled keeps the memory that it was assembled in. A message
/// with reserved bits, which only come where [`Config::rsv`](crate::Config::rsv) lets them, is given as
/// [`Binary`](Message::Binary): what is in it is the extension's to say.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { reader, writer } = self.get_mut();
        poll_next(reader, writer, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.reader.has_told_end()
    }
}

/// As for a [whole connection](WebSocket#impl-Stream-for-WebSocket<S>).
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for ReadHalf<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { reader, link } = self.get_mut();
        poll_next(reader, link, cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for ReadHalf<S> {
    fn is_terminated(&self) -> bool {
        self.reader.has_told_end()
    }
}

fn poll_next(
    reader: &mut Reader,
    source: &mut impl Source,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Message, Error>>> {
    if reader.has_told_end() {
        return Poll::Ready(None);
    }
    let found = ready!(poll_read_to_end(reader, source, cx, Reader::next_message));
    Poll::Ready(match found {
        Ok(found) => {
            let mut payload = Vec::new();
            let (opcode, rsv) = reader.hand_over(&found, &mut payload);
            Some(Ok(Message::received(opcode, rsv, payload)))
        }
        Err(error) => {
            reader.tell_end();
            let is_closed = matches!(error.kind(), ErrorKind::Closed(_));
            (!is_closed).then_some(Err(error))
        }
    })
}
