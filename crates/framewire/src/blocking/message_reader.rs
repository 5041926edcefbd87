//! A message that is read in pieces.

use std::io::{self, Read};

use super::receiving::{Receiving, read, until_done};
use crate::connection::Inbound;
use crate::drive::poll_read_stream;
use crate::error::Error;
use crate::frame::{Opcode, Rsv};

/// Reads one message of any size in constant memory. The end of the message is the end of the reader.
///
/// Long payloads are read from the stream straight into the caller's buffer. Text is checked as it comes: the
/// bytes returned are valid so far. Control frames in between are answered.
///
/// Dropped before the end, the next call on the connection skips the rest.
///
/// # Errors
/// `read` fails with the [`Error`] of the connection inside an [`io::Error`]. `WouldBlock` and `TimedOut` are
/// the stream's own and lose nothing.
///
/// # Examples
/// ```
/// use framewire::{Config, WebSocket};
///
/// // RFC 6455 5.7: "Hello" in two fragments, as a server sends it.
/// let stream = std::io::Cursor::new(b"\x01\x03Hel\x80\x02lo".to_vec());
/// let mut websocket = WebSocket::client(stream, Config::default())?;
/// let mut message = websocket.message_reader()?.expect("the connection is open");
/// let mut copy = Vec::new();
/// std::io::copy(&mut message, &mut copy)?;
/// assert_eq!(copy, b"Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MessageReader<'a, T> {
    inbound: &'a mut Inbound,
    side: &'a mut T,
    opcode: Opcode,
    rsv: Rsv,
}

impl<'a, T: Receiving> MessageReader<'a, T> {
    pub(super) fn begin(inbound: &'a mut Inbound, side: &'a mut T) -> Result<Self, Error> {
        let (opcode, rsv) = read(inbound, side, Inbound::begin_stream)?;
        Ok(Self {
            inbound,
            side,
            opcode,
            rsv,
        })
    }

    pub(super) fn resume(inbound: &'a mut Inbound, side: &'a mut T) -> Option<Self> {
        let (opcode, rsv) = inbound.streamed()?;
        Some(Self {
            inbound,
            side,
            opcode,
            rsv,
        })
    }

    /// Returns Text or Binary.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Returns the reserved bits of the message's first frame, for the extension that they belong to.
    #[must_use]
    pub fn rsv(&self) -> Rsv {
        self.rsv
    }
}

impl<T: Receiving> Read for MessageReader<'_, T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Self { inbound, side, .. } = self;
        Ok(until_done(inbound, *side, |inbound, side| {
            poll_read_stream(inbound, side, buf)
        })?)
    }
}
