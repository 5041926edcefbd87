//! Binary messages, read as one stream of bytes.

use std::io;

use super::drive::{Drive, read, read_stream};
use super::inbound::Inbound;
use super::outbound::Outbound;
use super::stage::close_payload;
use crate::error::{Error, ErrorKind};
use crate::frame::{CloseCode, Opcode, Rsv};

/// Reads payload bytes of binary messages, without regard to where messages begin and end. Returns 0 after a Close
/// frame with 1000, 1001 or no code.
pub(crate) fn read_bytes<D: Drive>(
    inbound: &mut Inbound,
    drive: &mut D,
    buf: &mut [u8],
) -> Result<usize, Error>
where
    D::Stream: io::Read,
{
    if buf.is_empty() {
        return Ok(0);
    }
    loop {
        if let Some((opcode, _)) = inbound.streamed() {
            if opcode == Opcode::Text {
                return Err(refuse_text(drive));
            }
            match read_stream(inbound, drive, buf)? {
                0 => continue,
                len => return Ok(len),
            }
        }
        match read(inbound, drive, Inbound::begin_stream) {
            Ok(_) => {}
            Err(error) if is_end(&error) => return Ok(0),
            Err(error) => return Err(error),
        }
    }
}

/// Sends a Close frame with 1003 (RFC 6455 7.4.1) and returns the error for a text message.
fn refuse_text(drive: &mut impl Drive) -> Error {
    // The text message is the error to report, even where no Close frame can be sent.
    if let Ok(payload) = close_payload(CloseCode::UNSUPPORTED_DATA, "binary only") {
        let payload = payload.as_slice();
        let close =
            |outbound: &mut Outbound| outbound.stage_frame(true, Rsv::NONE, Opcode::Close, payload);
        let _ = drive.send(close);
    }
    let _ = drive.flush_staged();
    io::Error::new(io::ErrorKind::InvalidData, "text message").into()
}

/// Returns whether the peer closed the connection because it was done.
fn is_end(error: &Error) -> bool {
    let done = [
        CloseCode::NORMAL,
        CloseCode::GOING_AWAY,
        CloseCode::NO_STATUS,
    ];
    matches!(error.kind(), ErrorKind::Closed(closed) if done.contains(&closed.code()))
}
