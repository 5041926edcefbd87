//! Bytes on their way from the write buffer to the stream.

use std::io::{self, IoSlice, Write};

use super::Writer;
use crate::error::{Error, would_block};
use crate::frame::MAX_HEADER;
use crate::protocol::reserve;

impl<S: Write> Writer<S> {
    pub(crate) fn flush_stream(&mut self) -> Result<(), Error> {
        loop {
            match self.stream.flush() {
                Ok(()) => {
                    self.unflushed = false;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// Makes the write buffer as large as is needed, but not so that it is given back before that
    /// is needed.
    pub(crate) fn reserve(&mut self, additional: usize) {
        let bound = self.most_kept();
        if self.output.capacity() == 0 {
            self.output = self.buffers.take_to_write();
        }
        reserve(&mut self.output, additional, bound);
    }

    /// The most that the write buffer keeps when it is empty.
    pub(crate) fn most_kept(&self) -> usize {
        self.write_buffer() + MAX_HEADER + self.chunk_size()
    }

    /// Writes what waits and then `tail`, all of which the connection has taken: what the stream
    /// does not take now is kept for later.
    pub(crate) fn write_taken(&mut self, mut tail: &[u8]) -> Result<(), Error> {
        match self.write_out(&mut tail) {
            Err(error) if error.is_would_block() => {
                self.keep(tail);
                Ok(())
            }
            result => result,
        }
    }

    /// Writes what waits and then `tail`, of which is left what the stream has not taken.
    pub(crate) fn write_out(&mut self, tail: &mut &[u8]) -> Result<(), Error> {
        while self.pending() > 0 || !tail.is_empty() {
            match self.write_once(tail) {
                Ok(from_tail) => *tail = &tail[from_tail..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
        self.drained();
        Ok(())
    }

    /// Writes some of what waits, with one call. Says whether anything waits still.
    pub(crate) fn write_some(&mut self) -> Result<bool, Error> {
        self.check_failed()?;
        self.write_reply();
        if self.pending() > 0 {
            match self.write_once(&[]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
        if self.pending() == 0 {
            self.drained();
            self.flush_stream()?;
        }
        Ok(self.has_pending_output())
    }

    /// Writes with one call, and says how much of `tail` that took.
    fn write_once(&mut self, tail: &[u8]) -> io::Result<usize> {
        let waiting = &self.output[self.written..];
        let len = if tail.is_empty() {
            self.stream.write(waiting)
        } else if waiting.is_empty() {
            self.stream.write(tail)
        } else {
            let slices = [IoSlice::new(waiting), IoSlice::new(tail)];
            self.stream.write_vectored(&slices)
        }?;
        if len == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let from_output = len.min(self.pending());
        self.written += from_output;
        self.unflushed = true;
        Ok(len - from_output)
    }

    /// Nothing waits: what a stall made grow over the bound is given back.
    fn drained(&mut self) {
        self.stalled = false;
        self.written = 0;
        self.output.clear();
        if self.output.capacity() > self.most_kept() {
            self.output = Vec::new();
        }
        self.buffers.give_write(&mut self.output);
    }

    /// Keeps what the stream has not taken for the next time.
    pub(crate) fn keep(&mut self, tail: &[u8]) {
        self.output.extend_from_slice(tail);
    }

    pub(crate) fn fail(&mut self, error: io::Error) -> Error {
        if would_block(&error) {
            self.stalled = true;
            // What was written goes once it is half of the buffer: each byte is moved once or never.
            if self.written >= self.pending() {
                self.output.drain(..self.written);
                self.written = 0;
            }
        } else {
            self.failed = Some(error.kind());
            self.in_frame = None;
            #[cfg(feature = "deflate")]
            self.sender.end_compression();
            self.output = Vec::new();
            self.written = 0;
        }
        error.into()
    }
}
