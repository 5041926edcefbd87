//! What goes into a message that is transformed while it is written in pieces.

use std::mem;
use std::ops::Range;

use super::Buffers;
use crate::frame::Opcode;
use crate::protocol::{SendError, Utf8};

/// What goes into a message that is transformed.
#[derive(Debug, Default)]
pub(crate) struct Input {
    is_text: bool,
    /// What was read and, in `unread`, not yet transformed.
    pub(super) bytes: Vec<u8>,
    pub(super) unread: Range<usize>,
    /// How much of the message was transformed.
    taken: u64,
    utf8: Utf8,
    /// Whether all of the message was transformed, to its end.
    pub(super) is_ended: bool,
    /// Whether bytes were transformed that are not UTF-8: the message cannot be finished.
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

    /// Where a source is read to.
    pub(crate) fn room(&mut self, buffers: &Buffers, chunk_size: usize) -> &mut [u8] {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take_to_write();
        }
        self.bytes.resize(chunk_size, 0);
        &mut self.bytes
    }

    /// Takes in what a source has put there.
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

    /// Records what was transformed, which only here can be seen to be text.
    pub(crate) fn take(&mut self, taken: &[u8]) -> Result<(), SendError> {
        self.taken += taken.len() as u64;
        if self.is_text {
            self.is_invalid |= self.utf8.push(taken).is_err();
        }
        self.check()
    }

    /// RFC 6455 8.1: what was transformed of a text is UTF-8.
    pub(super) fn check(&self) -> Result<(), SendError> {
        if self.is_invalid {
            return Err(SendError::InvalidUtf8);
        }
        Ok(())
    }

    /// RFC 6455 8.1: a text as a whole is UTF-8.
    pub(super) fn check_whole(&self) -> Result<(), SendError> {
        self.check()?;
        if !self.utf8.is_complete() {
            return Err(SendError::InvalidUtf8);
        }
        Ok(())
    }
}
