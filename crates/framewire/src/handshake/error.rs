//! Why a handshake failed.

use crate::Fault;
use crate::upgrade::{self, UpgradeError, UpgradeErrorKind};
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri};
use std::error::Error as StdError;
use std::fmt;

/// Why a handshake failed. The text includes its [cause](Self::cause).
pub struct HandshakeError {
    kind: HandshakeErrorKind,
    inner: UpgradeError,
    redirect: Option<Box<Uri>>,
}

/// The kind of a [`HandshakeError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeErrorKind {
    /// The HTTP exchange failed. A server's other answer than 101, such as a 401, is
    /// [`Refused`](UpgradeErrorKind::Refused): [`status`](HandshakeError::status) and
    /// [`response`](HandshakeError::response) have it. Never `InvalidArgument`, which is the kind of that name here.
    Upgrade(UpgradeErrorKind),
    /// `Sec-WebSocket-Version` is not 13: a server answers 426 with `Sec-WebSocket-Version: 13`
    /// (RFC 6455 4.4), or 400 where there are two, or over HTTP/2.
    Version,
    /// `Sec-WebSocket-Key` is missing, duplicate or not 16 bytes in base64: a server answers 400.
    Key,
    /// The policy does not allow the `Origin`: a server answers 403.
    Origin,
    /// `Sec-WebSocket-Protocol` is not a list of tokens (a server answers 400), or the server chose a subprotocol that
    /// was not offered (RFC 6455 4.1).
    Subprotocol,
    /// `Sec-WebSocket-Extensions` is not a list of extensions (RFC 6455 9.1: a server answers 400), or the server
    /// answered with an extension that was not offered (RFC 6455 4.1), or with permessage-deflate in a way
    /// that does not fit the offer (RFC 7692 5.1): then [`HandshakeError::cause`] is the `deflate::AnswerError`.
    Extension,
    /// `Sec-WebSocket-Accept` is missing, duplicate or does not fit the key (RFC 6455 4.1).
    Accept,
    /// The server answered with a redirect to another `ws` or `wss` URI, [`HandshakeError::redirect`], which was not
    /// followed: because that was not [asked for](super::Connector::follow_redirects), because it led from `wss` to
    /// `ws`, or because nothing can connect to such a URI.
    Redirect,
    /// The server's redirect was one more than was [asked for](super::Connector::follow_redirects).
    /// [`HandshakeError::redirect`] is its target.
    TooManyRedirects,
    /// The operating system had no random bytes for a key.
    Entropy,
    /// The caller passed something that cannot be sent: a reserved header, a subprotocol that is not a token, a URI
    /// that is not `ws` or `wss`.
    InvalidArgument,
}

impl HandshakeError {
    /// Creates an error that a server answers with a status.
    pub(super) fn refusing(kind: HandshakeErrorKind, status: StatusCode, message: &str) -> Self {
        Self {
            kind,
            inner: UpgradeError::veto(message).refusing(status),
            redirect: None,
        }
    }

    /// Creates an error that a client finds, with the peer at fault.
    pub(super) fn peer(kind: HandshakeErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            inner: UpgradeError::veto(message),
            redirect: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        UpgradeError::new(UpgradeErrorKind::InvalidArgument, message).into()
    }

    pub(super) fn entropy(cause: getrandom::Error) -> Self {
        let message = "operating system gave no random bytes";
        let inner = UpgradeError::new(UpgradeErrorKind::Io, message).with_cause(cause);
        Self {
            kind: HandshakeErrorKind::Entropy,
            inner,
            redirect: None,
        }
    }

    pub(super) fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            inner: self.inner.with_header(name, value),
            ..self
        }
    }

    /// Adds the cause.
    pub(super) fn with_cause(self, cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self {
            inner: self.inner.with_cause(cause),
            ..self
        }
    }

    /// Changes the inner error.
    pub(super) fn map_inner(self, f: impl FnOnce(UpgradeError) -> UpgradeError) -> Self {
        Self {
            inner: f(self.inner),
            ..self
        }
    }

    /// Changes the inner error by a future.
    pub(super) async fn then_inner<F: Future<Output = UpgradeError>>(
        self,
        f: impl FnOnce(UpgradeError) -> F,
    ) -> Self {
        Self {
            inner: f(self.inner).await,
            ..self
        }
    }

    /// Turns a refusal into a redirect, and adds why it is not followed.
    pub(super) fn redirecting(self, kind: HandshakeErrorKind, target: Uri, why: &str) -> Self {
        Self {
            kind,
            inner: self
                .inner
                .with_message(format!("server redirects to {target}{why}")),
            redirect: Some(Box::new(target)),
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> HandshakeErrorKind {
        self.kind
    }

    /// Returns who is at fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.inner.fault()
    }

    /// Returns the error that caused this one, if any: the [`std::io::Error`] of the stream, the error of rustls, ….
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.inner.cause()
    }

    /// Returns the status that was sent or received, if any.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.inner.status()
    }

    /// Returns the refusal. At a server it is the answer to send, which the calls that write have already sent. At a
    /// client it is the answer received, with at most 64 KiB of what arrived of its body within half a second. A
    /// redirect's target is its `location` header.
    #[must_use]
    pub fn response(&self) -> Option<&Response<Vec<u8>>> {
        self.inner.response()
    }

    /// Returns the bytes of the refusal that a server sends; empty where there is none.
    #[must_use]
    pub fn encode_response(&self) -> Vec<u8> {
        let encoded = self.response().map(upgrade::encode_response);
        encoded.and_then(Result::ok).unwrap_or_default()
    }

    /// Returns where the server redirects to: a `ws` or `wss` URI, with [`HandshakeErrorKind::Redirect`] and
    /// [`HandshakeErrorKind::TooManyRedirects`].
    #[must_use]
    pub fn redirect(&self) -> Option<&Uri> {
        self.redirect.as_deref()
    }

    /// Returns the refusal, without the error.
    #[must_use]
    pub fn into_response(self) -> Option<Response<Vec<u8>>> {
        self.inner.into_response()
    }
}

impl From<UpgradeError> for HandshakeError {
    fn from(inner: UpgradeError) -> Self {
        let kind = match inner.kind() {
            UpgradeErrorKind::InvalidArgument => HandshakeErrorKind::InvalidArgument,
            kind => HandshakeErrorKind::Upgrade(kind),
        };
        Self {
            kind,
            inner,
            redirect: None,
        }
    }
}

impl fmt::Debug for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeError")
            .field("kind", &self.kind)
            .field("message", &self.to_string())
            .field("status", &self.status())
            .field("cause", &self.cause())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Has no source: the text includes the causes.
impl StdError for HandshakeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_error_is_its_kind_message_status_and_cause() {
        let error = HandshakeError::peer(HandshakeErrorKind::Extension, "does not fit");
        let error = error.with_cause("too long".into());
        assert_eq!(error.to_string(), "does not fit: too long");
        let shown = "HandshakeError { kind: Extension, message: \"does not fit: too long\", status: None, \
                     cause: Some(\"too long\"), .. }";
        assert_eq!(format!("{error:?}"), shown);
    }
}
