//! A socket whose handles share one file descriptor.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use framewire::{Duplicate, Socket};

/// A [`TcpStream`] that is duplicated without a second file descriptor, of which a process has few.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Arc<TcpStream>,
}

impl Stream {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket: Arc::new(socket),
        }
    }

    /// Sets what an echo needs of a socket: small messages leave at once, and a peer that reads
    /// nothing holds up a thread for this long at most.
    pub(crate) fn set_up(&self, stall: Duration) -> io::Result<()> {
        self.socket.set_nodelay(true)?;
        self.socket.set_write_timeout(Some(stall))
    }

    /// Another handle to the same connection.
    pub(crate) fn handle(&self) -> Self {
        Self {
            socket: Arc::clone(&self.socket),
        }
    }

    /// Ends the connection so that the peer gets what was sent last.
    ///
    /// A socket that is closed with unread input resets the connection, which can take the last
    /// frame from the peer. So this reads away what still comes, for a while.
    pub(crate) fn linger(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut socket = &*self.socket;
        let mut piece = [0; 16 << 10];
        if socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
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
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.socket).read(buf)
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self.socket).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.socket).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.socket).flush()
    }
}

impl Socket for Stream {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_write_timeout(timeout)
    }
}

impl Duplicate for Stream {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.handle())
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }
}
