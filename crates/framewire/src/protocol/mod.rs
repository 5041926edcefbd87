//! The protocol of RFC 6455 sections 5 to 8 as state machines without I/O.
//!
//! Bytes go in, events and bytes come out. Nothing here reads a socket, uses a clock or starts anything. The layers,
//! each usable on its own:
//!
//! | type | does | needs |
//! |---|---|---|
//! | [`Decoder`], [`Encoder`] | frames: pieces of payload out of bytes, legal headers | nothing |
//! | `Receiver`, `Sender` | messages: assembly, pending replies | `alloc` |
//! | `Session` | both directions of one connection, with its automatic replies | `alloc` |

mod decoder;
mod encoder;
#[cfg(feature = "alloc")]
mod encoding;
#[cfg(feature = "alloc")]
mod extension;
#[cfg(feature = "alloc")]
mod incoming;
mod limits;
#[cfg(feature = "alloc")]
mod message_buffer;
mod outgoing;
#[cfg(feature = "alloc")]
mod receiver;
#[cfg(feature = "alloc")]
mod sender;
#[cfg(feature = "alloc")]
mod session;
mod utf8;

#[cfg(feature = "std")]
pub(crate) use decoder::Owner;
pub use decoder::{Decoder, Piece};
pub use encoder::{Encoder, SendError};
#[cfg(feature = "std")]
pub(crate) use encoding::{Encoding, reserve};
#[cfg(feature = "alloc")]
pub use extension::{
    Agreement, LEAST_ROOM, MessageDecoder, MessageEncoder, SHARED_KINDS, Transformed, Until,
};
pub use limits::{Limits, READ_LIMIT_LARGE, READ_LIMIT_SMALL, READ_LIMIT_STANDARD};
#[cfg(feature = "alloc")]
pub use message_buffer::MessageBuffer;
pub use outgoing::{MessageKind, Outgoing, ToOutgoing};
#[cfg(feature = "alloc")]
pub use receiver::{CloseFrame, Event, Message, PieceEvent, Receiver};
#[cfg(feature = "alloc")]
pub use sender::Sender;
#[cfg(feature = "std")]
pub(crate) use sender::{append_frame, append_payload};
#[cfg(feature = "alloc")]
pub use session::Session;
#[cfg(feature = "std")]
pub(crate) use session::close_error;
#[cfg(feature = "bytes")]
pub(crate) use utf8::as_text;
pub use utf8::{InvalidUtf8, Utf8};

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Receives masked frames and sends unmasked ones (RFC 6455 5.1).
    Server,
    /// Receives unmasked frames and sends masked ones (RFC 6455 5.1).
    Client,
}
