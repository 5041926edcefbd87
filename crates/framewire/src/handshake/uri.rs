//! The `ws` and `wss` URIs of RFC 6455 3.

use super::HandshakeError;
use super::fields::value;
use crate::upgrade::layer::{Target, percent_encode, split_host};
use crate::upgrade::{UpgradeError, UpgradeErrorKind};
use http::{HeaderValue, Uri};

/// Returns what the URI of a request says about the connection.
pub(crate) fn target(uri: &Uri) -> Result<Target, HandshakeError> {
    let secure = is_secure(uri).unwrap_or_default();
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    Ok(Target::new(secure, authority)?)
}

/// Returns whether a URI is `wss`; `None` where it is not `ws` either.
pub(super) fn is_secure(uri: &Uri) -> Option<bool> {
    match uri.scheme_str()? {
        scheme if scheme.eq_ignore_ascii_case("ws") => Some(false),
        scheme if scheme.eq_ignore_ascii_case("wss") => Some(true),
        _ => None,
    }
}

/// Parses a URI. Returns it with its `Host`.
pub(super) fn parse_uri(text: &str) -> Result<(Uri, HeaderValue), HandshakeError> {
    // RFC 6455 3: fragments have no meaning in these URIs and must not be used.
    if text.contains('#') {
        return Err(HandshakeError::invalid("uri has a fragment"));
    }
    let path_at = text.find("://").map_or(0, |end| end + 3);
    let path_at = text[path_at..]
        .find(['/', '?'])
        .map_or(text.len(), |start| path_at + start);
    let (server, target) = text.split_at(path_at);
    // A browser would take it for the end of the host, other programs for a part of it.
    if server.contains('\\') {
        return Err(HandshakeError::invalid("uri has a backslash in its host"));
    }
    if !server.is_ascii() {
        return Err(HandshakeError::invalid(
            "host of the uri is not ASCII: write an internationalized name in punycode (xn--…)",
        ));
    }
    let uri = format!("{server}{}", percent_encode(target));
    let uri: Uri = uri.parse().map_err(|error: http::uri::InvalidUri| {
        UpgradeError::new(UpgradeErrorKind::InvalidArgument, "invalid uri").with_cause(error)
    })?;
    let default_port = match is_secure(&uri) {
        Some(false) => 80,
        Some(true) => 443,
        None => return Err(HandshakeError::invalid("uri is neither ws nor wss")),
    };
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    if authority.contains('@') {
        return Err(HandshakeError::invalid(
            "uri has user information: send an authorization header",
        ));
    }
    let Some((host, port)) = split_host(authority) else {
        return Err(HandshakeError::invalid(
            "uri has no host, or an invalid port",
        ));
    };
    // RFC 6455 4.1: the port only where it is not the default.
    let host = match port {
        Some(port) if port != default_port => value(&format!("{host}:{port}"))?,
        _ => value(host)?,
    };
    Ok((uri, host))
}
