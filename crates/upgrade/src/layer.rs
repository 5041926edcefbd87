//! For protocols whose handshake goes on top of an upgrade: the same exchanges over any front end.
//!
//! A handshake is an `async` function over a [`Wire`], written once. Over a [`BlockingWire`] it is
//! never pending, and [`finish`] runs it; over a `TokioWire` it is a future of tokio's. Programs need
//! nothing of this.

pub use crate::blocking::{BlockingWire, dial_by};
pub use crate::deadline::Deadline;
pub use crate::dial::{Target, nodelay_failed};
pub use crate::exchange::{
    Wire, accept_over, finish, receive_over, refuse_over, refuse_with_over, request_over,
    switch_over,
};
pub use crate::head::hide_credentials;
pub use crate::syntax::{is_token, lists, percent_encode, split_host};
#[cfg(feature = "tokio-net")]
pub use crate::tokio::dial::dial_by as dial_over_tokio_by;
#[cfg(feature = "tokio")]
pub use crate::tokio::{
    nodelay::set_nodelay,
    wire::{TokioWire, after, by},
};
