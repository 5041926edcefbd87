//! The wire format of RFC 6455 section 5: pure functions on slices.
//!
//! But for `os_key`, nothing here allocates, has state between calls or needs an operating system. A [`Header`] is
//! checked when it is built and when it is decoded, so it is always legal on its own. [`protocol`](crate::protocol)
//! checks what depends on earlier frames, such as a stray continuation.

mod close_code;
mod control;
mod header;
pub mod mask;
mod opcode;
#[cfg(feature = "std")]
mod os_key;
mod violation;

pub use close_code::CloseCode;
pub use control::{ControlPayload, MAX_CONTROL_PAYLOAD, MAX_REASON};
pub use header::{Header, MAX_HEADER, MAX_PAYLOAD};
pub use opcode::{Opcode, Rsv};
#[cfg(feature = "std")]
pub use os_key::os_key;
pub use violation::Violation;
