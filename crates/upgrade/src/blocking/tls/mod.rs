//! TLS over a stream that blocks: the handshake, and the resulting stream.

mod allowance;
mod handshake;
mod lock;
#[cfg(all(test, framewire_model))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod model;
mod records;
mod stream;

pub use stream::TlsStream;
pub(super) use stream::connect_for_http;
