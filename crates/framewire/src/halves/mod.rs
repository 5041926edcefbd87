//! What the two halves of a connection share, whichever front end they belong to.
//!
//! # What waits for what
//! * A task or thread that sends a frame locks the [`SharedWriter`] for that time, and writes while it holds the
//!   lock. A thread may block in that write. A task never waits for the stream while it holds the lock.
//! * The reading half does not wait for that lock. While another task or thread holds it, the reading half queues its
//!   reply, and the holder sends that before it unlocks ([`WriterGuard`]). Both check the queue after they have done
//!   their part, so that one of them sees the reply. At the end of the connection, over tokio alone, the reading half
//!   waits until its last reply was sent.
//! * A message may be many frames. The right to send a message is a *turn*: a lock of its own on threads, and over
//!   tokio a queue of tasks (`turns`), which also wakes them. Control frames need no turn.
//!
//! # What wakes what
//! * The stream wakes all tasks that wait to write, and the reader, when it takes more. Each of them finds out
//!   whether it can go on. The reader is among them because it sends what no other task sends.
//! * The end of a long frame wakes the tasks that wait for it, and the reader, whose answer to a Close frame may wait
//!   for it.
//! * The end of a turn wakes the first future in line, which then has the turn, and the halves that queue before it.
//! * A holder of the writer that has sent what the reader queued wakes the reader, which may wait for that to have
//!   left: in a shutdown it does.
//! * A Pong, and the end of the connection, wake the keep-alive ([`Heartbeat`]).
//!
//! The tests in `model` try the orders in which that can happen, with up to three switches between tasks
//! (`cargo xtask model`).

mod heartbeat;
#[cfg(all(test, framewire_model))]
mod model;
mod shared_writer;
#[cfg(feature = "tokio")]
mod turns;

pub use heartbeat::KeepAliveEnd;
pub(crate) use heartbeat::{Call, Heartbeat};
pub(crate) use shared_writer::SharedWriter;

#[cfg(feature = "futures")]
pub(crate) use turns::Ticket;
#[cfg(feature = "tokio")]
pub(crate) use {
    shared_writer::WriterGuard,
    turns::{Waiter, Waiters},
};
