//! The input of a message that is transformed while it is written in pieces.

use std::mem;
use std::ops::Range;

use crate::frame::Opcode;
use crate::pool::Buffers;
use crate::protocol::{SendError, Utf8};

/// The bytes that go into a transformed message.
#[derive(Debug, Default)]
pub(crate) struct Input {
    is_text: bool,
    /// What was read from a source. `unread` is the part that is not yet transformed.
    pub(super) bytes: Vec<u8>,
    pub(super) unread: Range<usize>,
    /// How many bytes of the message were transformed.
    taken: u64,
    utf8: Utf8,
    /// Whether the whole message was transformed, to its end.
    pub(super) is_ended: bool,
    /// Whether bytes that are not UTF-8 were transformed: the message cannot be finished.
    is_invalid: bool,
}

impl Input {
    pub(crate) fn begin(&mut self, opcode: Opcode) {
        *self = Self {
            is_text: opcode == Opcode::Text,
            bytes: mem::take(&mut self.bytes),
            ..Self::default()
        };
    }

    /// Returns the memory that a source is read into.
    pub(crate) fn room(&mut self, buffers: &Buffers, chunk_size: usize) -> &mut [u8] {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take_to_write();
        }
        self.bytes.resize(chunk_size, 0);
        &mut self.bytes
    }

    /// Records that `len` bytes were read into the room.
    pub(crate) fn filled(&mut self, len: usize) {
        self.unread = 0..len;
    }

    pub(crate) fn give_buffer(&mut self, buffers: &Buffers) {
        self.bytes.clear();
        buffers.give_write(&mut self.bytes);
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Records transformed bytes. Only here can it be checked that they are text.
    pub(crate) fn take(&mut self, taken: &[u8]) -> Result<(), SendError> {
        self.taken += taken.len() as u64;
        if self.is_text {
            self.is_invalid |= self.utf8.push(taken).is_err();
        }
        self.check()
    }

    /// Fails where transformed bytes of a text are not UTF-8 (RFC 6455 8.1).
    pub(super) fn check(&self) -> Result<(), SendError> {
        if self.is_invalid {
            return Err(SendError::InvalidUtf8);
        }
        Ok(())
    }

    /// Fails where a text as a whole is not UTF-8 (RFC 6455 8.1).
    pub(super) fn check_whole(&self) -> Result<(), SendError> {
        self.check()?;
        if !self.utf8.is_complete() {
            return Err(SendError::InvalidUtf8);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::BufferPool;

    #[test]
    fn its_memory_is_that_of_the_pool_and_serves_one_message_after_another() {
        let pool = Buffers::Pooled(BufferPool::keeping(1));
        let mut input = Input::default();
        let memory = input.room(&pool, 100).as_ptr();
        input.begin(Opcode::Text);
        assert_eq!(input.bytes.as_ptr(), memory);
        assert_eq!(input.room(&pool, 100).as_ptr(), memory);
        input.give_buffer(&pool);
        assert_eq!(input.bytes.capacity(), 0);
        assert_eq!(input.room(&pool, 100).as_ptr(), memory);
    }

    #[test]
    fn a_text_is_utf8_as_a_whole_and_binary_data_is_anything() {
        let mut input = Input::default();
        input.begin(Opcode::Text);
        input.take(b"\xC3").unwrap();
        assert_eq!(input.check_whole(), Err(SendError::InvalidUtf8));
        input.take(b"\xA9").unwrap();
        assert_eq!((input.check_whole(), input.taken()), (Ok(()), 2));
        assert_eq!(input.take(b"\xA9"), Err(SendError::InvalidUtf8));
        assert_eq!(input.check(), Err(SendError::InvalidUtf8));
        input.begin(Opcode::Binary);
        input.take(b"\xA9").unwrap();
        assert_eq!((input.check_whole(), input.taken()), (Ok(()), 1));
    }
}
