//! What the two halves of a connection share, by whatever front end.
//!
//! # Who waits for whom
//! * A task or thread that sends a frame locks the [`SharedWriter`] for as long as that takes: it writes while it
//!   holds the lock, and never waits for the stream with it.
//! * The reading half never waits for that lock. Where it is taken, the reply is queued, and the one that holds
//!   the lock sends it on its way out ([`WriterGuard`]). Both look at the queue after they have done their part, so that one
//!   of them sees the reply.
//! * A message may be many frames. The right to send one is a turn: a lock of its own on threads, and a
//!   queue of tasks over tokio (`tokio::turns`), which also wakes them. Control frames need no turn.
//!
//! # Who wakes whom
//! * The stream wakes all that wait to write, and the reader: which of them can go on is for them to find out.
//! * The end of a long frame wakes those that wait for it.
//! * A turn that ends wakes the first task in line.
//! * A Pong, and the end of the connection, wake the keep-alive ([`Heartbeat`]).
//!
//! All orders in which that can happen are tried by `tokio::model` (`cargo xtask model`).

mod heartbeat;
mod shared_writer;

pub(crate) use heartbeat::Heartbeat;
pub use heartbeat::KeepAliveEnd;
pub(crate) use shared_writer::SharedWriter;

#[cfg(feature = "tokio")]
pub(crate) use {heartbeat::Next, shared_writer::WriterGuard};
