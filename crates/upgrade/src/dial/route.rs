//! The route to a target: direct, or through a proxy.

use super::addresses::{interleave, not_resolved};
use super::endpoint::{Endpoint, Host};
use super::network::Network;
use super::proxies::Proxies;
use super::proxy::{Protocol, Proxy};
use super::socks::{self, Failure};
use super::target::Target;
use super::tunnel;
use crate::error::{UpgradeError, UpgradeErrorKind};
use std::net::SocketAddr;

/// Connects to a target, directly or through a proxy.
pub(super) async fn connect<N: Network>(
    network: &N,
    proxies: &Proxies,
    target: &Target,
) -> Result<N::Wire, UpgradeError> {
    match proxies.choose(target) {
        Some(proxy) => connect_through(network, proxy, &target.endpoint).await,
        None => connect_to(network, &target.endpoint).await,
    }
}

/// Returns the addresses of an endpoint, in the order in which they are tried.
async fn ordered<N: Network>(
    network: &N,
    endpoint: &Endpoint,
) -> Result<Vec<SocketAddr>, UpgradeError> {
    let name = match &endpoint.host {
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, endpoint.port)]),
        Host::Name(name) => name,
    };
    let addresses = network.resolve(name, endpoint.port).await?;
    if addresses.is_empty() {
        return Err(not_resolved(name));
    }
    Ok(interleave(addresses))
}

async fn connect_to<N: Network>(network: &N, endpoint: &Endpoint) -> Result<N::Wire, UpgradeError> {
    let addresses = ordered(network, endpoint).await?;
    network.connect(addresses, endpoint).await
}

async fn connect_through<N: Network>(
    network: &N,
    proxy: &Proxy,
    target: &Endpoint,
) -> Result<N::Wire, UpgradeError> {
    match proxy.protocol {
        Protocol::Socks5 => {
            let addresses = ordered(network, target).await?;
            open_to_any(network, proxy, &addresses).await
        }
        Protocol::Http | Protocol::Socks5h => {
            let opened = open_through(network, proxy, target).await;
            opened.map_err(|failure| failure.error)
        }
    }
}

async fn open_to_any<N: Network>(
    network: &N,
    proxy: &Proxy,
    addresses: &[SocketAddr],
) -> Result<N::Wire, UpgradeError> {
    let mut unreachable = UpgradeError::new(UpgradeErrorKind::Resolve, "host has no address");
    for address in addresses {
        let target = Endpoint {
            host: Host::Address(address.ip()),
            port: address.port(),
        };
        match open_through(network, proxy, &target).await {
            Ok(wire) => return Ok(wire),
            Err(failure) if failure.of_address => unreachable = failure.error,
            Err(failure) => return Err(failure.error),
        }
    }
    Err(unreachable)
}

async fn open_through<N: Network>(
    network: &N,
    proxy: &Proxy,
    target: &Endpoint,
) -> Result<N::Wire, Failure> {
    let mut wire = connect_to(network, &proxy.endpoint)
        .await
        .map_err(|error| {
            let message = format!("proxy {} cannot be reached", proxy.endpoint);
            error.of_step(UpgradeErrorKind::Proxy, &message)
        })?;
    let credentials = proxy.credentials.as_ref();
    let opened = match proxy.protocol {
        Protocol::Http => tunnel::open(&mut wire, target, credentials)
            .await
            .map_err(Failure::from),
        Protocol::Socks5 | Protocol::Socks5h => socks::open(&mut wire, target, credentials).await,
    };
    opened.map_err(|failure| {
        let message = format!("proxy {} made no connection to {target}", proxy.endpoint);
        Failure {
            error: failure.error.of_step(UpgradeErrorKind::Proxy, &message),
            ..failure
        }
    })?;
    Ok(wire)
}
