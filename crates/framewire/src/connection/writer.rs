//! The writing side of a connection.

use std::io::{self, Write};
use std::mem;

use super::fragment::Fragment;
use super::transport::Reply;
use super::{Buffers, Config};
#[cfg(feature = "deflate")]
use crate::deflate::Deflater;
use crate::error::{Close, Closed, Error, ErrorKind, lasting};
use crate::frame::{
    CloseCode, ControlPayload, Header, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode, Rsv,
};
use crate::protocol::{Encoder, Role, SendError, Sender};

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
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub struct Writer<S> {
    pub(crate) stream: S,
    pub(crate) sender: Sender,
    /// Frames that wait to be written, from `written` on.
    pub(crate) output: Vec<u8>,
    pub(crate) written: usize,
    /// Whether the stream took less than it was given the last time.
    pub(crate) stalled: bool,
    /// Whether the stream was written to and not flushed since.
    pub(crate) unflushed: bool,
    /// What the stream failed with: a frame may be cut off, so that nothing can follow.
    pub(crate) failed: Option<io::ErrorKind>,
    /// Of the message that was streamed last, once there was one.
    fragment: Option<Box<Fragment>>,
    /// What is known of the closing handshake.
    pub(super) closed: Option<Box<Closed>>,
    /// Whether the stream has ended without a Close frame of the peer's.
    lost: bool,
    /// The frame that was begun and of which the caller still has payload: nothing can come between.
    pub(super) in_frame: Option<Opcode>,
    /// Whether what is written may wait for what is written after it.
    pub(super) holds_back: bool,
    pub(super) buffers: Buffers,
    // Of 32 bits, so that the task of a connection is not rounded up to more.
    chunk_size: u32,
    write_buffer: u32,
}

impl<S> Writer<S> {
    pub(crate) fn new(stream: S, encoder: Encoder, config: &Config, buffers: Buffers) -> Self {
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
            fragment: None,
            closed: None,
            lost: false,
            in_frame: None,
            holds_back: false,
            buffers,
            chunk_size: u32::try_from(config.chunk_size).unwrap_or(u32::MAX),
            write_buffer: u32::try_from(config.write_buffer).unwrap_or(u32::MAX),
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
    pub(crate) fn set_deflater(&mut self, deflater: Deflater) {
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

    pub(crate) fn set_buffers(&mut self, buffers: Buffers) {
        self.buffers = buffers;
    }

    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// Whether bytes wait that the stream has not taken, or not been made to pass on.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.pending() > 0 || self.unflushed || self.sender.has_reply()
    }

    /// How many bytes wait that the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.pending()
    }

    /// How the connection was closed, once either end has sent its Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.closed.as_deref()
    }

    /// Whether this end has sent a Close frame, or is about to.
    #[cfg(feature = "tokio")]
    pub(crate) fn has_sent_close(&self) -> bool {
        self.sender.is_closing()
    }

    pub(crate) fn chunk_size(&self) -> usize {
        self.chunk_size as usize
    }

    pub(super) fn write_buffer(&self) -> usize {
        self.write_buffer as usize
    }

    /// The frame of which the caller that began it still has payload.
    #[cfg(feature = "tokio")]
    pub(crate) fn frame_under_way(&self) -> Option<Opcode> {
        self.in_frame
    }

    /// The same over another stream.
    #[cfg(feature = "tokio")]
    pub(crate) fn map_stream<T>(self, map: impl FnOnce(S) -> T) -> Writer<T> {
        Writer {
            stream: map(self.stream),
            sender: self.sender,
            output: self.output,
            written: self.written,
            stalled: self.stalled,
            unflushed: self.unflushed,
            failed: self.failed,
            fragment: self.fragment,
            closed: self.closed,
            lost: self.lost,
            in_frame: self.in_frame,
            holds_back: self.holds_back,
            buffers: self.buffers,
            chunk_size: self.chunk_size,
            write_buffer: self.write_buffer,
        }
    }

    pub(crate) fn role(&self) -> Role {
        self.sender.encoder().role()
    }

    /// Whether a control frame can go now without waiting for the stream or for the end of a frame.
    pub(crate) fn has_room_for_control(&self) -> bool {
        !self.stalled && self.in_frame.is_none()
    }

    /// What the stream has failed with, so that nothing can be written any more.
    pub(crate) fn failure(&self) -> Option<io::ErrorKind> {
        self.failed
    }

    pub(crate) fn pending(&self) -> usize {
        self.output.len() - self.written
    }
}

