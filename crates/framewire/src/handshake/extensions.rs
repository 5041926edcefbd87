//! permessage-deflate in the handshake (RFC 7692 5).

use super::{Error, ErrorKind};
use crate::deflate::{Deflate, Negotiated};
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};

/// A server's answer to what a client offers, if it agrees to any of it.
pub(super) fn answer(deflate: &Deflate, asked: &HeaderMap) -> Option<(HeaderValue, Negotiated)> {
    let (negotiated, answer) = deflate.accept(values(asked))?;
    let answer = HeaderValue::try_from(answer).ok()?;
    Some((answer, negotiated))
}

/// What a client offers.
pub(super) fn offer(deflate: &Deflate) -> Option<HeaderValue> {
    HeaderValue::try_from(deflate.offer()).ok()
}

/// What a server has made of a client's offer.
pub(super) fn check(deflate: &Deflate, answered: &HeaderMap) -> Result<Option<Negotiated>, Error> {
    let checked = deflate.check(values(answered));
    checked.map_err(|error| {
        let message = "server's answer does not fit the extension that was offered";
        Error::peer(ErrorKind::Extension, message).with_cause(error)
    })
}

/// What is no text is no extension either.
fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    values.map(|value| value.to_str().unwrap_or("="))
}
