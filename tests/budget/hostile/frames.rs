//! Attacks by frames, without compression.

use framewire::Config;
use framewire::protocol::{READ_LIMIT_STANDARD, Role};
use support::compression::Compression;
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, Length, PING, PONG, TEXT, close_payload, to, wire,
};
use support::pattern;

use super::attack::{Attack, Manner};

const NONE: &[Compression] = &[Compression::None];
/// The limit of a message, unless another is set.
const LIMIT: usize = READ_LIMIT_STANDARD as usize;

/// What a connection holds beside a message: the buffers of its [`Config`], and some more for what is small.
pub fn buffers() -> usize {
    let config = Config::default();
    config.read_buffer + 2 * config.write_buffer + config.chunk_size + (4 << 10)
}

/// The buffers, and for a message that is assembled what it doubles to, beside what it was before.
fn buffers_and_message(len: usize) -> usize {
    buffers() + 4 * len
}

const PLAIN: Attack = Attack {
    name: "",
    compressions: NONE,
    says: |_, _| vec![],
    manner: Manner::Plain,
    size: 3_000,
    ends: false,
    holds: |_| buffers(),
};

pub const FRAMES: [Attack; 18] = [
    Attack {
        name: "fragments of one byte",
        says: |role, size| fragments(role, size, b"x"),
        holds: buffers_and_message,
        ..PLAIN
    },
    Attack {
        name: "empty fragments",
        says: |role, size| fragments(role, size, b""),
        ..PLAIN
    },
    Attack {
        name: "Pings between empty fragments",
        says: |role, size| {
            let ping = to(role, FIN | PING, "?").bytes();
            let fragment = [to(role, CONTINUATION, "").bytes(), ping].concat();
            [to(role, BINARY, "").bytes(), fragment.repeat(size)].concat()
        },
        ..PLAIN
    },
    Attack {
        name: "Pings",
        says: |role, size| to(role, FIN | PING, "?").bytes().repeat(size),
        ..PLAIN
    },
    Attack {
        name: "Pings, and the output takes nothing",
        says: |role, size| to(role, FIN | PING, [b'?'; 125]).bytes().repeat(size),
        manner: Manner::Deaf,
        ..PLAIN
    },
    Attack {
        name: "Pongs",
        says: |role, size| to(role, FIN | PONG, "!").bytes().repeat(size),
        ..PLAIN
    },
    Attack {
        name: "empty messages",
        says: |role, size| to(role, FIN | BINARY, "").bytes().repeat(size),
        ..PLAIN
    },
    Attack {
        name: "headers in one-byte reads",
        says: |role, size| {
            let long = to(role, BINARY, [7; 126]);
            let fragment = to(role, CONTINUATION, "").bytes();
            [long.bytes(), fragment.repeat(size)].concat()
        },
        manner: Manner::ByteByByte,
        size: 1_000,
        ..PLAIN
    },
    Attack {
        name: "a long frame in one-byte reads",
        says: |role, size| to(role, FIN | BINARY, pattern(size)).bytes(),
        manner: Manner::ByteByByte,
        size: 4_000,
        holds: buffers_and_message,
        ..PLAIN
    },
    Attack {
        name: "text in fragments that cut each character",
        says: |role, size| {
            let characters = "\u{20AC}".repeat(size / 3);
            let bytes = characters.as_bytes();
            let cut = bytes.iter().map(|byte| to(role, CONTINUATION, [*byte]));
            let begun = to(role, TEXT, "").bytes();
            [begun, wire(&cut.collect::<Vec<_>>())].concat()
        },
        holds: buffers_and_message,
        ..PLAIN
    },
    Attack {
        name: "text in one-byte reads",
        says: |role, size| to(role, FIN | TEXT, "\u{20AC}".repeat(size / 3)).bytes(),
        manner: Manner::ByteByByte,
        size: 4_000,
        holds: buffers_and_message,
        ..PLAIN
    },
    Attack {
        name: "connections on which ten bytes of 2^20 come",
        says: |role, _| announced(role, 1 << 20),
        manner: Manner::Connections,
        size: 20,
        ..PLAIN
    },
    Attack {
        name: "connections on which 2^63 - 1 bytes are announced",
        says: |role, _| announced(role, (1 << 63) - 1),
        manner: Manner::Connections,
        size: 20,
        ends: true,
        ..PLAIN
    },
    Attack {
        name: "a message that goes on over the limit",
        says: |role, size| fragments(role, size, &[7; LIMIT / 32]),
        size: 33,
        ends: true,
        holds: |_| buffers_and_message(LIMIT),
        ..PLAIN
    },
    Attack {
        name: "Pings and Close frames after a Close frame",
        says: |role, size| {
            let close = to(role, FIN | CLOSE, close_payload(1000, "")).bytes();
            let ping = to(role, FIN | PING, "?").bytes();
            [close, ping].concat().repeat(size)
        },
        ends: true,
        ..PLAIN
    },
    Attack {
        name: "frames after a violation",
        says: |role, size| to(role, FIN | 0xB, "").bytes().repeat(size),
        ends: true,
        ..PLAIN
    },
    Attack {
        name: "messages to echo, of which the peer reads nothing",
        says: |role, size| to(role, FIN | BINARY, [7; 100]).bytes().repeat(size),
        manner: Manner::DeafToEchoes,
        size: 500,
        ..PLAIN
    },
    Attack {
        name: "a message to echo, of which the peer reads a byte at a time",
        says: |role, size| to(role, FIN | BINARY, pattern(size)).bytes(),
        manner: Manner::SlowToEchoes,
        size: 10_000,
        holds: buffers_and_message,
        ..PLAIN
    },
];

/// A message of so many fragments with this payload each, and of one more that never comes.
fn fragments(role: Role, count: usize, payload: &[u8]) -> Vec<u8> {
    let fragment = to(role, CONTINUATION, payload).bytes();
    [to(role, BINARY, "").bytes(), fragment.repeat(count)].concat()
}

/// The first ten bytes of a message that announces another length.
fn announced(role: Role, len: u64) -> Vec<u8> {
    let begun = to(role, FIN | BINARY, "ten bytes.");
    begun.with_length(Length::Declared(len)).bytes()
}
