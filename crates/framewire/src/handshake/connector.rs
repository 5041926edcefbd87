//! A client's policy: what it asks for, and how it gets to the server.

use std::sync::Arc;

use super::check::check_websocket_headers;
use super::extensions::Extension;
use super::fields::{append, header, header_value, value};
use super::key::generate_key;
use super::uri::{is_secure, parse_uri, target};
use super::{Established, HandshakeError, HandshakeErrorKind, redirect, subprotocol};
use crate::Socket;
use crate::protocol::{Agreement, Role};
use crate::upgrade::layer::blocking::{BlockingWire, dial_by, finish};
use crate::upgrade::layer::{Deadline, Wire, nodelay_failed, request_over};
use crate::upgrade::{Dialer, Limits, Stream, UpgradeError, UpgradeErrorKind};
use http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use std::future::ready;
use std::io;

/// A client's side of the handshake: what it asks for.
///
/// The default offers no subprotocol, sends no `Origin`, and has the default [`Limits`]. One
/// connector serves any number of connections.
#[derive(Debug, Clone, Default)]
pub struct Connector {
    subprotocols: Vec<String>,
    origin: Option<HeaderValue>,
    headers: HeaderMap,
    limits: Limits,
    dialer: Dialer,
    redirects: usize,
    delay: bool,
    extension: Option<Arc<dyn Extension>>,
}

