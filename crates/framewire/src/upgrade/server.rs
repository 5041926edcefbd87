//! The server's end: read a request, then accept or refuse.

use super::encode::{encode_head, encode_response, invalid};
use super::negotiate::{announces_body, check_request, check_response, respond};
use super::timed::Timed;
use super::wire::{Wire, finish, read, write_all};
use super::{Error, ErrorKind, Limits, RequestDecoder, Upgraded};
use crate::Socket;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use std::time::Duration;

/// Reads one request from a stream.
///
/// Blocks until the head is complete, at most [`Limits::time`]. A request that cannot be read as
/// HTTP/1.1 is answered before the error is returned: see [`ErrorKind`] for the statuses, and the
/// error's source for why an answer could not be sent. Up to
/// 64 KiB of what the peer goes on to send are then read away, for at most half a second, so that
/// the answer is not lost to a connection reset; and the stream is dropped.
///
/// Sets the stream's time-outs and puts back what they were at the end. With [`Duration::MAX`] they
/// are not touched until a peer is refused. A stream that returns `WouldBlock` before the time is over (a non-blocking one) ends in
/// [`ErrorKind::Read`] and its bytes are lost: [`RequestDecoder`] is for those. `TimedOut` from the
/// stream itself is [`ErrorKind::TimedOut`] at any time.
pub fn receive<S: Socket>(stream: S, limits: &Limits) -> Result<Pending<S>, Error> {
    finish(receive_over(Timed::within(stream, limits.time), limits))
}

/// As [`receive`], over any wire.
pub(crate) async fn receive_over<W: Wire>(
    mut wire: W,
    limits: &Limits,
) -> Result<Pending<W::Stream>, Error> {
    match read_request(&mut wire, limits).await {
        Ok((request, leftover)) => {
            wire.release()?;
            Ok(Pending {
                stream: wire.into_stream(),
                request,
                leftover,
                time: limits.time,
            })
        }
        Err(error) => {
            // More of a request that was not understood may be on its way.
            let unread = error.kind() != ErrorKind::TimedOut;
            Err(answer_error(&mut wire, error, false, unread, limits.time).await)
        }
    }
}

/// A request that was read and awaits its answer.
///
/// Dropping it closes the connection without one.
#[derive(Debug)]
#[must_use = "a request must be accepted or refused"]
pub struct Pending<S> {
    stream: S,
    request: Request<()>,
    leftover: Vec<u8>,
    time: Duration,
}

impl<S> Pending<S> {
    /// Takes over from an HTTP server that has read a request and gives up its socket.
    ///
    /// `leftover` is what that server read of the stream after the head. Of `limits` only
    /// [`Limits::time`] counts, for writing the answer. Copies the request's head.
    pub fn from_parts<B>(
        stream: S,
        leftover: Vec<u8>,
        request: &Request<B>,
        limits: &Limits,
    ) -> Self {
        Self {
            stream,
            request: head_of(request),
            leftover,
            time: limits.time,
        }
    }

    /// The request. HTTP/1.0 or 1.1 with any method; whether it asks for an upgrade is for
    /// [`respond`] to say.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The stream, for what only it can tell: the peer's address, or its certificate.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: Socket> Pending<S> {
    /// Switches to the first protocol in `accepted` that the request offers: 101, with `headers`
    /// added.
    ///
    /// Blocks while writing, at most [`Limits::time`]. A request that [`respond`] refuses is
    /// refused with its status, as by [`refuse_with`](Self::refuse_with).
    pub fn accept(self, accepted: &[&str], headers: HeaderMap) -> Result<Upgraded<S>, Error> {
        finish(self.accept_over::<Timed<S>>(accepted, headers))
    }

    /// Sends a 101 that [`respond`] or a layer above it made.
    ///
    /// Blocks while writing, at most [`Limits::time`]. Fails with [`ErrorKind::InvalidArgument`]
    /// where the response is not one that [`check_response`] lets a client accept, or the request is
    /// not one of HTTP/1.1 with `GET`, a host and no body; with [`ErrorKind::Io`] or
    /// [`ErrorKind::TimedOut`].
    pub fn switch(self, response: Response<()>) -> Result<Upgraded<S>, Error> {
        finish(self.switch_over::<Timed<S>>(response))
    }

    /// Answers with a response of the caller's: any status but 1xx, any headers, any body.
    ///
    /// It is how a server says 401, redirects, or serves a page to a browser that asked for no
    /// upgrade. `Content-Length` and `Connection: close` are set; the answer to a `HEAD` is sent
    /// without the body.
    ///
    /// Returns the stream, to be closed. Blocks while writing, at most [`Limits::time`], and, if
    /// the peer sent more than the head or announced it, until it closes or for half a second.
    /// Fails with [`ErrorKind::InvalidArgument`] where the response cannot be sent, with
    /// [`ErrorKind::Write`] or [`ErrorKind::TimedOut`].
    pub fn refuse<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<S, Error> {
        finish(self.refuse_over::<Timed<S>, B>(response))
    }

    /// Answers with [`Error::response`], if the error has one, and gives the error back.
    ///
    /// Blocks as [`refuse`](Self::refuse) does. Where the answer could not be written, the error's
    /// [`cause`](Error::cause) says why.
    pub fn refuse_with(self, error: Error) -> Error {
        finish(self.refuse_with_over::<Timed<S>>(error))
    }
}