impl<S: Write> Writer<S> {
    /// Takes an automatic reply: into the write buffer where it has room, so that each Ping of a
    /// burst is answered; else it is pending, and the latest counts.
    pub(crate) fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Pong(payload) => self.reply_pong(payload),
            Reply::Close(payload, received) => {
                Closed::receive(&mut self.closed, received);
                if let Some(payload) = payload {
                    self.queue_close(payload);
                }
            }
            Reply::Violation(violation) => {
                Closed::send(&mut self.closed, Close::of_violation(&violation));
                self.sender.queue_violation(&violation);
            }
            Reply::Lost => self.lost = true,
        }
        if self.failed.is_none() {
            self.write_reply();
        }
    }

    fn reply_pong(&mut self, payload: ControlPayload) {
        let has_room = self.in_frame.is_none() && self.pending() < self.write_buffer();
        if has_room && self.failed.is_none() && !self.sender.has_reply() {
            if self.sender.is_closing() {
                return;
            }
            self.reserve(MAX_HEADER + MAX_CONTROL_PAYLOAD);
            let (sender, output) = (&mut self.sender, &mut self.output);
            let pong = sender.frame(true, Rsv::NONE, Opcode::Pong, payload.as_slice(), output);
            if pong.is_ok() {
                return;
            }
        }
        // It waits, and the latest counts.
        self.sender.queue_pong(payload);
    }

    /// Whether a reply that had to wait for a frame, or for room, need not do so any more.
    pub(crate) fn owes_reply(&self) -> bool {
        self.sender.has_reply() && self.in_frame.is_none() && !self.stalled && self.failed.is_none()
    }

    /// Lets a Close frame be the last thing sent, unless one is already.
    fn queue_close(&mut self, payload: ControlPayload) {
        if !self.sender.is_closing() {
            Closed::send(&mut self.closed, Close::of(payload.as_slice()));
            self.sender.queue_close(payload);
        }
    }

    /// Lets a Close frame with 1000 be the last thing sent, unless one is already, or nothing can be sent.
    pub(crate) fn queue_normal_close(&mut self) {
        if !self.lost {
            let payload = ControlPayload::close(CloseCode::NORMAL, "");
            self.queue_close(payload.unwrap_or(ControlPayload::EMPTY));
        }
    }

    /// Moves the pending reply, if any, into the write buffer where that has room.
    pub(crate) fn write_reply(&mut self) {
        if self.sender.has_reply()
            && self.in_frame.is_none()
            && self.pending() < self.write_buffer()
        {
            self.reserve(MAX_HEADER + MAX_CONTROL_PAYLOAD);
            // Without entropy for a key the reply stays pending.
            let _ = self.sender.write_reply(&mut self.output);
        }
    }

    /// Opens a message and hands out its fragment.
    pub(crate) fn open_stream(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
    ) -> Result<Fragment, Error> {
        if chunk_size == 0 || chunk_size > self.chunk_size() {
            return Err(ErrorKind::ChunkSize {
                requested: chunk_size,
                limit: self.chunk_size(),
            }
            .into());
        }
        self.check_message(opcode)?;
        // What its first frame could not be sent with would leave a message that cannot be ended.
        self.sender.encoder().check(false, rsv, opcode, 0)?;
        let mut fragment = mem::take(&mut **self.fragment.get_or_insert_default());
        self.begin_fragments(&mut fragment, opcode, rsv, chunk_size);
        Ok(fragment)
    }

    fn begin_fragments(
        &mut self,
        fragment: &mut Fragment,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
    ) {
        fragment.take_buffers(&self.buffers);
        #[cfg(feature = "deflate")]
        if rsv.is_none()
            && let Some(deflater) = self.sender.deflater_mut()
            && deflater.is_enabled()
            && deflater.begin()
        {
            fragment.open_compressed(opcode, chunk_size);
            return;
        }
        fragment.open(opcode, rsv, chunk_size, 1);
    }

    pub(crate) fn resume_stream(&mut self) -> Option<Fragment> {
        let fragment = self.fragment.as_deref_mut()?;
        fragment.message()?;
        Some(mem::take(fragment))
    }

    pub(crate) fn put_back(&mut self, mut fragment: Fragment) {
        if fragment.message().is_none() {
            fragment.give_buffers(&self.buffers);
        }
        **self.fragment.get_or_insert_default() = fragment;
    }

    pub(crate) fn send_fragment(
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

    /// Writes what waits, and flushes the stream.
    pub(crate) fn write_all_out(&mut self) -> Result<(), Error> {
        self.check_failed()?;
        self.write_reply();
        self.write_out(&mut &[][..])?;
        if self.sender.has_reply() && self.in_frame.is_none() {
            // It had no room, or no key.
            self.reserve(MAX_HEADER + MAX_CONTROL_PAYLOAD);
            self.sender.write_reply(&mut self.output)?;
            self.write_out(&mut &[][..])?;
        }
        self.flush_stream()
    }

    /// As [`flush_taken`](Self::flush_taken), unless what was taken may wait.
    pub(crate) fn flush_message(&mut self) -> Result<(), Error> {
        if self.may_wait() {
            return Ok(());
        }
        self.flush_taken()
    }

    /// Whether a message that was taken may wait for those after it.
    pub(crate) fn may_wait(&self) -> bool {
        self.holds_back && self.pending() < self.write_buffer()
    }

    /// Flushes what was taken: what the stream does not take now goes out later.
    pub(crate) fn flush_taken(&mut self) -> Result<(), Error> {
        match self.write_all_out() {
            Err(error) if error.is_would_block() => Ok(()),
            result => result,
        }
    }

    pub(super) fn check_message(&self, opcode: Opcode) -> Result<(), Error> {
        if !opcode.begins_message() {
            return Err(SendError::NotAMessage(opcode).into());
        }
        self.check_no_stream()
    }

    /// A streamed message is open from its first byte, sent or not, while anything can be sent.
    pub(super) fn check_no_stream(&self) -> Result<(), Error> {
        self.check_open()?;
        match self.fragment.as_deref().and_then(Fragment::message) {
            Some((opcode, _)) => Err(SendError::MessageOpen(opcode).into()),
            None => Ok(()),
        }
    }

    pub(crate) fn check_failed(&self) -> Result<(), Error> {
        match self.failed {
            Some(kind) => Err(lasting(kind.into()).into()),
            None => Ok(()),
        }
    }

    pub(super) fn encode(
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
    pub(crate) fn send_error(&self, error: SendError) -> Error {
        match (&self.closed, error) {
            (Some(closed), SendError::Closed) => ErrorKind::Closed((**closed).clone()).into(),
            (_, error) => error.into(),
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        self.check_failed()?;
        if self.sender.is_closing() {
            return Err(self.send_error(SendError::Closed));
        }
        if self.lost {
            return Err(ErrorKind::ConnectionLost.into());
        }
        Ok(())
    }
}
