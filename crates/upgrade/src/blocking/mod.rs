//! The front end over streams that block.

mod dial;
mod exchange;
mod network;
mod stream;
#[cfg(feature = "rustls")]
mod tls;
mod wire;

pub use dial::dial_by;
pub use exchange::{receive, request};
pub use stream::Stream;
#[cfg(feature = "rustls")]
pub use tls::TlsStream;
pub use wire::BlockingWire;
