//! How a client gets to a stream: which address, through which proxy. Without I/O, except for what a [`Network`] of a
//! front end does.

mod addresses;
mod dialer;
mod endpoint;
mod network;
mod proxies;
mod proxy;
mod route;
mod socks;
mod target;
mod tunnel;

pub use addresses::nodelay_failed;
pub(crate) use addresses::{no_connection, not_resolved};
pub use dialer::Dialer;
pub(crate) use endpoint::Endpoint;
pub(crate) use network::Network;
pub use proxies::Proxies;
pub use proxy::Proxy;
pub use target::Target;