/// The same over any wire.
impl<S> Pending<S> {
    pub(crate) async fn accept_over<W: Wire<Stream = S>>(
        self,
        accepted: &[&str],
        headers: HeaderMap,
    ) -> Result<Upgraded<S>, Error> {
        match respond(&self.request, accepted, headers) {
            Ok(response) => self.switch_over::<W>(response).await,
            Err(error) => Err(self.refuse_with_over::<W>(error).await),
        }
    }

    pub(crate) async fn switch_over<W: Wire<Stream = S>>(
        self,
        response: Response<()>,
    ) -> Result<Upgraded<S>, Error> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(invalid(format!(
                "status {} does not switch protocols",
                response.status()
            )));
        }
        check_request(&self.request)
            .and_then(|()| check_response(&self.request, &response))
            .map_err(|error| invalid(error.to_string()))?;
        let head = encode_head(response.status(), response.headers(), 0)?;
        let mut wire = W::within(self.stream, self.time);
        write(&mut wire, &head).await?;
        Ok(Upgraded::new(
            wire.into_stream(),
            self.leftover,
            self.request,
            response,
        ))
    }

    pub(crate) async fn refuse_over<W: Wire<Stream = S>, B: AsRef<[u8]>>(
        self,
        response: &Response<B>,
    ) -> Result<S, Error> {
        if response.status().is_informational() {
            return Err(invalid(format!(
                "status {} is not a refusal",
                response.status()
            )));
        }
        let bytes = encode_answer(response, self.is_head())?;
        let unread = self.has_unread();
        let mut wire = W::within(self.stream, self.time);
        write(&mut wire, &bytes).await?;
        if unread {
            drain(&mut wire, self.time).await?;
        }
        Ok(wire.into_stream())
    }

    pub(crate) async fn refuse_with_over<W: Wire<Stream = S>>(self, error: Error) -> Error {
        let (is_head, unread) = (self.is_head(), self.has_unread());
        let mut wire = W::within(self.stream, self.time);
        answer_error(&mut wire, error, is_head, unread, self.time).await
    }

    fn is_head(&self) -> bool {
        self.request.method() == Method::HEAD
    }

    fn has_unread(&self) -> bool {
        !self.leftover.is_empty() || announces_body(self.request.headers())
    }
}

async fn read_request<W: Wire>(
    wire: &mut W,
    limits: &Limits,
) -> Result<(Request<()>, Vec<u8>), Error> {
    let mut decoder = RequestDecoder::new(limits);
    loop {
        let next = read(wire, |piece| {
            if piece.is_empty() {
                let message = "stream ended before the request";
                return Err(Error::new(ErrorKind::Closed, message));
            }
            let (used, request) = decoder.decode(piece)?;
            Ok(request.map(|request| (request, piece[used..].to_vec())))
        });
        match next.await {
            Ok(Some(read)) => return Ok(read),
            Ok(None) => {}
            Err(error) => return Err(read_failed(error, &decoder)),
        }
    }
}

fn read_failed(error: Error, decoder: &RequestDecoder) -> Error {
    // RFC 9110 15.5.9. A peer that sent nothing asked for nothing: browsers open connections they
    // may need, and would take the 408 for the answer to a later request.
    if error.kind() == ErrorKind::TimedOut && decoder.is_started() {
        return error.refusing(StatusCode::REQUEST_TIMEOUT);
    }
    error
}

/// Sends the answer that an error carries, within `time`, and gives the error back, with why it could
/// not be sent.
async fn answer_error<W: Wire>(
    wire: &mut W,
    error: Error,
    is_head: bool,
    unread: bool,
    time: Duration,
) -> Error {
    let Some(response) = error.response() else {
        return error;
    };
    let written = match encode_answer(response, is_head) {
        Ok(bytes) => {
            wire.set_time(time);
            write(wire, &bytes).await
        }
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => {
            if unread {
                let _ = drain(wire, time).await;
            }
            error
        }
        Err(unsent) => {
            let kind = unsent.kind();
            error.with_cause(unsent.of(kind, "the answer could not be sent"))
        }
    }
}

fn head_of<B>(request: &Request<B>) -> Request<()> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method.clone_from(request.method());
    head.uri.clone_from(request.uri());
    head.version = request.version();
    head.headers.clone_from(request.headers());
    head.extensions.clone_from(request.extensions());
    Request::from_parts(head, ())
}

/// RFC 9110 9.3.2: the answer to a HEAD is that to a GET without the body.
fn encode_answer<B: AsRef<[u8]>>(response: &Response<B>, is_head: bool) -> Result<Vec<u8>, Error> {
    if is_head {
        let length = response.body().as_ref().len();
        return encode_head(response.status(), response.headers(), length);
    }
    encode_response(response)
}

async fn write<W: Wire>(wire: &mut W, bytes: &[u8]) -> Result<(), Error> {
    write_all(wire, bytes).await?;
    wire.release()
}

/// Reads away what a refused peer still sends.
///
/// RFC 9112 9.6: closing a TCP connection with unread input resets it, and a reset can take the
/// answer from the client before it was read.
async fn drain<W: Wire>(wire: &mut W, time: Duration) -> Result<(), Error> {
    wire.set_time(time.min(LINGER));
    let mut left = LINGER_BYTES;
    while let Ok(count @ 1..) = read(wire, |piece| Ok(piece.len())).await {
        if count >= left {
            break;
        }
        left -= count;
    }
    wire.release()
}

const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 * 1024;
