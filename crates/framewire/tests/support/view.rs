//! What a peer makes of the bytes that it was sent, by the rules of RFC 6455 alone.

use framewire::protocol::Role;

use super::wire::{BINARY, CONTINUATION, TEXT, frames};

/// What the peer has seen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// Whole messages: the first byte of each without FIN, and its payload.
    pub(crate) messages: Vec<(u8, Vec<u8>)>,
    /// Control frames: the first byte and the payload of each.
    pub(crate) control: Vec<(u8, Vec<u8>)>,
    /// The message that is not at its end.
    pub(crate) open: Option<(u8, Vec<u8>)>,
}

impl View {
    /// Panics where the bytes are no legal frames of one of this role, or the last one is cut off.
    #[track_caller]
    pub(crate) fn of(sender: Role, bytes: &[u8]) -> Self {
        assert_masked(sender, bytes);
        let mut view = Self::default();
        for (first, payload) in frames(bytes) {
            assert!(!view.is_closed(), "a frame after the Close frame");
            view.frame(first, payload);
        }
        view
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.control.iter().any(|&(first, _)| first == 0x88)
    }

    /// The payloads of the messages.
    pub(crate) fn payloads(&self) -> Vec<&[u8]> {
        self.messages.iter().map(|(_, bytes)| &bytes[..]).collect()
    }

    #[track_caller]
    fn frame(&mut self, first: u8, payload: Vec<u8>) {
        let (fin, rsv, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
        if opcode & 0x8 != 0 {
            let is_known = matches!(opcode, 0x8..=0xA);
            assert!(
                is_known && fin && rsv == 0 && payload.len() <= 125,
                "{first:#x}"
            );
            self.control.push((first, payload));
            return;
        }
        let message = match (opcode, self.open.take()) {
            (TEXT | BINARY, None) => (first & 0x7F, payload),
            (CONTINUATION, Some((opened, bytes))) if rsv == 0 => {
                (opened, [bytes, payload].concat())
            }
            (_, open) => panic!("frame {first:#x} while {open:?} is open"),
        };
        if fin {
            assert!(
                message.0 != TEXT || std::str::from_utf8(&message.1).is_ok(),
                "text that is none"
            );
            self.messages.push(message);
        } else {
            self.open = Some(message);
        }
    }
}

/// RFC 6455 5.1: every frame of a client is masked, none of a server.
#[track_caller]
fn assert_masked(sender: Role, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let is_masked = rest[1] & 0x80 != 0;
        assert_eq!(is_masked, sender == Role::Client);
        let len = frame_len(rest);
        assert!(len <= rest.len(), "a frame is cut off");
        rest = &rest[len..];
    }
}

/// The length of the frame that begins here.
fn frame_len(bytes: &[u8]) -> usize {
    let (length_len, short) = match bytes[1] & 0x7F {
        0x7E => (2, 0),
        0x7F => (8, 0),
        len => (0, usize::from(len)),
    };
    let length = bytes[2..2 + length_len].iter();
    let len = length.fold(short, |len, &byte| len << 8 | usize::from(byte));
    2 + length_len + if bytes[1] & 0x80 == 0 { 0 } else { 4 } + len
}
