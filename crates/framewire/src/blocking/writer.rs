//! Sending with calls that block for as long as the stream does.

use std::io::{Read, Write};

use super::MessageWriter;
use crate::connection::{Outbound, PreparedMessage, close_payload};
use crate::drive::{WriteSide, now};
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::{CloseCode, Opcode, Rsv};

/// The writing side of a connection, with the stream that it writes to.
///
/// A call that fails with `WouldBlock` or `TimedOut` took nothing of its message: call again. A call that succeeds
/// took all of it. What the stream has not taken yet is buffered, and leaves with the next call of any kind, with
/// [`flush`](Self::flush), or before the next read; [`has_pending_output`](Self::has_pending_output) tells. Whatever
/// is called next, a frame is never left half-written.
///
/// # Memory
/// A write buffer, at most twice as large as what waits in it: [`Config::write_buffer`](super::Config::write_buffer)
/// bytes, or one frame where that is longer. Once a message was streamed, one chunk; two where
/// [`stream_message`](Self::stream_message) compressed it.
///
/// # Examples
/// Messages that are fed leave together:
/// ```
/// use framewire::{Config, Opcode, WebSocket};
///
/// let mut websocket = WebSocket::server(std::io::Cursor::new(Vec::new()), Config::default())?;
/// let writer = websocket.writer();
/// writer.feed_message(Opcode::Text, b"one")?;
/// writer.feed_message(Opcode::Text, b"two")?;
/// writer.flush()?;
/// assert_eq!(writer.stream().get_ref(), b"\x81\x03one\x81\x03two");
/// # Ok::<(), framewire::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<S> {
    pub(super) outbound: Outbound,
    pub(super) stream: S,
}

impl<S> Writer<S> {
    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Switches the compression of messages off or on, for those that begin from now on. No effect where none was
    /// agreed on. [`write_frame`](Self::write_frame) sends a single message without compression.
    pub fn set_compression(&mut self, enabled: bool) {
        self.outbound.set_compression(enabled);
    }

    /// Returns whether the stream has yet to take or to flush anything.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.outbound.has_pending_output()
    }

    /// Returns how many bytes in the write buffer the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.outbound.buffered()
    }

    /// Returns how the connection was closed, once either end has sent its Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.outbound.closed()
    }
}

