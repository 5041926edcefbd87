//! Why a connection was not upgraded, and who is at fault.

use crate::Fault;
use crate::cause::write_with_causes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, UPGRADE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use std::error::Error as StdError;
use std::{fmt, io};

/// Why a connection was not upgraded.
///
/// One pointer in size; creating one allocates. The text includes its [cause](Self::cause), down to the innermost, so
/// [`source`](StdError::source) is `None`.
pub struct UpgradeError(Box<Inner>);

struct Inner {
    kind: UpgradeErrorKind,
    message: String,
    response: Option<Response<Vec<u8>>>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kind of an [`UpgradeError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpgradeErrorKind {
    /// The head breaks the grammar of RFC 9112, has no `Host`, two or an invalid one, or announces a body. A server
    /// answers 400, or 501 to a body in a transfer coding that it does not know. The peer's fault.
    Malformed,
    /// The head is longer than [`Limits::head_bytes`](crate::Limits::head_bytes). A server answers
    /// 431, or 414 while still in the request line. The peer's fault.
    HeadTooLarge,
    /// The head has more headers than [`Limits::headers`](crate::Limits::headers). A server
    /// answers 431. The peer's fault.
    TooManyHeaders,
    /// Not HTTP/1.1. A server answers 505 (RFC 9110 15.6.6), also to HTTP/1.0, in which no upgrade can be asked for
    /// (RFC 9110 7.8). The peer's fault.
    Version,
    /// The method is not `GET`, or for an extended CONNECT (RFC 8441) not `CONNECT`. A server answers 405 with the
    /// right method in `Allow`, or 501 where the method is not one of HTTP's own. The peer's fault.
    Method,
    /// A valid request that asks for no upgrade: a server answers 400. Or one that asks for no accepted protocol: a
    /// server answers 426 with the accepted ones in `Upgrade`, and an extended CONNECT with 501. The peer's fault.
    NotUpgrade,
    /// The time of [`Limits::time`](crate::Limits::time) was over. A server answers 408 if part of a head had arrived,
    /// and nothing otherwise. The peer's fault.
    TimedOut,
    /// The stream ended before the head did. Nothing is answered. The peer's fault.
    Closed,
    /// Reading failed; [`UpgradeError::cause`] is the [`std::io::Error`].
    ///
    /// `WouldBlock` before the time was over is this error: use the decoders for a non-blocking stream.
    Read,
    /// Writing failed; [`UpgradeError::cause`] is the [`std::io::Error`].
    Write,
    /// The operating system failed at something else: an option of the socket, entropy, its root
    /// certificates. [`UpgradeError::cause`] says how.
    Io,
    /// The server answered with a status other than 101: see [`UpgradeError::response`]. The peer's fault.
    Refused,
    /// The server answered 101, but with no token `upgrade` in `Connection`. The peer's fault.
    MissingConnection,
    /// The server answered 101, but `Upgrade` does not name exactly one protocol that was asked for. The peer's fault.
    ProtocolMismatch,
    /// A check above this crate refused the peer, with [`UpgradeError::veto`]. The peer's fault.
    Vetoed,
    /// The caller passed something that cannot be sent. The caller's fault.
    InvalidArgument,
    /// A host's name could not be resolved: it has no address, or the resolver failed. [`UpgradeError::cause`] then
    /// says why.
    Resolve,
    /// No address of a host accepted the connection. The message says what became of each, and [`UpgradeError::cause`]
    /// is the [`std::io::Error`] of the last.
    Dial,
    /// The TLS handshake failed: the certificate is not trusted or for another host, or the other end does not speak
    /// TLS. [`UpgradeError::cause`] is the error of rustls, or the [`std::io::Error`] of the stream. The peer's fault,
    /// unless the stream failed.
    Tls,
    /// A proxy could not be reached, or made no connection. Where it answered in HTTP, [`UpgradeError::response`] is
    /// its answer. The peer's fault, unless the stream failed.
    Proxy,
    /// What was asked for needs a feature of this crate that is off. The caller's fault.
    Unsupported,
}

impl UpgradeError {
    /// Creates an error for a peer that a check of the caller refuses: [`UpgradeErrorKind::Vetoed`].
    pub fn veto(message: impl Into<String>) -> Self {
        Self::new(UpgradeErrorKind::Vetoed, message)
    }

    /// Creates an error of a kind, with a message. For a protocol on top of an upgrade, whose errors these are too.
    pub fn new(kind: UpgradeErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            response: None,
            cause: None,
        }))
    }

    /// Creates the error for something that cannot be sent.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(UpgradeErrorKind::InvalidArgument, message)
    }

    /// Adds the answer to a peer that sent a request: the status, and the message as its body.
    #[must_use]
    pub fn refusing(mut self, status: StatusCode) -> Self {
        self.0.response = Some(plain_response(status, &self.0.message));
        self
    }

    /// Adds a header to the answer, if there is one.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Some(response) = &mut self.0.response {
            response.headers_mut().append(name, value);
        }
        self
    }

    /// Removes from the answer the headers that HTTP/2 does not allow (RFC 9113 8.2.2).
    #[must_use]
    pub fn without_connection_headers(mut self) -> Self {
        if let Some(response) = &mut self.0.response {
            response.headers_mut().remove(CONNECTION);
            response.headers_mut().remove(UPGRADE);
        }
        self
    }

    /// Adds the cause, which the text then includes. The answer to the peer does not.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Turns this into an error of a larger operation, which `what` names.
    pub(crate) fn of(mut self, kind: UpgradeErrorKind, what: &str) -> Self {
        self.0.kind = kind;
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// As [`of`](Self::of), but `TimedOut` and `InvalidArgument` stay what they are.
    pub(crate) fn of_step(self, kind: UpgradeErrorKind, what: &str) -> Self {
        let kept = [
            UpgradeErrorKind::TimedOut,
            UpgradeErrorKind::InvalidArgument,
        ];
        let kind = if kept.contains(&self.kind()) {
            self.kind()
        } else {
            kind
        };
        self.of(kind, what)
    }

    /// Replaces the message.
    #[must_use]
    pub fn with_message(mut self, message: String) -> Self {
        self.0.message = message;
        self
    }

    /// Removes the answer: a client answers nothing.
    pub(crate) fn without_response(mut self) -> Self {
        self.0.response = None;
        self
    }

    pub(crate) fn refused(response: Response<Vec<u8>>) -> Self {
        let message = format!(
            "server refused the upgrade with status {}",
            response.status()
        );
        Self::new(UpgradeErrorKind::Refused, message).with_received(response)
    }

    /// Adds the answer that was received.
    pub(crate) fn with_received(mut self, response: Response<Vec<u8>>) -> Self {
        self.0.response = Some(response);
        self
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> UpgradeErrorKind {
        self.0.kind
    }

    /// Returns who is at fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self.0.kind {
            UpgradeErrorKind::Tls | UpgradeErrorKind::Proxy if self.is_of_stream() => {
                Fault::Transport
            }
            UpgradeErrorKind::Read
            | UpgradeErrorKind::Write
            | UpgradeErrorKind::Io
            | UpgradeErrorKind::Resolve
            | UpgradeErrorKind::Dial => Fault::Transport,
            UpgradeErrorKind::InvalidArgument | UpgradeErrorKind::Unsupported => Fault::Caller,
            _ => Fault::Peer,
        }
    }

    fn is_of_stream(&self) -> bool {
        self.cause()
            .is_some_and(<dyn StdError + Send + Sync>::is::<io::Error>)
    }

    /// Returns the error that caused this one, if any: the [`io::Error`] of the stream, the error of rustls, ….
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// Returns the status that was sent or received, if any.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.response().map(Response::status)
    }

    /// Returns the refusal. At a server it is the answer to send, which the calls that write have already sent. At a
    /// client it is the answer received, of the server or a proxy, with at most 64 KiB of what arrived of its body
    /// within half a second, decoded if it was chunked; its extensions have an
    /// [`IncompleteBody`](crate::IncompleteBody) where that is not all of it. A redirect's target is its `location`
    /// header.
    #[must_use]
    pub fn response(&self) -> Option<&Response<Vec<u8>>> {
        self.0.response.as_ref()
    }

    /// Returns the refusal, without the error.
    #[must_use]
    pub fn into_response(self) -> Option<Response<Vec<u8>>> {
        self.0.response
    }
}

impl fmt::Debug for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.status())
            .field("cause", &self.0.cause)
            .finish()
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.0.cause.as_deref();
        write_with_causes(f, &self.0.message, cause.map(|cause| cause as _))
    }
}

/// Has no source: the text includes the causes.
impl StdError for UpgradeError {}

/// Returns a refusal with one line of text.
fn plain_response(status: StatusCode, message: &str) -> Response<Vec<u8>> {
    let body = format!("{message}\n").into_bytes();
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend([
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (CONTENT_LENGTH, length),
        (CONNECTION, HeaderValue::from_static("close")),
    ]);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_error_is_its_kind_message_status_and_cause() {
        let error = UpgradeError::new(UpgradeErrorKind::TimedOut, "too late");
        let shown =
            "UpgradeError { kind: TimedOut, message: \"too late\", status: None, cause: None }";
        assert_eq!(format!("{error:?}"), shown);
        let error = error.refusing(StatusCode::REQUEST_TIMEOUT);
        let error = format!("{:?}", error.with_cause("asleep"));
        assert!(
            error.contains("status: Some(408), cause: Some(\"asleep\")"),
            "{error}"
        );
    }
}
