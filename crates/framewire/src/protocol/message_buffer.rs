//! Where a message is put together.

use alloc::vec::Vec;
use core::fmt;

/// Holds a message that does not come in one piece, until it is whole.
///
/// Empty it owns no memory. It grows with what has arrived, never with what was announced, and
/// keeps its memory for the next message until [`release`](Self::release).
#[derive(Default)]
pub struct MessageBuffer {
    /// Initialised throughout, so that a read can go straight into what is not filled.
    bytes: Vec<u8>,
    /// How much of `bytes` is the message so far.
    filled: usize,
    /// How many bytes of a control frame that came in pieces stand behind it.
    control: usize,
    /// Whether `filled` bytes were a whole message, which the next one overwrites.
    complete: bool,
}

impl MessageBuffer {
    /// Empty, and without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            filled: 0,
            control: 0,
            complete: false,
        }
    }

    /// Gives the memory back, unless a message or a control frame is under way.
    pub fn release(&mut self) {
        self.rest();
        if self.is_empty() {
            self.bytes = Vec::new();
        }
    }

    /// How many bytes of memory it owns.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether no part of a message or of a control frame is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.control == 0 && (self.filled == 0 || self.complete)
    }

    /// Forgets what was lent: the next event begins.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.complete {
            self.filled = 0;
            self.complete = false;
        }
    }

    pub(crate) fn append(&mut self, piece: &[u8]) {
        self.grow(self.filled + piece.len());
        self.bytes[self.filled..self.filled + piece.len()].copy_from_slice(piece);
        self.filled += piece.len();
    }

    /// The message, which the next one may overwrite.
    pub(crate) fn complete(&mut self) -> &mut [u8] {
        self.complete = true;
        &mut self.bytes[..self.filled]
    }

    pub(crate) fn append_control(&mut self, piece: &[u8]) {
        let start = self.filled + self.control;
        self.grow(start + piece.len());
        self.bytes[start..start + piece.len()].copy_from_slice(piece);
        self.control += piece.len();
    }

    /// The control frame's payload, which is forgotten with the next event.
    pub(crate) fn complete_control(&mut self) -> &mut [u8] {
        let end = self.filled + self.control;
        self.control = 0;
        &mut self.bytes[self.filled..end]
    }

    /// Room behind the message for a read of at most `expected` bytes.
    ///
    /// At least doubles the message each time, and never has more than the message's length or
    /// `step` in reserve, so that a length that was only announced costs nothing.
    #[cfg(feature = "std")]
    pub(crate) fn room(&mut self, expected: u64, step: usize) -> &mut [u8] {
        let reserve = step.max(self.filled).max(self.bytes.len() - self.filled);
        let len = usize::try_from(expected).map_or(reserve, |n| n.min(reserve));
        self.grow(self.filled + len);
        &mut self.bytes[self.filled..self.filled + len]
    }

    /// Takes in what a read has put into the [`room`](Self::room).
    #[cfg(feature = "std")]
    pub(crate) fn fill(&mut self, len: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += len;
        &mut self.bytes[start..start + len]
    }

    /// The message so far, or the one that was lent last.
    #[cfg(feature = "std")]
    pub(crate) fn message(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.filled]
    }

    /// The part of a frame that is held: of a control frame, or of one that is read raw.
    #[cfg(feature = "std")]
    pub(crate) fn held(&self) -> &[u8] {
        &self.bytes[..self.filled + self.control]
    }

    /// Whether a whole message is held, which the next one overwrites.
    #[cfg(feature = "std")]
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Forgets what is held.
    #[cfg(feature = "std")]
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.control = 0;
        self.complete = false;
    }

    /// Forgets what is held, or takes it for the beginning of a control frame.
    #[cfg(feature = "std")]
    pub(crate) fn keep_control(&mut self, is_control: bool) {
        if is_control {
            self.control += self.filled;
            self.filled = 0;
        } else {
            self.clear();
        }
    }

    /// Exchanges the message's memory for that of an empty vector.
    #[cfg(feature = "std")]
    pub(crate) fn swap(&mut self, empty: &mut Vec<u8>) {
        self.bytes.truncate(self.filled);
        core::mem::swap(&mut self.bytes, empty);
        self.filled = 0;
        self.complete = false;
    }

    #[inline]
    fn grow(&mut self, len: usize) {
        if len > self.bytes.len() {
            self.bytes.resize(len, 0);
        }
    }
}

impl fmt::Debug for MessageBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBuffer")
            .field("len", &self.filled)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
