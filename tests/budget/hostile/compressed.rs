//! Attacks by compressed messages.

use framewire::protocol::Role;
use support::compression::{Compression, HELLO};
use support::frames::{BINARY, CONTINUATION, FIN, RSV1, to};

use super::attack::{Attack, Manner};
use super::frames::buffers;

const TAKEOVER: &[Compression] = &[Compression::Takeover];
const BOTH: &[Compression] = &[Compression::Takeover, Compression::NoTakeover];

/// A decompressor, as the documentation of `deflate` says, beside the buffers.
fn with_decompressor() -> usize {
    buffers() + (47 << 10)
}

const COMPRESSED: Attack = Attack {
    name: "",
    compressions: TAKEOVER,
    says: |_, _| vec![],
    manner: Manner::Plain,
    size: 3_000,
    ends: false,
    holds: |_| with_decompressor(),
};

pub const MESSAGES: [Attack; 9] = [
    Attack {
        name: "stored blocks of length 0",
        says: |role, size| in_one_frame(role, &STORED.repeat(size)),
        ..COMPRESSED
    },
    Attack {
        name: "blocks with fixed codes and no data",
        says: |role, size| in_one_frame(role, &blocks(size, &[(0, 1), (1, 2), (0, 7)])),
        ..COMPRESSED
    },
    Attack {
        name: "blocks with dynamic codes and no data",
        says: |role, size| in_one_frame(role, &blocks(size, &dynamic_codes())),
        size: 500,
        ..COMPRESSED
    },
    Attack {
        name: "flushes, each in a fragment",
        says: |role, size| in_fragments(role, &STORED.repeat(size), STORED.len()),
        size: 2_000,
        ..COMPRESSED
    },
    Attack {
        name: "compressed fragments of one byte",
        says: |role, size| in_fragments(role, &STORED.repeat(size / STORED.len()), 1),
        ..COMPRESSED
    },
    Attack {
        name: "compressed bytes in one-byte reads",
        says: |role, size| in_one_frame(role, &STORED.repeat(size / STORED.len())),
        manner: Manner::ByteByByte,
        size: 2_000,
        ..COMPRESSED
    },
    Attack {
        name: "empty compressed messages",
        says: |role, size| in_one_frame(role, &[0x00]).repeat(size),
        compressions: BOTH,
        size: 1_000,
        ..COMPRESSED
    },
    Attack {
        name: "short compressed messages",
        says: |role, size| in_one_frame(role, &HELLO).repeat(size),
        compressions: BOTH,
        size: 500,
        ..COMPRESSED
    },
    Attack {
        name: "bombs of the limit",
        says: |role, size| in_one_frame(role, &zeros(1 << 20)).repeat(size),
        compressions: BOTH,
        size: 1,
        // Twice the limit, and half of that before it doubles.
        holds: |_| with_decompressor() + (3 << 20),
        ..COMPRESSED
    },
];

/// An empty block that is not compressed: a flush.
const STORED: [u8; 5] = [0x00, 0x00, 0x00, 0xFF, 0xFF];

fn in_one_frame(role: Role, payload: &[u8]) -> Vec<u8> {
    to(role, FIN | RSV1 | BINARY, payload).bytes()
}

fn in_fragments(role: Role, payload: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = to(role, RSV1 | BINARY, "").bytes();
    for piece in payload.chunks(len) {
        bytes.extend(to(role, CONTINUATION, piece).bytes());
    }
    bytes
}

/// So many zeros: one, and matches of 258 that begin a byte before.
fn zeros(len: usize) -> Vec<u8> {
    // RFC 1951 3.2.6, codes from their first bit on: the literal 0 is 00110000, a length of 258 is 11000101, the
    // distance 1 is 00000, the end is 0000000.
    let mut bits = Bits::default();
    bits.put(0, 1);
    bits.put(1, 2);
    let (matches, rest) = ((len - 1) / 258, (len - 1) % 258);
    for _ in 0..=rest {
        bits.put_code(0b0011_0000, 8);
    }
    for _ in 0..matches {
        bits.put_code(0b1100_0101, 8);
        bits.put_code(0, 5);
    }
    bits.put_code(0, 7);
    bits.into_message()
}

/// A block of these numbers, each with its count of bits, so many times.
fn blocks(count: usize, block: &[(u32, u32)]) -> Vec<u8> {
    let mut bits = Bits::default();
    for _ in 0..count {
        for &(number, len) in block {
            bits.put(number, len);
        }
    }
    bits.into_message()
}

/// RFC 1951 3.2.7: a block whose codes are for the end of the block alone, which follows them.
fn dynamic_codes() -> Vec<(u32, u32)> {
    // Not the last block, dynamic codes; 257 lengths, 1 distance, and 18 lengths of the code that they are written in.
    let mut block = vec![(0, 1), (2, 2), (0, 5), (0, 5), (14, 4)];
    // In the order 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1: 18 is 0, 0 is 10, 1 is 11.
    let lengths = [0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    block.extend(lengths.map(|len| (len, 3)));
    // 138 and 118 literals without a code, the end of the block, no distance, and that end.
    block.extend([(0, 1), (127, 7), (0, 1), (107, 7)]);
    block.extend([(0b11, 2), (0b01, 2), (0, 1)]);
    block
}

/// Bits in the order of RFC 1951 3.1.1.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    /// Adds a number, its lowest bit first.
    fn put(&mut self, number: u32, len: u32) {
        for place in 0..len {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (number >> place & 1) as u8;
            *self.bytes.last_mut().expect("it is there") |= bit << (self.len % 8);
            self.len += 1;
        }
    }

    /// Adds a code, its highest bit first.
    fn put_code(&mut self, code: u32, len: u32) {
        self.put(code.reverse_bits() >> (32 - len), len);
    }

    /// RFC 7692 7.2.1: an empty block that is not compressed follows, whose last four bytes are left out.
    fn into_message(mut self) -> Vec<u8> {
        self.put(0, 3);
        self.bytes
    }
}
