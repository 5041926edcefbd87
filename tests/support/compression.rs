//! What the two ends of a connection agreed on about compression, and the peer's side of it: what it
//! says, compressed, and what it makes of what it is sent.
//!
//! So one test of plain frames runs over connections with compression too: [`Speaker`] makes of them
//! what goes over the wire, and [`heard`] makes plain frames of what came.

use framewire::deflate::{Compressor, Engine as _, Flush, Negotiated, ZlibRs};

use crate::deflate::negotiated;
use crate::frames::{BINARY, CONTINUATION, FIN, Frame, Length, RSV1, TEXT, wire};
use crate::oracle;

/// What was agreed on, and how the peer makes use of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Nothing was agreed on.
    #[default]
    None,
    /// Contexts go on from message to message, and the peer compresses all of them.
    Takeover,
    /// Each message has a context of its own, and the peer compresses every other one.
    NoTakeover,
    /// Contexts would go on, and the peer compresses nothing, as it may.
    Unused,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Takeover, Self::NoTakeover, Self::Unused];

    /// What a connection is told; `None` where nothing was agreed on.
    #[must_use]
    pub fn negotiated(self) -> Option<Negotiated> {
        match self {
            Self::None => None,
            Self::Takeover | Self::Unused => Some(negotiated(true)),
            Self::NoTakeover => Some(negotiated(false)),
        }
    }

    /// Whether the peer compresses message number `count`.
    fn compresses(self, count: usize) -> bool {
        match self {
            Self::None | Self::Unused => false,
            Self::Takeover => true,
            Self::NoTakeover => count.is_multiple_of(2),
        }
    }

    /// What a peer says that says nothing else, on the wire.
    #[must_use]
    pub fn said(self, frames: &[Frame]) -> Vec<u8> {
        wire(&Speaker::new(self).say(frames))
    }
}

/// A peer that says plain frames.
pub struct Speaker {
    compression: Compression,
    context: Box<dyn Compressor>,
    messages: usize,
    /// Whether the message under way is compressed.
    compresses: bool,
}

impl Speaker {
    /// One that has said nothing yet.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            context: ZlibRs.compressor(6, 15, 8),
            messages: 0,
            compresses: false,
        }
    }

    /// The frames as they go over the wire: each as it is, but for the payload and RSV1 of those of
    /// a message that is compressed. The frames need not be legal.
    pub fn say(&mut self, frames: &[Frame]) -> Vec<Frame> {
        frames.iter().map(|frame| self.frame(frame)).collect()
    }

    fn frame(&mut self, plain: &Frame) -> Frame {
        let mut frame = plain.clone();
        match plain.first & 0x0F {
            TEXT | BINARY => {
                self.compresses = self.compression.compresses(self.messages);
                self.messages += 1;
                if self.compresses {
                    frame.first |= RSV1;
                }
                if self.compression == Compression::NoTakeover {
                    self.context.reset();
                }
            }
            CONTINUATION => {}
            _ => return frame,
        }
        if self.compresses {
            frame.payload = self.compress(&plain.payload, plain.first & FIN != 0);
        }
        frame
    }

    /// All of a fragment, so that the other end can give all of it.
    fn compress(&mut self, plain: &[u8], is_last: bool) -> Vec<u8> {
        let mut compressed = vec![0; 2 * plain.len() + 64];
        let flushed = self.context.compress(plain, &mut compressed, Flush::Sync);
        let flushed = flushed.expect("the engine works");
        assert!(flushed.consumed == plain.len() && flushed.produced < compressed.len());
        compressed.truncate(flushed.produced);
        if is_last && !compressed.ends_with(&TAIL) {
            // RFC 7692 7.2.3.6: the beginning of an empty block, whose end is cut off.
            return vec![0x00];
        }
        if is_last {
            compressed.truncate(compressed.len() - TAIL.len());
        }
        compressed
    }
}

/// What a peer makes of what it was sent: the same frames, whole and legal, without compression.
///
/// # Panics
/// Where a message says that it is compressed, and is not, or must not be.
#[must_use]
pub fn heard(compression: Compression, sent: &[u8]) -> Vec<u8> {
    let mut context = ZlibRs.decompressor(15);
    let mut is_compressed = false;
    let frames = oracle::frames(sent).into_iter().map(|frame| {
        let mut plain = Frame {
            first: frame.first,
            mask: frame.key,
            length: Length::Shortest,
            payload: frame.payload,
        };
        if frame.opcode.is_control() {
            return plain;
        }
        if frame.first & 0x0F != CONTINUATION {
            is_compressed = compression != Compression::None && frame.rsv & RSV1 != 0;
            if compression == Compression::NoTakeover {
                context.reset();
            }
        }
        if is_compressed {
            plain.first &= !RSV1;
            if frame.fin {
                plain.payload.extend(TAIL);
            }
            plain.payload = inflate(context.as_mut(), &plain.payload);
        }
        plain
    });
    wire(&frames.collect::<Vec<_>>())
}

fn inflate(context: &mut dyn framewire::deflate::Decompressor, mut input: &[u8]) -> Vec<u8> {
    let mut plain = vec![];
    let mut room = vec![0; 64 << 10];
    loop {
        let progress = context.decompress(input, &mut room).expect("DEFLATE");
        plain.extend_from_slice(&room[..progress.produced]);
        input = &input[progress.consumed..];
        if input.is_empty() && progress.produced < room.len() {
            return plain;
        }
    }
}

/// What every flush ends with, and no message (RFC 7692 7.2.1).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// "Hello", compressed (RFC 7692 7.2.3.1).
pub const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

/// The same once more in the same context (RFC 7692 7.2.3.2).
pub const HELLO_AGAIN: [u8; 5] = [0xF2, 0x00, 0x11, 0x00, 0x00];

#[cfg(test)]
mod tests {
    use framewire::protocol::Role;

    use super::*;
    use crate::frames::{PING, to};

    #[test]
    fn the_rfcs_examples() {
        let hello = to(Role::Client, FIN | TEXT, "Hello");
        let [first, second] = &Speaker::new(Compression::Takeover).say(&[hello.clone(), hello])[..]
        else {
            panic!("two frames");
        };
        // RFC 7692 7.2.3.1 and 7.2.3.2.
        assert_eq!(first.bytes(), b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00");
        assert_eq!(second.bytes(), b"\xC1\x05\xF2\x00\x11\x00\x00");
        // 7.2.3.6.
        let empty = to(Role::Client, FIN | TEXT, "");
        assert_eq!(Compression::Takeover.said(&[empty]), b"\xC1\x01\x00");
    }

    #[test]
    fn what_is_said_is_heard() {
        let frames = [
            to(Role::Client, FIN | TEXT, "Hello"),
            to(Role::Client, TEXT, "Hel"),
            to(Role::Client, FIN | PING, "?"),
            to(Role::Client, CONTINUATION, ""),
            to(Role::Client, CONTINUATION, "lo"),
            to(Role::Client, FIN | CONTINUATION, ""),
            to(Role::Client, FIN | BINARY, vec![7; 70_000]),
        ];
        for compression in Compression::ALL {
            let said = compression.said(&frames);
            assert_eq!(heard(compression, &said), wire(&frames), "{compression:?}");
        }
    }
}
