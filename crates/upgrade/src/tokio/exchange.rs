//! The exchanges of both ends, as futures.

use super::wire::TokioWire;
use crate::error::UpgradeError;
use crate::exchange::{
    self, Upgraded, Wire as _, accept_over, receive_over, refuse_over, refuse_with_over,
    request_over, switch_over,
};
use crate::head::Limits;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

/// Reads one request from a stream: [`receive`](crate::receive) over tokio, which says what is answered and what
/// fails.
///
/// Waits for the head for at most [`Limits::time`]. Where it answers an error, it waits for the write as long again,
/// and for the peer to close half a second at most. While it waits it holds what has arrived of the head and, where
/// there is a limit, a timer.
///
/// # Cancel safety
/// Dropped before it is ready, it loses the stream: see [above](super#cancellation).
pub async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    limits: &Limits,
) -> Result<PendingUpgrade<S>, UpgradeError> {
    let wire = TokioWire::within(stream, limits.time);
    let received = Box::pin(receive_over(wire, limits)).await;
    Ok(PendingUpgrade(received?))
}

/// Asks the server at the other end of a stream for an upgrade: [`request`](crate::request) over tokio,
/// which says what `asked` and `validate` are, and what fails.
///
/// Waits for the answer for at most [`Limits::time`] in all. Of that the body of a refusal has half a second at most.
///
/// # Cancel safety
/// Dropped before it is ready, it loses the stream: see [above](super#cancellation).
pub async fn request<S: AsyncRead + AsyncWrite + Unpin, E: From<UpgradeError>>(
    stream: S,
    asked: Request<()>,
    limits: &Limits,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<S>, E> {
    let wire = TokioWire::within(stream, limits.time);
    Box::pin(request_over(wire, asked, limits, |_| true, validate)).await
}

/// A request that was read and awaits its answer.
///
/// Dropping it closes the connection without an answer. So does dropping the future of a method before it is ready.
#[derive(Debug)]
#[must_use = "a request must be accepted or refused"]
pub struct PendingUpgrade<S>(exchange::PendingUpgrade<S>);

impl<S> PendingUpgrade<S> {
    /// Takes over from an HTTP server that has read a request and gives up its socket: as
    /// [`PendingUpgrade::from_parts`](crate::PendingUpgrade::from_parts).
    pub fn from_parts<B>(
        stream: S,
        leftover: Vec<u8>,
        request: &Request<B>,
        limits: &Limits,
    ) -> Self {
        Self(exchange::PendingUpgrade::from_parts(
            stream, leftover, request, limits,
        ))
    }

    /// Returns the request: HTTP/1.0 or 1.1 with any method. [`respond`](crate::respond) checks whether it asks for an
    /// upgrade.
    pub fn request(&self) -> &Request<()> {
        self.0.request()
    }

    /// Returns the stream, for what only it can tell: the peer's address, or its certificate.
    pub fn get_ref(&self) -> &S {
        self.0.get_ref()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> PendingUpgrade<S> {
    /// Switches to the first protocol in `accepted` that the request offers: 101, with `headers`
    /// added.
    ///
    /// Waits for the write for at most [`Limits::time`]. Fails as
    /// [`PendingUpgrade::accept`](crate::PendingUpgrade::accept) does.
    pub async fn accept(
        self,
        accepted: &[&str],
        headers: HeaderMap,
    ) -> Result<Upgraded<S>, UpgradeError> {
        Box::pin(accept_over::<TokioWire<S>>(self.0, accepted, headers)).await
    }

    /// Sends a 101 that [`respond`](crate::respond) or a layer above it made.
    ///
    /// Waits for the write for at most [`Limits::time`]. Fails as
    /// [`PendingUpgrade::switch`](crate::PendingUpgrade::switch) does.
    pub async fn switch(self, response: Response<()>) -> Result<Upgraded<S>, UpgradeError> {
        Box::pin(switch_over::<TokioWire<S>>(self.0, response)).await
    }

    /// Answers with a response of the caller: any status but 1xx, any headers, any body.
    ///
    /// Ends the stream in this direction, over TLS with `close_notify`, and returns it, to be dropped. Waits for the
    /// write for at most [`Limits::time`] and, if the peer sent or announced more than the head, until it closes or
    /// for half a second. Fails as [`PendingUpgrade::refuse`](crate::PendingUpgrade::refuse) does.
    pub async fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, UpgradeError> {
        Box::pin(refuse_over::<TokioWire<S>, B>(self.0, response)).await
    }

    /// Answers with [`UpgradeError::response`], if the error has one, and returns the error.
    ///
    /// Waits as [`refuse`](Self::refuse) does. Where the answer could not be written, the error's
    /// [`cause`](UpgradeError::cause) says why.
    pub async fn refuse_with(self, error: UpgradeError) -> UpgradeError {
        Box::pin(refuse_with_over::<TokioWire<S>>(self.0, error)).await
    }
}
