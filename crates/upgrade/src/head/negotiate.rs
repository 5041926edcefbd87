//! Checks that a request asks for an upgrade, and that a response is the answer to it: pure functions on heads.

use super::lines::malformed;
use super::request::check_host;
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::syntax::{contains, is_protocol, lists};
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};

/// Returns the 101 for a request: it switches to the first protocol in `accepted` that the request offers, with
/// `headers` added.
///
/// The request may come from [`RequestDecoder`](super::RequestDecoder) or from any HTTP server
/// that uses the `http` crate. Protocols are compared without case (RFC 9110 7.8). Allocates the
/// response. Does no I/O.
///
/// # Errors
/// With the refusal as [`UpgradeError::response`], where the request is:
///
/// | status | kind | request |
/// |---|---|---|
/// | 505 | [`UpgradeErrorKind::Version`] | not HTTP/1.1: in 1.0 `Upgrade` means nothing (RFC 9110 7.8) |
/// | 405 | [`UpgradeErrorKind::Method`] | not a `GET` |
/// | 501 | [`UpgradeErrorKind::Method`] | of a method that RFC 9110 and RFC 5789 do not have |
/// | 400 | [`UpgradeErrorKind::Malformed`] | without one valid `Host`, or announcing a body |
/// | 501 | [`UpgradeErrorKind::Malformed`] | announcing a body in a transfer coding other than `chunked` before that |
/// | 400 | [`UpgradeErrorKind::NotUpgrade`] | without `Upgrade`, or with one that is not a list of protocols |
/// | 400 | [`UpgradeErrorKind::NotUpgrade`] | without the token `upgrade` in `Connection` |
/// | 426 | [`UpgradeErrorKind::NotUpgrade`] | for none of the protocols in `accepted` |
///
/// [`UpgradeErrorKind::InvalidArgument`], with the caller at fault, where `accepted` is empty or holds something that
/// is not a protocol, or `headers` holds `Connection`, `Upgrade`, `Content-Length` or `Transfer-Encoding`.
pub fn respond<B>(
    request: &Request<B>,
    accepted: &[&str],
    headers: HeaderMap,
) -> Result<Response<()>, UpgradeError> {
    if let Some(name) = RESERVED.iter().find(|name| headers.contains_key(*name)) {
        return Err(UpgradeError::invalid(format!(
            "header {name} of a 101 is not the caller's to set"
        )));
    }
    let listed = protocol_list(accepted)?;
    check_request(request)?;
    check_asked(request.headers())?;
    let offered = |protocol: &&&str| contains(request.headers(), UPGRADE, protocol);
    let Some(protocol) = accepted.iter().find(offered) else {
        return Err(upgrade_required(accepted, listed));
    };

    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::SWITCHING_PROTOCOLS;
    parts.headers = headers;
    let protocol =
        HeaderValue::from_str(protocol).map_err(|_| UpgradeError::invalid("invalid protocol"))?;
    let upgrade = HeaderValue::from_static("Upgrade");
    for (name, value) in [(CONNECTION, upgrade), (UPGRADE, protocol)] {
        let inserted = parts.headers.try_insert(name, value);
        inserted.map_err(|_| UpgradeError::invalid("too many headers"))?;
    }
    Ok(Response::from_parts(parts, ()))
}

/// Checks that a response switches to a protocol that the request asked for. Does no I/O.
///
/// # Errors
/// The server is at fault: [`UpgradeErrorKind::Refused`] where the status is not 101, [`UpgradeErrorKind::Version`]
/// where the 101 is not of HTTP/1.1, [`UpgradeErrorKind::MissingConnection`] where `Connection` lacks the token
/// `upgrade`, and [`UpgradeErrorKind::ProtocolMismatch`] where `Upgrade` names anything but one protocol of the
/// request.
pub fn check_response<B, C>(
    request: &Request<B>,
    response: &Response<C>,
) -> Result<(), UpgradeError> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(UpgradeError::refused(without_body(response)));
    }
    // RFC 9110 7.8, 15.2: HTTP/1.0 has neither Upgrade nor any 1xx.
    if response.version() != Version::HTTP_11 {
        return Err(UpgradeError::new(
            UpgradeErrorKind::Version,
            "the 101 is not of http/1.1",
        ));
    }
    if !contains(response.headers(), CONNECTION, "upgrade") {
        let message = "connection header of the 101 has no token upgrade";
        return Err(UpgradeError::new(
            UpgradeErrorKind::MissingConnection,
            message,
        ));
    }
    let mut switched = lists(response.headers(), UPGRADE);
    let (Some(protocol), None) = (switched.next(), switched.next()) else {
        let message = "upgrade header of the 101 does not name one protocol";
        return Err(UpgradeError::new(
            UpgradeErrorKind::ProtocolMismatch,
            message,
        ));
    };
    // RFC 9110 7.8: a server must not switch to a protocol that the client did not indicate.
    let offered =
        lists(request.headers(), UPGRADE).any(|asked| asked.eq_ignore_ascii_case(protocol));
    if !offered {
        let message = "the 101 switches to a protocol that was not asked for";
        return Err(UpgradeError::new(
            UpgradeErrorKind::ProtocolMismatch,
            message,
        ));
    }
    Ok(())
}

