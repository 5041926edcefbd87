//! Connections without their I/O: the base of every front end.
//!
//! A [`Connection`] has a receiving side, which holds what was read, and a sending side, [`Outbound`], which holds
//! the bytes to write. Neither owns a stream or knows of tasks and clocks. An event loop moves the bytes itself.
//! The front ends of this crate lend their stream to both sides for each call and decide what happens where it would
//! block: the blocking one returns that to the caller; tokio's waits and calls again. Nothing is lost in between,
//! which alone makes tokio's safe to cancel.

mod closing;
mod cold;
mod config;
mod encode;
mod encoder_input;
mod feed;
mod fragment;
mod frame;
mod handlers;
mod inbound;
mod open;
mod outbound;
mod output;
mod pieces;
mod prepared;
mod raw_frames;
mod replies;
mod resting;
mod room;
mod sans_io;
mod stage;
mod streamed;

pub use crate::pool::BufferPool;
pub(crate) use crate::pool::Buffers;
pub(crate) use closing::{Closing, Step};
pub use config::{CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, Config};
pub use feed::{BegunMessage, FeedWriter};
pub(crate) use fragment::Fragment;
pub use frame::Frame;
pub use handlers::{CloseReply, PingReply};
pub(crate) use inbound::{Found, Inbound, Stop};
pub(crate) use open::set_extension;
pub(crate) use open::{abort, open};
pub use outbound::Outbound;
pub(crate) use pieces::PieceStep;
pub use prepared::PreparedMessage;
pub(crate) use raw_frames::payload_room;
pub(crate) use replies::{Replies, Reply};
pub use sans_io::Connection;
pub(crate) use stage::{NotStaged, Unsent, close_payload};
