//! The exchanges of both ends, as calls that block.

use super::wire::BlockingWire;
use crate::Socket;
use crate::error::UpgradeError;
use crate::exchange::{
    PendingUpgrade, Upgraded, Wire as _, accept_over, finish, receive_over, refuse_over,
    refuse_with_over, request_over, switch_over,
};
use crate::head::Limits;
use http::{HeaderMap, Request, Response};

/// Reads one request from a stream.
///
/// Blocks until the head is complete, at most [`Limits::time`]. A request that cannot be read as HTTP/1.1 is answered
/// before the error is returned: see [`UpgradeErrorKind`](crate::UpgradeErrorKind) for the statuses, and
/// [`UpgradeError::cause`] for why an answer could not be sent. Then up to 64 KiB of further input are discarded, for
/// at most half a second, so that no connection reset loses the answer. The stream is ended, over TLS with
/// `close_notify` ([`Socket::shutdown_write`]), and dropped.
///
/// Sets the stream's time-outs and restores them at the end. Without a limit on the time
/// ([`Duration::MAX`](std::time::Duration::MAX)) they are left alone until a peer is refused.
///
/// # Errors
///
/// Those of [`RequestDecoder::decode`](crate::RequestDecoder::decode), and `Closed`, `TimedOut`, `Read` or `Io`. A
/// stream that returns `WouldBlock` before the time is over (a non-blocking one) fails with `Read`, and its bytes are
/// lost: [`RequestDecoder`](crate::RequestDecoder) is for such streams. A `TimedOut` of the stream itself is
/// `TimedOut` at any time.
pub fn receive<S: Socket>(stream: S, limits: &Limits) -> Result<PendingUpgrade<S>, UpgradeError> {
    let wire = BlockingWire::within(stream, limits.time);
    finish(receive_over(wire, limits))
}

impl<S: Socket> PendingUpgrade<S> {
    /// Switches to the first protocol in `accepted` that the request offers: 101, with `headers`
    /// added.
    ///
    /// Blocks while writing, at most [`Limits::time`]. A request that [`respond`](crate::respond)
    /// refuses is refused with its status, as by [`refuse_with`](Self::refuse_with).
    pub fn accept(
        self,
        accepted: &[&str],
        headers: HeaderMap,
    ) -> Result<Upgraded<S>, UpgradeError> {
        finish(accept_over::<BlockingWire<S>>(self, accepted, headers))
    }

    /// Sends a 101 that [`respond`](crate::respond) or a protocol above it made.
    ///
    /// Blocks while writing, at most [`Limits::time`].
    ///
    /// # Errors
    ///
    /// `InvalidArgument` where [`check_response`](crate::check_response) would not let a client accept the response,
    /// or the request is not one of HTTP/1.1 with `GET`, a host and no body. Else `Write`, `TimedOut` or `Io`.
    pub fn switch(self, response: Response<()>) -> Result<Upgraded<S>, UpgradeError> {
        finish(switch_over::<BlockingWire<S>>(self, response))
    }

    /// Answers with a response of the caller: any status but 1xx, any headers, any body.
    ///
    /// This is how a server says 401, redirects, or serves a page to a browser that asked for no upgrade.
    /// `Content-Length` and `Connection: close` are set. The answer to a `HEAD` is sent without the body.
    ///
    /// Ends the stream in this direction, over TLS with `close_notify` ([`Socket::shutdown_write`]), and returns it, to
    /// be dropped. Blocks while writing, at most [`Limits::time`], and, if the peer sent or announced more than the
    /// head, until it closes or for half a second.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` where the response cannot be sent; else `Write`, `TimedOut` or `Io`.
    pub fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, UpgradeError> {
        finish(refuse_over::<BlockingWire<S>, B>(self, response))
    }

    /// Answers with [`UpgradeError::response`], if the error has one, and returns the error.
    ///
    /// Blocks as [`refuse`](Self::refuse) does. Where the answer could not be written, the error's
    /// [`cause`](UpgradeError::cause) says why.
    pub fn refuse_with(self, error: UpgradeError) -> UpgradeError {
        finish(refuse_with_over::<BlockingWire<S>>(self, error))
    }
}

/// Asks the server at the other end of a stream for an upgrade.
///
/// `asked` is a `GET` with an `Upgrade` header, as for [`encode_request`](crate::encode_request). `validate` is called
/// with the 101 after [`check_response`](crate::check_response). It may refuse it, with an error of its own type or
/// with [`UpgradeError::veto`].
///
/// Blocks until the response is read, at most [`Limits::time`] in all. Sets the stream's time-outs and restores them
/// where there is an upgrade. Without a limit on the time ([`Duration::MAX`](std::time::Duration::MAX)) they are left
/// alone. For a non-blocking stream use the decoders, as with [`receive`].
///
/// # Errors
///
/// `Refused` for a status other than 101. [`UpgradeError::response`] is then the answer with the first 64 KiB of its
/// body: as long as `Content-Length` says, decoded where it is chunked, else up to the end of the stream, and no more
/// than arrives within half a second or the limit. That half second is a time-out that is set even without a limit on
/// the time.
///
/// Also those of [`ResponseDecoder::decode`](crate::ResponseDecoder::decode), `check_response`, `encode_request` and
/// `validate`, and `Read`, `Write`, `Closed` or `TimedOut`. After any of them the stream is ended, over TLS with
/// `close_notify`, and dropped.
///
/// # Examples
///
/// ```no_run
/// use framewire_upgrade::{Limits, UpgradeError, request};
/// use http::Request;
/// use std::net::TcpStream;
///
/// let stream = TcpStream::connect("echo.example:80")?;
/// let asked = Request::get("http://echo.example/").header("upgrade", "echo/1").body(())?;
/// let upgraded = request(stream, asked, &Limits::default(), |response| {
///     match response.headers().contains_key("echo-ready") {
///         true => Ok(()),
///         false => Err(UpgradeError::veto("server is not ready")),
///     }
/// })?;
/// # drop(upgraded);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn request<S: Socket, E: From<UpgradeError>>(
    stream: S,
    asked: Request<()>,
    limits: &Limits,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<S>, E> {
    let wire = BlockingWire::within(stream, limits.time);
    finish(request_over(wire, asked, limits, |_| true, validate))
}
