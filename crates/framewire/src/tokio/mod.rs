//! The tokio front end, over any stream that is `AsyncRead + AsyncWrite`.

#[cfg(feature = "tokio-net")]
mod dial;
#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(feature = "handshake")]
mod rewind;
#[cfg(feature = "handshake")]
mod timed;
#[cfg(feature = "handshake")]
pub mod upgrade;

#[cfg(feature = "tokio-net")]
pub use dial::Stream;
