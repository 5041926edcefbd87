//! What dialling needs from a front end.

use super::endpoint::Endpoint;
use crate::error::UpgradeError;
use crate::exchange::Peek;
use std::net::SocketAddr;

/// How a front end resolves names and connects to addresses, by the deadline of one connection.
pub(crate) trait Network: Sync {
    type Wire: Peek + Send;

    /// Returns all addresses of a name, in the resolver's order.
    fn resolve(
        &self,
        name: &str,
        port: u16,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, UpgradeError>> + Send;

    /// Connects to one of an endpoint's addresses, the most preferred first, with `TCP_NODELAY`.
    fn connect(
        &self,
        addresses: Vec<SocketAddr>,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Self::Wire, UpgradeError>> + Send;
}
