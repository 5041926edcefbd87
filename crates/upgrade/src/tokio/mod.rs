//! The calls of this crate as futures, over tokio.
//!
//! Heads, limits, checks and errors are those of the crate. Deadlines are measured by tokio's clock, so a runtime
//! needs its timer, unless [`Limits::time`](crate::Limits::time) is [`Duration::MAX`](std::time::Duration::MAX).
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
//! What a call needs while it waits is in a box that is freed when the call is ready. So the call adds next to nothing
//! to the task that goes on with the connection.
//!
//! # Cancellation
//!
//! Every call here owns its stream. A call that is dropped before it is ready drops the stream too, and the peer sees
//! the connection end. Bytes may have been read or sent by then, and a handshake cannot be resumed from the middle.
//! [`Limits::time`](crate::Limits::time) is enough to bound the time.

#[cfg(test)]
mod counting;
#[cfg(feature = "tokio-net")]
pub(crate) mod dial;
mod exchange;
pub(crate) mod nodelay;
mod rewind;
pub(crate) mod wire;

#[cfg(feature = "tokio-net")]
pub use dial::{Stream, dial, dial_and_request};
pub use exchange::{PendingUpgrade, receive, request};
