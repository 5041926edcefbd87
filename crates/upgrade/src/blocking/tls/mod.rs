//! TLS over a stream that blocks: the handshake, and the resulting stream.

mod allowance;
mod handshake;
mod records;
mod stream;

pub use stream::TlsStream;
pub(super) use stream::connect_for_http;
