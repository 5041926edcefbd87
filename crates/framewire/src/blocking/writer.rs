//! The writing side of a connection.

use std::io::{self, Read, Write};
use std::mem;

use super::fragment::Fragment;
use super::transport::Reply;
use super::{Config, MessageWriter, PreparedMessage};
#[cfg(feature = "deflate")]
use crate::deflate::Deflater;
use crate::error::{Closed, Error, ErrorKind, Side};
use crate::frame::{
    CloseCode, ControlPayload, Header, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode, Rsv,
};
use crate::protocol::{Encoder, Role, SendError, Sender, append_frame, close_error};

/// The writing side of a connection, with the stream that it writes to.
///
/// # What is taken and what is not
/// A call that fails with `WouldBlock` or `TimedOut` took nothing of its message: call again. A
/// call that succeeds took all of it; what the stream did not take yet is buffered, and goes out
/// with the next call of any kind, with [`flush`](Self::flush), or before the next read.
/// [`has_pending_output`](Self::has_pending_output) tells. A frame is thus never left half-written,
/// whatever is called next.
///
/// # Memory
/// The write buffer, at most twice as large as what waits in it, which is at most
/// [`Config::write_buffer`] (or one frame where that is longer), and, once a message was streamed,
/// one chunk; two where [`stream_message`](Self::stream_message) compressed it.
#[derive(Debug)]
pub struct Writer<S> {
    pub(super) stream: S,
    pub(super) sender: Sender,
    /// Frames that wait to be written, from `written` on.
    pub(super) output: Vec<u8>,
    pub(super) written: usize,
    /// Whether the stream took less than it was given the last time.
    pub(super) stalled: bool,
    /// Whether the stream was written to and not flushed since.
    pub(super) unflushed: bool,
    /// What the stream failed with: a frame may be cut off, so that nothing can follow.
    pub(super) failed: Option<io::ErrorKind>,
    fragment: Fragment,
    closed: Option<Box<Closed>>,
    /// Whether the peer's Close frame came before one of this end.
    peer_closed: bool,
    pub(super) chunk_size: usize,
    pub(super) write_buffer: usize,
}

impl<S> Writer<S> {
    pub(super) fn new(stream: S, encoder: Encoder, config: &Config) -> Self {
        let mut sender = Sender::new(encoder);
        sender.encoder_mut().allow_rsv(config.rsv);
        Self {
            stream,
            sender,
            output: Vec::new(),
            written: 0,
            stalled: false,
            unflushed: false,
            failed: None,
            fragment: Fragment::default(),
            closed: None,
            peer_closed: false,
            chunk_size: config.chunk_size,
            write_buffer: config.write_buffer,
        }
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Compresses messages from now on, as was agreed on with the peer.
    #[cfg(feature = "deflate")]
    pub(super) fn set_deflater(&mut self, deflater: Deflater) {
        self.sender.set_deflater(deflater);
    }

    /// Switches the compression of messages off, or on again, for those that begin from now on.
    /// No effect where none was agreed on. For one message there is also
    /// [`write_frame`](Self::write_frame), which is never compressed.
    #[cfg(feature = "deflate")]
    pub fn set_compression(&mut self, enabled: bool) {
        if let Some(deflater) = self.sender.deflater_mut() {
            deflater.set_enabled(enabled);
        }
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Whether bytes wait that the stream has not taken, or not been made to pass on.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.pending() > 0 || self.unflushed || self.sender.has_reply()
    }

    /// How the connection was closed, once this end has sent its Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.closed.as_deref()
    }

    pub(super) fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    pub(super) fn role(&self) -> Role {
        self.sender.encoder().role()
    }

    /// What the stream has failed with, so that nothing can be written any more.
    pub(super) fn failure(&self) -> Option<io::ErrorKind> {
        self.failed
    }

    pub(super) fn pending(&self) -> usize {
        self.output.len() - self.written
    }
}

