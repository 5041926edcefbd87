//! What the peer said, owned: the words in which the oracle and the front ends are compared.

use framewire::Opcode;
use framewire::frame::Violation;
use framewire::protocol;

/// One whole message or control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message: Text or Binary, and its bytes.
    Message(Opcode, Vec<u8>),
    /// A Ping.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
    /// A Close frame: its code, if any, and its reason.
    Close(Option<u16>, String),
}

/// How the input ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// More may come.
    #[default]
    Open,
    /// A Close frame was the last thing that counts.
    Closed,
    /// The peer broke the protocol or a limit.
    Violation(Violation),
}

impl From<protocol::Event<'_>> for Event {
    fn from(event: protocol::Event<'_>) -> Self {
        match event {
            protocol::Event::Message(message) => {
                Self::Message(message.opcode(), message.payload().to_vec())
            }
            protocol::Event::Ping(payload) => Self::Ping(payload.to_vec()),
            protocol::Event::Pong(payload) => Self::Pong(payload.to_vec()),
            protocol::Event::Close(frame) => Self::Close(
                frame.code.map(framewire::CloseCode::get),
                frame.reason.to_owned(),
            ),
        }
    }
}

impl Event {
    /// The event that a control frame with this checked payload is.
    #[must_use]
    pub fn from_control(opcode: Opcode, payload: &[u8]) -> Self {
        match (opcode, payload) {
            (Opcode::Ping, _) => Self::Ping(payload.to_vec()),
            (Opcode::Pong, _) => Self::Pong(payload.to_vec()),
            (Opcode::Close, [high, low, reason @ ..]) => Self::Close(
                Some(u16::from_be_bytes([*high, *low])),
                String::from_utf8_lossy(reason).into_owned(),
            ),
            (Opcode::Close, []) => Self::Close(None, String::new()),
            _ => panic!("{opcode} with {payload:x?} is no control frame"),
        }
    }
}
