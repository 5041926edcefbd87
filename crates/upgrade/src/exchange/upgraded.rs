//! The result of an upgrade, at either end.

use super::rewind::Rewind;
use http::header::UPGRADE;
use http::{Request, Response};

/// A stream that now speaks another protocol, and the two heads that made it do so.
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

    /// Returns the request, received or sent.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Returns the 101, sent or received.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// Returns the protocol that was switched to, as the 101 names it.
    pub fn protocol(&self) -> &str {
        let protocol = self.response.headers().get(UPGRADE);
        protocol
            .and_then(|protocol| protocol.to_str().ok())
            .unwrap_or_default()
    }

    /// Returns the bytes of the upgraded protocol that were read with the head: at most 4 KiB.
    pub fn leftover(&self) -> &[u8] {
        &self.leftover
    }

    /// Returns the stream. Reading from it directly passes over [`leftover`](Self::leftover).
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the same with what `wrap` makes of the stream: one that wraps it, or any other after an exchange
    /// without I/O.
    #[must_use]
    pub fn map_stream<T>(self, wrap: impl FnOnce(S) -> T) -> Upgraded<T> {
        Upgraded::new(
            wrap(self.stream),
            self.leftover,
            self.request,
            self.response,
        )
    }

    /// Returns the stream, which reads the leftover bytes first.
    pub fn into_rewind(self) -> Rewind<S> {
        Rewind::new(self.stream, self.leftover)
    }

    /// Returns the stream, the bytes to read before anything from it, and the two heads.
    pub fn into_parts(self) -> (S, Vec<u8>, Request<()>, Response<()>) {
        (self.stream, self.leftover, self.request, self.response)
    }
}
