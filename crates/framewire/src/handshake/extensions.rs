//! permessage-deflate in the handshake (RFC 7692 5).

use super::{Error, ErrorKind};
use crate::deflate::{Deflate, Negotiated, Parameters};
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};

/// A server's answer to what a client offers, if it agrees to any of it.
pub(super) fn answer(deflate: &Deflate, asked: &HeaderMap) -> Option<(HeaderValue, Negotiated)> {
    let (parameters, answer) = Parameters::accept(values(asked), deflate.config())?;
    let answer = HeaderValue::try_from(answer).ok()?;
    Some((answer, deflate.negotiated(parameters)))
}

/// What a client offers.
pub(super) fn offer(deflate: &Deflate) -> Option<HeaderValue> {
    HeaderValue::try_from(Parameters::offer(deflate.config())).ok()
}

/// What a server has made of a client's offer.
pub(super) fn check(deflate: &Deflate, answered: &HeaderMap) -> Result<Option<Negotiated>, Error> {
    match Parameters::check(values(answered), deflate.config()) {
        Ok(parameters) => Ok(parameters.map(|parameters| deflate.negotiated(parameters))),
        Err(error) => Err(Error::peer(ErrorKind::Extension, error.to_string())),
    }
}

/// What is no text is no extension either.
fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    values.map(|value| value.to_str().unwrap_or("="))
}
