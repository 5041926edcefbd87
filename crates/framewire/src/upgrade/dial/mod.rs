//! The client's way to a stream: names, addresses and proxies, then TLS where the URI asks for it.

mod addresses;
mod endpoint;
mod network;
mod proxies;
mod proxy;
mod route;
mod socks;
mod stream;
mod tunnel;

use super::client::request_over;
use super::deadline::Deadline;
use super::timed::Timed;
#[cfg(feature = "rustls")]
use super::tls::{TlsStream, default_config};
use super::wire::{Wire as _, finish};
use super::{Error, ErrorKind, Limits, Upgraded, split_host};
use crate::Timeouts;
#[cfg(feature = "rustls")]
use endpoint::Host;
use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response};
use network::Blocking;
#[cfg(feature = "rustls")]
use std::net::TcpStream;
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::time::Duration;

pub(crate) use addresses::nodelay_failed;
#[cfg(feature = "tokio-net")]
pub(crate) use addresses::{no_connection, not_resolved};
pub(crate) use endpoint::Endpoint;
pub(crate) use network::Network;
pub use proxies::Proxies;
pub use proxy::Proxy;
pub use stream::Stream;

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
/// Over tokio, `framewire::tokio::upgrade::dial` takes the same dialer, waits for the resolver no longer
/// than the limit, and races the addresses.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    proxies: Proxies,
    /// In place of what URIs name.
    place: Option<Endpoint>,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Dialer {
    /// The default: no proxy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The [`Proxy`] to connect through, or the [`Proxies`] for different hosts.
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
    /// Fails with [`ErrorKind::InvalidArgument`] where it is not a host and a port.
    pub fn connect_to(mut self, place: &str) -> Result<Self, Error> {
        let has_port = matches!(split_host(place), Some((_, Some(_))));
        let place = Endpoint::parse(place, 0).filter(|_| has_port);
        if place.is_none() {
            return Err(invalid("place to connect to is not HOST:PORT"));
        }
        self.place = place;
        Ok(self)
    }

    /// The TLS configuration for `https` URIs: own roots, a client's certificate, versions.
    ///
    /// Without one, the certificate must be for the host and lead to a root that the platform trusts;
    /// the roots are read once for the process. The configuration may offer `http/1.1` in ALPN; a
    /// connection that agrees on any other protocol fails with [`ErrorKind::Tls`].
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Connects to the host of an `http` or `https` URI.
    ///
    /// Blocks for `time` at most, but see [above](Self) for resolving; [`Duration::MAX`] is for ever.
    /// No time-out is left set on the stream.
    ///
    /// Fails with
    ///
    /// | kind | where |
    /// |---|---|
    /// | [`ErrorKind::Resolve`] | the host's name has no address |
    /// | [`ErrorKind::Dial`] | no address took the connection |
    /// | [`ErrorKind::Proxy`] | the proxy could not be reached, or made no connection |
    /// | [`ErrorKind::Tls`] | the TLS handshake failed |
    /// | [`ErrorKind::Io`] | the platform has no roots to trust, or the socket no options |
    /// | [`ErrorKind::TimedOut`] | the time was over |
    /// | [`ErrorKind::Unsupported`] | the URI is `https`, and the feature `rustls` is off |
    /// | [`ErrorKind::InvalidArgument`] | the URI is neither `http` nor `https`, or has no host |
    pub fn dial(&self, uri: &Uri, time: Duration) -> Result<Stream, Error> {
        self.dial_by(&Target::of(uri)?, Deadline::after(time))
    }

    /// Connects to the host of the request's URI and asks there for an upgrade: [`dial`](Self::dial)
    /// and [`request`](super::request), with [`Limits::time`] for both together.
    pub fn request<E: From<Error>>(
        &self,
        request: Request<()>,
        limits: &Limits,
        validate: impl FnOnce(&Response<()>) -> Result<(), E>,
    ) -> Result<Upgraded<Stream>, E> {
        let deadline = Deadline::after(limits.time);
        let stream = self.dial_by(&Target::of(request.uri())?, deadline)?;
        let wire = Timed::new(stream, deadline);
        finish(request_over(wire, request, limits, |_| true, validate))
    }

    pub(crate) fn dial_by(&self, target: &Target, deadline: Deadline) -> Result<Stream, Error> {
        let stream = self.connect_by(target, deadline)?;
        deadline.restore(Timeouts::default(), &stream)?;
        Ok(stream)
    }

    /// Connects; the time-outs that the deadline needs are left set.
    fn connect_by(&self, target: &Target, deadline: Deadline) -> Result<Stream, Error> {
        if cfg!(not(feature = "rustls")) && target.secure {
            return Err(target.needs_feature("rustls"));
        }
        let wire = finish(self.connect_over(&Blocking(deadline), target))?;
        #[cfg(feature = "rustls")]
        if target.secure {
            return self.secure(wire.into_stream(), target, deadline);
        }
        Ok(Stream::Plain(wire.into_stream()))
    }

    #[cfg(feature = "rustls")]
    fn secure(
        &self,
        stream: TcpStream,
        target: &Target,
        deadline: Deadline,
    ) -> Result<Stream, Error> {
        let host = target.certificate_host();
        let stream = TlsStream::connect_by(stream, &host, self.tls_config()?, deadline)?;
        stream.inspect(|session| check_alpn(&host, session.alpn_protocol()))?;
        Ok(Stream::Tls(stream))
    }

    /// The configuration for TLS: the one that was set, or the default.
    #[cfg(feature = "rustls")]
    pub(crate) fn tls_config(&self) -> Result<Arc<rustls::ClientConfig>, Error> {
        match &self.tls {
            Some(config) => Ok(Arc::clone(config)),
            None => default_config(),
        }
    }

    /// As [`dial`](Self::dial) over TCP alone, with the ways of a front end.
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

/// What a URI says about the connection to its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    pub(crate) endpoint: Endpoint,
}

