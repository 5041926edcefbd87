//! The client's end over a stream that is already connected.

use super::body::Body;
use super::deadline::Deadline;
use super::encode::encode_request;
use super::head::begins_tls;
use super::negotiate::check_response;
use super::timed::Timed;
use super::wire::{Wire, finish, read, write_all};
use super::{Error, ErrorKind, Limits, ResponseDecoder, Upgraded};
use crate::Socket;
use http::{Request, Response, StatusCode};
use std::time::Duration;

/// Asks the server at the other end of a stream for an upgrade.
///
/// `request` is a `GET` with an `Upgrade` header, as for [`encode_request`](super::encode_request).
/// `validate` sees the 101 after [`check_response`] and may veto it, with an error of its own type
/// or with [`Error::veto`].
///
/// Blocks until the response is read, at most [`Limits::time`] in all. Sets the stream's time-outs
/// and leaves both at `None` (with [`Duration::MAX`](std::time::Duration::MAX) it leaves them
/// alone). As with [`receive`](super::receive), a non-blocking stream is for the decoders.
///
/// A status other than 101 fails with [`ErrorKind::Refused`]; [`Error::response`] is then the
/// answer with the first 64 KiB of its body: as long as `Content-Length` says, decoded where it is
/// chunked, else up to the end of the stream; cut short at what has come within half a second or
/// the limit. With `Duration::MAX` that half second is the only time-out that is set.
/// Fails as well as [`ResponseDecoder::decode`], [`check_response`], `encode_request` and
/// `validate` do, and with [`ErrorKind::Read`], [`ErrorKind::Write`], [`ErrorKind::Closed`] or [`ErrorKind::TimedOut`].
///
/// ```no_run
/// use framewire::upgrade::{self, Limits};
/// use http::Request;
/// use std::net::TcpStream;
///
/// let stream = TcpStream::connect("echo.example:80")?;
/// let request = Request::get("http://echo.example/").header("upgrade", "echo/1").body(())?;
/// let upgraded = upgrade::request(stream, request, &Limits::default(), |response| {
///     match response.headers().contains_key("echo-ready") {
///         true => Ok(()),
///         false => Err(upgrade::Error::veto("server is not ready")),
///     }
/// })?;
/// # drop(upgraded);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn request<S: Socket, E: From<Error>>(
    stream: S,
    request: Request<()>,
    limits: &Limits,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<S>, E> {
    let wire = Timed::within(stream, limits.time);
    finish(request_over(wire, request, limits, |_| true, validate))
}

/// As [`request`], over any wire and by its deadline. Of a refusal that is not `worth_reading` the
/// body is left out.
pub(crate) async fn request_over<W: Wire, E: From<Error>>(
    mut wire: W,
    request: Request<()>,
    limits: &Limits,
    worth_reading: impl FnOnce(&Response<()>) -> bool,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<W::Stream>, E> {
    write_all(&mut wire, &encode_request(&request)?).await?;
    let (response, leftover) = read_response(&mut wire, limits).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let response = if worth_reading(&response) {
            read_body(&mut wire, response, &leftover).await
        } else {
            response.map(|()| Vec::new())
        };
        return Err(Error::refused(response).into());
    }
    check_response(&request, &response)?;
    validate(&response)?;
    wire.release()?;
    let stream = wire.into_stream();
    Ok(Upgraded::new(stream, leftover, request, response))
}

async fn read_response<W: Wire>(
    wire: &mut W,
    limits: &Limits,
) -> Result<(Response<()>, Vec<u8>), Error> {
    let mut decoder = ResponseDecoder::new(limits);
    loop {
        let next = read(wire, |piece| {
            if piece.is_empty() {
                let message = "stream ended before the response";
                return Err(Error::new(ErrorKind::Closed, message));
            }
            let is_tls = !decoder.is_started() && begins_tls(piece);
            let head = decoder.decode(piece);
            let (used, response) = head.map_err(|error| {
                if is_tls {
                    error.with_message("the peer speaks TLS: use wss:// or https://".to_owned())
                } else {
                    error
                }
            })?;
            Ok(response.map(|response| (response, piece[used..].to_vec())))
        });
        if let Some(read) = next.await? {
            return Ok(read);
        }
    }
}

/// The beginning of a refusal's body, of which `leftover` came with the head. What does not come soon
/// is not waited for: the refusal is what the caller has to know.
pub(super) async fn read_body<W: Wire>(
    wire: &mut W,
    response: Response<()>,
    leftover: &[u8],
) -> Response<Vec<u8>> {
    let soon = Deadline::starting(W::now(), BODY_TIME);
    wire.set_deadline(wire.deadline().or_sooner(soon));
    let mut body = Body::new(response.status(), response.headers());
    let mut done = body.feed(leftover);
    while !done {
        let fed = read(wire, |piece| {
            let is_end = piece.is_empty();
            Ok(body.feed(piece) || is_end)
        });
        // A body that breaks off is still worth reading.
        done = fed.await.unwrap_or(true);
    }
    response.map(|()| body.into_bytes())
}

const BODY_TIME: Duration = Duration::from_millis(500);
