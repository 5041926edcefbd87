//! A connection with TLS or without: what dialling returns, and what a server may accept.

use crate::{Duplicate, Socket};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection with TLS or without: over TCP as a [`Dialer`](crate::Dialer) makes it, or over any other stream.
///
/// Reads, writes and time-outs are those of the stream inside. A duplicate is a second handle to the same connection,
/// over TLS too.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream<S = TcpStream> {
    /// The stream itself.
    Plain(S),
    /// TLS over the stream.
    #[cfg(feature = "rustls")]
    Tls(super::TlsStream<S>),
}

impl<S> Stream<S> {
    /// Returns the stream beneath, for its addresses and options. Reading from it or writing to it breaks the
    /// connection.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

/// Makes the same call on either stream.
macro_rules! on_either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Plain($inner) => $call,
            #[cfg(feature = "rustls")]
            Stream::Tls($inner) => $call,
        }
    };
}

impl<S: Socket> Read for Stream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        on_either!(self, stream => stream.read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        on_either!(self, stream => stream.read_vectored(bufs))
    }
}

impl<S: Socket> Write for Stream<S> {
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

impl<S: Socket> Socket for Stream<S> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        on_either!(self, stream => Socket::set_read_timeout(stream, timeout))
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        on_either!(self, stream => Socket::set_write_timeout(stream, timeout))
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        on_either!(self, stream => Socket::read_timeout(stream))
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        on_either!(self, stream => Socket::write_timeout(stream))
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        on_either!(self, stream => Socket::set_nodelay(stream, nodelay))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        on_either!(self, stream => Socket::shutdown_write(stream))
    }
}

impl<S: Duplicate> Duplicate for Stream<S> {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(stream) => Self::Plain(stream.duplicate()?),
            #[cfg(feature = "rustls")]
            Self::Tls(stream) => Self::Tls(stream.duplicate()?),
        })
    }

    fn abort(&self) -> io::Result<()> {
        on_either!(self, stream => Duplicate::abort(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::Stream;
    use crate::recorder;

    #[test]
    fn without_tls_every_call_is_one_of_the_stream() {
        recorder::check_reads_and_writes(Stream::Plain);
        recorder::check_options(Stream::Plain);
    }
}
