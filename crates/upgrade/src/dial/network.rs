//! What dialling asks of a front end.

use super::endpoint::Endpoint;
use crate::error::Error;
use crate::exchange::Peek;
use std::net::SocketAddr;

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
