//! A server's policy, and its answer to a request.

use std::sync::Arc;

use super::extensions::Extension;
use super::fields::{Single, append, header, single};
use super::key::{accept_key, is_valid_key};
use super::origin::{Origin, Policy};
use super::{
    Established, HandshakeError, HandshakeErrorKind, PendingHandshake, extensions, subprotocol,
};
use crate::Socket;
use crate::upgrade::layer::blocking::{BlockingWire, finish};
use crate::upgrade::layer::{Wire, nodelay_failed, receive_over};
use crate::upgrade::{self, Limits, UpgradeError};
use http::header::{
    HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

/// A server's side of the handshake: which clients it accepts, and what it agrees on.
///
/// The default accepts pages of the same origin and clients that are not browsers, agrees on no subprotocol, and has
/// the default [`Limits`]. One acceptor serves any number of connections.
#[derive(Debug, Clone, Default)]
pub struct Acceptor {
    subprotocols: Vec<String>,
    origin: Policy,
    secure: Option<bool>,
    headers: HeaderMap,
    limits: Limits,
    delay: bool,
    extension: Option<Arc<dyn Extension>>,
}

impl Acceptor {
    /// Creates the default policy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subprotocols that this server speaks, most preferred first. Replaces earlier ones.
    ///
    /// The first that the client offers is agreed on. A client that offers none of them is accepted without one (RFC
    /// 6455 4.2.2). A program that needs one checks [`Established::subprotocol`] or decides in two steps.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`] where a name is not a token or appears twice.
    pub fn subprotocols<I>(mut self, names: I) -> Result<Self, HandshakeError>
    where
        I: IntoIterator<Item: Into<String>>,
    {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        subprotocol::check_names(&self.subprotocols)?;
        Ok(self)
    }

    /// Accepts pages of exactly these origins (`https://example.com`, `http://localhost:8080`). Replaces same origin,
    /// the default.
    ///
    /// Scheme, host and port are compared: hosts without case, a missing port as the scheme's, `ws` as `http` and
    /// `wss` as `https`. Requests without `Origin` are accepted. Naming the origins also defends against DNS
    /// rebinding, where the host of a hostile page is made to point here.
    ///
    /// `null` and `file://` are what some web views and desktop shells (Cordova, Electron) send for the pages of their
    /// own application. But every sandboxed frame and every `data:` page sends `null` too, and any web page can open
    /// one. So listing `null` accepts all pages, with their users' cookies, as
    /// [`allow_any_origin`](Self::allow_any_origin) does. `file://` accepts every page that is opened from a disk.
    ///
    /// # Errors
    /// [`HandshakeErrorKind::InvalidArgument`] where an origin is neither of these nor `scheme://host[:port]`.
    pub fn allow_origins<I>(mut self, origins: I) -> Result<Self, HandshakeError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let parse = |origin: I::Item| {
            let origin = origin.as_ref();
            Origin::parse(origin).ok_or_else(|| {
                HandshakeError::invalid(format!(
                    "{origin:?} is not scheme://host[:port], null or file://"
                ))
            })
        };
        self.origin = Policy::These(origins.into_iter().map(parse).collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Accepts pages of every origin, `null` included.
    ///
    /// Any page in any browser can then connect with its user's cookies and from inside its user's network (RFC 6455
    /// 10.2). For servers that are public, or check something else.
    #[must_use]
    pub fn allow_any_origin(mut self) -> Self {
        self.origin = Policy::Any;
        self
    }

    /// Sets whether clients connect over TLS. Same origin, the default, is then of one scheme: only pages of `https`
    /// with TLS, only pages of `http` without.
    ///
    /// Unless this is set, pages of both schemes are accepted, as a proxy in front of this server may end TLS. An
    /// attacker on the network who puts a page in place of `http://a.example` can then connect to `https://a.example`
    /// with its user's cookies.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = Some(secure);
        self
    }

    /// Adds a header to every 101, and to the 200 of HTTP/2.
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

    /// Sets the limits on a request, which are `upgrade::Limits`. Default: 16 KiB, 100 headers and 10 s.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether the handshake sets `TCP_NODELAY` on a TCP stream, with TLS or without, so that small messages
    /// leave at once. Default: `true`. With `false` the option is switched off: a message that follows another waits
    /// for the peer to acknowledge that one, which may take 40 ms.
    ///
    /// Over tokio this needs the feature `tokio-net`, and one of tokio's own TCP streams or one of `tokio-rustls` over
    /// it (with the feature of that name). On other streams the program sets the option. With
    /// [`take_over`](Self::take_over), and so with hyper and axum, the server that accepts connections sets it.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.delay = !nodelay;
        self
    }

    /// Agrees to use an extension with a client whose offer it allows. At most one is used: this replaces any that was
    /// set before.
    #[must_use]
    pub fn extension(mut self, extension: impl Extension + 'static) -> Self {
        self.extension = Some(Arc::new(extension));
        self
    }

    /// Does the handshake over a stream that was just accepted.
    ///
    /// Calls [`receive`](Self::receive) and [`PendingHandshake::accept`], and blocks and fails as they do. A request
    /// that is refused was answered when this returns its error.
    pub fn accept<S: Socket>(&self, stream: S) -> Result<Established<S>, HandshakeError> {
        self.receive(stream)?.accept()
    }

    /// Reads a request, for the program to examine and then accept or refuse.
    ///
    /// Returns any valid HTTP/1.1 request, whether it asks for a WebSocket or not. Blocks, sets time-outs, answers
    /// invalid requests, and fails as [`upgrade::receive`] does.
    pub fn receive<S: Socket>(&self, stream: S) -> Result<PendingHandshake<S>, HandshakeError> {
        stream
            .set_nodelay(self.sets_nodelay())
            .map_err(nodelay_failed)?;
        finish(self.receive_on::<BlockingWire<S>>(stream))
    }

    pub(crate) fn sets_nodelay(&self) -> bool {
        !self.delay
    }

    /// As [`receive`](Self::receive), over any wire.
    pub(crate) async fn receive_on<W: Wire>(
        &self,
        stream: W::Stream,
    ) -> Result<PendingHandshake<W::Stream>, HandshakeError> {
        let wire = W::within(stream, self.limits.time);
        let pending = receive_over(wire, &self.limits).await?;
        let answer = self.respond(pending.request());
        Ok(PendingHandshake::new(pending, answer))
    }

    /// Takes bytes of a request, without I/O: for event loops. Returns the request once it is whole, for the program to
    /// examine and then [answer](PendingHandshake::into_answer). What came after its head is in it.
    ///
    /// Of the acceptor's limits those of `decoder` count here, and the time is the caller's to keep.
    ///
    /// # Errors
    /// As [`RequestDecoder::decode`](upgrade::RequestDecoder::decode): the [answer](HandshakeError::encode_response) to
    /// write before the stream is closed.
    ///
    /// # Examples
    /// ```
    /// use framewire::handshake::Acceptor;
    /// use framewire::upgrade::{Limits, RequestDecoder};
    ///
    /// let (acceptor, mut decoder) = (Acceptor::new(), RequestDecoder::new(&Limits::default()));
    /// assert!(acceptor.decode(&mut decoder, b"GET / HTTP/1.1\r\nHost: a.example\r\n")?.is_none());
    /// let pending = acceptor.decode(&mut decoder, b"Upgrade: websocket\r\nConnection: Upgrade\r\n\
    ///     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")?;
    /// let (answer, established) = pending.expect("it is whole").into_answer();
    /// assert!(answer.starts_with(b"HTTP/1.1 101 "));
    /// assert!(established?.leftover().is_empty());
    /// # Ok::<(), framewire::handshake::HandshakeError>(())
    /// ```
    pub fn decode(
        &self,
        decoder: &mut upgrade::RequestDecoder,
        input: &[u8],
    ) -> Result<Option<PendingHandshake<()>>, HandshakeError> {
        let (used, request) = decoder.decode(input)?;
        let leftover = &input[used..];
        Ok(request.map(|request| self.take_over((), leftover.to_vec(), &request)))
    }

    /// Takes over from an HTTP server that has read a request and gives up its socket. The request is then examined,
    /// accepted or refused like one that [`receive`](Self::receive) read.
    ///
    /// `leftover` is what that server read of the stream after the head. Copies the request's head. Does no I/O.
    pub fn take_over<S, B>(
        &self,
        stream: S,
        leftover: Vec<u8>,
        request: &Request<B>,
    ) -> PendingHandshake<S> {
        let answer = self.respond(request);
        let pending = upgrade::PendingUpgrade::from_parts(stream, leftover, request, &self.limits);
        PendingHandshake::new(pending, answer)
    }

    /// Returns the 101 for a request, by this policy (RFC 6455 4.2.1 and 4.2.2).
    ///
    /// The request may come from [`upgrade::RequestDecoder`] or from any HTTP server that uses the
    /// `http` crate. Allocates the response. Does no I/O.
    ///
    /// Where an extension is agreed on, the response's [`extensions`](http::Response::extensions) hold an
    /// `Arc<dyn Agreement>`, for [`set_extension`](crate::WebSocket::set_extension).
    ///
    /// # Errors
    /// With the refusal as [`HandshakeError::response`]. Those of [`upgrade::respond`] for the protocol `websocket` (a
    /// 426 has `Sec-WebSocket-Version` too), and then:
    ///
    /// | status | kind | request |
    /// |---|---|---|
    /// | 426 | [`HandshakeErrorKind::Version`] | has no `Sec-WebSocket-Version`, or one other than 13 |
    /// | 400 | [`HandshakeErrorKind::Version`] | has two |
    /// | 400 | [`HandshakeErrorKind::Key`] | has no `Sec-WebSocket-Key`, two, or not one of 16 bytes |
    /// | 400 | [`HandshakeErrorKind::Subprotocol`] | has a `Sec-WebSocket-Protocol` that is not a list of tokens |
    /// | 400 | [`HandshakeErrorKind::Extension`] | has a `Sec-WebSocket-Extensions` that is not a list of extensions |
    /// | 403 | [`HandshakeErrorKind::Origin`] | has an `Origin` that the policy does not accept |
    pub fn respond<B>(&self, request: &Request<B>) -> Result<Response<()>, HandshakeError> {
        let mut response = upgrade::respond(request, &["websocket"], self.headers.clone())
            .map_err(with_version_if_upgrade_required)?;
        let headers = request.headers();
        check_version(headers, StatusCode::UPGRADE_REQUIRED)?;
        let accept = accept_for(headers)?;
        response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        self.agree(headers, host, self.secure, response)
    }

    /// Returns the 200 for an extended CONNECT, by this policy. With it HTTP/2 opens a WebSocket connection on one of
    /// its streams (RFC 8441 5). In HTTP/3 it is the same (RFC 9220 3).
    ///
    /// `protocol` is the request's `:protocol`, empty where it had none. Servers that use the `http` crate have it in
    /// the request's [`extensions`](http::Request::extensions), as a type of their own. The URI must have `:scheme`,
    /// `:authority` and `:path`. `Sec-WebSocket-Key` is ignored, and there is no `Sec-WebSocket-Accept`: RFC 8441 5
    /// does without them.
    ///
    /// Same origin is here of one scheme: the URI's, unless [`secure`](Self::secure) was called. Subprotocols,
    /// compression and headers are as for [`respond`](Self::respond). Allocates the response. Does no I/O.
    ///
    /// # Errors
    /// With the refusal as [`HandshakeError::response`]:
    ///
    /// | status | kind | request |
    /// |---|---|---|
    /// | 505 | [`upgrade::UpgradeErrorKind::Version`] | is neither HTTP/2 nor HTTP/3 |
    /// | 405 | [`upgrade::UpgradeErrorKind::Method`] | is not a `CONNECT` |
    /// | 501 | [`upgrade::UpgradeErrorKind::Method`] | is of a method that RFC 9110 and RFC 5789 do not have |
    /// | 501 | [`upgrade::UpgradeErrorKind::NotUpgrade`] | is for a protocol other than `websocket`, or for none |
    /// | 400 | [`upgrade::UpgradeErrorKind::Malformed`] | has `Connection` or `Upgrade` |
    /// | 400 | [`upgrade::UpgradeErrorKind::Malformed`] | has `Transfer-Encoding` or `Content-Length` |
    /// | 400 | [`upgrade::UpgradeErrorKind::Malformed`] | has no valid `:authority` |
    /// | 400 | [`upgrade::UpgradeErrorKind::Malformed`] | has a `:scheme` that is not `http` or `https` |
    /// | 400 | [`upgrade::UpgradeErrorKind::Malformed`] | has a `Host` that is not the authority |
    /// | 400 | [`HandshakeErrorKind::Version`] | has no `Sec-WebSocket-Version`, two, or one other than 13 |
    /// | 400 | [`HandshakeErrorKind::Subprotocol`] | has a `Sec-WebSocket-Protocol` that is not a list of tokens |
    /// | 400 | [`HandshakeErrorKind::Extension`] | has a `Sec-WebSocket-Extensions` that is not a list of extensions |
    /// | 403 | [`HandshakeErrorKind::Origin`] | has an `Origin` that the policy does not accept |
    pub fn respond_extended_connect<B>(
        &self,
        request: &Request<B>,
        protocol: &str,
    ) -> Result<Response<()>, HandshakeError> {
        let headers = self.headers.clone();
        let response = upgrade::respond_extended_connect(request, protocol, "websocket", headers)?;
        let uri = request.uri();
        let host = uri.authority().map(http::uri::Authority::as_str);
        let secure = self.secure.or(Some(uri.scheme() == Some(&Scheme::HTTPS)));
        // RFC 9110 15.5.22: a 426 comes with Upgrade, which HTTP/2 does not have.
        check_version(request.headers(), StatusCode::BAD_REQUEST)
            .and_then(|()| self.agree(request.headers(), host, secure, response))
            .map_err(|error| error.map_inner(UpgradeError::without_connection_headers))
    }

    /// Returns the subprotocol that is agreed on with a client that sends these headers.
    pub(crate) fn choose_subprotocol(&self, headers: &HeaderMap) -> Option<&str> {
        subprotocol::choose(&self.subprotocols, headers).map(String::as_str)
    }

    /// Checks and answers what is the same in every version of HTTP.
    fn agree(
        &self,
        headers: &HeaderMap,
        host: Option<&str>,
        secure: Option<bool>,
        mut response: Response<()>,
    ) -> Result<Response<()>, HandshakeError> {
        subprotocol::check_offer(headers)?;
        extensions::check_offer(headers)?;
        self.origin.check(headers, host, secure)?;
        // RFC 6455 4.2.2: without agreement there is no Sec-WebSocket-Protocol, not an empty one.
        if let Some(chosen) = self.choose_subprotocol(headers) {
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, subprotocol::value(chosen)?);
        }
        if let Some(extension) = self.extension.as_deref()
            && let Some((answer, agreed)) = extensions::answer(extension, headers)
        {
            let extensions = http::header::SEC_WEBSOCKET_EXTENSIONS;
            response.headers_mut().insert(extensions, answer);
            response.extensions_mut().insert(agreed);
        }
        Ok(response)
    }
}

