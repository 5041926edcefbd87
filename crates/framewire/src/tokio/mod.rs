//! The tokio front end, over any stream that is `AsyncRead + AsyncWrite`.
//!
//! [`WebSocket`] has the methods of the [blocking](crate::WebSocket) one, with the same meaning and
//! the same errors, as futures. Nothing here spawns a task, opens a channel or keeps a timer; only
//! calls with a deadline use tokio's time.
//!
//! # Cancellation
//! A future may be dropped at any point, as `select!` and time-outs do. A read has lost nothing: the
//! next one goes on where it stopped. A write has taken its message whole or not at all, and what
//! was taken goes out with the next call that writes, or before the next read that waits.

mod access;
mod byte_stream;
mod keep_alive;
mod message_reader;
mod message_writer;
#[cfg(all(test, framewire_model))]
mod model;
mod polled;
mod shared;
mod shutdown;
mod source;
mod split;
mod websocket;
mod writer;

pub use byte_stream::ByteStream;
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
pub use shared::{Link, SharedWriter};
pub use split::{ReadHalf, WriteHalf};
pub use websocket::WebSocket;
pub use writer::Writer;

pub use crate::connection::{
    BufferPool, CloseReply, Config, Frame, KeepAliveEnd, PingReply, PreparedMessage, Shutdown,
};
