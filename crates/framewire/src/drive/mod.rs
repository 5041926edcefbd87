//! A connection, joined with a stream for the duration of a call.
//!
//! What moves bytes is written here once. A front end lends its stream for each call, as something that can be
//! polled: tokio's is polled with the context of the task, and the blocking one is never pending. Its `WouldBlock`
//! and `TimedOut` are errors that the caller gets.

mod byte_stream;
mod keep_alive;
mod reading;
mod shutdown;
mod sides;

pub(crate) use byte_stream::poll_read_bytes;
pub(crate) use keep_alive::{KeepAlivePlan, NextBeat, NoPong, Pings, Pulse};
pub(crate) use reading::{poll_message, poll_read_frame, poll_read_stream, poll_step};
pub use shutdown::Shutdown;
pub(crate) use shutdown::{ClosingSide, UntilDeadline, poll_shutdown};
pub(crate) use sides::{PollWrite, ReadSide, WriteSide, is_blocked, now};

// Only tokio's front end names these.
#[cfg(feature = "tokio")]
pub(crate) use sides::{PollClose, PollRead};
