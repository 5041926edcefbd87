//! The tokio front end, over any stream that is `AsyncRead + AsyncWrite`.
//!
//! [`WebSocket`] has the methods of the [blocking](crate::WebSocket) one as futures, with the same meaning and
//! the same errors. Nothing here spawns a task, opens a channel or runs a timer of its own. Only calls with a
//! deadline use tokio's time.
//!
//! # Cancel safety
//! A future may be dropped at any point, as `select!` and time-outs do. A read then has lost nothing: the next
//! one goes on where it stopped. A write has taken its message whole, or nothing of it. What was taken goes out
//! with the next call that writes, or before the next read that waits. A handshake that is dropped drops its
//! stream.
//!
//! # The fast loop
//! Messages that arrive together are answered together. A read fills a buffer, every message in it is returned
//! from there, and all that was [fed](Writer::feed) meanwhile leaves in one write before the next read
//! that waits. 64 messages that came at once cost one read and one write.
//!
//! ```no_run
//! # async fn echo<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
//! #     mut websocket: framewire::tokio::WebSocket<S>,
//! # ) -> Result<(), framewire::Error> {
//! while let Some((message, writer)) = websocket.next_message_and_writer().await? {
//!     writer.feed(message).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`write`](Writer::write) flushes each time, and costs a write for each message. With
//! [`Config::coalesce_writes`] it leaves the message in the buffer while another whole frame has already been
//! read. A loop that does anything but read next, such as waiting for another task, must flush first.
//!
//! # Two tasks and more
//! [`split`](WebSocket::split) makes halves that share the connection, over any stream, TLS included. In one
//! task, `select!` over a read and other futures does as well, since a read that is dropped has lost nothing.

mod access;
mod byte_stream;
#[cfg(feature = "handshake")]
mod establish;
#[cfg(feature = "handshake")]
pub mod handshake;
mod keep_alive;
mod message_reader;
mod message_writer;
mod polled;
mod reader;
mod receiving;
mod shared;
mod shutdown;
#[cfg(feature = "futures")]
mod sink;
#[cfg(feature = "futures")]
mod sink_state;
mod split;
#[cfg(feature = "futures")]
mod stream;
mod timed;
mod websocket;
mod whole;
mod writer;

#[cfg(feature = "futures")]
pub use crate::owned_message::{NotUtf8, OwnedMessage, Text};
pub use access::Sending;
pub use byte_stream::ByteStream;
#[cfg(feature = "handshake")]
pub use establish::{accept, accept_with, connect_stream, connect_stream_with};
#[cfg(feature = "tokio-net")]
pub use establish::{connect, connect_with};
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
pub use reader::Reader;
pub use receiving::Receiving;
pub use shared::{Half, ReadEnd};
pub use split::{ReadHalf, WriteHalf};
pub use websocket::WebSocket;
pub use whole::Whole;
pub use writer::Writer;

#[cfg(feature = "handshake")]
pub use crate::upgrade::tokio as upgrade;
#[cfg(feature = "tokio-net")]
pub use crate::upgrade::tokio::Stream;

pub use crate::connection::{
    BufferPool, CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, CloseReply,
    Config, Frame, PingReply, PreparedMessage,
};
pub use crate::drive::Shutdown;
pub use crate::halves::KeepAliveEnd;
