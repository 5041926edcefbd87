//! A socket whose handles share one file descriptor.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use framewire::{Duplicate, Socket};

use crate::serve::reset_on_close;

/// A [`TcpStream`] that is duplicated without a second file descriptor, of which a process has few.
#[derive(Debug)]
pub(crate) struct SharedSocket {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    socket: TcpStream,
    /// Whether the connection was ended since its peer took nothing.
    is_stalled: AtomicBool,
}

impl SharedSocket {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            shared: Arc::new(Shared {
                socket,
                is_stalled: AtomicBool::new(false),
            }),
        }
    }

    /// Whether the peer has taken nothing for as long as a write may take.
    pub(crate) fn is_stalled(&self) -> bool {
        self.shared.is_stalled.load(Ordering::Acquire)
    }

    /// Small messages leave at once.
    pub(crate) fn set_nodelay(&self) -> io::Result<()> {
        self.socket().set_nodelay(true)
    }

    /// Another handle to the same connection.
    pub(crate) fn handle(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Reads away what still comes, for a while.
    ///
    /// A socket that is closed with unread input resets the connection, which can take the last
    /// bytes from the peer.
    pub(crate) fn drain(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut socket = self.socket();
        let mut piece = [0; 16 << 10];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
                return;
            }
            if matches!(socket.read(&mut piece), Ok(0) | Err(_)) {
                return;
            }
        }
    }

    fn socket(&self) -> &TcpStream {
        &self.shared.socket
    }

    /// Ends the connection of a peer that took nothing in time: under a thread that reads, too.
    fn end_if_stalled(&self, written: io::Result<usize>) -> io::Result<usize> {
        let kind = written.as_ref().map_err(io::Error::kind);
        if !matches!(kind, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)) {
            return written;
        }
        self.shared.is_stalled.store(true, Ordering::Release);
        reset_on_close(self.socket());
        // One that is gone already is well.
        let _ = self.socket().shutdown(Shutdown::Both);
        // Not a time-out, after which a connection goes on.
        Err(ErrorKind::ConnectionAborted.into())
    }
}

impl Read for SharedSocket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket().read(buf)
    }
}

impl Write for SharedSocket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.socket().write(buf);
        self.end_if_stalled(written)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.socket().write_vectored(bufs);
        self.end_if_stalled(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket().flush()
    }
}

impl Socket for SharedSocket {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket().set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket().set_write_timeout(timeout)
    }
}

impl Duplicate for SharedSocket {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.handle())
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket().shutdown(how)
    }
}