impl<S: Write> Writer<S> {
    /// Sends a message in one frame. Blocks until the stream has taken it.
    ///
    /// Takes one system call, together with all that was fed before. A client masks a payload over the chunk
    /// size in pieces as long as the write buffer, with one call each. A message that is over
    /// [`Config::write_buffer`](crate::Config::write_buffer) even when compressed leaves in fragments of about
    /// that size, one call each. Allocates nothing once the write buffer has its size.
    ///
    /// # Errors
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send): nothing was sent.
    /// * [`ErrorKind::Io`](crate::ErrorKind::Io): final, as a frame may be cut off, unless it [would
    ///   block](crate::Error::is_would_block).
    /// * [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    ///
    /// If the compression engine or the source of masking keys fails between two fragments, the message cannot
    /// be finished: close the connection.
    pub fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.write_message_ext(opcode, Rsv::NONE, payload)
    }

    /// Sends a message with the reserved bits of an extension; see [`write_message`](Self::write_message).
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub fn write_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        now(self.poll_send(|outbound| outbound.stage_message(opcode, rsv, payload)))?;
        self.flush_message()
    }

    /// Stages a message for the next flush, so that many leave with one system call.
    ///
    /// Writes only if the write buffer would grow over its bound, or if the stream did not take all that it was
    /// given last: that must go first.
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.feed_message_ext(opcode, Rsv::NONE, payload)
    }

    /// Stages a message with the reserved bits of an extension; see [`feed_message`](Self::feed_message).
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub fn feed_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        now(self.poll_send(|outbound| outbound.stage_fed(opcode, rsv, payload)))
    }

    /// Stages a message if the write buffer has room for it; otherwise gives it back. Never writes.
    ///
    /// # Errors
    /// [`TryFeedError::Full`] with the payload; [`TryFeedError::Failed`] with an error of
    /// [`write_message`](Self::write_message).
    pub fn try_feed_message<P: AsRef<[u8]>>(
        &mut self,
        opcode: Opcode,
        payload: P,
    ) -> Result<(), TryFeedError<P>> {
        self.outbound.try_feed(opcode, payload)
    }

    /// Sends one raw frame, without compression. The rules of RFC 6455 hold: no message inside another, no
    /// control frame over 125 bytes, and so on.
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        now(self.poll_send(|outbound| outbound.stage_frame(fin, rsv, opcode, payload)))?;
        self.flush_staged()
    }

    /// Sends a message that was framed beforehand, with one system call.
    ///
    /// A server writes it without copying. A client must mask it, and a connection with context takeover must
    /// compress it against its own context, so that both gain nothing over
    /// [`write_message`](Self::write_message).
    ///
    /// # Errors
    /// As [`write_message`](Self::write_message).
    pub fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        now(self.poll_send(|outbound| outbound.stage_prepared(message)))?;
        self.flush_message()
    }

    /// Sends all that a reader gives as one message, in fragments of `chunk_size`. Returns the number of bytes
    /// in the message. Blocks on the reader and on the stream.
    ///
    /// Reads one byte ahead, so that the last fragment carries FIN and no empty frame follows. Holds one chunk.
    /// Control frames (Pongs that fall due) go out between fragments.
    ///
    /// # Errors
    /// * [`ErrorKind::ChunkSize`](crate::ErrorKind::ChunkSize) if `chunk_size` is 0 or over
    ///   [`Config::chunk_size`](crate::Config::chunk_size).
    /// * [`ErrorKind::Source`](crate::ErrorKind::Source) if the reader fails,
    ///   [`ErrorKind::Io`](crate::ErrorKind::Io) if the stream does. The message is then open, and nothing of
    ///   what was read is lost: [`resume_message_writer`](Self::resume_message_writer) and
    ///   [`finish_from`](MessageWriter::finish_from) go on with it.
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send) if the bytes of a text turn out not to be UTF-8: the
    ///   message cannot be finished, close the connection.
    pub fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
    }

    /// Sends all that a reader gives as one message, with the reserved bits of an extension; see
    /// [`stream_message`](Self::stream_message).
    ///
    /// # Errors
    /// As [`stream_message`](Self::stream_message).
    pub fn stream_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        MessageWriter::open(self, opcode, rsv, Some(chunk_size))?.finish_from(reader)
    }

    /// Opens a message that is written in pieces of any size.
    ///
    /// Dropped without [`finish`](MessageWriter::finish), the message stays open and other messages are
    /// refused. [`resume_message_writer`](Self::resume_message_writer) goes on with it.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) if another message is open;
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn message_writer(&mut self, opcode: Opcode) -> Result<MessageWriter<&mut Self>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE)
    }

    /// Opens a message that is written in pieces, with the reserved bits of an extension; see
    /// [`message_writer`](Self::message_writer).
    ///
    /// # Errors
    /// As [`message_writer`](Self::message_writer).
    pub fn message_writer_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<&mut Self>, Error> {
        MessageWriter::open(self, opcode, rsv, None)
    }

    /// Returns the writer of the message that [`message_writer`](Self::message_writer) or
    /// [`stream_message`](Self::stream_message) opened and did not finish; `None` if there is none.
    pub fn resume_message_writer(&mut self) -> Option<MessageWriter<&mut Self>> {
        MessageWriter::resume(self)
    }

    /// Sends a Ping.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send) if the payload is over 125 bytes;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io); [`ErrorKind::Closed`](crate::ErrorKind::Closed).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Ping, payload)
    }

    /// Sends a Pong that no Ping asked for, or that replaces an automatic one.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Pong, payload)
    }

    /// Sends a Close frame: the last frame of this end (RFC 6455 5.5.1). Go on reading until
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed), or use `shutdown`.
    ///
    /// # Errors
    /// * [`ErrorKind::Send`](crate::ErrorKind::Send) if the code is never sent or the reason is over 123 bytes.
    /// * [`ErrorKind::Io`](crate::ErrorKind::Io).
    /// * [`ErrorKind::Closed`](crate::ErrorKind::Closed) if a Close frame was sent before.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
    }

    /// Writes all that waits, and flushes the stream.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). After `WouldBlock` the rest still waits.
    pub fn flush(&mut self) -> Result<(), Error> {
        now(self.poll_flush())
    }
}

impl<S: Write> WriteSide for Writer<S> {
    type Stream = S;

    fn parts(&mut self) -> (&mut Outbound, &mut S) {
        (&mut self.outbound, &mut self.stream)
    }
}
