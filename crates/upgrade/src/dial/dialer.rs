//! How a client connects: through which proxy, to which place, with which TLS.

use super::endpoint::Endpoint;
use super::network::Network;
use super::proxies::Proxies;
use super::route;
use super::target::Target;
use crate::error::Error;
use crate::syntax::split_host;

/// How a client connects to the host of a URI.
///
/// The default goes straight there. One dialer serves any number of connections and is cheap to
/// clone.
///
/// # What a connection takes
///
/// A host name is resolved by the operating system, **which cannot be interrupted**: it blocks for as
/// long as the resolver is set up to take, and only what follows is bounded by the time limit. The
/// addresses are tried one after the other, in the order of RFC 8305 section 4 (IPv6 and IPv4 in
/// turn), each with an equal share of the time that is left; nothing is tried in parallel, as that
/// would take a thread. `TCP_NODELAY` is set. With a proxy that is how the proxy is connected to.
///
/// Over tokio, `tokio::dial` takes the same dialer, waits for the resolver no longer
/// than the limit, and races the addresses.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    proxies: Proxies,
    /// In place of what URIs name.
    place: Option<Endpoint>,
    /// The default configuration unless set.
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

impl Dialer {
    /// The default: no proxy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The [`Proxy`](crate::Proxy) to connect through, or the [`Proxies`] for different hosts.
    ///
    /// The environment is looked at only where it is asked for, with [`Proxies::from_env`].
    #[must_use]
    pub fn proxy(mut self, proxies: impl Into<Proxies>) -> Self {
        self.proxies = proxies.into();
        self
    }

    /// Connects to this `HOST:PORT`, whatever host and port a URI names: to try one server of many, or
    /// before its name leads there.
    ///
    /// The URI's stays in the `Host` header, and the certificate has to be for it. A proxy is asked for
    /// this place, [exceptions](Proxies) are of it, and redirects that are followed lead to it as well.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) where it is not a
    /// host and a port.
    pub fn connect_to(mut self, place: &str) -> Result<Self, Error> {
        let has_port = matches!(split_host(place), Some((_, Some(_))));
        let place = Endpoint::parse(place, 0).filter(|_| has_port);
        if place.is_none() {
            return Err(Error::invalid("place to connect to is not HOST:PORT"));
        }
        self.place = place;
        Ok(self)
    }

    /// The TLS configuration for `https` URIs: own roots, a client's certificate, versions.
    ///
    /// Without one, the certificate must be for the host and lead to a root that the platform trusts;
    /// the roots are read once for the process. The configuration may offer `http/1.1` in ALPN; a
    /// connection that agrees on any other protocol fails with [`ErrorKind::Tls`](crate::ErrorKind::Tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// As `dial` over TCP alone, with the ways of a front end.
    pub(crate) async fn connect_over<N: Network>(
        &self,
        network: &N,
        target: &Target,
    ) -> Result<N::Wire, Error> {
        let endpoint = self.place.as_ref().unwrap_or(&target.endpoint).clone();
        let reached = Target {
            endpoint,
            ..*target
        };
        route::connect(network, &self.proxies, &reached).await
    }
}
