//! The client's end of an exchange, over a stream that is already connected.

use super::deadline::Deadline;
use super::upgraded::Upgraded;
use super::wire::{Wire, read, write_all};
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::head::{Body, Limits, ResponseDecoder, begins_tls, check_response, encode_request};
use http::{Request, Response, StatusCode};
use std::time::Duration;

/// As [`request`](crate::request), over any wire and by its deadline. Leaves out the body of a refusal that is not
/// `worth_reading`.
pub async fn request_over<W: Wire, E: From<UpgradeError>>(
    mut wire: W,
    request: Request<()>,
    limits: &Limits,
    worth_reading: impl FnOnce(&Response<()>) -> bool,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<Upgraded<W::Stream>, E> {
    let agreed = agree(&mut wire, &request, limits, worth_reading, validate).await;
    if agreed.is_err() {
        wire.end();
    }
    let (response, leftover) = agreed?;
    wire.release()?;
    let stream = wire.into_stream();
    Ok(Upgraded::new(stream, leftover, request, response))
}

/// Sends the request and reads its answer. Returns a 101 that switches the protocol, with the bytes after it.
async fn agree<W: Wire, E: From<UpgradeError>>(
    wire: &mut W,
    request: &Request<()>,
    limits: &Limits,
    worth_reading: impl FnOnce(&Response<()>) -> bool,
    validate: impl FnOnce(&Response<()>) -> Result<(), E>,
) -> Result<(Response<()>, Vec<u8>), E> {
    write_all(wire, &encode_request(request)?).await?;
    let (response, leftover) = read_response(wire, limits).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let response = if worth_reading(&response) {
            read_body(wire, response, &leftover).await
        } else {
            Body::new(response.status(), response.headers()).of(response)
        };
        return Err(UpgradeError::refused(response).into());
    }
    check_response(request, &response)?;
    validate(&response)?;
    Ok((response, leftover))
}

async fn read_response<W: Wire>(
    wire: &mut W,
    limits: &Limits,
) -> Result<(Response<()>, Vec<u8>), UpgradeError> {
    let mut decoder = ResponseDecoder::new(limits);
    loop {
        let next = read(wire, |piece| {
            if piece.is_empty() {
                let message = "stream ended before the response";
                return Err(UpgradeError::new(UpgradeErrorKind::Closed, message));
            }
            let is_tls = !decoder.is_started() && begins_tls(piece);
            let head = decoder.decode(piece);
            let (used, response) = head.map_err(|error| {
                if is_tls {
                    error.with_message("the peer speaks TLS: connect to it with TLS".to_owned())
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

/// Reads the beginning of a refusal's body, of which `leftover` came with the head. Does not wait for what arrives
/// late: the refusal itself is what the caller must know.
pub(crate) async fn read_body<W: Wire>(
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
            if piece.is_empty() {
                body.end();
                return Ok(true);
            }
            Ok(body.feed(piece))
        });
        // A body that breaks off is still worth reading.
        done = fed.await.unwrap_or(true);
    }
    body.of(response)
}

const BODY_TIME: Duration = Duration::from_millis(500);
