//! Extended CONNECT: what HTTP/2 and HTTP/3 have in place of `Upgrade` (RFC 8441 4, RFC 9220 3).

use super::lines::malformed;
use super::negotiate::{check_method, without_body};
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::syntax::split_host;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};

/// Returns the 200 for a request whose `:protocol` is `protocol`, with `headers` added, where that protocol is
/// `accepted`.
///
/// A refusal has no connection headers: see [`UpgradeError::without_connection_headers`].
pub fn respond_extended_connect<B>(
    request: &Request<B>,
    protocol: &str,
    accepted: &str,
    headers: HeaderMap,
) -> Result<Response<()>, UpgradeError> {
    check_request(request, protocol, accepted).map_err(UpgradeError::without_connection_headers)?;
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.version = request.version();
    parts.headers = headers;
    Ok(Response::from_parts(parts, ()))
}

/// Fails with [`UpgradeErrorKind::Refused`] where the answer is not a success (RFC 9110 9.3.6).
pub fn check_extended_connect_response<B>(response: &Response<B>) -> Result<(), UpgradeError> {
    if response.status().is_success() {
        return Ok(());
    }
    Err(UpgradeError::refused(without_body(response)))
}

fn check_request<B>(
    request: &Request<B>,
    protocol: &str,
    accepted: &str,
) -> Result<(), UpgradeError> {
    if ![Version::HTTP_2, Version::HTTP_3].contains(&request.version()) {
        let message = "http version has no extended connect";
        return Err(UpgradeError::new(UpgradeErrorKind::Version, message)
            .refusing(StatusCode::HTTP_VERSION_NOT_SUPPORTED));
    }
    check_method(request.method(), "CONNECT")?;
    // RFC 9110 7.8: names of protocols are compared without case. A request without one asks for a tunnel to another
    // server.
    if !protocol.eq_ignore_ascii_case(accepted) {
        let message = format!("request is not for the protocol {accepted}");
        // RFC 9220 3: an unknown `:protocol` should be answered with 501.
        return Err(UpgradeError::new(UpgradeErrorKind::NotUpgrade, message)
            .refusing(StatusCode::NOT_IMPLEMENTED));
    }
    check_headers(request.headers())?;
    check_host(check_target(request.uri())?, request.headers())
}

/// RFC 8441 4: `:scheme`, `:path` and `:authority` are those of the resource.
fn check_target(uri: &Uri) -> Result<&Authority, UpgradeError> {
    let is_scheme = [&Scheme::HTTP, &Scheme::HTTPS]
        .map(Some)
        .contains(&uri.scheme());
    let authority = uri.authority();
    match authority.filter(|authority| split_host(authority.as_str()).is_some()) {
        Some(authority) if is_scheme => Ok(authority),
        Some(_) => Err(malformed("its scheme is neither http nor https")),
        None => Err(malformed("no authority, or an invalid one")),
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), UpgradeError> {
    // RFC 8441 5: Connection and Upgrade MUST NOT be included. RFC 9113 8.1.1: the frames of the
    // stream that follows would have to add up to a length.
    let alien = [CONNECTION, UPGRADE, TRANSFER_ENCODING, CONTENT_LENGTH];
    match alien.iter().find(|name| headers.contains_key(*name)) {
        Some(name) => Err(malformed(format_args!(
            "a {name} header in an extended connect"
        ))),
        None => Ok(()),
    }
}

/// RFC 9113 8.3.1: a `Host` that differs from `:authority` makes a request malformed.
fn check_host(authority: &Authority, headers: &HeaderMap) -> Result<(), UpgradeError> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(()),
        (Some(host), None)
            if host
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Ok(())
        }
        _ => Err(malformed("a host header that is not its authority")),
    }
}
