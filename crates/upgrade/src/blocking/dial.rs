//! Dialling that blocks.

use super::network::Blocking;
use super::stream::Stream;
use super::wire::BlockingWire;
use crate::dial::{Dialer, Target};
use crate::error::UpgradeError;
use crate::exchange::{Deadline, Upgraded, Wire as _, finish, request_over};
use crate::head::Limits;
use http::{Request, Response, Uri};
use std::time::Duration;

/// Calls that block.
impl Dialer {
    /// Connects to the host of an `http` or `https` URI.
    ///
    /// Blocks for `time` at most, but see [above](Self) for resolving names; [`Duration::MAX`] is for ever. No
    /// time-out is left set on the stream.
    ///
    /// # Errors
    ///
    /// | kind | where |
    /// |---|---|
    /// | [`Resolve`](crate::UpgradeErrorKind::Resolve) | the host's name has no address |
    /// | [`Dial`](crate::UpgradeErrorKind::Dial) | no address accepted the connection |
    /// | [`Proxy`](crate::UpgradeErrorKind::Proxy) | the proxy could not be reached, or made no connection |
    /// | [`Tls`](crate::UpgradeErrorKind::Tls) | the TLS handshake failed |
    /// | [`Io`](crate::UpgradeErrorKind::Io) | the platform has no roots to trust, or the socket no options |
    /// | [`TimedOut`](crate::UpgradeErrorKind::TimedOut) | the time was over |
    /// | [`Unsupported`](crate::UpgradeErrorKind::Unsupported) | the URI is `https`, and the feature `rustls` is off |
    /// | [`InvalidArgument`](crate::UpgradeErrorKind::InvalidArgument) | the URI is not `http` or `https`, or has no host |
    pub fn dial(&self, uri: &Uri, time: Duration) -> Result<Stream, UpgradeError> {
        dial_by(self, &Target::of(uri)?, Deadline::after(time))
    }

    /// Connects to the host of the request's URI and asks there for an upgrade: [`dial`](Self::dial)
    /// and [`request`](crate::request), with [`Limits::time`] for both together.
    pub fn dial_and_request<E: From<UpgradeError>>(
        &self,
        request: Request<()>,
        limits: &Limits,
        validate: impl FnOnce(&Response<()>) -> Result<(), E>,
    ) -> Result<Upgraded<Stream>, E> {
        let deadline = Deadline::after(limits.time);
        let stream = dial_by(self, &Target::of(request.uri())?, deadline)?;
        let wire = BlockingWire::new(stream, deadline);
        finish(request_over(wire, request, limits, |_| true, validate))
    }
}

/// Connects to a target as [`Dialer::dial`] does, by a deadline that also applies to what follows. No time-out is left
/// set on the stream.
pub fn dial_by(
    dialer: &Dialer,
    target: &Target,
    deadline: Deadline,
) -> Result<Stream, UpgradeError> {
    if cfg!(not(feature = "rustls")) && target.secure {
        return Err(target.needs_feature("rustls"));
    }
    let wire = finish(dialer.connect_over(&Blocking(deadline), target))?;
    wire.release()?;
    #[cfg(feature = "rustls")]
    if target.secure {
        let config = crate::tls::or_default(dialer.tls.as_ref())?;
        let host = target.certificate_host();
        return super::tls::connect_for_http(wire, &host, config).map(Stream::Tls);
    }
    Ok(Stream::Plain(wire.into_stream()))
}

#[cfg(all(test, not(feature = "rustls")))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::error::UpgradeErrorKind;

    #[test]
    fn tls_without_its_feature_is_refused_by_the_name_of_the_feature() {
        let uri = Uri::from_static("https://127.0.0.1:1/");
        let error = Dialer::new().dial(&uri, Duration::MAX).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "127.0.0.1:1 is to be reached over tls, which needs the feature `rustls`"
        );
    }
}
