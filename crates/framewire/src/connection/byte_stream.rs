//! Bytes over binary messages.

use std::io;

use super::{Reader, Transport, Writer};
use crate::error::{Error, ErrorKind};
use crate::frame::{CloseCode, Opcode};

/// Reads bytes of binary messages, whose bounds mean nothing; 0 after a Close frame with 1000, 1001
/// or no code.
pub(crate) fn read_bytes<S: io::Write>(
    reader: &mut Reader,
    writer: &mut Writer<S>,
    buf: &mut [u8],
) -> Result<usize, Error>
where
    Writer<S>: Transport,
{
    if buf.is_empty() {
        return Ok(0);
    }
    loop {
        if let Some((opcode, _)) = reader.streamed() {
            if opcode == Opcode::Text {
                return Err(refuse_text(writer));
            }
            match reader.read_stream(buf, writer)? {
                0 => continue,
                len => return Ok(len),
            }
        }
        match reader.begin_stream(writer) {
            Ok(_) => {}
            Err(error) if is_end(&error) => return Ok(0),
            Err(error) => return Err(error),
        }
    }
}

/// Text is no bytes: RFC 6455 7.4.1 has a code for that.
fn refuse_text<S: io::Write>(writer: &mut Writer<S>) -> Error {
    // What cannot be sent now is no worse than what came.
    let _ = writer.begin_close(CloseCode::UNSUPPORTED_DATA, "binary only");
    let _ = writer.flush_taken();
    io::Error::new(io::ErrorKind::InvalidData, "text message").into()
}

/// The peer closed because it was done.
fn is_end(error: &Error) -> bool {
    let done = [
        CloseCode::NORMAL,
        CloseCode::GOING_AWAY,
        CloseCode::NO_STATUS,
    ];
    matches!(error.kind(), ErrorKind::Closed(closed) if done.contains(&closed.code()))
}
