//! Request and answer over a stream, at either end, written once for all front ends.

mod client;
mod deadline;
mod rewind;
mod server;
mod upgraded;
mod wire;

pub(crate) use client::read_body;
pub use client::request_over;
pub use deadline::Deadline;
pub use rewind::Rewind;
pub use server::{
    PendingUpgrade, accept_over, receive_over, refuse_over, refuse_with_over, switch_over,
};
pub use upgraded::Upgraded;
pub(crate) use wire::{Peek, peek, read_exact, write_all};
pub use wire::{Wire, finish};
