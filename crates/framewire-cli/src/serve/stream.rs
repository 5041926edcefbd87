//! A connection's stream, with TLS or without.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use framewire::upgrade::TlsStream;
use framewire::{Duplicate, Socket};

use super::socket::SharedSocket;

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(SharedSocket),
    Tls(TlsStream<SharedSocket>),
}

impl Stream {
    /// Sets what an echo needs of a socket: small messages leave at once, and a peer that reads
    /// nothing holds up a thread for this long at most.
    pub(crate) fn set_up(&self, stall: Duration) -> io::Result<()> {
        self.socket().set_nodelay()?;
        self.set_write_timeout(Some(stall))
    }

    /// Ends the connection so that the peer gets what was sent last.
    pub(crate) fn linger(&self, time: Duration) {
        if self.shutdown(Shutdown::Write).is_ok() {
            self.socket().drain(time);
        }
    }

    fn socket(&self) -> &SharedSocket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

/// The same call on whichever stream it is.
macro_rules! on_either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Plain($inner) => $call,
            Stream::Tls($inner) => $call,
        }
    };
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        on_either!(self, stream => stream.read(buf))
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
        on_either!(self, stream => stream.set_read_timeout(timeout))
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        on_either!(self, stream => stream.set_write_timeout(timeout))
    }
}

impl Duplicate for Stream {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(socket) => Self::Plain(socket.duplicate()?),
            Self::Tls(stream) => Self::Tls(stream.duplicate()?),
        })
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        on_either!(self, stream => stream.shutdown(how))
    }
}
