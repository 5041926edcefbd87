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
    /// Where in the `bytes` a message begins.
    start: usize,
    /// How many of the `bytes` from there are the message so far.
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
            start: 0,
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
            self.start = 0;
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
        self.start = lead(&memory);
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
        self.room_for(piece.len()).copy_from_slice(piece);
        self.filled += piece.len();
    }

    /// Marks the message as whole and returns it. The next one may overwrite it.
    pub(crate) fn complete(&mut self) -> &mut [u8] {
        self.complete = true;
        let end = self.end();
        &mut self.bytes[self.start..end]
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
    /// What is added for it is never larger than the message so far or, where that is larger, `step`: a length that
    /// was only announced costs nothing. It grows only where less than half of `step` is left, so that reads of any
    /// size cost linear work, whatever the allocator.
    pub(crate) fn room(&mut self, expected: u64, step: usize) -> &mut [u8] {
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        let spare = self.bytes.len().saturating_sub(LEAD + self.filled);
        let reserve = if spare >= expected.min(step.div_ceil(2)) {
            spare
        } else {
            step.max(self.filled)
        };
        self.room_for(expected.min(reserve))
    }

    /// Records that `len` bytes were read into the [`room`](Self::room), and returns them.
    pub(crate) fn fill(&mut self, len: usize) -> &mut [u8] {
        let start = self.end();
        self.filled += len;
        &mut self.bytes[start..start + len]
    }

    /// Returns the message so far, or the one that was lent last.
    #[cfg(feature = "std")]
    pub(crate) fn message(&mut self) -> &mut [u8] {
        let end = self.end();
        &mut self.bytes[self.start..end]
    }

    /// Returns whether a whole message is held, which the next one overwrites.
    #[cfg(feature = "std")]
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Exchanges the message's memory for that of an empty vector.
    #[cfg(feature = "std")]
    pub(crate) fn swap(&mut self, empty: &mut Vec<u8>) {
        self.bytes.truncate(self.end());
        self.bytes.drain(..self.start);
        mem::swap(&mut self.bytes, empty);
        self.start = lead(&self.bytes);
        self.forget();
    }

    /// Returns where in the `bytes` the message so far ends.
    const fn end(&self) -> usize {
        self.start + self.filled
    }

    /// Returns room for `len` bytes behind the message.
    ///
    /// Memory counts as if every message began after [`LEAD`] bytes, so that how much is read at once does not depend
    /// on where the allocator puts it.
    #[inline]
    fn room_for(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() < LEAD + self.filled + len && len > 0 {
            self.grow(len);
        }
        let end = self.end();
        &mut self.bytes[end..end + len]
    }

    /// Makes room for `additional` bytes behind the message.
    fn grow(&mut self, additional: usize) {
        let needed = LEAD + self.filled + additional;
        if needed > self.bytes.capacity() {
            // At most twice what has arrived: `Vec` would double that once more.
            let capacity = needed.max(2 * self.filled);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.resize(needed, 0);
        let start = lead(&self.bytes);
        if start != self.start {
            let end = self.end();
            self.bytes.copy_within(self.start..end, start);
            self.start = start;
        }
    }
}

/// Returns where in its memory a message begins.
///
/// Some processors copy 16 to 60 times slower where the destination lies 1 to 15 bytes behind the source modulo 4 KiB.
/// What arrives over loopback or a Unix socket often begins a page, and its payload is behind a header of 2 to 14
/// bytes; glibc puts long allocations 16 bytes behind the start of a page.
fn lead(memory: &[u8]) -> usize {
    if memory.len() >= LEAD && memory.as_ptr().addr() % PAGE == LEAD {
        LEAD
    } else {
        0
    }
}

const PAGE: usize = 4 << 10;
const LEAD: usize = 16;

impl fmt::Debug for MessageBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBuffer")
            .field("len", &self.filled)
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads as a connection does, and fills the room with numbers.
    fn read(message: &mut MessageBuffer, len: usize) {
        let mut left = len;
        while left > 0 {
            let room = message.room(left as u64, 16 << 10);
            let at = room.len();
            room.fill(u8::try_from(left % 251).expect("less than 251"));
            message.fill(at);
            left -= at;
        }
    }

    #[test]
    fn a_long_message_lies_where_a_read_is_fast() {
        let mut message = MessageBuffer::new();
        // glibc puts the longer ones at the start of a page.
        for len in [100, 16 << 10, 200_000, 1 << 20, 3 << 20] {
            read(&mut message, len);
            let place = message.complete().as_ptr().addr();
            for header in 2..=14 {
                let distance = place.wrapping_sub(header) % PAGE;
                assert!(!(1..16).contains(&distance), "{len}, {header}: {distance}");
            }
            message.rest();
        }
    }

    /// glibc puts long memory where a message begins 16 bytes later, and short memory seldom.
    #[cfg(feature = "std")]
    #[test]
    fn how_much_is_read_at_once_does_not_depend_on_where_memory_lies() {
        for len in [100, 4 << 10, 1 << 20] {
            let mut message = MessageBuffer::new();
            message.lend(vec![0; len]);
            let room = message.room(u64::MAX, len).len();
            assert_eq!((room, message.capacity()), (len - LEAD, len));
        }
    }

    /// glibc puts so long a piece of memory where a message would begin 16 bytes later.
    #[cfg(feature = "std")]
    #[test]
    fn memory_that_is_lent_empty_is_used_from_its_beginning() {
        let mut message = MessageBuffer::new();
        let mut memory = Vec::with_capacity(1 << 20);
        message.swap(&mut memory);
        assert!(!message.room(100, 16 << 10).is_empty());
        message.append(b"message");
        message.swap(&mut memory);
        assert_eq!(memory, b"message");
        assert!(memory.capacity() >= 1 << 20);
    }

    #[cfg(feature = "std")]
    #[test]
    fn what_has_arrived_stays_the_same_while_the_memory_grows() {
        let mut message = MessageBuffer::new();
        let mut expected = Vec::new();
        for number in 0..1000_u32 {
            let piece = number.to_be_bytes().repeat(number as usize % 700);
            message.append(&piece);
            expected.extend(piece);
        }
        assert_eq!(message.complete(), expected);
        let mut moved = Vec::new();
        message.swap(&mut moved);
        assert_eq!(moved, expected);
        assert!(message.is_empty());
    }

    #[cfg(feature = "std")]
    #[test]
    fn it_keeps_its_memory_until_that_is_released() {
        let mut message = MessageBuffer::new();
        assert!(message.is_empty() && !message.has_memory());
        assert_eq!(message.capacity(), 0);
        message.append(&[1; 100]);
        assert!(format!("{message:?}").contains("len: 100"));
        // Not while the message is under way.
        message.release();
        assert!(!message.is_empty() && !message.is_complete());
        assert_eq!(message.message(), [1; 100]);
        assert_eq!(message.complete(), [1; 100]);
        assert!(message.is_empty() && message.is_complete());
        message.rest();
        assert!(message.message().is_empty() && message.has_memory());
        message.append(&[2]);
        assert_eq!(message.complete(), [2]);
        let memory = message.take_memory();
        assert!(memory.len() >= 100);
        assert_eq!(message.capacity(), 0);
        let memory = vec![0; 500];
        let capacity = memory.capacity();
        message.lend(memory);
        message.append(&[3; 100]);
        assert_eq!(message.capacity(), capacity);
        message.complete();
        message.release();
        assert_eq!(message.capacity(), 0);
    }

    #[test]
    fn a_control_frame_has_a_place_of_its_own() {
        let mut message = MessageBuffer::new();
        assert!(message.control().is_empty());
        message.append_control(&[1], false);
        assert!(!message.is_empty());
        message.release();
        message.append_control(&[2], true);
        assert_eq!(message.control(), [1, 2]);
        assert!(message.is_empty());
        message.append_control(&[3], true);
        assert_eq!(message.control(), [3]);
        message.append(&[4]);
        let bytes = message.bytes.capacity();
        assert_eq!(message.capacity(), bytes + size_of::<ControlPayload>());
        message.complete();
        message.release();
        assert_eq!(message.capacity(), 0);
    }

    #[test]
    fn a_read_has_a_step_of_room_or_as_much_as_has_come() {
        let mut message = MessageBuffer::new();
        assert_eq!(message.room(1 << 20, 4096).len(), 4096);
        assert_eq!(message.fill(4096).len(), 4096);
        assert_eq!(message.room(1 << 20, 4096).len(), 4096);
        assert_eq!(message.fill(4096).len(), 4096);
        assert_eq!(message.room(1 << 20, 4096).len(), 8192);
        assert_eq!(message.room(10, 4096).len(), 10);
    }

    #[test]
    fn memory_doubles_where_it_is_used_up() {
        let mut message = MessageBuffer::new();
        message.append(&[0; 1000]);
        assert_eq!(message.capacity(), LEAD + 1000);
        // Twice what has come, not twice what there was room for.
        message.append(&[0; 100]);
        assert_eq!(message.capacity(), 2000);
        message.append(&[0; 2000 - LEAD - 1100]);
        assert_eq!(message.capacity(), 2000);
        message.append(&[0; 1]);
        assert_eq!(message.capacity(), 2 * (2000 - LEAD));
    }
}
