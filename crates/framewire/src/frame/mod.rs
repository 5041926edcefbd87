//! The wire format of RFC 6455 section 5: pure functions on slices.
//!
//! Nothing here allocates, keeps state between calls or needs an operating system, and a
//! [`Header`] cannot be illegal on its own: it is checked when it is built and when it is decoded.
//! What depends on the frames before it (a stray continuation, say) is the business of
//! [`protocol`](crate::protocol).

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
