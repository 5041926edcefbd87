//! The server's end of an exchange: reads a request, then accepts or refuses it.

use super::upgraded::Upgraded;
use super::wire::{Wire, read, write_all};
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::head::{
    Limits, RequestDecoder, announces_body, check_request, check_response, encode_head,
    encode_response, respond,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use std::time::Duration;

/// As [`receive`](crate::receive), over any wire.
pub async fn receive_over<W: Wire>(
    mut wire: W,
    limits: &Limits,
) -> Result<PendingUpgrade<W::Stream>, UpgradeError> {
    match read_request(&mut wire, limits).await {
        Ok((request, leftover)) => {
            wire.release()?;
            Ok(PendingUpgrade {
                stream: wire.into_stream(),
                request,
                leftover,
                time: limits.time,
            })
        }
        Err(error) => {
            // The rest of a request that was not understood may be on its way.
            let unread = error.kind() != UpgradeErrorKind::TimedOut;
            Err(answer_error(&mut wire, error, false, unread, limits.time).await)
        }
    }
}

/// A request that was read and awaits its answer.
///
/// Dropping it closes the connection without an answer.
#[derive(Debug)]
#[must_use = "a request must be accepted or refused"]
pub struct PendingUpgrade<S> {
    stream: S,
    request: Request<()>,
    leftover: Vec<u8>,
    time: Duration,
}

impl<S> PendingUpgrade<S> {
    /// Takes over from an HTTP server that has read a request and gives up its socket.
    ///
    /// `leftover` is what that server read of the stream after the head. Of `limits` only [`Limits::time`] applies, to
    /// writing the answer. Copies the request's head.
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

    /// Returns the request: HTTP/1.0 or 1.1 with any method. [`respond`] checks whether it asks for an upgrade.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Returns the stream, for what only it can tell: the peer's address, or its certificate.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// As [`switch`](Self::switch), without I/O: returns the bytes of the 101, which the caller writes.
    ///
    /// # Errors
    /// `InvalidArgument`, as for [`switch`](Self::switch).
    pub fn into_switch(
        self,
        response: Response<()>,
    ) -> Result<(Vec<u8>, Upgraded<S>), UpgradeError> {
        let head = encode_switch(&self.request, &response)?;
        let upgraded = Upgraded::new(self.stream, self.leftover, self.request, response);
        Ok((head, upgraded))
    }

    /// As [`refuse`](Self::refuse), without I/O: returns the bytes of the answer, which the caller writes before it
    /// closes the stream.
    ///
    /// # Errors
    /// `InvalidArgument` where the status is 1xx, or a header is not one that can be sent.
    pub fn encode_refusal<B: AsRef<[u8]>>(
        &self,
        response: &Response<B>,
    ) -> Result<Vec<u8>, UpgradeError> {
        if response.status().is_informational() {
            let message = format!("status {} is not a refusal", response.status());
            return Err(UpgradeError::invalid(message));
        }
        encode_answer(response, self.is_head())
    }
}

impl<S> PendingUpgrade<S> {
    fn is_head(&self) -> bool {
        self.request.method() == Method::HEAD
    }

    fn has_unread(&self) -> bool {
        !self.leftover.is_empty() || announces_body(self.request.headers())
    }
}

/// As [`PendingUpgrade::accept`], over any wire.
pub async fn accept_over<W: Wire>(
    pending: PendingUpgrade<W::Stream>,
    accepted: &[&str],
    headers: HeaderMap,
) -> Result<Upgraded<W::Stream>, UpgradeError> {
    match respond(&pending.request, accepted, headers) {
        Ok(response) => switch_over::<W>(pending, response).await,
        Err(error) => Err(refuse_with_over::<W>(pending, error).await),
    }
}

/// As [`PendingUpgrade::switch`], over any wire.
pub async fn switch_over<W: Wire>(
    pending: PendingUpgrade<W::Stream>,
    response: Response<()>,
) -> Result<Upgraded<W::Stream>, UpgradeError> {
    let head = encode_switch(&pending.request, &response)?;
    let mut wire = W::within(pending.stream, pending.time);
    write(&mut wire, &head).await?;
    let stream = wire.into_stream();
    Ok(Upgraded::new(
        stream,
        pending.leftover,
        pending.request,
        response,
    ))
}

/// As [`PendingUpgrade::refuse`], over any wire.
pub async fn refuse_over<W: Wire, B: AsRef<[u8]>>(
    pending: PendingUpgrade<W::Stream>,
    response: &Response<B>,
) -> Result<W::Stream, UpgradeError> {
    let bytes = pending.encode_refusal(response)?;
    let unread = pending.has_unread();
    let mut wire = W::within(pending.stream, pending.time);
    write(&mut wire, &bytes).await?;
    wire.end();
    if unread {
        drain(&mut wire, pending.time).await?;
    }
    Ok(wire.into_stream())
}

/// As [`PendingUpgrade::refuse_with`], over any wire.
pub async fn refuse_with_over<W: Wire>(
    pending: PendingUpgrade<W::Stream>,
    error: UpgradeError,
) -> UpgradeError {
    let (is_head, unread) = (pending.is_head(), pending.has_unread());
    let mut wire = W::within(pending.stream, pending.time);
    answer_error(&mut wire, error, is_head, unread, pending.time).await
}

async fn read_request<W: Wire>(
    wire: &mut W,
    limits: &Limits,
) -> Result<(Request<()>, Vec<u8>), UpgradeError> {
    let mut decoder = RequestDecoder::new(limits);
    loop {
        let next = read(wire, |piece| {
            if piece.is_empty() {
                let message = "stream ended before the request";
                return Err(UpgradeError::new(UpgradeErrorKind::Closed, message));
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

fn read_failed(error: UpgradeError, decoder: &RequestDecoder) -> UpgradeError {
    // RFC 9110 15.5.9. A peer that sent nothing asked for nothing: browsers open connections they
    // may need, and would take the 408 for the answer to a later request.
    if error.kind() == UpgradeErrorKind::TimedOut && decoder.is_started() {
        return error.refusing(StatusCode::REQUEST_TIMEOUT);
    }
    error
}

/// Sends the answer that an error carries, within `time`. Returns the error. Where the answer could not be sent, its
/// cause says why.
async fn answer_error<W: Wire>(
    wire: &mut W,
    error: UpgradeError,
    is_head: bool,
    unread: bool,
    time: Duration,
) -> UpgradeError {
    let sent = match error.response() {
        Some(response) => Some(answer(wire, response, is_head, time).await),
        None => None,
    };
    wire.end();
    match sent {
        Some(Ok(())) if unread => {
            let _ = drain(wire, time).await;
            error
        }
        Some(Err(unsent)) => {
            let kind = unsent.kind();
            error.with_cause(unsent.of(kind, "the answer could not be sent"))
        }
        Some(Ok(())) | None => error,
    }
}

async fn answer<W: Wire>(
    wire: &mut W,
    response: &Response<Vec<u8>>,
    is_head: bool,
    time: Duration,
) -> Result<(), UpgradeError> {
    let bytes = encode_answer(response, is_head)?;
    wire.set_time(time);
    write(wire, &bytes).await
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

/// Returns the bytes of a 101 that a client accepts as the answer to this request.
fn encode_switch(request: &Request<()>, response: &Response<()>) -> Result<Vec<u8>, UpgradeError> {
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let message = format!("status {status} does not switch protocols");
        return Err(UpgradeError::invalid(message));
    }
    check_request(request)
        .and_then(|()| check_response(request, response))
        .map_err(|error| UpgradeError::invalid(error.to_string()))?;
    encode_head(status, response.headers(), 0)
}

/// RFC 9110 9.3.2: the answer to a HEAD is that to a GET without the body.
fn encode_answer<B: AsRef<[u8]>>(
    response: &Response<B>,
    is_head: bool,
) -> Result<Vec<u8>, UpgradeError> {
    if is_head {
        let length = response.body().as_ref().len();
        return encode_head(response.status(), response.headers(), length);
    }
    encode_response(response)
}

async fn write<W: Wire>(wire: &mut W, bytes: &[u8]) -> Result<(), UpgradeError> {
    write_all(wire, bytes).await?;
    wire.release()
}

/// Discards what a refused peer still sends.
///
/// RFC 9112 9.6: closing a TCP connection with unread input resets it, and the client may then lose the answer before
/// it has read it.
async fn drain<W: Wire>(wire: &mut W, time: Duration) -> Result<(), UpgradeError> {
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
