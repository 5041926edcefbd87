//! The result of an upgrade, at either end.

use super::rewind::Rewind;
use http::header::UPGRADE;
use http::{Request, Response};

/// A stream that now speaks another protocol, and the two heads that made it so.
#[derive(Debug)]
pub struct Upgraded<S> {
    stream: S,
    leftover: Vec<u8>,
    request: Request<()>,
    response: Response<()>,
}

impl<S> Upgraded<S> {
    pub(super) fn new(
        stream: S,
        leftover: Vec<u8>,
        request: Request<()>,
        response: Response<()>,
    ) -> Self {
        Self {
            stream,
            leftover,
            request,
            response,
        }
    }

    /// The request, received or sent.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The 101, sent or received.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// The protocol that was switched to, as the 101 names it.
    pub fn protocol(&self) -> &str {
        let protocol = self.response.headers().get(UPGRADE);
        protocol
            .and_then(|protocol| protocol.to_str().ok())
            .unwrap_or_default()
    }

    /// Bytes of the upgraded protocol that came with the head: at most 4 KiB.
    pub fn leftover(&self) -> &[u8] {
        &self.leftover
    }

    /// The stream. Reading from it directly passes over [`leftover`](Self::leftover).
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream, reading the leftover bytes first.
    pub fn into_rewind(self) -> Rewind<S> {
        Rewind::new(self.stream, self.leftover)
    }

    /// The stream and the bytes to be read before anything from it.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.leftover)
    }
}
