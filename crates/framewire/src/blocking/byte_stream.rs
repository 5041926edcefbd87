//! A stream of bytes over binary messages.

use std::io::{self, Read, Write};

use super::WebSocket;
use crate::connection::read_bytes;
use crate::frame::Opcode;

/// Bytes over binary messages, whose bounds mean nothing: a tunnel for any protocol.
///
/// Reading blocks for the next byte and gives 0 after a Close frame with 1000, 1001 or no code.
/// Text, which is no bytes, is answered with Close 1003. A write of any size is fed as messages of
/// at most the connection's chunk size; [`flush`](Write::flush), or a read that may block, sends
/// them.
#[derive(Debug)]
pub struct ByteStream<S> {
    websocket: WebSocket<S>,
}

impl<S> WebSocket<S> {
    /// The connection as a stream of bytes over binary messages.
    #[must_use]
    pub fn into_byte_stream(self) -> ByteStream<S> {
        ByteStream { websocket: self }
    }
}

impl<S> ByteStream<S> {
    /// The connection, to close it or to go back to messages.
    pub fn get_mut(&mut self) -> &mut WebSocket<S> {
        &mut self.websocket
    }

    /// The connection.
    #[must_use]
    pub fn into_inner(self) -> WebSocket<S> {
        self.websocket
    }
}

impl<S: Read + Write> Read for ByteStream<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let WebSocket { inbound, writer } = &mut self.websocket;
        Ok(read_bytes(inbound, writer, buf)?)
    }
}

impl<S: Read + Write> Write for ByteStream<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let len = buf.len().min(self.websocket.writer().outbound.chunk_size());
        self.websocket.feed_message(Opcode::Binary, &buf[..len])?;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.websocket.flush()?)
    }
}
