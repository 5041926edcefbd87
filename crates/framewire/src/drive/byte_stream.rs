//! Binary messages, read as one stream of bytes.

use std::io;
use std::task::{Poll, ready};

use super::reading::{poll_read_stream, poll_step};
use super::sides::{PollRead, WriteSide};
use crate::connection::{Inbound, Outbound, close_payload};
use crate::error::{Error, ErrorKind};
use crate::frame::{CloseCode, Opcode, Rsv};

/// Reads payload bytes of binary messages, without regard to where messages begin and end. Returns 0 after a Close
/// frame with 1000, 1001 or no code.
pub(crate) fn poll_read_bytes<W: WriteSide>(
    inbound: &mut Inbound,
    side: &mut W,
    buf: &mut [u8],
) -> Poll<Result<usize, Error>>
where
    W::Stream: PollRead,
{
    if buf.is_empty() {
        return Poll::Ready(Ok(0));
    }
    loop {
        let read = match inbound.streamed() {
            Some((Opcode::Text, _)) => return Poll::Ready(Err(refuse_text(side))),
            Some(_) => ready!(poll_read_stream(inbound, side, buf)),
            None => ready!(poll_step(inbound, side, Inbound::begin_stream)).map(|_| 0),
        };
        match read {
            Ok(0) => {}
            Err(error) if is_end(&error) => return Poll::Ready(Ok(0)),
            read => return Poll::Ready(read),
        }
    }
}

/// Sends a Close frame with 1003 (RFC 6455 7.4.1) and returns the error for a text message.
fn refuse_text(side: &mut impl WriteSide) -> Error {
    // The text message is the error to report, even where no Close frame can be sent.
    if let Ok(payload) = close_payload(CloseCode::UNSUPPORTED_DATA, "binary only") {
        let payload = payload.as_slice();
        let close =
            |outbound: &mut Outbound| outbound.stage_frame(true, Rsv::NONE, Opcode::Close, payload);
        let _ = side.poll_send(close);
    }
    let _ = side.flush_staged();
    io::Error::new(io::ErrorKind::InvalidData, "text message").into()
}

/// Returns whether the peer closed the connection because it was done.
fn is_end(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Closed(closed) if closed.is_normal())
}