impl Connector {
    /// Creates the default request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subprotocols to offer, most preferred first. Replaces earlier ones.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`] where a name is not a token or appears twice (RFC 6455 4.1).
    pub fn subprotocols<I>(mut self, names: I) -> Result<Self, HandshakeError>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        subprotocol::check_names(&self.subprotocols)?;
        Ok(self)
    }

    /// Sets the `Origin` to send. Browsers must; other clients need not (RFC 6455 4.1).
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`] where it cannot be a header's value.
    pub fn origin(
        mut self,
        origin: impl TryInto<HeaderValue, Error: Into<http::Error>>,
    ) -> Result<Self, HandshakeError> {
        self.origin = Some(header_value(origin)?);
        Ok(self)
    }

    /// Adds a header to every request: `Authorization`, `Cookie`, ….
    ///
    /// A [`HeaderName`] has no case. On the wire each word has a capital (`X-My-Id`), or the spelling of its standard
    /// (`DNT`).
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`] for a header that the handshake sets or that has no place in it:
    /// `Sec-WebSocket-*`, `Connection`, `Upgrade`, `Host`, `Origin`, `Content-Length`, `Transfer-Encoding`.
    pub fn header(
        mut self,
        name: impl TryInto<HeaderName, Error: Into<http::Error>>,
        value: impl TryInto<HeaderValue, Error: Into<http::Error>>,
    ) -> Result<Self, HandshakeError> {
        append(&mut self.headers, header(name, value)?)?;
        Ok(self)
    }

    /// Sets the limits on a response, which are `upgrade::Limits`. Default: 16 KiB, 100 headers and 10 s. The time is
    /// for all of [`connect`](Self::connect) together.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how [`connect`](Self::connect) gets to the server: proxies, TLS. Default: directly.
    #[must_use]
    pub fn dialer(mut self, dialer: Dialer) -> Self {
        self.dialer = dialer;
        self
    }

    /// Lets [`connect`](Self::connect) follow at most `at_most` redirects. Default: none.
    ///
    /// 301, 302, 303, 307 and 308 are followed, `http` targets as `ws` and `https` as `wss`, but never from `wss` to
    /// `ws`. Once scheme, host or port change, `Authorization`, `Cookie` and `Proxy-Authorization` are no longer sent;
    /// all other headers, subprotocols and the origin are. A server that redirects decides where this client connects
    /// to, on the client's side of any firewall. Cookies that a redirect sets are not stored. A `Location` that cannot
    /// be used is a refusal, and the error says why.
    #[must_use]
    pub fn follow_redirects(mut self, at_most: usize) -> Self {
        self.redirects = at_most;
        self
    }

    /// Sets whether the handshake sets `TCP_NODELAY` on a TCP stream, with TLS or without, so that small messages
    /// leave at once. Default: `true`. With `false` the option is switched off: a message that follows another waits
    /// for the peer to acknowledge that one, which may take 40 ms.
    ///
    /// Over tokio this needs the feature `tokio-net`, and one of tokio's own TCP streams or one of `tokio-rustls` over
    /// it (with the feature of that name). On other streams the program sets the option.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.delay = !nodelay;
        self
    }

    /// Offers to use an extension. At most one is used: this replaces any that was set before.
    #[must_use]
    pub fn extension(mut self, extension: impl Extension + 'static) -> Self {
        self.extension = Some(Arc::new(extension));
        self
    }

    /// Returns what the server has made of the offer of an extension.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::Extension`] where its answer does not fit the offer. The caller then closes the connection
    /// (RFC 7692 5); the server is at fault.
    pub fn negotiated<B>(
        &self,
        response: &Response<B>,
    ) -> Result<Option<Arc<dyn Agreement>>, HandshakeError> {
        match self.extension.as_deref() {
            Some(extension) => super::extensions::check(extension, response.headers()),
            None => Ok(None),
        }
    }

    /// Connects to the host of a `ws` or `wss` URI and does the handshake there.
    ///
    /// Blocks for the time of the [`limits`](Self::limits) at most, redirects included, but see [`Dialer`] for
    /// resolving names. No time-out is left set on the stream.
    ///
    /// # Errors
    /// Those of [`connect_stream`](Self::connect_stream) and [`Dialer::dial`], and
    /// [`HandshakeErrorKind::TooManyRedirects`].
    pub fn connect(&self, uri: &str) -> Result<Established<Stream>, HandshakeError> {
        let deadline = Deadline::after(self.limits.time);
        let dial = |uri: Uri| {
            let stream = dial_by(&self.dialer, &target(&uri)?, deadline)?;
            self.set_nodelay(&stream)?;
            Ok(BlockingWire::new(stream, deadline))
        };
        finish(self.connect_by(uri, |uri| ready(dial(uri))))
    }

    /// As [`connect`](Self::connect), over streams that `dial` connects to the host of a `ws` or `wss` URI: through
    /// another TLS library, to a socket of another kind, …. `dial` is called again for each redirect that is followed.
    ///
    /// The [`dialer`](Self::dialer) is not used. The time that `dial` takes counts towards the limit, which does not
    /// interrupt it.
    ///
    /// # Errors
    /// Those of `connect`, and [`UpgradeErrorKind::Dial`] where `dial` fails.
    pub fn connect_over<S: Socket>(
        &self,
        uri: &str,
        mut dial: impl FnMut(&Uri) -> io::Result<S>,
    ) -> Result<Established<S>, HandshakeError> {
        let deadline = Deadline::after(self.limits.time);
        finish(self.connect_by(uri, |uri| {
            let stream = dial(&uri).map_err(|error| not_dialled(&uri, error));
            ready(stream.and_then(|stream| {
                self.set_nodelay(&stream)?;
                Ok(BlockingWire::new(stream, deadline))
            }))
        }))
    }

    /// Returns the time for all of a connection.
    #[cfg(feature = "tokio")]
    pub(crate) fn time(&self) -> std::time::Duration {
        self.limits.time
    }

    #[cfg(feature = "tokio-net")]
    pub(crate) fn its_dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Connects over what `dial` returns, and follows redirects.
    pub(crate) async fn connect_by<W: Wire, F: Future<Output = Result<W, HandshakeError>>>(
        &self,
        uri: &str,
        mut dial: impl FnMut(Uri) -> F,
    ) -> Result<Established<W::Stream>, HandshakeError> {
        let mut request = self.request(uri)?;
        let mut is_same_origin = true;
        let mut followed = 0;
        let mut led_here: Option<HandshakeError> = None;
        loop {
            let asked = request.uri().clone();
            let follows = |target: &Uri| self.obstacle(&asked, target, followed).is_none();
            let connected = match dial(asked.clone()).await {
                Ok(wire) => self.handshake_over(wire, request, follows).await,
                Err(error) => Err(error),
            };
            let error = match (connected, led_here) {
                (Ok(established), _) => return Ok(established),
                // The redirect cannot be used, but not because of what the caller passed.
                (Err(error), Some(redirect))
                    if error.kind() == HandshakeErrorKind::InvalidArgument =>
                {
                    let why = format!(": {error}");
                    return Err(redirect.redirecting(HandshakeErrorKind::Redirect, asked, &why));
                }
                (Err(error), _) => error,
            };
            let Some(target) = error.redirect().cloned() else {
                return Err(error);
            };
            if let Some((kind, why)) = self.obstacle(&asked, &target, followed) {
                return Err(error.redirecting(kind, target, &why));
            }
            // Credentials that were left out once stay out, wherever the next redirect leads.
            is_same_origin &= redirect::is_same_origin(&asked, &target);
            request = self.request(&target.to_string())?;
            if !is_same_origin {
                redirect::remove_credentials(request.headers_mut());
            }
            followed += 1;
            led_here = Some(error);
        }
    }

    /// Returns why a redirect is not followed, if it is not.
    fn obstacle(
        &self,
        asked: &Uri,
        target: &Uri,
        followed: usize,
    ) -> Option<(HandshakeErrorKind, String)> {
        if self.redirects == 0 {
            return Some((HandshakeErrorKind::Redirect, String::new()));
        }
        if followed == self.redirects {
            let s = if followed == 1 { "" } else { "s" };
            let why = format!(", over the limit of {followed} redirect{s}");
            return Some((HandshakeErrorKind::TooManyRedirects, why));
        }
        if is_secure(asked) == Some(true) && is_secure(target) != Some(true) {
            let why = ", from wss to ws, which is not followed".to_owned();
            return Some((HandshakeErrorKind::Redirect, why));
        }
        None
    }

    /// Does the handshake over a stream that is connected to the host of `uri`: one that the program dialled itself,
    /// with TLS of its own, or in memory.
    ///
    /// Blocks and sets time-outs as [`upgrade::request`](crate::upgrade::request) does.
    ///
    /// # Errors
    /// Those of [`request`](Self::request), `upgrade::request` and [`check_response`](super::check_response), and
    /// [`HandshakeErrorKind::Redirect`]. A refusal's status, headers and body are in the error.
    pub fn connect_stream<S: Socket>(
        &self,
        stream: S,
        uri: &str,
    ) -> Result<Established<S>, HandshakeError> {
        self.set_nodelay(&stream)?;
        finish(self.connect_stream_on::<BlockingWire<S>>(stream, uri))
    }

    fn set_nodelay<S: Socket>(&self, stream: &S) -> Result<(), HandshakeError> {
        let set = stream.set_nodelay(self.sets_nodelay());
        Ok(set.map_err(nodelay_failed)?)
    }

    pub(crate) fn sets_nodelay(&self) -> bool {
        !self.delay
    }

    /// As [`connect_stream`](Self::connect_stream), over any wire.
    pub(crate) async fn connect_stream_on<W: Wire>(
        &self,
        stream: W::Stream,
        uri: &str,
    ) -> Result<Established<W::Stream>, HandshakeError> {
        let wire = W::within(stream, self.limits.time);
        let request = self.request(uri)?;
        self.handshake_over(wire, request, |_| false).await
    }

    async fn handshake_over<W: Wire>(
        &self,
        wire: W,
        request: Request<()>,
        follows: impl Fn(&Uri) -> bool,
    ) -> Result<Established<W::Stream>, HandshakeError> {
        // `request_over` takes the request; the check needs only its headers.
        let (uri, asked) = (request.uri().clone(), request.headers().clone());
        let upgraded = request_over(
            wire,
            request,
            &self.limits,
            |response| !redirect::target(&uri, response).is_some_and(|target| follows(&target)),
            |response| check_websocket_headers(&asked, response.headers()),
        )
        .await;
        let upgraded = upgraded.map_err(|error| as_redirect(error, &uri))?;
        let agreed = self.negotiated(upgraded.response())?;
        Ok(Established::new(upgraded, Role::Client).with_extension(agreed))
    }

    /// Returns a request for a `ws` or `wss` URI (RFC 6455 3), with a new key (RFC 6455 4.1).
    ///
    /// Path and query are percent-encoded as UTF-8 where necessary, a backslash too; what is encoded already stays. A
    /// host that is not ASCII must be given in punycode.
    ///
    /// Does no I/O but asking the operating system for entropy.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`] where the URI is not `ws` or `wss`, or has a fragment or user
    /// information. [`HandshakeErrorKind::Entropy`].
    pub fn request(&self, uri: &str) -> Result<Request<()>, HandshakeError> {
        let (uri, host) = parse_uri(uri)?;
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.uri = uri;
        parts.headers = self.offer()?;
        let headers = &mut parts.headers;
        headers.insert(HOST, host);
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_KEY, value(&generate_key()?)?);
        Ok(Request::from_parts(parts, ()))
    }

    /// Returns an extended CONNECT for a `ws` or `wss` URI, with which HTTP/2 opens a WebSocket connection on one of
    /// its streams (RFC 8441 5): version HTTP/2, and an `http` or `https` URI.
    ///
    /// The sender adds `:protocol` with the value `websocket`: hyper and h2 each have a type for that in the request's
    /// [`extensions`](http::Request::extensions). The answer goes to
    /// [`check_extended_connect_response`](super::check_extended_connect_response) and `negotiated`, and the upgraded
    /// stream to [`WebSocket::client`](crate::WebSocket::client) of a front end. The server must have said in its
    /// settings that it takes such requests (RFC 8441 3).
    ///
    /// Does no I/O.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`], as for [`request`](Self::request).
    pub fn extended_connect_request(&self, uri: &str) -> Result<Request<()>, HandshakeError> {
        let (uri, _) = parse_uri(uri)?;
        let scheme = match is_secure(&uri) {
            Some(true) => Scheme::HTTPS,
            _ => Scheme::HTTP,
        };
        let mut target = uri.into_parts();
        target.scheme = Some(scheme);
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = Method::CONNECT;
        parts.version = Version::HTTP_2;
        parts.uri = Uri::from_parts(target).map_err(|_| HandshakeError::invalid("invalid uri"))?;
        parts.headers = self.offer()?;
        Ok(Request::from_parts(parts, ()))
    }

    /// Returns the headers of a request that are the same in every version of HTTP.
    fn offer(&self) -> Result<HeaderMap, HandshakeError> {
        let mut headers = self.headers.clone();
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if !self.subprotocols.is_empty() {
            headers.insert(
                SEC_WEBSOCKET_PROTOCOL,
                value(&self.subprotocols.join(", "))?,
            );
        }
        if let Some(origin) = &self.origin {
            headers.insert(ORIGIN, origin.clone());
        }
        if let Some(offer) = self.extension.as_deref().and_then(super::extensions::offer) {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, offer);
        }
        Ok(headers)
    }
}

/// Turns a refusal that is a redirect into the error for a redirect.
fn as_redirect(error: HandshakeError, asked: &Uri) -> HandshakeError {
    let is_refusal = error.kind() == HandshakeErrorKind::Upgrade(UpgradeErrorKind::Refused);
    let Some(response) = error.response().filter(|_| is_refusal) else {
        return error;
    };
    if let Some(target) = redirect::target(asked, response) {
        return error.redirecting(HandshakeErrorKind::Redirect, target, "");
    }
    match redirect::why_unusable(asked, response) {
        Some(why) => {
            let message = format!("{error}: {why}");
            error.map_inner(|inner| inner.with_message(message))
        }
        None => error,
    }
}

/// Returns the error for a stream that the program's own dialling did not return.
pub(crate) fn not_dialled(uri: &Uri, error: io::Error) -> HandshakeError {
    let message = format!("connection for {uri} failed");
    UpgradeError::new(UpgradeErrorKind::Dial, message)
        .with_cause(error)
        .into()
}
