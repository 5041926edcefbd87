//! Header fields that the handshake sets or reads.

use super::HandshakeError;
use crate::upgrade::layer::hide_credentials;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A header that must not appear twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single<'a> {
    Missing,
    One(&'a HeaderValue),
    Several,
}

/// RFC 6455 11.3: some headers must not appear more than once.
pub(super) fn single(headers: &HeaderMap, name: HeaderName) -> Single<'_> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Single::Missing,
        (Some(value), None) => Single::One(value),
        (Some(_), Some(_)) => Single::Several,
    }
}

/// Refuses a header that has a meaning in a handshake, and so a method of its own here.
pub(super) fn check_not_reserved(name: &HeaderName) -> Result<(), HandshakeError> {
    let reserved = [
        CONNECTION,
        UPGRADE,
        HOST,
        ORIGIN,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
    ];
    if reserved.contains(name) || name.as_str().starts_with("sec-websocket-") {
        return Err(HandshakeError::invalid(format!(
            "header {name} is the handshake's to set"
        )));
    }
    Ok(())
}

/// Returns a header of the program.
pub(super) fn header(
    name: impl TryInto<HeaderName, Error: Into<http::Error>>,
    value: impl TryInto<HeaderValue, Error: Into<http::Error>>,
) -> Result<(HeaderName, HeaderValue), HandshakeError> {
    let name = name.try_into().map_err(|error| invalid(&error.into()))?;
    Ok((name, header_value(value)?))
}

/// Returns the value of a header of the program.
pub(super) fn header_value(
    value: impl TryInto<HeaderValue, Error: Into<http::Error>>,
) -> Result<HeaderValue, HandshakeError> {
    value.try_into().map_err(|error| invalid(&error.into()))
}

/// Adds a header of the program.
pub(super) fn append(
    headers: &mut HeaderMap,
    (name, mut value): (HeaderName, HeaderValue),
) -> Result<(), HandshakeError> {
    check_not_reserved(&name)?;
    hide_credentials(&name, &mut value);
    headers
        .try_append(name, value)
        .map_err(|_| HandshakeError::invalid("too many headers"))?;
    Ok(())
}

/// Returns the subprotocol that a response names.
pub(super) fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()
}

/// Returns a header value of the handshake.
pub(super) fn value(text: &str) -> Result<HeaderValue, HandshakeError> {
    HeaderValue::from_str(text)
        .map_err(|_| HandshakeError::invalid(format!("{text:?} cannot be a header's value")))
}

fn invalid(error: &http::Error) -> HandshakeError {
    HandshakeError::invalid(error.to_string())
}