/// RFC 6455 4.2.1: the version is 13; 4.4: a refusal says which version is spoken.
fn check_version(headers: &HeaderMap, status: StatusCode) -> Result<(), HandshakeError> {
    match single(headers, SEC_WEBSOCKET_VERSION) {
        Single::One(version) if version == "13" => Ok(()),
        Single::One(_) | Single::Missing => Err(with_version(HandshakeError::refusing(
            HandshakeErrorKind::Version,
            status,
            "sec-websocket-version is not 13",
        ))
        .with_header(http::header::UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(
            http::header::CONNECTION,
            HeaderValue::from_static("Upgrade"),
        )),
        // RFC 6455 11.3.5: not more than once in a request.
        Single::Several => Err(with_version(HandshakeError::refusing(
            HandshakeErrorKind::Version,
            StatusCode::BAD_REQUEST,
            "more than one sec-websocket-version header",
        ))),
    }
}

/// RFC 6455 4.2.1: one key, which is 16 bytes when decoded.
fn accept_for(headers: &HeaderMap) -> Result<HeaderValue, HandshakeError> {
    let refuse = |message| {
        HandshakeError::refusing(HandshakeErrorKind::Key, StatusCode::BAD_REQUEST, message)
    };
    let key = match single(headers, SEC_WEBSOCKET_KEY) {
        Single::One(key) if is_valid_key(key.as_bytes()) => key,
        Single::One(_) => return Err(refuse("sec-websocket-key is not 16 bytes in base64")),
        Single::Missing => return Err(refuse("no sec-websocket-key header")),
        Single::Several => return Err(refuse("more than one sec-websocket-key header")),
    };
    let accept = key
        .to_str()
        .ok()
        .and_then(|key| HeaderValue::try_from(accept_key(key)).ok());
    accept.ok_or_else(|| refuse("sec-websocket-key is not 16 bytes in base64"))
}

fn with_version_if_upgrade_required(error: UpgradeError) -> HandshakeError {
    let is_upgrade_required = error.status() == Some(StatusCode::UPGRADE_REQUIRED);
    let error = HandshakeError::from(error);
    if is_upgrade_required {
        with_version(error)
    } else {
        error
    }
}

fn with_version(error: HandshakeError) -> HandshakeError {
    error.with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
}
