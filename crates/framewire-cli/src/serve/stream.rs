//! A socket whose handles share one file descriptor.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use framewire::blocking::WriteHalf;
use framewire::{Duplicate, Socket};

/// A [`TcpStream`] that is duplicated without a second file descriptor, of which a process has few.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Arc<TcpStream>,
    /// What is flushed before this handle reads; other handles have their own.
    output: OnceLock<WriteHalf<Stream>>,
}

impl Stream {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket: Arc::new(socket),
            output: OnceLock::new(),
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
            output: OnceLock::new(),
        }
    }

    /// Has everything that was fed to the connection go out, at once, when this handle is about to
    /// read: the library does that for a connection that is not split.
    pub(crate) fn flush_before_reading(&self, output: WriteHalf<Stream>) {
        // A second one would be the same.
        let _ = self.output.set(output);
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
        if let Some(output) = self.output.get() {
            output.flush()?;
        }
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
