//! The same over tokio: the calls of this crate with `async`.
//!
//! Heads, limits, checks and errors are those of the crate; what is different is how time
//! passes. Deadlines are tokio's, so that a runtime needs its timer, unless
//! [`Limits::time`](crate::Limits::time) is [`Duration::MAX`](std::time::Duration::MAX).
//!
//! ```no_run
//! use framewire_upgrade::{Limits, tokio::receive};
//! use http::HeaderMap;
//! # async fn serve(stream: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
//! let pending = receive(stream, &Limits::default()).await?;
//! let echo_stream = pending.accept(&["echo/1"], HeaderMap::new()).await?.into_rewind();
//! # drop(echo_stream);
//! # Ok(())
//! # }
//! ```
//!
//! What a call needs while it waits is in a box that is freed when it is ready, so that it takes next
//! to nothing of the task which goes on with the connection.
//!
//! # Cancellation
//!
//! Every call here owns its stream. One that is dropped before it is ready drops the stream with it,
//! and the peer sees the connection end: bytes may have been read or sent by then, and a handshake
//! cannot be gone on with from the middle. To bound the time,
//! [`Limits::time`](crate::Limits::time) is enough.

#[cfg(feature = "tokio-net")]
pub(crate) mod dial;
mod exchange;
pub(crate) mod nodelay;
mod rewind;
pub(crate) mod wire;

#[cfg(feature = "tokio-net")]
pub use dial::{Stream, dial, dial_and_request};
pub use exchange::{Pending, receive, request};
