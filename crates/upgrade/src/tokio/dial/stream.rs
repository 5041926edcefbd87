//! A connection with TLS or without: what dialling returns, and what a server may accept.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection with TLS or without: over TCP as [`dial`](super::dial) makes it, or over any other stream.
///
/// Reads and writes are those of the stream inside. With TLS, `shutdown` sends `close_notify`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream<S = TcpStream> {
    /// The stream itself.
    Plain(S),
    /// TLS over the stream, at either end. Boxed, as it is far larger.
    #[cfg(feature = "tokio-rustls")]
    Tls(Box<tokio_rustls::TlsStream<S>>),
}

impl<S> Stream<S> {
    /// Returns the stream beneath, for its addresses and options. With TLS, reading from it or writing to it breaks
    /// the connection.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "tokio-rustls")]
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// Makes the same call on either stream.
macro_rules! on_either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Plain($inner) => $call,
            #[cfg(feature = "tokio-rustls")]
            Stream::Tls($inner) => $call,
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_read(context, buf))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_write(context, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(context, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        on_either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use super::Stream;
    use crate::tokio::counting;

    #[test]
    fn flushes_and_vectored_writes_are_those_of_the_stream() {
        counting::check_flushes_and_vectored_writes(Stream::Plain);
    }
}
