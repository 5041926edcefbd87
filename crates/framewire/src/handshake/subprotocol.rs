//! Subprotocols (RFC 6455 1.9): which are offered and which one is chosen.

use super::{HandshakeError, HandshakeErrorKind};
use crate::upgrade::layer::{is_token, lists};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderValue, StatusCode};

/// Returns the subprotocols that a request offers, in the client's order of preference.
///
/// Those that are not tokens are left out; [`Acceptor::respond`](super::Acceptor::respond) refuses a request that has
/// one.
pub fn offered_subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    lists(headers, SEC_WEBSOCKET_PROTOCOL)
        .filter(|name| is_token(name))
        .filter_map(|name| std::str::from_utf8(name).ok())
}

/// Checks that names are tokens, each listed once (RFC 6455 4.1).
pub(super) fn check_names(names: &[String]) -> Result<(), HandshakeError> {
    for (index, name) in names.iter().enumerate() {
        if !is_token(name.as_bytes()) {
            return Err(HandshakeError::invalid(format!(
                "subprotocol {name:?} is not a token"
            )));
        }
        if names[..index].contains(name) {
            return Err(HandshakeError::invalid(format!(
                "subprotocol {name} is listed twice"
            )));
        }
    }
    Ok(())
}

/// Returns the first of the server's subprotocols that the client offers.
pub(super) fn choose<'a>(supported: &'a [String], headers: &HeaderMap) -> Option<&'a String> {
    // RFC 6455 4.2.2: compared as they are, case included.
    supported
        .iter()
        .find(|name| offered_subprotocols(headers).any(|offer| offer == **name))
}

/// RFC 6455 4.3: `Sec-WebSocket-Protocol` is one or more tokens.
pub(super) fn check_offer(headers: &HeaderMap) -> Result<(), HandshakeError> {
    let mut offers = lists(headers, SEC_WEBSOCKET_PROTOCOL).peekable();
    let is_empty_list = headers.contains_key(SEC_WEBSOCKET_PROTOCOL) && offers.peek().is_none();
    if is_empty_list || !offers.all(is_token) {
        return Err(HandshakeError::refusing(
            HandshakeErrorKind::Subprotocol,
            StatusCode::BAD_REQUEST,
            "sec-websocket-protocol header is not a list of tokens",
        ));
    }
    Ok(())
}

/// Returns a name as a header value.
pub(super) fn value(name: &str) -> Result<HeaderValue, HandshakeError> {
    HeaderValue::from_str(name)
        .map_err(|_| HandshakeError::invalid(format!("subprotocol {name:?} is not a token")))
}