impl Target {
    /// Of an `http` or `https` URI.
    pub(crate) fn of(uri: &Uri) -> Result<Self, Error> {
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(invalid("uri is neither http nor https")),
        };
        let authority = uri.authority().map_or("", Authority::as_str);
        Self::new(secure, authority)
    }

    /// Of the authority of a URI.
    pub(crate) fn new(secure: bool, authority: &str) -> Result<Self, Error> {
        let default_port = if secure { 443 } else { 80 };
        let Some(endpoint) = Endpoint::parse(authority, default_port) else {
            return Err(invalid("authority of the uri is not host[:port]"));
        };
        Ok(Self { secure, endpoint })
    }

    /// Whom the certificate has to be for.
    #[cfg(feature = "rustls")]
    pub(crate) fn certificate_host(&self) -> String {
        match &self.endpoint.host {
            Host::Name(name) => name.clone(),
            Host::Address(address) => address.to_string(),
        }
    }

    /// The error for a feature without which there is no TLS.
    pub(crate) fn needs_feature(&self, feature: &str) -> Error {
        let message = format!(
            "{} is to be reached over tls, which needs the feature `{feature}` of framewire",
            self.endpoint
        );
        Error::new(ErrorKind::Unsupported, message)
    }
}

/// RFC 7301 3.2: nothing but what was agreed on may be spoken.
#[cfg(feature = "rustls")]
pub(crate) fn check_alpn(host: &str, agreed: Option<&[u8]>) -> Result<(), Error> {
    let Some(protocol) = agreed.filter(|protocol| *protocol != b"http/1.1") else {
        return Ok(());
    };
    let message = format!(
        "{host} and the tls configuration agreed on {}, which is not http/1.1",
        protocol.escape_ascii()
    );
    Err(Error::new(ErrorKind::Tls, message))
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(all(test, not(feature = "rustls")))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tls_without_its_feature_is_refused_by_the_name_of_the_feature() {
        let uri = Uri::from_static("https://127.0.0.1:1/");
        let error = Dialer::new().dial(&uri, Duration::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "127.0.0.1:1 is to be reached over tls, which needs the feature `rustls` of framewire"
        );
    }
}
