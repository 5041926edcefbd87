//! What blocking calls need from a stream beyond `Read + Write`.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A stream whose blocking calls can be given a time-out.
///
/// Calls with a deadline need it: without a time-out a silent peer holds a blocking read for ever. Wrap a stream that
/// has none in [`Untimed`].
pub trait Socket: Read + Write {
    /// Sets how long one read may block; `None` is for ever, a zero duration is an error.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets how long one write may block; `None` is for ever, a zero duration is an error.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Returns the time-out of reads, which calls with a deadline restore at their end. Default: `None`, for streams
    /// that only such calls give time-outs.
    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    /// Returns the time-out of writes, as [`read_timeout`](Self::read_timeout) does for reads.
    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(None)
    }

    /// Sets `TCP_NODELAY` on a TCP stream: whether small writes leave at once, or wait for the peer to acknowledge
    /// earlier ones. Default: does nothing, for other streams.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        let _ = nodelay;
        Ok(())
    }

    /// Ends what is written, so that the peer reads the end of the stream after all that came before. Reading goes on.
    ///
    /// A TLS stream sends its buffered records and `close_notify` first, and blocks as a flush does. Default: flushes,
    /// for streams that have no such end.
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// The time-outs of a stream, for code that changes and restores them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// The time-out of reads.
    pub read: Option<Duration>,
    /// The time-out of writes.
    pub write: Option<Duration>,
}

impl Timeouts {
    /// Returns the time-outs that are set. A stream that cannot tell has none.
    pub fn of<S: Socket>(stream: &S) -> Self {
        Self {
            read: stream.read_timeout().unwrap_or_default(),
            write: stream.write_timeout().unwrap_or_default(),
        }
    }

    /// Sets both time-outs on a stream.
    pub fn set_on<S: Socket>(self, stream: &S) -> io::Result<()> {
        stream.set_read_timeout(self.read)?;
        stream.set_write_timeout(self.write)
    }
}

/// A socket that can be duplicated, so that one thread reads while another writes.
pub trait Duplicate: Socket + Sized {
    /// Returns a second handle to the same connection. Both share the time-outs.
    fn duplicate(&self) -> io::Result<Self>;

    /// Ends the connection at once, in both directions and for every handle. A call that blocks on it returns.
    fn abort(&self) -> io::Result<()>;
}

macro_rules! implement_for_std_socket {
    ($stream:ty $(, $set_nodelay:item)?) => {
        impl Socket for $stream {
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }

            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                self.read_timeout()
            }

            fn write_timeout(&self) -> io::Result<Option<Duration>> {
                self.write_timeout()
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            $($set_nodelay)?
        }

        impl Duplicate for $stream {
            fn duplicate(&self) -> io::Result<Self> {
                self.try_clone()
            }

            fn abort(&self) -> io::Result<()> {
                self.shutdown(Shutdown::Both)
            }
        }
    };
}

implement_for_std_socket!(
    TcpStream,
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_nodelay(nodelay)
    }
);
#[cfg(unix)]
implement_for_std_socket!(UnixStream);

/// Any stream, as a [`Socket`] that ignores time-outs.
///
/// Deadlines are then checked only between its reads and writes. That is right for in-memory and non-blocking streams,
/// and for those that have time-outs of their own.
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::recorder::{self, Recorder};

    #[test]
    fn reads_and_writes_of_an_untimed_stream_are_its_own() {
        recorder::check_reads_and_writes(Untimed);
    }

    #[test]
    fn stream_without_an_end_of_what_is_written_is_flushed_there() {
        let recorder = Recorder::default();
        Untimed(recorder.clone()).shutdown_write().unwrap();
        assert_eq!(recorder.calls(), ["flush"]);
    }
}
