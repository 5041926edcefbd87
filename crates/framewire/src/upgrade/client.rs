//! The client's end over a stream that is already connected.

use super::body::Body;
use super::deadline::{Deadline, PIECE};
use super::encode::encode_request;
use super::negotiate::check_response;
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
    let deadline = Deadline::after(limits.time);
    request_by(stream, request, limits, deadline, |_| true, validate)
}

/// As [`request`], by a deadline that other steps share; its limit of time is not looked at. Of a
/// refusal that is not `worth_reading` the body is left out.
pub(crate) fn request_by<S: Socket, E: From<Error>>(
    mut stream: S,
    request: Request<()>,
    limits: &Limits,
    deadline: Deadline,
    worth_reading: impl FnOnce(&Response<()>) -> bool,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<S>, E> {
    let head = encode_request(&request)?;
    deadline.write_all(&mut stream, &head)?;
    let (response, leftover) = read_response(&mut stream, limits, deadline)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let response = if worth_reading(&response) {
            read_body(&mut stream, response, &leftover, deadline)
        } else {
            response.map(|()| Vec::new())
        };
        return Err(Error::refused(response).into());
    }
    check_response(&request, &response)?;
    validate(&response)?;
    deadline.clear(&stream)?;
    Ok(Upgraded::new(stream, leftover, request, response))
}

fn read_response<S: Socket>(
    stream: &mut S,
    limits: &Limits,
    deadline: Deadline,
) -> Result<(Response<()>, Vec<u8>), Error> {
    let mut decoder = ResponseDecoder::new(limits);
    let mut piece = [0; PIECE];
    loop {
        let count = deadline.read(stream, &mut piece)?;
        if count == 0 {
            return Err(Error::new(
                ErrorKind::Closed,
                "stream ended before the response",
            ));
        }
        if let (used, Some(response)) = decoder.decode(&piece[..count])? {
            return Ok((response, piece[used..count].to_vec()));
        }
    }
}

/// The beginning of a refusal's body, of which `leftover` came with the head. What does not come soon
/// is not waited for: the refusal is what the caller has to know.
pub(super) fn read_body<S: Socket>(
    stream: &mut S,
    response: Response<()>,
    leftover: &[u8],
    deadline: Deadline,
) -> Response<Vec<u8>> {
    let deadline = deadline.within(BODY_TIME);
    let mut body = Body::new(response.status(), response.headers());
    let mut piece = [0; PIECE];
    let mut done = body.feed(leftover);
    while !done {
        // A body that breaks off is still worth reading.
        let Ok(count @ 1..) = deadline.read(stream, &mut piece) else {
            break;
        };
        done = body.feed(&piece[..count]);
    }
    response.map(|()| body.into_bytes())
}

const BODY_TIME: Duration = Duration::from_millis(500);
