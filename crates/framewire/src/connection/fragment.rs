//! The fragment that is being filled, of a message that is written in pieces.

use super::encoder_input::Input;
use crate::frame::{Header, MAX_HEADER, Opcode, mask};
use crate::pool::Buffers;
use crate::protocol::LEAST_ROOM;

/// One chunk of payload, the bytes behind it that show that the message goes on, and room for the header in front. A
/// fragment is filled and written in this memory, without another copy.
#[derive(Debug, Default)]
pub struct Fragment {
    /// The header ends, and the payload begins, at `MAX_HEADER`.
    bytes: Vec<u8>,
    pub(super) filled: usize,
    /// 0 while no message is open: the fragment is only memory then.
    pub(super) chunk_size: usize,
    /// How many bytes of the message have been sent.
    pub(super) sent: u64,
    /// How many bytes must follow a chunk before it is sent.
    lookahead: usize,
    /// What goes into a transformed message; `bytes` is what comes out. Its memory serves the next message too.
    pub(super) input: Input,
    /// Whether the message is transformed.
    pub(super) is_encoded: bool,
}

impl Fragment {
    /// Begins a message. A chunk is sent once `lookahead` more bytes are there, and there is always room for that
    /// many.
    pub(crate) fn open(&mut self, chunk_size: usize, lookahead: usize) {
        self.bytes
            .resize(MAX_HEADER + chunk_size + 2 * lookahead - 1, 0);
        self.filled = 0;
        self.chunk_size = chunk_size;
        self.lookahead = lookahead;
        self.is_encoded = false;
        self.sent = 0;
    }

    /// Begins a transformed message.
    pub(crate) fn open_encoded(&mut self, opcode: Opcode, chunk_size: usize) {
        self.open(chunk_size, LEAST_ROOM);
        self.input.begin(opcode);
        self.is_encoded = true;
    }

    /// Returns the memory that a source is read into, once there is [room](Self::make_room).
    pub(crate) fn source_room(&mut self, buffers: &Buffers) -> &mut [u8] {
        if self.is_encoded {
            return self.input.room(buffers, self.chunk_size);
        }
        self.room()
    }

    /// Records that a source filled `len` bytes of it.
    pub(crate) fn source_filled(&mut self, len: usize) {
        if self.is_encoded {
            self.input.filled(len);
            return;
        }
        self.filled += len;
    }

    /// Takes the memory for a message, unless the fragment still has it.
    pub(crate) fn take_buffers(&mut self, buffers: &Buffers) {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take_to_write();
        }
    }

    /// Gives memory that no message needs back to the pool, if there is one.
    pub(crate) fn give_buffers(&mut self, buffers: &Buffers) {
        if buffers.are_pooled() {
            self.bytes.clear();
            buffers.give_write(&mut self.bytes);
            self.input.give_buffer(buffers);
        }
    }

    /// Returns whether its message is open.
    pub(crate) fn is_open(&self) -> bool {
        self.chunk_size > 0
    }

    /// Returns whether a whole chunk is there, and the bytes that must follow it.
    pub(crate) fn is_full(&self) -> bool {
        self.filled >= self.chunk_size + self.lookahead
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[MAX_HEADER + self.filled..]
    }

    pub(crate) fn fill(&mut self, len: usize) {
        self.filled += len;
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[MAX_HEADER..MAX_HEADER + self.len()]
    }

    /// Returns the frame as it goes on the wire. Masks the payload in place.
    pub(crate) fn frame(&mut self, header: &Header) -> &[u8] {
        let end = MAX_HEADER + self.len();
        if let Some(key) = header.mask() {
            mask::apply(&mut self.bytes[MAX_HEADER..end], key, 0);
        }
        let mut encoded = [0; MAX_HEADER];
        let len = header.encode(&mut encoded);
        let start = MAX_HEADER - len;
        self.bytes[start..MAX_HEADER].copy_from_slice(&encoded[..len]);
        &self.bytes[start..end]
    }

    /// Begins the next fragment with the bytes behind this one, which was sent or buffered.
    pub(crate) fn advance(&mut self) {
        let len = self.len();
        self.sent += len as u64;
        let rest = MAX_HEADER + len..MAX_HEADER + self.filled;
        self.bytes.copy_within(rest, MAX_HEADER);
        self.filled -= len;
    }

    fn len(&self) -> usize {
        self.filled.min(self.chunk_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::BufferPool;

    #[test]
    fn until_it_is_full_there_is_room_for_as_many_bytes_as_must_follow_a_chunk() {
        for lookahead in [1, LEAST_ROOM] {
            let mut fragment = Fragment::default();
            fragment.open(100, lookahead);
            fragment.fill(100 + lookahead - 1);
            assert!(!fragment.is_full());
            assert_eq!(fragment.room().len(), lookahead);
            fragment.fill(lookahead);
            assert!(fragment.is_full());
        }
    }

    #[test]
    fn its_memory_comes_from_the_pool_and_goes_back_there() {
        let buffers = Buffers::Pooled(BufferPool::keeping(1));
        let mut fragment = Fragment::default();
        fragment.take_buffers(&buffers);
        fragment.open(100, 1);
        let memory = fragment.payload().as_ptr();
        // It still has memory, and takes no other.
        fragment.take_buffers(&buffers);
        fragment.open(100, 1);
        assert_eq!(fragment.payload().as_ptr(), memory);
        fragment.give_buffers(&buffers);
        assert_eq!(fragment.bytes.capacity(), 0);
        fragment.take_buffers(&buffers);
        fragment.open(100, 1);
        assert_eq!(fragment.payload().as_ptr(), memory);
    }

    #[test]
    fn memory_that_is_not_pooled_stays_for_the_next_message() {
        let mut fragment = Fragment::default();
        fragment.take_buffers(&Buffers::Kept);
        fragment.open(100, 1);
        fragment.give_buffers(&Buffers::Kept);
        assert!(fragment.bytes.capacity() > 100);
    }
}
