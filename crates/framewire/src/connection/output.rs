//! Bytes on their way from the write buffer to the stream.

use std::io;
use std::mem;
use std::task::Poll;

use super::Outbound;
use super::closing::Step;
use super::stage::Unsent;
use crate::error::{Error, would_block};
use crate::frame::MAX_HEADER;
use crate::protocol::{append_payload, reserve};

impl Outbound {
    /// Returns the bytes to write next, in two pieces: the write buffer, and payload in the caller's memory. `None`
    /// once all of `unsent` was written or is in the write buffer.
    ///
    /// [`wrote`](Self::wrote) takes the result of the write.
    pub(crate) fn next_write<'a>(
        &'a mut self,
        unsent: &'a mut Unsent<'_>,
    ) -> Result<Option<[&'a [u8]; 2]>, Error> {
        self.check_failed()?;
        let is_done = match unsent {
            Unsent::Nothing => return Ok(None),
            Unsent::Plain(payload) => payload.is_empty() && self.buffered() == 0,
            Unsent::Masked {
                header,
                payload,
                done,
            } => {
                if self.buffered() == 0 {
                    self.clear_output();
                }
                // The header leaves with the first piece of payload.
                if *done == 0 || self.buffered() == 0 {
                    // Each write masks as much as the write buffer holds.
                    let most = self.write_buffer().max(self.chunk_size());
                    let chunk = &payload[*done..payload.len().min(*done + most)];
                    self.reserve(chunk.len());
                    append_payload(header, chunk, *done as u64, &mut self.output);
                    *done += chunk.len();
                }
                self.buffered() == 0
            }
            Unsent::Encoded { opcode, payload } => {
                if self.buffered() == 0 {
                    self.clear_output();
                }
                self.buffered() == 0
                    && self.append_encoded(*opcode, payload, self.most_retained())?
            }
        };
        if is_done {
            if self.buffered() == 0 {
                self.clear_output();
            }
            *unsent = Unsent::Nothing;
            self.in_frame = None;
            self.in_encoded = None;
            return Ok(None);
        }
        let payload = match unsent {
            Unsent::Plain(payload) => *payload,
            _ => &[],
        };
        Ok(Some([&self.output[self.written..], payload]))
    }

    /// Returns the bytes of the write buffer to write next; `None` where none wait.
    pub(crate) fn staged(&mut self) -> Result<Option<&[u8]>, Error> {
        self.check_failed()?;
        if self.buffered() == 0 {
            self.clear_output();
            return Ok(None);
        }
        Ok(Some(&self.output[self.written..]))
    }

    /// As [`staged`](Self::staged), with the queued reply, if any.
    pub(crate) fn staged_with_reply(&mut self) -> Result<Option<&[u8]>, Error> {
        self.check_failed()?;
        let replied = self.stage_reply();
        if self.buffered() == 0 {
            replied?;
        }
        self.staged()
    }

    /// Records the result of writing the bytes that were returned last.
    #[inline]
    pub(crate) fn wrote(
        &mut self,
        written: io::Result<usize>,
        unsent: &mut Unsent<'_>,
    ) -> Result<(), Error> {
        match written {
            Ok(0) => Err(self.fail(io::ErrorKind::WriteZero.into())),
            Ok(len) => {
                let from_output = len.min(self.buffered());
                self.written += from_output;
                self.unflushed = true;
                if let Unsent::Plain(payload) = unsent {
                    *payload = &payload[len - from_output..];
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Returns whether nothing is left to write, and records that.
    #[inline]
    pub(crate) fn end_write(&mut self) -> bool {
        let is_done = self.buffered() == 0 && !self.sender.has_reply();
        if is_done {
            self.clear_output();
        }
        is_done
    }

    /// As [`wrote`](Self::wrote), for a stream that may be pending.
    #[inline]
    pub(crate) fn polled_write(
        &mut self,
        written: Poll<io::Result<usize>>,
        unsent: &mut Unsent<'_>,
    ) -> Poll<Result<(), Error>> {
        match written {
            Poll::Ready(written) => Poll::Ready(self.wrote(written, unsent)),
            Poll::Pending => {
                self.stall();
                Poll::Pending
            }
        }
    }

    /// As [`flushed`](Self::flushed), for a stream that may be pending.
    #[inline]
    pub(crate) fn polled_flush(
        &mut self,
        flushed: Poll<io::Result<()>>,
    ) -> Poll<Result<bool, Error>> {
        match flushed {
            Poll::Ready(flushed) => Poll::Ready(self.flushed(flushed)),
            Poll::Pending => {
                self.stall();
                Poll::Pending
            }
        }
    }

    /// Records the result of flushing the stream. `true` where that was interrupted and must be tried again.
    #[inline]
    pub(crate) fn flushed(&mut self, flushed: io::Result<()>) -> Result<bool, Error> {
        match flushed {
            Ok(()) => {
                self.unflushed = false;
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Copies the rest of a frame into the write buffer, however long it is.
    pub(crate) fn buffer_rest(&mut self, unsent: &mut Unsent<'_>) -> Result<(), Error> {
        let unsent = mem::take(unsent);
        if unsent.is_nothing() {
            return Ok(());
        }
        self.check_failed()?;
        self.in_frame = None;
        match unsent {
            Unsent::Nothing => {}
            Unsent::Plain(payload) => self.append_raw(payload),
            Unsent::Masked {
                header,
                payload,
                done,
            } => {
                let rest = &payload[done..];
                self.reserve(rest.len());
                append_payload(&header, rest, done as u64, &mut self.output);
            }
            Unsent::Encoded {
                opcode,
                mut payload,
            } => {
                while !self.append_encoded(opcode, &mut payload, usize::MAX)? {}
                self.in_encoded = None;
            }
        }
        Ok(())
    }

    /// Appends bytes to the write buffer as they are.
    pub(super) fn append_raw(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.output.extend_from_slice(bytes);
    }

    /// Makes room for `additional` more bytes. The capacity does not grow past [`most_retained`](Self::most_retained),
    /// over which it would be freed, before that is necessary.
    #[inline]
    pub(super) fn reserve(&mut self, additional: usize) {
        if self.output.capacity() - self.output.len() < additional {
            self.grow(additional);
        }
    }

    fn grow(&mut self, additional: usize) {
        let bound = self.most_retained();
        if self.output.capacity() == 0 {
            self.output = self.buffers.take_to_write();
        }
        self.forget_written();
        reserve(&mut self.output, additional, bound);
    }

    /// Returns the largest capacity that an empty write buffer retains.
    pub(super) fn most_retained(&self) -> usize {
        self.write_buffer() + MAX_HEADER + self.chunk_size()
    }

    /// Records that nothing waits. Frees a write buffer that a stall made grow over the bound.
    fn clear_output(&mut self) {
        self.stalled = false;
        self.written = 0;
        self.output.clear();
        if self.output.capacity() > self.most_retained() {
            self.output = Vec::new();
        }
        if !self.retains_buffer {
            self.buffers.give_write(&mut self.output);
        }
    }

    /// Sets whether an empty write buffer is not given back: a read may find something to answer next.
    pub(crate) fn retain_buffer(&mut self, keep: bool) {
        self.retains_buffer = keep;
    }

    /// Gives the write buffer back if it is empty.
    pub(crate) fn rest(&mut self) {
        self.sender.rest();
        if self.buffered() == 0 {
            self.written = 0;
            self.output.clear();
            self.buffers.give_write(&mut self.output);
        }
    }

    /// Records that the stream has failed or would block.
    pub(crate) fn fail(&mut self, error: io::Error) -> Error {
        if would_block(&error) {
            self.stall();
        } else {
            self.closing.record(Step::Failed(error.kind()));
            self.in_frame = None;
            self.sender.end_encoding();
            self.output = Vec::new();
            self.written = 0;
        }
        error.into()
    }

    /// Records that the stream would block.
    fn stall(&mut self) {
        self.stalled = true;
        self.forget_written();
    }

    /// Removes the bytes that were written once they are half of the buffer: each byte is moved once at most.
    fn forget_written(&mut self) {
        if self.written >= self.buffered() {
            self.output.drain(..self.written);
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests;
