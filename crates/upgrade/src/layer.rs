//! Exchanges over any front end, for protocols whose handshake goes on top of an upgrade.
//!
//! A handshake is an `async` function over a [`Wire`], written once, which calls the functions here as it would call
//! [`receive`](crate::receive) or [`request`](crate::request). Over a [`BlockingWire`](blocking::BlockingWire) it is
//! never pending, and [`finish`](blocking::finish) runs it. Over a `TokioWire` it is a future of tokio's. Programs
//! need nothing of this.

pub use crate::dial::{Target, nodelay_failed};
pub use crate::exchange::{
    Deadline, Wire, accept_over, receive_over, refuse_over, refuse_with_over, request_over,
    switch_over,
};
pub use crate::head::hide_credentials;
pub use crate::syntax::{is_token, lists, percent_encode, split_host};

/// For the front end over streams that block.
pub mod blocking {
    pub use crate::blocking::{BlockingWire, dial_by};
    pub use crate::exchange::finish;
}

/// For the front end over tokio.
#[cfg(feature = "tokio")]
pub mod tokio {
    #[cfg(feature = "tokio-net")]
    pub use crate::tokio::dial::dial_by;
    pub use crate::tokio::nodelay::set_nodelay;
    pub use crate::tokio::wire::{TokioWire, after, by};
}
