//! HTTP/1.1 Upgrade for any protocol, both ends, over tokio: [`crate::upgrade`] with `async`.
//!
//! Heads, limits, checks and errors are those of [`crate::upgrade`]; what is different is how time
//! passes. Deadlines are tokio's, so that a runtime needs its timer, unless [`Limits::time`] is
//! [`Duration::MAX`](std::time::Duration::MAX).
//!
//! ```no_run
//! use framewire::tokio::upgrade;
//! use framewire::upgrade::Limits;
//! use http::HeaderMap;
//! # async fn serve(stream: tokio::io::DuplexStream) -> Result<(), Box<dyn std::error::Error>> {
//! let pending = upgrade::receive(stream, &Limits::default()).await?;
//! let echo_stream = pending.accept(&["echo/1"], HeaderMap::new()).await?.into_rewind();
//! # drop(echo_stream);
//! # Ok(())
//! # }
//! ```
//!
//! What a call needs while it waits is in a box that is freed when it is ready, so that it takes next
//! to nothing of the task which goes on with the connection.
//!
//! # Cancellation
//!
//! Every call here owns its stream. One that is dropped before it is ready drops the stream with it,
//! and the peer sees the connection end: bytes may have been read or sent by then, and a handshake
//! cannot be gone on with from the middle. To bound the time, [`Limits::time`] is enough.

use super::timed::Timed;
use crate::upgrade::{self, Error, Limits, Upgraded, Wire as _, receive_over, request_over};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(feature = "tokio-net")]
pub use super::dial::{Stream, dial, dial_and_request};

/// Reads one request from a stream: [`upgrade::receive`] over tokio, which says what is answered and
/// what fails.
///
/// Waits for the head for at most [`Limits::time`], and where it answers an error, for the writing as
/// long again and for the peer to close half a second at most. While it waits it holds what has come
/// of the head and, where there is a limit, a timer. Dropped, it loses the stream: see
/// [above](self#cancellation).
pub async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    limits: &Limits,
) -> Result<Pending<S>, Error> {
    let wire = Timed::within(stream, limits.time);
    let received = Box::pin(receive_over(wire, limits)).await;
    Ok(Pending(received?))
}

/// Asks the server at the other end of a stream for an upgrade: [`upgrade::request`] over tokio, which
/// says what `request` and `validate` are, and what fails.
///
/// Waits for the answer for at most [`Limits::time`] in all, of which the body of a refusal has half a
/// second at most. Dropped, it loses the stream: see [above](self#cancellation).
pub async fn request<S: AsyncRead + AsyncWrite + Unpin, E: From<Error>>(
    stream: S,
    request: Request<()>,
    limits: &Limits,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<S>, E> {
    let wire = Timed::within(stream, limits.time);
    Box::pin(request_over(wire, request, limits, |_| true, validate)).await
}

/// A request that was read and awaits its answer.
///
/// Dropping it closes the connection without one; so does dropping what its methods return before it
/// is ready.
#[derive(Debug)]
#[must_use = "a request must be accepted or refused"]
pub struct Pending<S>(upgrade::Pending<S>);

impl<S> Pending<S> {
    /// Takes over from an HTTP server that has read a request and gives up its socket: as
    /// [`upgrade::Pending::from_parts`].
    pub fn from_parts<B>(
        stream: S,
        leftover: Vec<u8>,
        request: &Request<B>,
        limits: &Limits,
    ) -> Self {
        Self(upgrade::Pending::from_parts(
            stream, leftover, request, limits,
        ))
    }

    /// The request. HTTP/1.0 or 1.1 with any method; whether it asks for an upgrade is for
    /// [`upgrade::respond`] to say.
    pub fn request(&self) -> &Request<()> {
        self.0.request()
    }

    /// The stream, for what only it can tell: the peer's address, or its certificate.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pending<S> {
    /// Switches to the first protocol in `accepted` that the request offers: 101, with `headers`
    /// added.
    ///
    /// Waits for the writing for at most [`Limits::time`], and fails, as
    /// [`upgrade::Pending::accept`] does.
    pub async fn accept(self, accepted: &[&str], headers: HeaderMap) -> Result<Upgraded<S>, Error> {
        Box::pin(self.0.accept_over::<Timed<S>>(accepted, headers)).await
    }

    /// Sends a 101 that [`upgrade::respond`] or a layer above it made.
    ///
    /// Waits for the writing for at most [`Limits::time`], and fails, as
    /// [`upgrade::Pending::switch`] does.
    pub async fn switch(self, response: Response<()>) -> Result<Upgraded<S>, Error> {
        Box::pin(self.0.switch_over::<Timed<S>>(response)).await
    }

    /// Answers with a response of the caller's: any status but 1xx, any headers, any body.
    ///
    /// Returns the stream, to be closed. Waits for the writing for at most [`Limits::time`] and, if
    /// the peer sent more than the head or announced it, until it closes or for half a second; fails
    /// as [`upgrade::Pending::refuse`] does.
    pub async fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, Error> {
        Box::pin(self.0.refuse_over::<Timed<S>, B>(response)).await
    }

    /// Answers with [`Error::response`], if the error has one, and gives the error back.
    ///
    /// Waits as [`refuse`](Self::refuse) does. Where the answer could not be written, the error's
    /// [`cause`](Error::cause) says why.
    pub async fn refuse_with(self, error: Error) -> Error {
        Box::pin(self.0.refuse_with_over::<Timed<S>>(error)).await
    }
}
