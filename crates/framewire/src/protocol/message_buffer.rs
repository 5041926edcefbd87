//! The memory in which messages are assembled.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use crate::frame::ControlPayload;

/// Memory for a message that arrives in more than one piece, and for a control frame that does and may come in
/// between.
///
/// An empty one owns no memory. It grows with what has arrived, never with what was announced, and keeps its memory
/// for the next message until [`release`](Self::release).
#[derive(Default)]
pub struct MessageBuffer {
    /// Initialised throughout, so that a read can go straight into the part that is not filled.
    bytes: Vec<u8>,
    /// How many of the `bytes` are the message so far.
    filled: usize,
    /// Whether these bytes are a whole message, which the next one overwrites.
    complete: bool,
    /// Whether `control` is the beginning of a frame.
    in_control: bool,
    control: Option<Box<ControlPayload>>,
}

impl MessageBuffer {
    /// Creates an empty buffer, without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            filled: 0,
            complete: false,
            in_control: false,
            control: None,
        }
    }

    /// Gives the memory back, unless a message or a control frame is under way.
    pub fn release(&mut self) {
        drop(self.take_memory());
    }

    /// Returns how many bytes of memory the buffer owns.
    #[must_use]
    pub fn capacity(&self) -> usize {
        let control = self
            .control
            .as_ref()
            .map_or(0, |_| size_of::<ControlPayload>());
        self.bytes.capacity() + control
    }

    /// Returns whether no part of a message or of a control frame is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.in_control && (self.filled == 0 || self.complete)
    }

    /// As [`release`](Self::release), but returns the message's memory.
    pub(crate) fn take_memory(&mut self) -> Vec<u8> {
        self.rest();
        if !self.in_control {
            self.control = None;
        }
        if self.filled == 0 {
            mem::take(&mut self.bytes)
        } else {
            Vec::new()
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn has_memory(&self) -> bool {
        self.bytes.capacity() > 0
    }

    /// Takes memory for the next message, whatever is in it. The buffer must have none.
    #[cfg(feature = "std")]
    pub(crate) fn lend(&mut self, memory: Vec<u8>) {
        self.bytes = memory;
    }

    /// Forgets the whole message that was lent: the next event begins.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.complete {
            self.forget();
        }
    }

    /// Forgets what is held of a message.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.filled = 0;
        self.complete = false;
    }

    pub(crate) fn append(&mut self, piece: &[u8]) {
        let end = self.filled + piece.len();
        self.grow(end);
        self.bytes[self.filled..end].copy_from_slice(piece);
        self.filled = end;
    }

    /// Marks the message as whole and returns it. The next one may overwrite it.
    pub(crate) fn complete(&mut self) -> &mut [u8] {
        self.complete = true;
        &mut self.bytes[..self.filled]
    }

    /// Appends a piece of a control frame.
    #[cold]
    pub(crate) fn append_control(&mut self, piece: &[u8], last: bool) {
        let control = self.control.get_or_insert_default();
        if !self.in_control {
            control.clear();
        }
        // It fits: by its header the frame has 125 bytes at most.
        control.extend(piece);
        self.in_control = !last;
    }

    /// Returns the control frame that was completed last.
    pub(crate) fn control(&mut self) -> &mut [u8] {
        match &mut self.control {
            Some(control) => control.as_mut_slice(),
            None => &mut [],
        }
    }

    /// Returns room behind the message for a read of at most `expected` bytes.
    ///
    /// The reserve is never larger than the message so far or, where that is larger, `step`: a length that was only
    /// announced costs nothing. It grows only where less than half of `step` is left, so that reads of any size cost
    /// linear work, whatever the allocator.
    pub(crate) fn room(&mut self, expected: u64, step: usize) -> &mut [u8] {
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        let spare = self.bytes.len() - self.filled;
        let reserve = if spare >= expected.min(step.div_ceil(2)) {
            spare
        } else {
            step.max(self.filled)
        };
        let len = expected.min(reserve);
        self.grow(self.filled + len);
        &mut self.bytes[self.filled..self.filled + len]
    }

    /// Records that `len` bytes were read into the [`room`](Self::room), and returns them.
    pub(crate) fn fill(&mut self, len: usize) -> &mut [u8] {
        let start = self.filled;
        self.filled += len;
        &mut self.bytes[start..start + len]
    }

    /// Returns the message so far, or the one that was lent last.
    #[cfg(feature = "std")]
    pub(crate) fn message(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.filled]
    }

    /// Returns whether a whole message is held, which the next one overwrites.
    #[cfg(feature = "std")]
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Exchanges the message's memory for that of an empty vector.
    #[cfg(feature = "std")]
    pub(crate) fn swap(&mut self, empty: &mut Vec<u8>) {
        self.bytes.truncate(self.filled);
        mem::swap(&mut self.bytes, empty);
        self.forget();
    }

    #[inline]
    fn grow(&mut self, len: usize) {
        if len > self.bytes.capacity() {
            // At most twice what has arrived: `Vec` would double that once more.
            let capacity = len.max(2 * self.filled);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
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
