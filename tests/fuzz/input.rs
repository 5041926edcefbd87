//! How an input is read.

use framewire::protocol::Role;

/// An input, taken apart from its front. One that is used up goes on with zeros, so that every
/// input means something.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// As many bytes as that, or what there is.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        bytes
    }

    /// A byte, and as many bytes as it says.
    pub fn bytes_of_length(&mut self) -> &'a [u8] {
        let len = self.byte();
        self.bytes(len.into())
    }

    pub fn role(&mut self) -> Role {
        if self.byte() & 1 == 0 {
            Role::Server
        } else {
            Role::Client
        }
    }

    /// The lengths of pieces, for [`cut`]: three, of 1 to 256 bytes.
    pub fn lengths(&mut self) -> [usize; 3] {
        [(); 3].map(|()| usize::from(self.byte()) + 1)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}

/// Cuts bytes into pieces of these lengths, one after the other and over again.
#[must_use]
pub fn cut(mut bytes: &[u8], lengths: [usize; 3]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for len in lengths.into_iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(len.min(bytes.len()));
        pieces.push(piece.to_vec());
        bytes = rest;
    }
    pieces
}
