//! Dialling with `tokio::net`: names, addresses and proxies, then TLS.

mod race;
mod stream;
mod tcp;
#[cfg(feature = "tokio-rustls")]
mod tls;

use super::wire::{READ, TokioWire, after, by};
use crate::dial::{Dialer, Endpoint, Network, Target, no_connection, nodelay_failed, not_resolved};
use crate::error::UpgradeError;
use crate::exchange::{Deadline, Peek, Upgraded, Wire as _, request_over};
use crate::head::Limits;
use http::{Request, Response, Uri};
use race::race;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::net::{TcpStream, lookup_host};

pub use stream::Stream;
pub(super) use tcp::tcp;

/// Connects to the host of an `http` or `https` URI: [`Dialer::dial`] over tokio.
///
/// Proxies, TLS and errors are as there, and the feature that `https` needs is `tokio-rustls`. What is different:
///
/// * `time` is for all of it, resolving included. The operating system resolves a name in a thread of tokio's, which
///   goes on for as long as the resolver is set up to take, even after this has given up.
/// * The addresses are raced, as RFC 8305 section 5 says: in the order of section 4, each 250 ms after the one before
///   or as soon as that failed. The first to accept the connection wins, and the others are dropped. No task is
///   started for it. Where there are several addresses, the runtime needs its timer for that even with
///   [`Duration::MAX`], which is for ever.
///
/// # Cancel safety
/// Dropped before it is ready, it closes what it has and connects no further.
///
/// # Examples
/// ```no_run
/// use framewire_upgrade::{Dialer, Proxies};
/// use std::time::Duration;
///
/// # async fn dial() -> Result<(), Box<dyn std::error::Error>> {
/// let dialer = Dialer::new().proxy(Proxies::from_env()?);
/// let uri = "https://a.example/".parse()?;
/// let stream = framewire_upgrade::tokio::dial(&dialer, &uri, Duration::from_secs(10)).await?;
/// println!("{}", stream.get_ref().peer_addr()?);
/// # Ok(())
/// # }
/// ```
pub async fn dial(dialer: &Dialer, uri: &Uri, time: Duration) -> Result<Stream, UpgradeError> {
    let target = Target::of(uri)?;
    Box::pin(dial_by(dialer, &target, after(time))).await
}

/// Connects to the host of the request's URI and asks there for an upgrade: [`dial`] and
/// [`request`](super::request), with [`Limits::time`] for both together.
///
/// As [`Dialer::dial_and_request`], over tokio.
///
/// # Cancel safety
/// Dropped before it is ready, it closes the connection.
pub async fn dial_and_request<E: From<UpgradeError>>(
    dialer: &Dialer,
    request: Request<()>,
    limits: &Limits,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<Stream>, E> {
    let deadline = after(limits.time);
    let target = Target::of(request.uri())?;
    let stream = Box::pin(dial_by(dialer, &target, deadline)).await?;
    let wire = TokioWire::new(stream, deadline);
    Box::pin(request_over(wire, request, limits, |_| true, validate)).await
}

/// Connects to a target as [`dial`] does, by a deadline that also applies to what follows.
pub async fn dial_by(
    dialer: &Dialer,
    target: &Target,
    deadline: Deadline,
) -> Result<Stream, UpgradeError> {
    if cfg!(not(feature = "tokio-rustls")) && target.secure {
        return Err(target.needs_feature("tokio-rustls"));
    }
    let wire = dialer.connect_over(&Tokio(deadline), target).await?;
    let stream = wire.into_stream();
    #[cfg(feature = "tokio-rustls")]
    if target.secure {
        let config = crate::tls::or_default(dialer.tls.as_ref())?;
        let host = target.certificate_host();
        let stream = tls::connect(stream, &host, config, deadline).await?;
        return Ok(Stream::Tls(Box::new(stream.into())));
    }
    Ok(Stream::Plain(stream))
}

/// The resolver and the sockets of tokio.
struct Tokio(Deadline);

impl Network for Tokio {
    type Wire = TokioWire<TcpStream>;

    async fn resolve(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, UpgradeError> {
        resolve_by(self.0, name, lookup_host((name, port))).await
    }

    async fn connect(
        &self,
        addresses: Vec<SocketAddr>,
        endpoint: &Endpoint,
    ) -> Result<Self::Wire, UpgradeError> {
        let stream = match by(self.0, race(addresses, TcpStream::connect)).await {
            Some(Ok(stream)) => stream,
            Some(Err(failures)) => return Err(no_connection(endpoint, failures)),
            None => return Err(self.0.error_for(&format!("connection to {endpoint}"))),
        };
        // Without it, a small message would wait for the acknowledgement of the one before.
        stream.set_nodelay(true).map_err(nodelay_failed)?;
        Ok(TokioWire::new(stream, self.0))
    }
}

impl Peek for TokioWire<TcpStream> {
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, UpgradeError>> {
        self.poll_by_deadline(context, READ, |stream, context| {
            stream.poll_peek(context, &mut ReadBuf::new(buf))
        })
    }
}

async fn resolve_by<I: Iterator<Item = SocketAddr>>(
    deadline: Deadline,
    name: &str,
    lookup: impl Future<Output = io::Result<I>>,
) -> Result<Vec<SocketAddr>, UpgradeError> {
    match by(deadline, lookup).await {
        Some(Ok(addresses)) => Ok(addresses.collect()),
        Some(Err(error)) => Err(not_resolved(name).with_cause(error)),
        None => Err(deadline.error_for(&format!("resolution of {name}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::error::UpgradeErrorKind;
    use std::future::pending;

    #[tokio::test(start_paused = true)]
    async fn name_that_is_not_resolved_in_time_is_named() {
        let time = Duration::from_secs(3);
        let lookup = pending::<io::Result<std::vec::IntoIter<_>>>();
        let error = resolve_by(after(time), "a.example", lookup)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::TimedOut);
        assert_eq!(
            error.to_string(),
            "resolution of a.example was not done within the limit of 3s"
        );
    }

    #[cfg(not(feature = "tokio-rustls"))]
    #[tokio::test]
    async fn tls_without_its_feature_is_refused_by_the_name_of_the_feature() {
        let uri = Uri::from_static("https://127.0.0.1:1/");
        let refused = dial(&Dialer::new(), &uri, Duration::MAX).await;
        let error = refused.map(drop).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "127.0.0.1:1 is to be reached over tls, which needs the feature `tokio-rustls`"
        );
    }
}
