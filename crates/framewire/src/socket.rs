//! What the blocking calls ask of a stream beyond `Read + Write`.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A stream whose blocking calls can be given a time-out.
///
/// Calls with a deadline (the handshake, `WebSocket::shutdown`) need it: without a time-out a
/// silent peer holds a blocking read for ever. A stream that has none is wrapped in [`Untimed`].
pub trait Socket: Read + Write {
    /// How long one read may block; `None` is for ever, a zero duration is an error.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long one write may block; `None` is for ever, a zero duration is an error.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

/// A socket that can be duplicated, so that one thread reads while another writes.
pub trait Duplicate: Socket + Sized {
    /// A second handle to the same connection. Time-outs are shared by both.
    fn duplicate(&self) -> io::Result<Self>;

    /// Shuts the connection down in the directions asked for, for every handle.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

macro_rules! implement_for_std_socket {
    ($stream:ty) => {
        impl Socket for $stream {
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }
        }

        impl Duplicate for $stream {
            fn duplicate(&self) -> io::Result<Self> {
                self.try_clone()
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }
        }
    };
}

implement_for_std_socket!(TcpStream);
#[cfg(unix)]
implement_for_std_socket!(UnixStream);

/// Any stream, taken as a [`Socket`] that ignores time-outs.
///
/// Deadlines are then looked at only between its reads and writes: right for in-memory and
/// non-blocking streams, and for those that have time-outs of their own.
#[derive(Debug, Clone, Default)]
pub struct Untimed<S>(pub S);

impl<S: Read> Read for Untimed<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.0.read_vectored(bufs)
    }
}

impl<S: Write> Write for Untimed<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Read + Write> Socket for Untimed<S> {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}
