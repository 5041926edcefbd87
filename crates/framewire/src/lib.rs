//! WebSocket transport: RFC 6455 as synchronous, state-free building blocks.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod frame;
pub mod protocol;

#[cfg(feature = "std")]
mod socket;

#[cfg(feature = "std")]
pub use socket::{Duplicate, Socket, Untimed};
