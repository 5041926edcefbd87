//! What dialling gives: a TCP connection, with or without TLS.

#[cfg(feature = "rustls")]
use crate::upgrade::TlsStream;
use crate::{Duplicate, Socket};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A connection that a [`Dialer`](super::Dialer) made.
///
/// Reads, writes and time-outs are those of the stream inside; a duplicate is a second handle to the
/// same connection, over TLS too.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    #[cfg(feature = "rustls")]
    Tls(TlsStream<TcpStream>),
}

impl Stream {
    /// The TCP connection: for its addresses and options. Reading from it or writing to it breaks
    /// the connection.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

/// The same call on whichever stream it is.
macro_rules! on_either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Plain($inner) => $call,
            #[cfg(feature = "rustls")]
            Stream::Tls($inner) => $call,
        }
    };
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        on_either!(self, stream => stream.read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        on_either!(self, stream => stream.read_vectored(bufs))
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        on_either!(self, stream => stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        on_either!(self, stream => stream.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        on_either!(self, stream => stream.flush())
    }
}

impl Socket for Stream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        on_either!(self, stream => Socket::set_read_timeout(stream, timeout))
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        on_either!(self, stream => Socket::set_write_timeout(stream, timeout))
    }
}

impl Duplicate for Stream {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(stream) => Self::Plain(stream.duplicate()?),
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => Self::Tls(stream.duplicate()?),
        })
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        on_either!(self, stream => Duplicate::shutdown(stream, how))
    }
}
