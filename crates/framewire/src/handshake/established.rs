//! The result of a handshake, at either end.

use std::sync::Arc;

use super::fields::subprotocol;
use crate::protocol::Agreement;
use crate::upgrade::Upgraded;
use http::{Request, Response};

/// A stream on which a WebSocket connection is established (RFC 6455 4.1), and what was agreed on.
#[derive(Debug)]
pub struct Established<S> {
    upgraded: Upgraded<S>,
    extension: Option<Arc<dyn Agreement>>,
}

impl<S> Established<S> {
    pub(super) fn new(upgraded: Upgraded<S>) -> Self {
        Self {
            extension: upgraded.response().extensions().get().cloned(),
            upgraded,
        }
    }

    /// With what the server's answer made of the offer of an extension.
    pub(super) fn with_extension(mut self, agreed: Option<Arc<dyn Agreement>>) -> Self {
        self.extension = agreed;
        self
    }

    /// The extension agreed on, if any.
    pub fn extension(&self) -> Option<&dyn Agreement> {
        self.extension.as_deref()
    }

    /// The subprotocol agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        subprotocol(self.response().headers())
    }

    /// The request, received or sent.
    pub fn request(&self) -> &Request<()> {
        self.upgraded.request()
    }

    /// The 101, sent or received.
    pub fn response(&self) -> &Response<()> {
        self.upgraded.response()
    }

    /// Bytes of frames that came with the head: at most 4 KiB.
    pub fn leftover(&self) -> &[u8] {
        self.upgraded.leftover()
    }

    /// The stream. Reading from it directly passes over [`leftover`](Self::leftover).
    pub fn get_ref(&self) -> &S {
        self.upgraded.get_ref()
    }

    /// All that a connection needs, to be put together otherwise than by `WebSocket::from_established`:
    /// over the stream in a wrapper, or in an event loop.
    pub fn into_parts(self) -> Parts<S> {
        let (stream, leftover) = self.upgraded.into_parts();
        Parts {
            stream,
            leftover,
            extension: self.extension,
        }
    }
}

/// What a handshake leaves behind: a connection that leaves out any of it is broken.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<S> {
    /// The stream.
    pub stream: S,
    /// Bytes of frames that came with the head, to be read before anything from the stream: at most
    /// 4 KiB.
    pub leftover: Vec<u8>,
    /// The extension agreed on, if any, for `WebSocket::set_extension` or `Session::set_extension`: the
    /// peer may use it from its first message on.
    pub extension: Option<Arc<dyn Agreement>>,
}
