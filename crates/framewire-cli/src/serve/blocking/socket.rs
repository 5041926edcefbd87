//! A socket whose handles share one file descriptor.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use framewire::{Duplicate, Socket};

use crate::serve::server::reset_on_close;
use crate::serve::stall::{Stall, slice};

/// The stream of a connection, with TLS or without.
pub(crate) type Stream = framewire::upgrade::Stream<SharedSocket>;

/// A [`TcpStream`] that is duplicated without a second file descriptor, of which a process has few.
#[derive(Debug)]
pub(crate) struct SharedSocket {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    socket: TcpStream,
    /// Whether the connection was ended because its peer took nothing.
    is_stalled: AtomicBool,
    writes: Mutex<Writes>,
}

/// How long a peer may hold up a write.
#[derive(Debug, Default)]
struct Writes {
    /// How long the peer may take nothing; `None` until the connection is open.
    limit: Option<Duration>,
    /// How long it has taken nothing.
    stall: Option<Stall>,
    /// How long one write may block.
    timeout: Option<Duration>,
}

impl Writes {
    /// Returns how long a system call may block before the write is tried again.
    fn slice(&self) -> Option<Duration> {
        match (self.timeout, self.limit.map(slice)) {
            (Some(timeout), Some(part)) => Some(timeout.min(part)),
            (timeout, part) => timeout.or(part),
        }
    }
}

impl SharedSocket {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            shared: Arc::new(Shared {
                socket,
                is_stalled: AtomicBool::new(false),
                writes: Mutex::default(),
            }),
        }
    }

    /// Returns whether the peer has taken nothing for the write time-out.
    pub(crate) fn is_stalled(&self) -> bool {
        self.shared.is_stalled.load(Ordering::Acquire)
    }

    /// From now on ends the connection when its peer has taken nothing for `limit`.
    pub(crate) fn end_when_stalled_for(&self, limit: Duration) -> io::Result<()> {
        self.writes().limit = Some(limit);
        Socket::set_write_timeout(self, Some(limit))
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        let writes = self.shared.writes.lock();
        writes.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns another handle to the same connection.
    pub(crate) fn handle(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Drains what still comes, for at most `time`.
    ///
    /// A socket that is closed with unread input resets the connection, which can take the last bytes from the
    /// peer.
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

    /// Writes once, for as long as a write may block and the peer may take nothing.
    ///
    /// Divides that time into several system calls: a call that has written something before it blocked does
    /// not tell when the peer took it.
    fn write_in_time(
        &self,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let begun = Instant::now();
        let mut is_shortened = false;
        let written = loop {
            let written = write(self.socket());
            let kind = written.as_ref().map_err(io::Error::kind);
            let mut writes = self.writes();
            let Some(limit) = writes.limit else {
                break written;
            };
            if !matches!(kind, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)) {
                writes.stall = None;
                break written;
            }
            let now = Instant::now();
            let stall = writes.stall.get_or_insert_with(|| Stall::begin(begun));
            if stall.is_over(now, limit) {
                drop(writes);
                return self.end_stalled();
            }
            let Some(timeout) = writes.timeout else {
                continue;
            };
            let left = timeout.saturating_sub(now - begun);
            if left.is_zero() {
                break written;
            }
            if left < slice(limit) {
                is_shortened = true;
                self.set_slice(Some(left))?;
            }
        };
        if is_shortened {
            // The next write has its full time again.
            let _ = self.set_slice(self.writes().slice());
        }
        written
    }

    fn set_slice(&self, slice: Option<Duration>) -> io::Result<()> {
        self.socket().set_write_timeout(slice)
    }

    /// Ends the connection of a peer that took nothing in time. A thread that reads from it ends too.
    fn end_stalled(&self) -> io::Result<usize> {
        self.shared.is_stalled.store(true, Ordering::Release);
        reset_on_close(self.socket());
        // It fails if the connection is gone already.
        let _ = self.socket().shutdown(Shutdown::Both);
        // Not `TimedOut`, after which a connection goes on.
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
        self.write_in_time(|mut socket| socket.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_in_time(|mut socket| socket.write_vectored(bufs))
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
        let mut writes = self.writes();
        writes.timeout = timeout;
        self.set_slice(writes.slice())
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.socket().read_timeout()
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.writes().timeout)
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().set_nodelay(nodelay)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket().shutdown(Shutdown::Write)
    }
}

impl Duplicate for SharedSocket {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.handle())
    }

    fn abort(&self) -> io::Result<()> {
        self.socket().abort()
    }
}
