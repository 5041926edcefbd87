//! WebSocket transport: RFC 6455 as synchronous, state-free building blocks.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "std")]
mod socket;

#[cfg(feature = "std")]
pub use socket::{Duplicate, Socket, Untimed};

#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(feature = "handshake")]
pub mod upgrade;
