//! The result of a handshake, at either end.

use std::sync::Arc;

use super::fields::subprotocol;
use crate::protocol::{Agreement, Role};
use crate::upgrade::Upgraded;
use http::{Request, Response};

/// A stream on which a WebSocket connection is established (RFC 6455 4.1), and what was agreed on.
#[derive(Debug)]
pub struct Established<S> {
    upgraded: Upgraded<S>,
    role: Role,
    extension: Option<Arc<dyn Agreement>>,
}

impl<S> Established<S> {
    pub(super) fn new(upgraded: Upgraded<S>, role: Role) -> Self {
        Self {
            role,
            extension: upgraded.response().extensions().get().cloned(),
            upgraded,
        }
    }

    /// Adds the extension that the server's answer agreed on.
    pub(super) fn with_extension(mut self, agreed: Option<Arc<dyn Agreement>>) -> Self {
        self.extension = agreed;
        self
    }

    /// Returns which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the extension agreed on, if any.
    pub fn extension(&self) -> Option<&dyn Agreement> {
        self.extension.as_deref()
    }

    /// Returns the subprotocol agreed on, if any.
    pub fn subprotocol(&self) -> Option<&str> {
        subprotocol(self.response().headers())
    }

    /// Returns the request, received or sent.
    pub fn request(&self) -> &Request<()> {
        self.upgraded.request()
    }

    /// Returns the 101, sent or received.
    pub fn response(&self) -> &Response<()> {
        self.upgraded.response()
    }

    /// Returns the bytes of frames that were read with the head: at most 4 KiB.
    pub fn leftover(&self) -> &[u8] {
        self.upgraded.leftover()
    }

    /// Returns the stream. Reading from it directly passes over [`leftover`](Self::leftover).
    pub fn get_ref(&self) -> &S {
        self.upgraded.get_ref()
    }

    /// Returns the same with what `wrap` makes of the stream: one that wraps it, or any other after a handshake without
    /// I/O.
    #[must_use]
    pub fn map_stream<T>(self, wrap: impl FnOnce(S) -> T) -> Established<T> {
        Established {
            upgraded: self.upgraded.map_stream(wrap),
            role: self.role,
            extension: self.extension,
        }
    }

    /// Returns all that a connection needs, where `WebSocket::from_established` does not create it (over a wrapped
    /// stream, or in an event loop), and what the application may keep. Of the heads nothing is copied but the
    /// subprotocol's name.
    pub fn into_parts(self) -> Parts<S> {
        let (stream, leftover, request, response) = self.upgraded.into_parts();
        Parts {
            stream,
            leftover,
            role: self.role,
            extension: self.extension,
            subprotocol: subprotocol(response.headers()).map(Box::from),
            request,
            response,
        }
    }
}

/// What is left of a handshake.
///
/// A connection needs the first four fields: one that leaves out any of them is broken. The others are for the
/// application.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<S> {
    /// The stream.
    pub stream: S,
    /// Bytes of frames that were read with the head, to be read before anything from the stream: at most 4 KiB.
    pub leftover: Vec<u8>,
    /// Which end this is.
    pub role: Role,
    /// The extension agreed on, if any, for `WebSocket::set_extension` or `Session::set_extension`: the
    /// peer may use it from its first message on.
    pub extension: Option<Arc<dyn Agreement>>,
    /// The subprotocol agreed on, if any.
    pub subprotocol: Option<Box<str>>,
    /// The request, received or sent.
    pub request: Request<()>,
    /// The 101, sent or received.
    pub response: Response<()>,
}
