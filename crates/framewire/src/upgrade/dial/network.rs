//! What dialling asks of a front end.

use super::addresses;
use super::endpoint::Endpoint;
use crate::upgrade::Error;
use crate::upgrade::deadline::Deadline;
use crate::upgrade::timed::Timed;
use crate::upgrade::wire::{Peek, Wire as _};
use std::future::ready;
use std::net::{SocketAddr, TcpStream};

/// The ways of a front end to names and addresses, by the deadline of one connection.
pub(crate) trait Network: Sync {
    type Wire: Peek + Send;

    /// All addresses of a name, in the resolver's order.
    fn resolve(
        &self,
        name: &str,
        port: u16,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, Error>> + Send;

    /// Connects to one of an endpoint's addresses, the first being the most wanted, with
    /// `TCP_NODELAY`.
    fn connect(
        &self,
        addresses: Vec<SocketAddr>,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Self::Wire, Error>> + Send;
}

/// The operating system's, one address after the other.
pub(super) struct Blocking(pub(super) Deadline);

impl Network for Blocking {
    type Wire = Timed<TcpStream>;

    fn resolve(
        &self,
        name: &str,
        port: u16,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, Error>> + Send {
        ready(addresses::resolve(name, port))
    }

    fn connect(
        &self,
        addresses: Vec<SocketAddr>,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Self::Wire, Error>> + Send {
        let stream = addresses::connect_to_any(&addresses, endpoint, self.0);
        ready(stream.map(|stream| Timed::new(stream, self.0)))
    }
}
