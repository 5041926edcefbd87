//! The blocking front end, over any stream that is `Read + Write`.
//!
//! [`WebSocket`] owns the stream and does both directions on one thread; its
//! [`split`](WebSocket::split) halves let one thread read while others write. Nothing here starts a
//! thread, keeps a timer or retries: a call blocks for as long as the stream does.
//!
//! # Non-blocking streams and time-outs
//! A stream may say `WouldBlock` or `TimedOut` at any point. The call then fails with
//! [`ErrorKind::Io`](crate::ErrorKind::Io), nothing is lost, and the same call goes on where it
//! stopped: in the middle of a header, of a payload, or of a write.
//!
//! # Which call a message belongs to
//! A message belongs to the kind of call that began it: [`next_message`](WebSocket::next_message)
//! and [`read_message`](WebSocket::read_message) are one kind,
//! [`message_reader`](WebSocket::message_reader) another, raw frames the third. What is left of a
//! streamed message, or of one whose frames were read raw, is skipped by the other kinds; one that
//! is half assembled (after a time-out) has to be finished by its own kind. A header that was only
//! looked at, with `read_header`, leaves its message to the next call of any kind.

mod byte_stream;
#[cfg(feature = "handshake")]
mod establish;
mod keep_alive;
mod message_reader;
mod message_writer;
mod shared;
mod shutdown;
mod split;
mod websocket;
mod writer;

pub use byte_stream::ByteStream;
#[cfg(feature = "handshake")]
pub use establish::{accept, client, connect, connect_with};
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
pub use shared::{ReadEnd, SendTurn};
pub use split::{ReadHalf, WriteHalf};
pub use websocket::WebSocket;

pub use crate::connection::{
    BufferPool, CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, CloseReply,
    Config, Frame, PingReply, PreparedMessage, Shutdown, Writer,
};
pub use crate::halves::KeepAliveEnd;
