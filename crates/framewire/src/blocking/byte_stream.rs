//! A stream of bytes over binary messages.

use std::io::{self, Read, Write};

use super::receiving::until_done;
use super::{Reader, WebSocket};
use crate::drive::poll_read_bytes;

/// A connection as a stream of bytes, for tunnels. The bytes travel in binary messages; where a message ends
/// means nothing.
///
/// Reading blocks for the next byte, and returns 0 after a Close frame with 1000, 1001 or no code. A text
/// message is answered with Close 1003.
///
/// Writing feeds the bytes as messages of at most the connection's chunk size. They are sent by
/// [`flush`](Write::flush), or by a read that may block.
#[derive(Debug)]
pub struct ByteStream<S> {
    websocket: WebSocket<S>,
}

impl<S> WebSocket<S> {
    /// Turns the connection into a stream of bytes over binary messages.
    #[must_use]
    pub fn into_byte_stream(self) -> ByteStream<S> {
        ByteStream { websocket: self }
    }
}

impl<S> ByteStream<S> {
    /// Returns the connection, to close it or to send messages.
    pub fn get_mut(&mut self) -> &mut WebSocket<S> {
        &mut self.websocket
    }

    /// Returns the connection.
    #[must_use]
    pub fn into_inner(self) -> WebSocket<S> {
        self.websocket
    }
}

impl<S: Read + Write> Read for ByteStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Reader { inbound, side } = &mut self.websocket.reader;
        Ok(until_done(inbound, &mut side.side, |inbound, whole| {
            poll_read_bytes(inbound, whole, buf)
        })?)
    }
}

impl<S: Read + Write> Write for ByteStream<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let len = buf
            .len()
            .min(self.websocket.writer().side.outbound.chunk_size());
        self.websocket.feed(&buf[..len])?;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.websocket.flush()?)
    }
}
