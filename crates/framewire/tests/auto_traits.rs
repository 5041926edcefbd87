//! What the compiler derives for the types of a connection: the same with compression and without,
//! since a feature adds and never changes.
#![cfg(feature = "std")]

use std::net::TcpStream;
use std::panic::{RefUnwindSafe, UnwindSafe};

use framewire::WebSocket;
use framewire::protocol::{Receiver, Sender, Session};

const fn has_all_auto_traits<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

/// The handlers of control frames need no more.
const fn is_send_and_unpin<T: Send + Unpin>() {}

const _: () = {
    has_all_auto_traits::<Session>();
    has_all_auto_traits::<Sender>();
    has_all_auto_traits::<Receiver>();
    is_send_and_unpin::<WebSocket<TcpStream>>();
};

#[cfg(feature = "deflate")]
const _: () = {
    use framewire::deflate::{Deflate, Deflater, Inflater, Negotiated};
    has_all_auto_traits::<Deflate>();
    has_all_auto_traits::<Negotiated>();
    has_all_auto_traits::<Deflater>();
    has_all_auto_traits::<Inflater>();
};
