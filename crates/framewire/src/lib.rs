//! WebSocket transport: RFC 6455 as synchronous, state-free building blocks.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod frame;
pub mod protocol;

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod socket;

#[cfg(feature = "std")]
pub use blocking::{Config, WebSocket};
#[cfg(feature = "std")]
pub use error::{Closed, Error, ErrorKind, Fault, Side};
#[cfg(feature = "std")]
pub use socket::{Duplicate, Socket, Untimed};

#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(feature = "handshake")]
pub mod upgrade;
