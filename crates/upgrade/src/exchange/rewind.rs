//! A stream with bytes in front of it.

use crate::Socket;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::time::Duration;

/// A stream that returns leftover bytes first, and then reads from `S`.
///
/// While bytes are left over, a read returns only those and never blocks. The last of them frees their memory. Writes
/// and time-outs go straight to `S`.
#[derive(Debug, Clone)]
pub struct Rewind<S> {
    stream: S,
    leftover: Vec<u8>,
    /// How many bytes of `leftover` were read.
    read: usize,
}

impl<S> Rewind<S> {
    /// Creates a stream that reads `leftover` before anything from `stream`.
    pub fn new(stream: S, leftover: Vec<u8>) -> Self {
        Self {
            stream,
            leftover,
            read: 0,
        }
    }

    /// Returns the stream, and the bytes that are still to be read before it.
    pub fn into_parts(mut self) -> (S, Vec<u8>) {
        self.leftover.drain(..self.read);
        (self.stream, self.leftover)
    }

    /// Returns the bytes that are still to be read before the stream.
    pub fn leftover(&self) -> &[u8] {
        &self.leftover[self.read..]
    }

    /// Returns the stream. Reading from it directly passes over the leftover bytes.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream. Reading from it directly passes over the leftover bytes.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.read += count;
        if self.read == self.leftover.len() {
            self.leftover = Vec::new();
            self.read = 0;
        }
    }
}

impl<S: Read> Read for Rewind<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.leftover().is_empty() {
            return self.stream.read(buf);
        }
        let count = self.leftover().read(buf)?;
        self.advance(count);
        Ok(count)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if self.leftover().is_empty() {
            return self.stream.read_vectored(bufs);
        }
        let count = self.leftover().read_vectored(bufs)?;
        self.advance(count);
        Ok(count)
    }
}

impl<S: Write> Write for Rewind<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Socket> Socket for Rewind<S> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.stream.read_timeout()
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.stream.write_timeout()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.stream.set_nodelay(nodelay)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// A stream that remembers what was asked of it.
    #[derive(Default)]
    struct Asked {
        flushes: usize,
        timeouts: RefCell<[Option<Duration>; 2]>,
        nodelay: Cell<bool>,
    }

    impl Read for Asked {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }

    impl Write for Asked {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes += 1;
            Ok(())
        }
    }

    impl Socket for Asked {
        fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            self.timeouts.borrow_mut()[0] = timeout;
            Ok(())
        }

        fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            self.timeouts.borrow_mut()[1] = timeout;
            Ok(())
        }

        fn read_timeout(&self) -> io::Result<Option<Duration>> {
            Ok(self.timeouts.borrow()[0])
        }

        fn write_timeout(&self) -> io::Result<Option<Duration>> {
            Ok(self.timeouts.borrow()[1])
        }

        fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
            self.nodelay.set(nodelay);
            Ok(())
        }
    }

    #[test]
    fn flushes_time_outs_and_delays_are_those_of_the_stream() {
        let mut rewind = Rewind::new(Asked::default(), b"left".to_vec());
        rewind.flush().unwrap();
        assert_eq!(rewind.get_ref().flushes, 1);
        assert_eq!(rewind.read_timeout().unwrap(), None);
        assert_eq!(rewind.write_timeout().unwrap(), None);
        let [read, write] = [1, 2].map(|seconds| Some(Duration::from_secs(seconds)));
        rewind.set_read_timeout(read).unwrap();
        rewind.set_write_timeout(write).unwrap();
        assert_eq!(*rewind.get_ref().timeouts.borrow(), [read, write]);
        assert_eq!(rewind.read_timeout().unwrap(), read);
        assert_eq!(rewind.write_timeout().unwrap(), write);
        rewind.set_nodelay(true).unwrap();
        assert!(rewind.get_ref().nodelay.get());
        assert_eq!(rewind.leftover(), b"left");
    }
}
