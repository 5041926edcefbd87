//! Checks of the answer that a client receives: pure functions on heads.

use super::extensions::check_answer;
use super::fields::{Single, single};
use super::key::accept_key;
use super::{HandshakeError, HandshakeErrorKind, offered_subprotocols};
use crate::upgrade;
use crate::upgrade::layer::{is_token, lists};
use http::header::{
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
};
use http::{HeaderMap, Request, Response};

/// Checks that a response establishes the connection that the request asked for (RFC 6455 4.1).
///
/// Does no I/O. The caller closes the connection after an error; the server is at fault.
///
/// # Errors
/// Those of [`upgrade::check_response`], and:
///
/// | kind | response |
/// |---|---|
/// | [`HandshakeErrorKind::Accept`] | has no `Sec-WebSocket-Accept`, two, or one for another key |
/// | [`HandshakeErrorKind::Extension`] | has an extension that was not offered, two header lines, or one that is no list |
/// | [`HandshakeErrorKind::Subprotocol`] | has a subprotocol that was not offered, or two header lines |
pub fn check_response<B, C>(
    request: &Request<B>,
    response: &Response<C>,
) -> Result<(), HandshakeError> {
    upgrade::check_response(request, response)?;
    check_websocket_headers(request.headers(), response.headers())
}

/// Checks that a response establishes the connection that an extended CONNECT asked for
/// (RFC 8441 5).
///
/// Does no I/O. The caller resets the stream after an error; the server is at fault.
///
/// # Errors
/// [`upgrade::UpgradeErrorKind::Refused`] where the status is not 2xx. [`HandshakeErrorKind::Extension`] and
/// [`HandshakeErrorKind::Subprotocol`] as for [`check_response`].
pub fn check_extended_connect_response<B, C>(
    request: &Request<B>,
    response: &Response<C>,
) -> Result<(), HandshakeError> {
    upgrade::check_extended_connect_response(response)?;
    check_extensions(request.headers(), response.headers())?;
    check_subprotocol(request.headers(), response.headers())
}

/// Makes the checks beyond those of an upgrade.
pub(super) fn check_websocket_headers(
    asked: &HeaderMap,
    answered: &HeaderMap,
) -> Result<(), HandshakeError> {
    check_accept(asked, answered)?;
    check_extensions(asked, answered)?;
    check_subprotocol(asked, answered)
}

fn check_accept(asked: &HeaderMap, answered: &HeaderMap) -> Result<(), HandshakeError> {
    let refuse = |message: &str| Err(HandshakeError::peer(HandshakeErrorKind::Accept, message));
    let key = asked
        .get(SEC_WEBSOCKET_KEY)
        .and_then(|key| key.to_str().ok())
        .unwrap_or_default();
    match single(answered, SEC_WEBSOCKET_ACCEPT) {
        Single::One(accept) if *accept == accept_key(key) => Ok(()),
        Single::One(_) => refuse("sec-websocket-accept does not fit the key"),
        Single::Missing => refuse("no sec-websocket-accept header"),
        Single::Several => refuse("more than one sec-websocket-accept header"),
    }
}

fn check_extensions(asked: &HeaderMap, answered: &HeaderMap) -> Result<(), HandshakeError> {
    // RFC 6455 11.3.2: not more than once in a response.
    if single(answered, SEC_WEBSOCKET_EXTENSIONS) == Single::Several {
        let message = "more than one sec-websocket-extensions header";
        return Err(HandshakeError::peer(HandshakeErrorKind::Extension, message));
    }
    check_answer(answered)?;
    let is_offered = |name: &[u8]| {
        lists(asked, SEC_WEBSOCKET_EXTENSIONS)
            .any(|offer| extension(offer).eq_ignore_ascii_case(name))
    };
    if lists(answered, SEC_WEBSOCKET_EXTENSIONS).all(|answer| is_offered(extension(answer))) {
        return Ok(());
    }
    Err(HandshakeError::peer(
        HandshakeErrorKind::Extension,
        "server chose an extension that was not offered",
    ))
}

/// Returns the name of an extension, without its parameters (RFC 6455 9.1).
fn extension(element: &[u8]) -> &[u8] {
    element
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end()
}

fn check_subprotocol(asked: &HeaderMap, answered: &HeaderMap) -> Result<(), HandshakeError> {
    let refuse = |message: &str| {
        Err(HandshakeError::peer(
            HandshakeErrorKind::Subprotocol,
            message,
        ))
    };
    match single(answered, SEC_WEBSOCKET_PROTOCOL) {
        Single::Missing => Ok(()),
        Single::One(chosen) if !is_token(chosen.as_bytes()) => {
            refuse("sec-websocket-protocol of the server is not a token")
        }
        Single::One(chosen) if offered_subprotocols(asked).any(|offer| chosen == offer) => Ok(()),
        Single::One(_) => refuse("server chose a subprotocol that was not offered"),
        // RFC 6455 11.3.4: not more than once in a response.
        Single::Several => refuse("more than one sec-websocket-protocol header"),
    }
}
