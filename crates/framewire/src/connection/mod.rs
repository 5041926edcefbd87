//! A connection over a stream that may say `WouldBlock` at any point: what every front end shares.
//!
//! A front end is a shell around this: it decides what is done with `WouldBlock`. The blocking one
//! hands it to the caller; an asynchronous one waits there and calls again. Nothing is lost in
//! between, which is all that makes the latter safe to cancel.

mod byte_stream;
#[cfg(feature = "deflate")]
mod compress;
mod config;
mod exchange;
mod fragment;
mod frame;
mod handlers;
mod heartbeat;
#[cfg(feature = "deflate")]
mod inflate;
mod message_writer;
mod open;
mod output;
mod pool;
mod prepared;
mod raw_frames;
mod reader;
mod resting;
mod send;
mod shutdown;
mod transport;
mod writer;

pub(crate) use byte_stream::read_bytes;
pub use config::{CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, Config};
pub(crate) use exchange::Exchange;
pub use frame::Frame;
pub use handlers::{CloseReply, PingReply};
pub use heartbeat::KeepAliveEnd;
#[cfg(feature = "tokio")]
pub(crate) use heartbeat::Next;
pub(crate) use message_writer::Access;
pub use message_writer::MessageWriter;
#[cfg(feature = "handshake")]
pub(crate) use open::open_established;
#[cfg(feature = "deflate")]
pub(crate) use open::set_deflate;
pub(crate) use open::{abort, open};
pub use pool::BufferPool;
pub(crate) use pool::Buffers;
pub use prepared::PreparedMessage;
pub(crate) use reader::Reader;
#[cfg(feature = "tokio")]
pub(crate) use send::Rest;
pub(crate) use send::close_payload;
pub use shutdown::Shutdown;
pub(crate) use shutdown::{Closing, after, shut_down};
pub(crate) use transport::{Reply, Transport};
pub use writer::Writer;
