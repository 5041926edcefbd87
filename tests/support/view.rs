//! What a peer makes of the bytes that it was sent, by the rules of RFC 6455 alone.

use framewire::protocol::Role;

use crate::frames::{BINARY, CLOSE, CONTINUATION, FIN, PONG, TEXT};
use crate::oracle;

/// What the peer has seen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct View {
    /// Whole messages: the first byte of each without FIN, and its payload.
    pub messages: Vec<(u8, Vec<u8>)>,
    /// Control frames: the first byte and the payload of each.
    pub control: Vec<(u8, Vec<u8>)>,
    /// The message that is not at its end.
    pub open: Option<(u8, Vec<u8>)>,
}

impl View {
    /// Panics where the bytes are no legal frames of one of this role, or the last one is cut off.
    #[track_caller]
    pub fn of(sender: Role, bytes: &[u8]) -> Self {
        let mut view = Self::default();
        for frame in oracle::frames(bytes) {
            // RFC 6455 5.1: every frame of a client is masked, none of a server.
            assert_eq!(frame.key.is_some(), sender == Role::Client);
            assert!(!view.is_closed(), "a frame after the Close frame");
            view.frame(frame.first, frame.payload);
        }
        view
    }

    pub fn is_closed(&self) -> bool {
        self.control.iter().any(|&(first, _)| first == FIN | CLOSE)
    }

    /// The payloads of the messages.
    pub fn payloads(&self) -> Vec<&[u8]> {
        self.messages.iter().map(|(_, bytes)| &bytes[..]).collect()
    }

    #[track_caller]
    fn frame(&mut self, first: u8, payload: Vec<u8>) {
        let (fin, rsv, opcode) = (first & FIN != 0, first & 0x70, first & 0x0F);
        if opcode & 0x8 != 0 {
            let is_known = matches!(opcode, CLOSE..=PONG);
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