impl<S: Write> Writer<S> {
    /// Sends a message in one frame. Blocks until the stream took it.
    ///
    /// One system call, together with everything that was fed before; a client masks a payload
    /// over the chunk size in pieces of that size, one call each. A message that is compressed, and
    /// then still over [`Config::write_buffer`], leaves in fragments of about that size, one call
    /// each. Allocates nothing once the write buffer has its size.
    ///
    /// # Errors
    /// [`ErrorKind::Send`] and nothing was sent; [`ErrorKind::Io`]; [`ErrorKind::Closed`]. Where the
    /// compression engine or the source of masking keys fails between two fragments, the message
    /// cannot be finished: close the connection.
    pub fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.write_message_ext(opcode, Rsv::NONE, payload)
    }

    /// As [`write_message`](Self::write_message), with the reserved bits of an extension.
    ///
    /// # Errors
    /// As there.
    pub fn write_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.check_message(opcode)?;
        #[cfg(feature = "deflate")]
        if rsv.is_none() && self.take_compressed(opcode, payload)? {
            return self.flush_taken();
        }
        self.send_frame(true, rsv, opcode, payload)
    }

    /// Queues a message for the next flush, so that many leave with one system call.
    ///
    /// Writes only where the write buffer would otherwise grow over its bound, and where the stream
    /// did not take all that it was given the last time: that has to go first.
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
    pub fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.feed_message_ext(opcode, Rsv::NONE, payload)
    }

    /// As [`feed_message`](Self::feed_message), with the reserved bits of an extension.
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
    pub fn feed_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.check_message(opcode)?;
        #[cfg(feature = "deflate")]
        if rsv.is_none() && self.take_compressed(opcode, payload)? {
            return Ok(());
        }
        self.make_room(payload.len())?;
        if self.pending() + MAX_HEADER + payload.len() > self.write_buffer {
            return self.send_frame(true, rsv, opcode, payload);
        }
        let header = self.encode(true, rsv, opcode, payload)?;
        self.reserve(MAX_HEADER + payload.len());
        append_frame(&header, payload, &mut self.output);
        Ok(())
    }

    /// Sends one raw frame: past any compression, and within RFC 6455 (no message inside another,
    /// no control frame over 125 bytes, …).
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
    pub fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        if opcode == Opcode::Close {
            let mut closed = closed_by_payload(payload);
            if self.peer_closed {
                closed.by = Side::Peer;
            }
            self.send_frame(fin, rsv, opcode, payload)?;
            self.closed = Some(Box::new(closed));
            return Ok(());
        }
        if !opcode.is_control() {
            self.check_no_stream()?;
        }
        self.send_frame(fin, rsv, opcode, payload)
    }

    /// Sends a message that was framed beforehand. One system call.
    ///
    /// A server writes it from where it lies. A client has to mask it, and a connection with
    /// context takeover to compress it against its own context: they gain nothing over
    /// [`write_message`](Self::write_message).
    ///
    /// # Errors
    /// As for [`write_message`](Self::write_message).
    pub fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error> {
        let (opcode, payload) = (message.opcode(), message.payload());
        if self.sender.encoder().masks() {
            return self.write_message(opcode, payload);
        }
        self.check_message(opcode)?;
        self.make_room(0)?;
        #[cfg(feature = "deflate")]
        if self.sender.compresses(payload.len())
            && let Some(deflater) = self.sender.deflater_mut()
        {
            if deflater.keeps_context() {
                return self.write_message(opcode, payload);
            }
            let frame = message.compressed(deflater);
            return self.write_made(opcode, frame.unwrap_or(message.frame()));
        }
        self.write_made(opcode, message.frame())
    }

    /// Sends what a reader gives until its end as one message, in fragments of `chunk_size`.
    /// Returns the number of bytes in the message. Blocks on the reader and on the stream.
    ///
    /// Looks one byte ahead, so that the last fragment carries FIN and no empty frame trails; holds
    /// one chunk. Control frames (Pongs that fall due) go out between fragments.
    ///
    /// # Errors
    /// [`ErrorKind::ChunkSize`] where `chunk_size` is 0 or over [`Config::chunk_size`];
    /// [`ErrorKind::Source`] where the reader fails, [`ErrorKind::Io`] where the stream does: the
    /// message is then open, and nothing of what was read is lost.
    /// [`resume_message_writer`](Self::resume_message_writer) and
    /// [`finish_from`](MessageWriter::finish_from) go on with it.
    /// Text that turns out not to be UTF-8 ([`ErrorKind::Send`]) leaves a message that cannot be
    /// finished: close the connection.
    pub fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        reader: impl Read,
    ) -> Result<u64, Error> {
        self.stream_message_ext(opcode, Rsv::NONE, chunk_size, reader)
    }

    /// As [`stream_message`](Self::stream_message), with the reserved bits of an extension.
    ///
    /// # Errors
    /// As there.
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
    /// Dropped without [`finish`](MessageWriter::finish) the message stays open, and other messages
    /// are refused: [`resume_message_writer`](Self::resume_message_writer) goes on with it.
    ///
    /// # Errors
    /// [`ErrorKind::Send`] where another message is open; [`ErrorKind::Closed`].
    pub fn message_writer(&mut self, opcode: Opcode) -> Result<MessageWriter<&mut Self>, Error> {
        self.message_writer_ext(opcode, Rsv::NONE)
    }

    /// As [`message_writer`](Self::message_writer), with the reserved bits of an extension.
    ///
    /// # Errors
    /// As there.
    pub fn message_writer_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
    ) -> Result<MessageWriter<&mut Self>, Error> {
        MessageWriter::open(self, opcode, rsv, None)
    }

    /// The message that [`message_writer`](Self::message_writer) or
    /// [`stream_message`](Self::stream_message) opened and did not finish, to go on with it; `None`
    /// where there is none.
    pub fn resume_message_writer(&mut self) -> Option<MessageWriter<&mut Self>> {
        MessageWriter::resume(self)
    }

    /// Sends a Ping.
    ///
    /// # Errors
    /// [`ErrorKind::Send`] where the payload is over 125 bytes; [`ErrorKind::Io`];
    /// [`ErrorKind::Closed`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Ping, payload)
    }

    /// Sends a Pong that no Ping asked for, or that replaces an automatic one.
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.write_frame(true, Rsv::NONE, Opcode::Pong, payload)
    }

    /// Sends a Close frame: the last frame of this end (RFC 6455 5.5.1). Goes on reading until
    /// [`ErrorKind::Closed`], or use `shutdown`.
    ///
    /// # Errors
    /// [`ErrorKind::Send`] where the code is never sent or the reason is over 123 bytes;
    /// [`ErrorKind::Io`]; [`ErrorKind::Closed`] where a Close frame was sent before.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = ControlPayload::close(code, reason);
        let payload = payload.ok_or_else(|| close_error(code, reason))?;
        self.write_frame(true, Rsv::NONE, Opcode::Close, payload.as_slice())
    }

    /// Writes what waits, and flushes the stream.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]. After `WouldBlock` the rest still waits.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.check_failed()?;
        self.write_reply();
        self.write_out(&[])?;
        if self.sender.write_reply(&mut self.output)? {
            self.write_out(&[])?;
        }
        self.flush_stream()
    }

    /// Takes an automatic reply: into the write buffer where it has room, so that each Ping of a
    /// burst is answered; else it is pending, and the latest counts.
    pub(super) fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Pong(payload) => self.sender.queue_pong(payload),
            Reply::Close(payload, closed) => {
                self.peer_closed |= !self.sender.is_closing();
                if let Some(payload) = payload {
                    self.queue_close(payload, closed);
                }
            }
            Reply::Violation(violation) => {
                if !self.sender.is_closing() {
                    self.closed = Some(Box::new(Closed {
                        code: violation.close_code(),
                        reason: violation.to_string(),
                        by: Side::Local,
                    }));
                }
                self.sender.queue_violation(&violation);
            }
        }
        if self.failed.is_none() {
            self.write_reply();
        }
    }

    /// Lets a Close frame be the last thing sent, unless one is already.
    pub(super) fn queue_close(&mut self, payload: ControlPayload, mut closed: Box<Closed>) {
        if !self.sender.is_closing() {
            if self.peer_closed {
                closed.by = Side::Peer;
            }
            self.closed = Some(closed);
            self.sender.queue_close(payload);
        }
    }

    /// Moves the pending reply, if any, into the write buffer where that has room.
    pub(super) fn write_reply(&mut self) {
        if self.sender.has_reply() && self.pending() < self.write_buffer {
            self.reserve(MAX_HEADER + MAX_CONTROL_PAYLOAD);
            // Without entropy for a key the reply stays pending.
            let _ = self.sender.write_reply(&mut self.output);
        }
    }

    /// Opens a message and hands out its fragment.
    pub(super) fn open_stream(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
    ) -> Result<Fragment, Error> {
        if chunk_size == 0 || chunk_size > self.chunk_size {
            return Err(ErrorKind::ChunkSize {
                requested: chunk_size,
                limit: self.chunk_size,
            }
            .into());
        }
        self.check_message(opcode)?;
        // What its first frame could not be sent with would leave a message that cannot be ended.
        self.sender.encoder().check(false, rsv, opcode, 0)?;
        self.begin_fragments(opcode, rsv, chunk_size);
        Ok(mem::take(&mut self.fragment))
    }

    fn begin_fragments(&mut self, opcode: Opcode, rsv: Rsv, chunk_size: usize) {
        #[cfg(feature = "deflate")]
        if rsv.is_none()
            && let Some(deflater) = self.sender.deflater_mut()
            && deflater.is_enabled()
            && deflater.begin()
        {
            self.fragment.open_compressed(opcode, chunk_size);
            return;
        }
        self.fragment.open(opcode, rsv, chunk_size, 1);
    }

    /// Sends a message that is a frame already.
    fn write_made(&mut self, opcode: Opcode, frame: &[u8]) -> Result<(), Error> {
        let made = self.sender.encoder_mut().made_message(opcode);
        made.map_err(|error| self.send_error(error))?;
        self.write_taken(frame)?;
        self.flush_taken()
    }

    pub(super) fn resume_stream(&mut self) -> Option<Fragment> {
        self.fragment.message()?;
        Some(mem::take(&mut self.fragment))
    }

    pub(super) fn put_back(&mut self, fragment: Fragment) {
        self.fragment = fragment;
    }

    pub(super) fn send_fragment(
        &mut self,
        fragment: &mut Fragment,
        fin: bool,
    ) -> Result<(), Error> {
        self.make_room(0)?;
        let (opcode, rsv) = fragment.next_frame();
        let header = self.encode(fin, rsv, opcode, fragment.payload())?;
        let written = self.write_taken(fragment.frame(&header));
        fragment.advance();
        written
    }

    /// Flushes what was taken: what the stream does not take now goes out later.
    pub(super) fn flush_taken(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            result => result,
        }
    }

    fn check_message(&self, opcode: Opcode) -> Result<(), Error> {
        if !opcode.begins_message() {
            return Err(SendError::NotAMessage(opcode).into());
        }
        self.check_no_stream()
    }

    /// A streamed message is open from its first byte, sent or not, while anything can be sent.
    fn check_no_stream(&self) -> Result<(), Error> {
        self.check_open()?;
        match self.fragment.message() {
            Some((opcode, _)) => Err(SendError::MessageOpen(opcode).into()),
            None => Ok(()),
        }
    }

    pub(super) fn check_failed(&self) -> Result<(), Error> {
        match self.failed {
            Some(kind) => Err(io::Error::from(kind).into()),
            None => Ok(()),
        }
    }

    fn encode(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<Header, Error> {
        let header = self.sender.header(fin, rsv, opcode, payload);
        header.map_err(|error| self.send_error(error))
    }

    /// An error that says how the connection was closed, where that is why nothing can be sent.
    pub(super) fn send_error(&self, error: SendError) -> Error {
        match (&self.closed, error) {
            (Some(closed), SendError::Closed) => ErrorKind::Closed((**closed).clone()).into(),
            (_, error) => error.into(),
        }
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        self.check_failed()?;
        if self.sender.is_closing() {
            return Err(self.send_error(SendError::Closed));
        }
        Ok(())
    }

    /// Makes sure that a frame can be taken: what stalled before has to go first, and what waits
    /// has to leave room for `len` bytes of payload.
    pub(super) fn make_room(&mut self, len: usize) -> Result<(), Error> {
        self.check_open()?;
        let needed = self.pending() + MAX_HEADER + len;
        if self.stalled || self.pending() > 0 && needed > self.write_buffer {
            self.write_out(&[])?;
        }
        self.write_reply();
        Ok(())
    }

    /// Sends a frame that the checks above let pass.
    fn send_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error> {
        self.make_room(payload.len().min(self.chunk_size))?;
        let header = self.encode(fin, rsv, opcode, payload)?;
        self.reserve(MAX_HEADER + payload.len().min(self.chunk_size));
        if payload.len() <= self.chunk_size {
            append_frame(&header, payload, &mut self.output);
        } else {
            append_frame(&header, &[], &mut self.output);
            if header.mask().is_none() {
                self.write_taken(payload)?;
            } else {
                self.write_masked(&header, payload)?;
            }
        }
        self.flush_taken()
    }
}

/// How a Close frame with this payload, sent by this end, closes the connection.
fn closed_by_payload(payload: &[u8]) -> Closed {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => (CloseCode::new(u16::from_be_bytes(*code)), reason),
        None => (CloseCode::NO_STATUS, payload),
    };
    Closed {
        code,
        reason: String::from_utf8_lossy(reason).into_owned(),
        by: Side::Local,
    }
}
