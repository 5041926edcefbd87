//! A connection's socket, with TLS or without.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use framewire::rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::serve::STALL;

/// What is read and written. A write fails when the peer has taken nothing for a while.
#[derive(Debug)]
pub(super) struct Stream {
    kind: Kind,
    /// Until when the peer has to take something; `None` while it does.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Kind {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Does the TLS handshake where the server has a certificate.
    pub(super) async fn accept(
        socket: TcpStream,
        tls: Option<&Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let kind = match tls {
            Some(config) => {
                let acceptor = TlsAcceptor::from(Arc::clone(config));
                Kind::Tls(Box::new(acceptor.accept(socket).await?))
            }
            None => Kind::Plain(socket),
        };
        Ok(Self {
            kind,
            stalled: None,
        })
    }

    /// Small messages leave at once.
    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        match &self.kind {
            Kind::Plain(socket) => socket.set_nodelay(true),
            Kind::Tls(tls) => tls.get_ref().0.set_nodelay(true),
        }
    }

    /// Bounds how long the socket may take nothing.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The same call on whichever stream it is.
macro_rules! on_either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match &mut $stream.kind {
            Kind::Plain(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            Kind::Tls(inner) => {
                let $inner = Pin::new(&mut **inner);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Who only reads would never learn that the peer has taken nothing in time.
        if this.stalled.as_ref().is_some_and(|time| time.is_elapsed()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        on_either!(this, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = on_either!(this, stream => stream.poll_write(cx, buf));
        this.in_time(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = on_either!(this, stream => stream.poll_write_vectored(cx, bufs));
        this.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Plain(socket) => socket.is_write_vectored(),
            Kind::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = on_either!(this, stream => stream.poll_flush(cx));
        this.in_time(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = on_either!(this, stream => stream.poll_shutdown(cx));
        this.in_time(cx, shut)
    }
}
