//! Decoding a request, for a server.

use super::fields::{collect_headers, too_many};
use super::limits::Limits;
use super::lines::{Head, malformed};
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::syntax::split_host;
use http::header::{HOST, HeaderValue};
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};

/// A decoder of one request head, without I/O.
///
/// It is strict where HTTP/1.1 lets a recipient choose: bare line feeds, folded lines and a space before a colon are
/// refused. No proxy before this server can then have read another request in the same bytes.
///
/// # Examples
/// ```
/// use framewire_upgrade::{Limits, RequestDecoder};
///
/// let mut decoder = RequestDecoder::new(&Limits::default());
/// assert!(matches!(decoder.decode(b"GET /chat HTTP/1.1\r\nHo")?, (22, None)));
/// let (used, request) = decoder.decode(b"st: a.example\r\n\r\nleftover")?;
/// assert_eq!(used, 17);
/// assert_eq!(request.unwrap().uri(), "/chat");
/// # Ok::<(), framewire_upgrade::UpgradeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct RequestDecoder {
    head: Head,
}

impl RequestDecoder {
    /// Creates a decoder for one request. Allocates nothing until part of a head is fed.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            head: Head::new(*limits),
        }
    }

    /// Takes what has arrived. Returns how much of it the head used, and the request once its head is complete.
    ///
    /// Without a request, all of `input` was used. What the head did not use belongs to the upgraded protocol, and is
    /// the caller's to store. The decoder is done after a request or an error.
    ///
    /// The request is HTTP/1.0 or 1.1 with any method and, in 1.1, one valid `Host`. Where the target was in absolute
    /// form, `Host` is the target's (RFC 9112 3.2.2). [`respond`](super::respond) checks whether it asks for an
    /// upgrade.
    ///
    /// # Errors
    /// [`UpgradeErrorKind::Malformed`], [`UpgradeErrorKind::HeadTooLarge`], [`UpgradeErrorKind::TooManyHeaders`] or
    /// [`UpgradeErrorKind::Version`]: at the first byte that shows it where that is an illegal control character, line
    /// ending or limit, and at the end of the head otherwise. [`UpgradeError::response`] is the answer to send.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Request<()>>), UpgradeError> {
        let Some(complete) = self.head.feed(input)? else {
            return Ok((input.len(), None));
        };
        let request = parse(complete.bytes, complete.lines)?;
        Ok((complete.used, Some(request)))
    }

    /// Returns whether any byte has been fed. A peer that sent none needs no answer when its time is over.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.head.is_started()
    }
}

fn parse(head: &[u8], lines: usize) -> Result<Request<()>, UpgradeError> {
    // The first line is no header: one is to spare.
    let mut headers = vec![httparse::EMPTY_HEADER; lines];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("it ends early")),
        Err(httparse::Error::Version) => return Err(unsupported_version(head)),
        Err(error) => return Err(malformed(error)),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(malformed("no request line"));
    };

    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(method.as_bytes()).map_err(malformed)?;
    parts.uri = parse_target(&parts.method, target)?;
    parts.version = if parsed.version == Some(1) {
        Version::HTTP_11
    } else {
        Version::HTTP_10
    };
    parts.headers = collect_headers(parsed.headers)?;
    check_host(parts.version, &parts.headers)?;
    if let (Some(_), Some(authority)) = (parts.uri.scheme(), parts.uri.authority()) {
        // RFC 9112 3.2.2: the target's host replaces the one received.
        let host = HeaderValue::from_str(authority.as_str()).map_err(malformed)?;
        parts.headers.try_insert(HOST, host).map_err(too_many)?;
    }
    Ok(Request::from_parts(parts, ()))
}

fn parse_target(method: &Method, target: &str) -> Result<Uri, UpgradeError> {
    // RFC 9112 3.2: no form of a target has a fragment; `Uri` would drop it.
    if target.contains('#') {
        return Err(malformed("a fragment in the request target"));
    }
    if target.len() > TARGET_LIMIT {
        let message = format!("request target exceeds the limit of {TARGET_LIMIT} bytes");
        // RFC 9112 3: a target that is too long MUST be answered with 414.
        return Err(UpgradeError::new(UpgradeErrorKind::HeadTooLarge, message)
            .refusing(StatusCode::URI_TOO_LONG));
    }
    let uri: Uri = target.parse().map_err(malformed)?;
    // RFC 9112 3.2.3, 3.2.4: a bare authority is for CONNECT, an asterisk for OPTIONS.
    let is_of_method = match (uri.scheme(), uri.authority(), uri.path()) {
        (None, Some(_), _) => method == Method::CONNECT,
        (None, None, "*") => method == Method::OPTIONS,
        // RFC 9110 4.2: the absolute form of a request to this server.
        (Some(scheme), _, _) => *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS,
        _ => true,
    };
    if !is_of_method {
        return Err(malformed("the request target is not one for the method"));
    }
    // RFC 9110 4.2.4: user information in a target is an error.
    if uri
        .authority()
        .is_some_and(|authority| split_host(authority.as_str()).is_none())
    {
        return Err(malformed("an invalid host in the request target"));
    }
    Ok(uri)
}

/// RFC 9112 3.2: 400 for an HTTP/1.1 request without `Host`, and for one with two or an invalid
/// one.
pub(super) fn check_host(version: Version, headers: &HeaderMap) -> Result<(), UpgradeError> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    match (host, second) {
        (None, _) if version == Version::HTTP_11 => Err(malformed("no host header")),
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err(malformed("more than one host header")),
        (Some(host), None) if is_host(host) => Ok(()),
        (Some(_), None) => Err(malformed("an invalid host header")),
    }
}

fn is_host(host: &HeaderValue) -> bool {
    host.to_str().is_ok_and(|host| split_host(host).is_some())
}

/// Returns the error for a version: 505 for another major one (RFC 9110 15.6.6), malformed for anything else.
fn unsupported_version(head: &[u8]) -> UpgradeError {
    let line = head
        .trim_ascii_start()
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let (Some(_), Some(_), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return malformed("a request line that is not of three words");
    };
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            UpgradeError::new(UpgradeErrorKind::Version, "http version is not 1.1")
                .refusing(StatusCode::HTTP_VERSION_NOT_SUPPORTED)
        }
        _ => malformed("invalid http version"),
    }
}

/// The longest target that a [`Uri`] can hold, in bytes.
const TARGET_LIMIT: usize = 65_534;
