//! The fragment that is being filled of a message that is written in pieces.

use super::Buffers;
use super::encoder_input::Input;
use crate::frame::{Header, MAX_HEADER, Opcode, mask};
use crate::protocol::LEAST_ROOM;

/// One chunk of payload, what comes after it to know that something does, and room for the header
/// in front: a fragment is read into its place and written from there.
#[derive(Debug, Default)]
pub struct Fragment {
    /// The header ends, and the payload begins, at `MAX_HEADER`.
    bytes: Vec<u8>,
    pub(super) filled: usize,
    /// 0 in a fragment that is only memory.
    pub(super) chunk_size: usize,
    /// How much of the message has been sent.
    pub(super) sent: u64,
    /// How much has to be there after the chunk before that is sent.
    lookahead: usize,
    /// What goes into a message that is transformed, while `bytes` is what comes out. Kept for the next.
    pub(super) input: Input,
    /// Whether it is transformed.
    pub(super) is_encoded: bool,
}

impl Fragment {
    /// Begins a message. A chunk is sent once `lookahead` bytes more are there, and there is always
    /// room for as many.
    pub(crate) fn open(&mut self, chunk_size: usize, lookahead: usize) {
        self.bytes
            .resize(MAX_HEADER + chunk_size + 2 * lookahead - 1, 0);
        self.filled = 0;
        self.chunk_size = chunk_size;
        self.lookahead = lookahead;
        self.is_encoded = false;
        self.sent = 0;
    }

    /// Begins a message that is transformed.
    pub(crate) fn open_encoded(&mut self, opcode: Opcode, chunk_size: usize) {
        self.open(chunk_size, LEAST_ROOM);
        self.input.begin(opcode);
        self.is_encoded = true;
    }

    /// Where a source is read to, once there is [room](Self::make_room).
    pub(crate) fn source_room(&mut self, buffers: &Buffers) -> &mut [u8] {
        if self.is_encoded {
            return self.input.room(buffers, self.chunk_size);
        }
        self.room()
    }

    /// Takes in what a source has put there.
    pub(crate) fn source_filled(&mut self, len: usize) {
        if self.is_encoded {
            self.input.filled(len);
            return;
        }
        self.filled += len;
    }

    /// Takes the memory for a message, unless it was kept.
    pub(crate) fn take_buffers(&mut self, buffers: &Buffers) {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take_to_write();
        }
    }

    /// Gives the memory back that no message needs, unless it is to be kept.
    pub(crate) fn give_buffers(&mut self, buffers: &Buffers) {
        if buffers.are_pooled() {
            self.bytes.clear();
            buffers.give_write(&mut self.bytes);
            self.input.give_buffer(buffers);
        }
    }

    /// Whether it is that of a message that is open.
    pub(crate) fn is_open(&self) -> bool {
        self.chunk_size > 0
    }

    /// Whether a whole chunk is there, and what must come after it.
    pub(crate) fn is_full(&self) -> bool {
        self.filled >= self.chunk_size + self.lookahead
    }

    /// Whether nothing is there.
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

    /// The frame as it goes on the wire. Masks the payload where it lies.
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

    /// The fragment has been taken: what is there after it, if anything, begins the next.
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
