//! Extensions in the handshake (RFC 6455 9.1).

use std::error::Error as StdError;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::{HandshakeError, HandshakeErrorKind};
use crate::extension_list::Extensions;
use crate::protocol::Agreement;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue, StatusCode};

/// An extension as one end is ready to use it: what a client offers, and what a server agrees to.
///
/// [`Deflate`](crate::deflate::Deflate) is one. Values are those of `Sec-WebSocket-Extensions` headers in their
/// order, each a list of extensions with parameters: `name; parameter=value, other`.
pub trait Extension: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Returns what a client offers.
    fn offer(&self) -> String;

    /// Returns what a server agrees on for a client's offers, and the value of its answer. `None` declines all of
    /// them, and the connection goes on without the extension.
    fn accept(&self, offered: &[&str]) -> Option<(Arc<dyn Agreement>, String)>;

    /// Returns what a server's answer to the [offer](Self::offer) agrees on; `None` where it declined.
    ///
    /// # Errors
    /// The server's fault, of which this is the cause: the client fails the connection.
    fn check(
        &self,
        answered: &[&str],
    ) -> Result<Option<Arc<dyn Agreement>>, Box<dyn StdError + Send + Sync>>;
}

/// RFC 6455 4.2.1, 9.1: a request with a header that is no list of extensions is refused.
pub(super) fn check_offer(asked: &HeaderMap) -> Result<(), HandshakeError> {
    if is_list(asked) {
        return Ok(());
    }
    let kind = HandshakeErrorKind::Extension;
    Err(HandshakeError::refusing(
        kind,
        StatusCode::BAD_REQUEST,
        MALFORMED,
    ))
}

/// RFC 6455 9.1: an answer with a header that is no list of extensions fails the handshake.
pub(super) fn check_answer(answered: &HeaderMap) -> Result<(), HandshakeError> {
    if is_list(answered) {
        return Ok(());
    }
    Err(HandshakeError::peer(
        HandshakeErrorKind::Extension,
        MALFORMED,
    ))
}

/// A server's answer to what a client offers, if it agrees to any of it.
pub(super) fn answer(
    extension: &dyn Extension,
    asked: &HeaderMap,
) -> Option<(HeaderValue, Arc<dyn Agreement>)> {
    let (agreed, answer) = extension.accept(&values(asked))?;
    let answer = HeaderValue::try_from(answer).ok()?;
    Some((answer, agreed))
}

/// Returns what a client offers.
pub(super) fn offer(extension: &dyn Extension) -> Option<HeaderValue> {
    HeaderValue::try_from(extension.offer()).ok()
}

/// Returns what a server's answer to a client's offer agrees on.
pub(super) fn check(
    extension: &dyn Extension,
    answered: &HeaderMap,
) -> Result<Option<Arc<dyn Agreement>>, HandshakeError> {
    extension.check(&values(answered)).map_err(|error| {
        let message = "server's answer does not fit the extension that was offered";
        HandshakeError::peer(HandshakeErrorKind::Extension, message).with_cause(error)
    })
}

/// Returns whether there is no such header, or one or more extensions in it.
fn is_list(headers: &HeaderMap) -> bool {
    let values = values(headers);
    let mut extensions = values
        .iter()
        .flat_map(|value| Extensions::new(value))
        .peekable();
    values.is_empty()
        || extensions.peek().is_some() && extensions.all(|extension| extension.is_ok())
}

/// Returns the values of the header. A value that is not text becomes a malformed one.
fn values(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    values.map(|value| value.to_str().unwrap_or("=")).collect()
}

const MALFORMED: &str = "sec-websocket-extensions header is not a list of extensions";
