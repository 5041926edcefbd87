//! The client's way to a stream: names, addresses and proxies, then TLS where the URI asks for it.

mod addresses;
mod endpoint;
mod proxies;
mod proxy;
mod socks;
mod stream;
mod tunnel;

use super::client::request_by;
use super::deadline::Deadline;
#[cfg(feature = "rustls")]
use super::tls::{TlsStream, default_config};
use super::{Error, ErrorKind, Limits, Upgraded};
use endpoint::{Endpoint, Host};
use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response};
use std::net::{SocketAddr, TcpStream};
#[cfg(feature = "rustls")]
use std::sync::Arc;
use std::time::Duration;

use proxy::Protocol;

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
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    proxies: Proxies,
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
        let deadline = Deadline::after(time);
        let stream = self.dial_by(&Target::of(uri)?, deadline)?;
        deadline.clear(&stream)?;
        Ok(stream)
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
        request_by(stream, request, limits, deadline, |_| true, validate)
    }

    /// Connects; the time-outs that the deadline needs are left set.
    pub(crate) fn dial_by(&self, target: &Target, deadline: Deadline) -> Result<Stream, Error> {
        if cfg!(not(feature = "rustls")) && target.secure {
            let message = format!(
                "{} is to be reached over tls, which needs the feature `rustls` of framewire",
                target.endpoint
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let stream = self.connect(target, deadline)?;
        #[cfg(feature = "rustls")]
        if target.secure {
            return self.secure(stream, target, deadline);
        }
        Ok(Stream::Plain(stream))
    }

    #[cfg(feature = "rustls")]
    fn secure(
        &self,
        stream: TcpStream,
        target: &Target,
        deadline: Deadline,
    ) -> Result<Stream, Error> {
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => default_config()?,
        };
        let host = match &target.endpoint.host {
            Host::Name(name) => name.clone(),
            Host::Address(address) => address.to_string(),
        };
        let stream = TlsStream::connect_by(stream, &host, config, deadline)?;
        // RFC 7301 3.2: nothing but what was agreed on may be spoken.
        let alpn = stream.inspect(|session| session.alpn_protocol().map(<[u8]>::to_vec));
        if let Some(protocol) = alpn.filter(|protocol| protocol != b"http/1.1") {
            let message = format!(
                "{host} and the tls configuration agreed on {}, which is not http/1.1",
                protocol.escape_ascii()
            );
            return Err(Error::new(ErrorKind::Tls, message));
        }
        Ok(Stream::Tls(stream))
    }

    fn connect(&self, target: &Target, deadline: Deadline) -> Result<TcpStream, Error> {
        match self.proxies.choose(target) {
            Some(proxy) => connect_through(proxy, &target.endpoint, deadline),
            None => addresses::connect(&target.endpoint, deadline),
        }
    }
}

fn connect_through(
    proxy: &Proxy,
    target: &Endpoint,
    deadline: Deadline,
) -> Result<TcpStream, Error> {
    match proxy.protocol {
        Protocol::Socks5 => open_to_any(proxy, &addresses::ordered(target)?, deadline),
        Protocol::Http | Protocol::Socks5h => {
            open_through(proxy, target, deadline).map_err(|failure| failure.error)
        }
    }
}

fn open_to_any(
    proxy: &Proxy,
    addresses: &[SocketAddr],
    deadline: Deadline,
) -> Result<TcpStream, Error> {
    let mut unreachable = Error::new(ErrorKind::Resolve, "host has no address");
    for address in addresses {
        let target = Endpoint {
            host: Host::Address(address.ip()),
            port: address.port(),
        };
        match open_through(proxy, &target, deadline) {
            Ok(stream) => return Ok(stream),
            Err(failure) if failure.of_address => unreachable = failure.error,
            Err(failure) => return Err(failure.error),
        }
    }
    Err(unreachable)
}

/// Why a proxy made no connection.
#[derive(Debug)]
struct Failure {
    error: Error,
    /// Whether another address of the target may do.
    of_address: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            of_address: false,
        }
    }
}

fn open_through(
    proxy: &Proxy,
    target: &Endpoint,
    deadline: Deadline,
) -> Result<TcpStream, Failure> {
    let unreachable = |error: Error| {
        let message = format!("proxy {} cannot be reached", proxy.endpoint);
        error.of_step(ErrorKind::Proxy, &message)
    };
    let mut stream = addresses::connect(&proxy.endpoint, deadline).map_err(unreachable)?;
    let credentials = proxy.credentials.as_ref();
    let opened = match proxy.protocol {
        Protocol::Http => {
            tunnel::open(&mut stream, target, credentials, deadline).map_err(Failure::from)
        }
        Protocol::Socks5 | Protocol::Socks5h => {
            socks::open(&mut stream, target, credentials, deadline)
        }
    };
    opened.map_err(|failure| {
        let message = format!("proxy {} made no connection to {target}", proxy.endpoint);
        Failure {
            error: failure.error.of_step(ErrorKind::Proxy, &message),
            ..failure
        }
    })?;
    Ok(stream)
}

/// What a URI says about the connection to its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    pub(crate) endpoint: Endpoint,
}

impl Target {
    /// Of an `http` or `https` URI.
    pub(super) fn of(uri: &Uri) -> Result<Self, Error> {
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
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    #[test]
    fn address_that_a_socks_proxy_does_not_reach_is_followed_by_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("socks5://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            // Host unreachable, then success, each to a greeting and a request.
            [4, 0].map(|reply| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 3]).unwrap();
                stream.write_all(&[5, 0]).unwrap();
                let mut request = [0; 10];
                stream.read_exact(&mut request).unwrap();
                let answer = [5, reply, 0, 1, 0, 0, 0, 0, 0, 0];
                stream.write_all(&answer).unwrap();
                request[7]
            })
        });
        let addresses = ["192.0.2.1:80", "192.0.2.2:80"].map(|text| text.parse().unwrap());
        let deadline = Deadline::after(Duration::from_secs(30));
        open_to_any(&Proxy::parse(&proxy).unwrap(), &addresses, deadline).unwrap();
        assert_eq!(server.join().unwrap(), [1, 2]);
    }

    /// How many of two addresses are tried through a proxy that answers all of these, in turn.
    fn tried(user: &str, answers: &'static [&'static [u8]]) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("socks5://{user}{}", listener.local_addr().unwrap());
        let (note, notes) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = note.send(());
                for answer in answers {
                    let _ = stream.read(&mut [0; 100]).unwrap();
                    stream.write_all(answer).unwrap();
                }
            }
        });
        let addresses = ["192.0.2.1:80", "192.0.2.2:80"].map(|text| text.parse().unwrap());
        let deadline = Deadline::after(Duration::from_secs(30));
        open_to_any(&Proxy::parse(&proxy).unwrap(), &addresses, deadline).unwrap_err();
        notes.try_iter().count()
    }

    #[test]
    fn rfc1928_6_another_address_is_tried_only_where_the_reply_is_about_the_address() {
        assert_eq!(tried("", &[&[5, 0], &[5, 1, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0], &[5, 2, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0], &[5, 3, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 4, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 5, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 6, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 7, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0], &[5, 8, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 9, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0xFF]]), 1);
        // RFC 1929: a password that is wrong is wrong for all of them.
        assert_eq!(tried("u:p@", &[&[5, 2], &[1, 1]]), 1);
    }
}