/// Checks that a request can ask for an upgrade, to any protocol.
pub(crate) fn check_request<B>(request: &Request<B>) -> Result<(), UpgradeError> {
    check_version(request.version())?;
    check_method(request.method(), "GET")?;
    check_host(request.version(), request.headers())?;
    // A body would lie before the upgraded protocol's first byte, and be read as that protocol.
    if announces_body(request.headers()) {
        return Err(refused_body(request.headers()));
    }
    Ok(())
}

/// Checks that a method is the one that asks for an upgrade.
pub(super) fn check_method(method: &Method, right: &'static str) -> Result<(), UpgradeError> {
    if *method == right {
        return Ok(());
    }
    let asked = format!("an upgrade is asked for with {}", right.to_lowercase());
    // RFC 9110 9.1, RFC 9112 3: 501 for a method that is not known. A refusal does not repeat it.
    if !METHODS.contains(method) {
        let message = format!("{asked}, and this method is not one of http");
        return Err(UpgradeError::new(UpgradeErrorKind::Method, message)
            .refusing(StatusCode::NOT_IMPLEMENTED));
    }
    let message = format!("{asked}, not {method}");
    Err(UpgradeError::new(UpgradeErrorKind::Method, message)
        .refusing(StatusCode::METHOD_NOT_ALLOWED)
        .with_header(ALLOW, HeaderValue::from_static(right)))
}

/// Returns the error for a request with a body, whose headers these are.
fn refused_body(headers: &HeaderMap) -> UpgradeError {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    // RFC 9112 6.3: 400 where the last coding is not chunked, or where there is a length too.
    let is_sound = lists(headers, TRANSFER_ENCODING)
        .last()
        .is_some_and(is_chunked)
        && !headers.contains_key(CONTENT_LENGTH);
    if is_sound && !lists(headers, TRANSFER_ENCODING).all(is_chunked) {
        // RFC 9112 6.1: 501 for a coding that is not understood.
        return malformed("a body in a transfer coding that is not known")
            .refusing(StatusCode::NOT_IMPLEMENTED);
    }
    malformed("a body in a request for an upgrade")
}

/// Returns whether bytes of a body follow the head.
pub(crate) fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .any(|length| length.as_bytes() != b"0")
}

fn protocol_list(accepted: &[&str]) -> Result<HeaderValue, UpgradeError> {
    if accepted.is_empty()
        || !accepted
            .iter()
            .all(|protocol| is_protocol(protocol.as_bytes()))
    {
        return Err(UpgradeError::invalid(
            "accepted protocols are not a list of names",
        ));
    }
    HeaderValue::from_str(&accepted.join(", "))
        .map_err(|_| UpgradeError::invalid("invalid protocol"))
}

fn check_version(version: Version) -> Result<(), UpgradeError> {
    if version == Version::HTTP_11 {
        return Ok(());
    }
    Err(
        UpgradeError::new(UpgradeErrorKind::Version, "http version is not 1.1")
            .refusing(StatusCode::HTTP_VERSION_NOT_SUPPORTED),
    )
}

/// Checks that a request asks for an upgrade, to any protocol.
fn check_asked(headers: &HeaderMap) -> Result<(), UpgradeError> {
    let message = if !headers.contains_key(UPGRADE) {
        "request has no upgrade header"
    } else if !lists(headers, UPGRADE).all(is_protocol) || lists(headers, UPGRADE).next().is_none()
    {
        "upgrade header is not a list of protocols"
    } else if !contains(headers, CONNECTION, "upgrade") {
        // RFC 9110 7.6.1, 7.8: without the connection option, Upgrade was not meant for this
        // server.
        "connection header has no token upgrade"
    } else {
        return Ok(());
    };
    Err(UpgradeError::new(UpgradeErrorKind::NotUpgrade, message).refusing(StatusCode::BAD_REQUEST))
}

/// RFC 9110 15.5.22: a 426 MUST say in `Upgrade` what is accepted.
fn upgrade_required(accepted: &[&str], listed: HeaderValue) -> UpgradeError {
    UpgradeError::new(
        UpgradeErrorKind::NotUpgrade,
        format!(
            "request does not ask for an upgrade to {}",
            accepted.join(" or ")
        ),
    )
    .refusing(StatusCode::UPGRADE_REQUIRED)
    .with_header(UPGRADE, listed)
    .with_header(CONNECTION, HeaderValue::from_static("Upgrade"))
}

/// Returns a refusal with the head of a response whose body is not available.
pub(super) fn without_body<C>(response: &Response<C>) -> Response<Vec<u8>> {
    let mut copy = Response::new(Vec::new());
    *copy.status_mut() = response.status();
    *copy.version_mut() = response.version();
    copy.headers_mut().clone_from(response.headers());
    copy
}

const RESERVED: [http::HeaderName; 4] = [CONNECTION, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING];
/// The methods of RFC 9110 9.3 and RFC 5789.
const METHODS: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];
