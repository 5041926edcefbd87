//! TLS (feature `rustls`): the handshake, its errors in words, and the stream that comes of it.

mod error;
mod handshake;
mod roots;
mod stream;

#[cfg(feature = "tokio-rustls")]
pub(crate) use error::{broken, refused, unusable};
pub(super) use roots::default_config;
pub use stream::TlsStream;
#[cfg(feature = "tokio-rustls")]
pub(crate) use stream::server_name;
