//! TLS (feature `rustls`): the handshake, its errors in words, and the stream that comes of it.

mod error;
mod handshake;
mod roots;
mod stream;

pub(super) use roots::default_config;
pub use stream::TlsStream;
