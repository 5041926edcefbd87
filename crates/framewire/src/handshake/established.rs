//! The result of a handshake, at either end.

use super::fields::subprotocol;
#[cfg(feature = "deflate")]
use crate::deflate::Negotiated;
use crate::upgrade::{Rewind, Upgraded};
use http::{Request, Response};

/// A stream on which a WebSocket connection is established (RFC 6455 4.1), and what was agreed on.
#[derive(Debug)]
pub struct Established<S> {
    upgraded: Upgraded<S>,
    #[cfg(feature = "deflate")]
    deflate: Option<Negotiated>,
}

impl<S> Established<S> {
    pub(super) fn new(upgraded: Upgraded<S>) -> Self {
        Self {
            #[cfg(feature = "deflate")]
            deflate: upgraded.response().extensions().get().cloned(),
            upgraded,
        }
    }

    /// With what the server's answer made of the offer of compression.
    #[cfg(feature = "deflate")]
    pub(super) fn with_deflate(mut self, deflate: Option<Negotiated>) -> Self {
        self.deflate = deflate;
        self
    }

    /// The compression agreed on, if any.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<&Negotiated> {
        self.deflate.as_ref()
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

    /// The stream, reading the leftover bytes first.
    pub fn into_rewind(self) -> Rewind<S> {
        self.upgraded.into_rewind()
    }

    /// The stream and the bytes to be read before anything from it.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        self.upgraded.into_parts()
    }
}
