//! The fragment of a streamed message that is being filled.

use crate::frame::{Header, MAX_HEADER, Opcode, Rsv, mask};

/// One chunk of payload, one byte more to know whether another follows, and room for the header in
/// front: a fragment is read into its place and written from there.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    /// The header ends, and the payload begins, at `MAX_HEADER`.
    bytes: Vec<u8>,
    filled: usize,
    chunk_size: usize,
    /// The message that is open, from before its first fragment until after its last.
    message: Option<(Opcode, Rsv)>,
    /// How much of the message has been sent.
    sent: u64,
    /// Whether a fragment has been sent.
    started: bool,
}

impl Fragment {
    pub(super) fn open(&mut self, opcode: Opcode, rsv: Rsv, chunk_size: usize) {
        self.bytes.resize(MAX_HEADER + chunk_size + 1, 0);
        self.filled = 0;
        self.chunk_size = chunk_size;
        self.message = Some((opcode, rsv));
        self.sent = 0;
        self.started = false;
    }

    /// Ends the message and gives its length.
    pub(super) fn close(&mut self) -> u64 {
        self.message = None;
        self.sent
    }

    pub(super) fn message(&self) -> Option<(Opcode, Rsv)> {
        self.message
    }

    /// Whether a whole chunk is there, and a byte that must come after it.
    pub(super) fn is_full(&self) -> bool {
        self.filled > self.chunk_size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[MAX_HEADER + self.filled..=MAX_HEADER + self.chunk_size]
    }

    pub(super) fn fill(&mut self, len: usize) {
        self.filled += len;
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes[MAX_HEADER..MAX_HEADER + self.len()]
    }

    /// The opcode and the reserved bits of the next frame: the message's on its first alone.
    pub(super) fn next_frame(&self) -> (Opcode, Rsv) {
        match self.message {
            Some(first) if !self.started => first,
            _ => (Opcode::Continuation, Rsv::NONE),
        }
    }

    /// The frame as it goes on the wire. Masks the payload where it lies.
    pub(super) fn frame(&mut self, header: &Header) -> &[u8] {
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

    /// The fragment has been taken: the byte after it, if any, begins the next.
    pub(super) fn advance(&mut self) {
        let len = self.len();
        self.sent += len as u64;
        self.started = true;
        self.bytes[MAX_HEADER] = self.bytes[MAX_HEADER + len];
        self.filled -= len;
    }

    fn len(&self) -> usize {
        self.filled.min(self.chunk_size)
    }
}
