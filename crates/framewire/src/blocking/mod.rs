//! The blocking front end, over any stream that is `Read + Write`.
//!
//! [`WebSocket`] owns the stream and does both directions on one thread. Its [`split`](WebSocket::split) halves
//! let one thread read while others write. Nothing here starts a thread, runs a timer or retries: a call blocks
//! for as long as the stream does.
//!
//! # Non-blocking streams and time-outs
//! A stream may fail with `WouldBlock` or `TimedOut` at any point. The call then fails with
//! [`ErrorKind::Io`](crate::ErrorKind::Io) and nothing is lost. The same call goes on where it stopped: in the
//! middle of a header, of a payload, or of a write.
//!
//! # Which call a message belongs to
//! A message belongs to the kind of call that began it. [`next_message`](Reader::next_message) and
//! [`append_message`](Reader::append_message) are one kind, [`message_reader`](Reader::message_reader) is
//! another, raw frames are the third.
//!
//! * The rest of a streamed message, or of a message whose frames were read raw, is skipped by the other kinds.
//! * A message that is half assembled, after a time-out, must be finished by its own kind.
//! * `read_header` only inspects a header, and leaves its message to the next call of any kind.

mod byte_stream;
mod ending;
#[cfg(feature = "handshake")]
mod establish;
mod keep_alive;
mod message_reader;
mod message_writer;
#[cfg(all(test, framewire_model))]
mod model;
mod reader;
mod receiving;
mod shared;
mod shutdown;
mod split;
mod timed;
mod websocket;
mod whole;
mod writer;

pub use byte_stream::ByteStream;
#[cfg(feature = "handshake")]
pub use establish::{
    accept, accept_with, connect, connect_stream, connect_stream_with, connect_with,
};
pub use keep_alive::KeepAlive;
pub use message_reader::MessageReader;
pub use message_writer::MessageWriter;
pub use reader::Reader;
pub use receiving::Receiving;
pub use shared::{Half, ReadEnd};
pub use split::{ReadHalf, WriteHalf};
pub use websocket::WebSocket;
pub use whole::{Sending, Whole};
pub use writer::Writer;

pub use crate::connection::{
    BufferPool, CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, CloseReply,
    Config, Frame, PingReply, PreparedMessage,
};
pub use crate::drive::Shutdown;
pub use crate::halves::KeepAliveEnd;
