//! WebSocket transport: RFC 6455 as synchronous, state-free building blocks.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod fault;
pub mod frame;
#[cfg(feature = "handshake")]
pub mod handshake;
pub mod protocol;
#[cfg(feature = "std")]
mod socket;
#[cfg(feature = "handshake")]
pub mod upgrade;

#[cfg(feature = "std")]
pub use blocking::{
    CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, Config, WebSocket,
};
#[cfg(feature = "handshake")]
pub use blocking::{accept, client};
#[cfg(feature = "std")]
pub use error::{Closed, Error, ErrorKind, Side};
#[cfg(feature = "std")]
pub use fault::Fault;
pub use frame::{CloseCode, Opcode};
pub use protocol::{READ_LIMIT_LARGE, READ_LIMIT_SMALL, READ_LIMIT_STANDARD};
#[cfg(feature = "std")]
pub use socket::{Duplicate, Socket, Untimed};
