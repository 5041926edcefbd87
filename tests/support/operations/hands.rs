//! What an operation has at hand, and what it was told.

use std::mem;

use framewire::blocking::{PreparedMessage, Shutdown};
use framewire::frame::Rsv;
use framewire::{Closed, Opcode};

use crate::pattern;

/// What an operation has at hand.
pub struct Hands {
    pub message: Vec<u8>,
    pub prepared: PreparedMessage,
    /// The reserved bits that it is sent with by what [takes them](super::Operation::rsv).
    pub rsv: Rsv,
    /// How many bytes a piece has.
    pub step: usize,
    pub(super) buf: Vec<u8>,
    pub(super) piece: Vec<u8>,
    pub(super) longest_frame: usize,
    pub(super) seen: Option<Vec<Seen>>,
}

/// What the application was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A message, with its reserved bits where they are given.
    Message(Opcode, Rsv, Vec<u8>),
    Frame(bool, Opcode, Vec<u8>),
    /// A message of which the rest is skipped.
    Begun(Opcode),
    /// A part of a stream of bytes.
    Bytes(Vec<u8>),
    Closed(Closed),
    Shutdown(Shutdown),
}

impl Hands {
    /// For this message, in pieces of so many bytes, with nothing kept of what is received: what it
    /// allocates can be counted.
    #[must_use]
    pub fn new(message: &[u8], step: usize) -> Self {
        Self {
            message: message.to_vec(),
            prepared: prepared(message),
            rsv: Rsv::NONE,
            step,
            buf: vec![],
            piece: vec![],
            longest_frame: message.len() + LONG,
            seen: None,
        }
    }

    /// Creates hands that record what is received, in pieces of so many bytes.
    #[must_use]
    pub fn seeing(step: usize) -> Self {
        Self {
            seen: Some(vec![]),
            ..Self::new(b"", step)
        }
    }

    /// Takes another message into them.
    pub fn take(&mut self, message: &[u8]) {
        message.clone_into(&mut self.message);
        self.prepared = prepared(message);
    }

    /// Text is what can be.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.prepared.opcode()
    }

    /// What an extension makes of text need not be text.
    pub(super) fn opcode_ext(&self) -> Opcode {
        if self.rsv.is_none() {
            self.opcode()
        } else {
            Opcode::Text
        }
    }

    /// What was seen.
    pub fn seen(&mut self) -> &mut Vec<Seen> {
        self.seen.get_or_insert_default()
    }

    pub(super) fn see(&mut self, what: impl FnOnce() -> Seen) {
        if let Some(seen) = &mut self.seen {
            seen.push(what());
        }
    }

    /// What is in the buffer, from there on. A buffer that is looked at is given away.
    pub(super) fn see_buf(&mut self, from: usize, seen: impl FnOnce(Vec<u8>) -> Seen) {
        if self.seen.is_some() {
            let bytes = mem::take(&mut self.buf).split_off(from);
            self.see(|| seen(bytes));
        }
    }
}

/// Longer than the frames of most tests.
const LONG: usize = 128 << 10;

fn prepared(message: &[u8]) -> PreparedMessage {
    let opcode = match std::str::from_utf8(message) {
        Ok(_) => Opcode::Text,
        Err(_) => Opcode::Binary,
    };
    PreparedMessage::new((opcode, message)).expect("a message")
}

/// So many bytes of a message: text where characters of three bytes come to that, and else none.
#[must_use]
pub fn sample(len: usize) -> Vec<u8> {
    if len.is_multiple_of(3) {
        let characters = ('\u{20A0}'..'\u{20C0}').cycle();
        let text: String = characters.take(len / 3).collect();
        return text.into_bytes();
    }
    let mut bytes = pattern(len);
    bytes[0] = 0xFF;
    bytes
}
