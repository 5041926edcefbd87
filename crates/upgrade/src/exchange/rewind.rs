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
mod tests {
    use super::Rewind;
    use crate::recorder;

    #[test]
    fn without_leftover_bytes_every_call_is_one_of_the_stream() {
        recorder::check_reads_and_writes(|stream| Rewind::new(stream, Vec::new()));
        recorder::check_options(|stream| Rewind::new(stream, b"left".to_vec()));
    }
}
