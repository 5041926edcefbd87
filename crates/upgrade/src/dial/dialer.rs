//! How a client connects: through which proxy, to which endpoint, with which TLS.

use super::endpoint::Endpoint;
use super::network::Network;
use super::proxies::Proxies;
use super::route;
use super::target::Target;
use crate::error::UpgradeError;
use crate::syntax::split_host;

/// How a client connects to the host of a URI.
///
/// The default connects directly. One dialer serves any number of connections and is cheap to clone.
///
/// The operating system resolves a host name, **which cannot be interrupted**: it blocks for as long as the resolver
/// is set up to take. The time limit bounds only what follows. The addresses are tried one after the other, in the
/// order of RFC 8305 section 4 (IPv6 and IPv4 in turn), each with an equal share of the time that is left. Nothing is
/// tried in parallel, as that would take a thread. `TCP_NODELAY` is set. With a proxy, all this is how the proxy is
/// connected to.
///
/// Over tokio, `tokio::dial` takes the same dialer, waits for the resolver no longer than the limit, and races the
/// addresses.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    proxies: Proxies,
    /// Replaces the host and port that URIs name.
    place: Option<Endpoint>,
    /// The default configuration unless set.
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

impl Dialer {
    /// Creates the default dialer: no proxy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the [`Proxy`](crate::Proxy) to connect through, or the [`Proxies`] for different hosts.
    ///
    /// The environment is read only where the program asks for it, with [`Proxies::from_env`].
    #[must_use]
    pub fn proxy(mut self, proxies: impl Into<Proxies>) -> Self {
        self.proxies = proxies.into();
        self
    }

    /// Connects to this `HOST:PORT`, whatever host and port a URI names: to try one server of many, or a server before
    /// its name leads there.
    ///
    /// The URI's host stays in the `Host` header, and the certificate must be for it. A proxy is asked for this place,
    /// [exceptions](Proxies) apply to it, and redirects that are followed lead to it as well.
    ///
    /// # Errors
    /// [`UpgradeErrorKind::InvalidArgument`](crate::UpgradeErrorKind::InvalidArgument) where it is not a host and a
    /// port.
    pub fn connect_to(mut self, place: &str) -> Result<Self, UpgradeError> {
        let has_port = matches!(split_host(place), Some((_, Some(_))));
        let place = Endpoint::parse(place, 0).filter(|_| has_port);
        if place.is_none() {
            return Err(UpgradeError::invalid(
                "place to connect to is not HOST:PORT",
            ));
        }
        self.place = place;
        Ok(self)
    }

    /// Sets the TLS configuration for `https` URIs: roots, a client certificate, versions.
    ///
    /// Without one, the certificate must be for the host and lead to a root that the platform trusts. The roots are
    /// read once for the process. The configuration may offer `http/1.1` in ALPN. A connection that agrees on any
    /// other protocol fails with [`UpgradeErrorKind::Tls`](crate::UpgradeErrorKind::Tls).
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Connects to a target over TCP, without TLS, by the network of a front end.
    pub(crate) async fn connect_over<N: Network>(
        &self,
        network: &N,
        target: &Target,
    ) -> Result<N::Wire, UpgradeError> {
        let endpoint = self.place.as_ref().unwrap_or(&target.endpoint).clone();
        let reached = Target {
            endpoint,
            ..*target
        };
        route::connect(network, &self.proxies, &reached).await
    }
}
