//! The tokio front end, over any stream that is `AsyncRead + AsyncWrite`.
//!
//! [`WebSocket`] has the methods of the [blocking](crate::WebSocket) one, with the same meaning and
//! the same errors, as futures. Nothing here spawns a task, opens a channel or keeps a timer; only
//! calls with a deadline use tokio's time.
//!
//! # Cancellation
//! A future may be dropped at any point, as `select!` and time-outs do. A read has lost nothing: the
//! next one goes on where it stopped. A write has taken its message whole or not at all, and what
//! was taken goes out with the next call that writes, or before the next read that waits. Before
//! there is a connection it is all or nothing: a handshake that is dropped takes its stream along.

mod access;
mod byte_stream;
#[cfg(feature = "tokio-net")]
mod dial;
#[cfg(feature = "handshake")]
mod establish;
#[cfg(feature = "handshake")]
pub mod handshake;
mod keep_alive;
#[cfg(feature = "futures")]
mod message;
mod message_reader;
mod message_writer;
#[cfg(all(test, framewire_model))]
mod model;
mod polled;
#[cfg(feature = "handshake")]
mod rewind;
mod shared;
mod shutdown;
#[cfg(feature = "futures")]
mod sink;
mod source;
mod split;
#[cfg(feature = "futures")]
mod stream;
#[cfg(feature = "handshake")]
mod timed;
#[cfg(feature = "handshake")]
pub mod upgrade;
mod websocket;
mod writer;

pub use byte_stream::ByteStream;
#[cfg(feature = "tokio-net")]
pub use dial::Stream;
#[cfg(feature = "handshake")]
pub use establish::{accept, client};
#[cfg(feature = "tokio-net")]
pub use establish::{connect, connect_with};
#[cfg(feature = "futures")]
pub use message::{Message, NotUtf8, Text};
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
pub use shared::{Link, SharedWriter};
pub use split::{ReadHalf, WriteHalf};
pub use websocket::WebSocket;
pub use writer::Writer;

pub use crate::connection::{
    BufferPool, CloseReply, Config, Frame, KeepAliveEnd, PingReply, PreparedMessage, Shutdown,
};
