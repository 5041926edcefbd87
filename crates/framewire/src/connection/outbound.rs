//! The sending side of a connection, without the stream that it writes to.

use std::io;
use std::mem;

use super::Config;
use super::closing::Closing;
use super::fragment::Fragment;
use super::replies::{Replies, Reply};
use crate::error::{Closed, Error, ErrorKind};
use crate::frame::{
    CloseCode, ControlPayload, Header, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode, Rsv,
};
use crate::pool::Buffers;
use crate::protocol::MessageEncoder;
use crate::protocol::{MessageKind, Outgoing, Role, SendError, Sender};

/// The sending side of a [`Connection`](super::Connection): the frames to send, and whether any still can be sent.
///
/// Sending has three phases. A frame is *staged* whole or not at all: as bytes in the write buffer and payload that
/// stays in the caller's memory. Staged bytes are *written*, as far as the stream takes them. Then the stream is
/// *flushed*.
///
/// # Errors
/// A call that sends fails with [`ErrorKind::Send`] for a mistake of the caller's: nothing was fed. Where an
/// extension or the source of masking keys fails in the middle of a message, no other message can be sent. It fails
/// with [`ErrorKind::Closed`] after a Close frame of this end, with [`ErrorKind::ConnectionLost`] after the end of
/// the stream, and with [`ErrorKind::Io`] after a write to the stream failed.
///
/// # Memory
/// What is fed waits in the write buffer, however much already waits there: check [`buffered`](Self::buffered) before,
/// or call [`try_feed`](Self::try_feed).
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub struct Outbound {
    pub(super) sender: Sender,
    /// Frames that wait to be written, from `written` on.
    pub(super) output: Vec<u8>,
    pub(super) written: usize,
    /// Whether the stream would have blocked, and the write buffer has not been emptied since.
    pub(super) stalled: bool,
    /// Whether the stream was written to and not flushed since.
    pub(super) unflushed: bool,
    /// The fragment of the message that was streamed last, if any.
    fragment: Option<Box<Fragment>>,
    pub(super) closing: Closing,
    /// The frame under way of which the caller still holds payload. No other frame can come in between.
    pub(super) in_frame: Option<Opcode>,
    /// The message under way of which the caller still holds payload that an extension transforms. No other message
    /// can come in between, and no raw data frame.
    pub(super) in_encoded: Option<Opcode>,
    /// Whether a written message may wait for later ones.
    expects_more: bool,
    /// Whether fragments of a streamed message may wait for later ones.
    coalesces: bool,
    /// Whether an empty write buffer is not given back.
    pub(super) retains_buffer: bool,
    /// Whether frames are staged however much already waits.
    pub(super) is_unbounded: bool,
    /// Whether the next message was promised room.
    #[cfg(feature = "futures")]
    pub(super) is_ready: bool,
    pub(super) buffers: Buffers,
    // 32 bits each, so that the task of a connection is not rounded up to the next size.
    chunk_size: u32,
    write_buffer: u32,
}

impl Outbound {
    pub(crate) fn new(sender: Sender, config: &Config, buffers: Buffers) -> Self {
        Self {
            sender,
            output: Vec::new(),
            written: 0,
            stalled: false,
            unflushed: false,
            fragment: None,
            closing: Closing::default(),
            in_frame: None,
            in_encoded: None,
            expects_more: false,
            coalesces: config.coalesce_writes,
            retains_buffer: false,
            is_unbounded: false,
            #[cfg(feature = "futures")]
            is_ready: false,
            buffers,
            chunk_size: u32::try_from(config.chunk_size).unwrap_or(u32::MAX),
            write_buffer: u32::try_from(config.write_buffer).unwrap_or(u32::MAX),
        }
    }

    /// Transforms messages from now on, as was agreed on with the peer.
    pub(crate) fn set_message_encoder(&mut self, extension: Box<dyn MessageEncoder>) {
        self.sender.set_message_encoder(extension);
    }

    /// Switches the compression of messages off or on, for those that begin from now on. No effect where none was
    /// agreed on.
    pub fn set_compression(&mut self, enabled: bool) {
        if let Some(extension) = self.sender.message_encoder_mut() {
            extension.set_enabled(enabled);
        }
    }

    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    pub(crate) fn set_buffers(&mut self, buffers: Buffers) {
        self.buffers = buffers;
    }

    /// Returns whether the stream has yet to take anything, a reply included, or a front end of this crate to flush it.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.buffered() > 0 || self.unflushed || self.sender.has_reply()
    }

    /// Returns how many bytes in the write buffer the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.output.len() - self.written
    }

    /// Returns how the connection was closed, once either end has sent its Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.closing.closed()
    }

    /// Returns the state of the closing handshake.
    pub(crate) fn closing(&self) -> &Closing {
        &self.closing
    }

    /// Returns whether this end has sent a Close frame, or is about to.
    #[cfg(feature = "tokio")]
    pub(crate) fn has_sent_close(&self) -> bool {
        self.closing.has_sent()
    }

    /// Returns whether nothing has begun, nothing waits and no extension is used.
    pub(super) fn is_as_new(&self) -> bool {
        let is_idle = self.in_frame.is_none() && self.sender.is_at_rest();
        is_idle && self.closing.is_open() && self.buffered() == 0
    }

    pub(crate) fn chunk_size(&self) -> usize {
        self.chunk_size as usize
    }

    pub(crate) fn write_buffer(&self) -> usize {
        self.write_buffer as usize
    }

    /// Returns whether all that was begun has been sent.
    pub(crate) fn is_sent(&self) -> bool {
        !self.has_pending_output() && self.in_frame.is_none()
    }

    /// Returns the frame under way of which the caller still holds payload.
    #[cfg(feature = "tokio")]
    pub(crate) fn frame_under_way(&self) -> Option<Opcode> {
        self.in_frame
    }

    pub(crate) fn role(&self) -> Role {
        self.sender.encoder().role()
    }

    /// Returns whether a control frame can be sent now, without waiting for the stream or for the end of a frame.
    pub(crate) fn has_room_for_control(&self) -> bool {
        !self.stalled && self.in_frame.is_none()
    }

    /// Returns the error of the stream, after which nothing more can be written.
    pub(crate) fn failure(&self) -> Option<io::ErrorKind> {
        self.closing.failure()
    }

    /// Returns whether a staged message may wait for later ones.
    pub(crate) fn may_coalesce(&self) -> bool {
        self.expects_more && self.buffered() < self.write_buffer()
    }

    /// Appends a fragment to the write buffer where it may wait there for later ones. Returns whether it did.
    pub(crate) fn append_fragment(&mut self, frame: &[u8]) -> bool {
        let may_wait = self.coalesces && self.buffered() + frame.len() <= self.write_buffer();
        if may_wait {
            self.append_raw(frame);
        }
        may_wait
    }

    fn stage_pong(&mut self, payload: ControlPayload) {
        let has_room = self.in_frame.is_none() && self.buffered() < self.write_buffer();
        if has_room && self.closing.failure().is_none() && !self.sender.has_reply() {
            if self.closing.has_sent() {
                return;
            }
            self.reserve(MAX_HEADER + MAX_CONTROL_PAYLOAD);
            let (sender, output) = (&mut self.sender, &mut self.output);
            let pong = sender.frame(true, Rsv::NONE, Opcode::Pong, payload.as_slice(), output);
            if pong.is_ok() {
                return;
            }
        }
        // It waits, in place of an older Pong.
        self.sender.queue_pong(payload);
    }

    /// Returns whether a reply is queued and no longer has to wait for a frame or for the stream.
    pub(crate) fn can_send_reply(&self) -> bool {
        self.sender.has_reply()
            && self.in_frame.is_none()
            && !self.stalled
            && self.failure().is_none()
    }

    /// Queues a Close frame with 1000 as the last frame. No effect after another Close frame, or where nothing can be
    /// sent.
    pub(crate) fn queue_normal_close(&mut self) {
        if self.closing.record_normal_close() {
            let payload = ControlPayload::close(CloseCode::NORMAL, "");
            self.sender
                .queue_close(payload.unwrap_or(ControlPayload::EMPTY));
        }
    }

    /// Stages the queued reply, if any, where the write buffer has room for it.
    #[inline]
    pub(super) fn stage_reply(&mut self) -> Result<(), SendError> {
        if self.sender.has_reply() {
            return self.stage_reply_if_room();
        }
        Ok(())
    }

    #[cold]
    fn stage_reply_if_room(&mut self) -> Result<(), SendError> {
        if self.in_frame.is_none() && self.buffered() < self.write_buffer() {
            self.reserve(MAX_HEADER + MAX_CONTROL_PAYLOAD);
            self.sender.write_reply(&mut self.output)?;
        }
        Ok(())
    }

    /// Opens a message that is written in pieces, and returns its fragment.
    pub(crate) fn open_message(
        &mut self,
        kind: MessageKind,
        chunk_size: Option<usize>,
    ) -> Result<Fragment, Error> {
        let MessageKind { opcode, rsv, .. } = kind;
        let limit = self.chunk_size();
        let chunk_size = chunk_size.unwrap_or(limit);
        if chunk_size == 0 || chunk_size > limit {
            return Err(ErrorKind::ChunkSize {
                requested: chunk_size,
                limit,
            }
            .into());
        }
        self.check_message(opcode)?;
        self.check_no_frame()?;
        // An illegal first frame would leave a message that cannot be ended.
        self.sender.encoder().check(false, rsv, opcode, 0)?;
        let mut fragment = mem::take(&mut **self.fragment.get_or_insert_default());
        let rsv = self.begin_fragments(&mut fragment, kind, chunk_size);
        self.sender.encoder_mut().open_message(opcode, rsv)?;
        Ok(fragment)
    }

    /// Returns the reserved bits of the message: those of an extension where that transforms it.
    fn begin_fragments(
        &mut self,
        fragment: &mut Fragment,
        kind: MessageKind,
        chunk_size: usize,
    ) -> Rsv {
        fragment.take_buffers(&self.buffers);
        if kind.may_transform()
            && let Some(extension) = self.sender.message_encoder_mut()
            && extension.wants(None)
            && extension.begin()
        {
            fragment.open_encoded(kind.opcode, chunk_size);
            return extension.rsv();
        }
        fragment.open(chunk_size, 1);
        kind.rsv
    }

    /// Returns the fragment of the message that is open, if any.
    pub(crate) fn resume_message(&mut self) -> Option<Fragment> {
        let fragment = self.fragment.as_deref_mut()?;
        fragment.is_open().then(|| mem::take(fragment))
    }

    /// Stores the fragment of an open message, or after its end the memory of the fragment.
    pub(crate) fn put_back(&mut self, mut fragment: Fragment) {
        if !fragment.is_open() {
            fragment.give_buffers(&self.buffers);
        }
        **self.fragment.get_or_insert_default() = fragment;
    }

    #[inline]
    pub(super) fn check_message(&self, opcode: Opcode) -> Result<(), Error> {
        if !opcode.begins_message() {
            return Err(SendError::NotAMessage(opcode).into());
        }
        self.check_no_message()
    }

    /// Fails where nothing can be sent, or while a message that is written in pieces is open: from its first byte on,
    /// sent or not.
    #[inline]
    pub(super) fn check_no_message(&self) -> Result<(), Error> {
        self.check_open()?;
        match self.in_encoded.or(self.sender.encoder().held_message()) {
            Some(opcode) => Err(SendError::MessageOpen(opcode).into()),
            None => Ok(()),
        }
    }

    /// Fails where a frame is under way of which the caller still holds payload.
    pub(crate) fn check_no_frame(&self) -> Result<(), Error> {
        match self.in_frame {
            Some(opcode) => Err(SendError::MessageOpen(opcode).into()),
            None => Ok(()),
        }
    }

    #[inline]
    pub(crate) fn check_failed(&self) -> Result<(), Error> {
        match self.closing.failure() {
            Some(_) => Err(self.closing.write_error()),
            None => Ok(()),
        }
    }

    #[inline]
    pub(super) fn encode(&mut self, fin: bool, frame: &Outgoing<'_>) -> Result<Header, Error> {
        match self.sender.header(fin, frame) {
            Ok(header) => Ok(header),
            Err(error) => Err(self.send_error(error)),
        }
    }

    /// Returns an error that says how the connection was closed, where that is why nothing can be sent.
    #[cold]
    pub(super) fn send_error(&self, error: SendError) -> Error {
        match error {
            SendError::Closed if self.closing.has_sent() => self.closing.write_error(),
            error => error.into(),
        }
    }

    #[inline]
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closing.can_send() {
            return Ok(());
        }
        Err(self.closing.write_error())
    }
}

impl Replies for Outbound {
    /// Stages the reply where the write buffer has room, so that each Ping of a burst is answered. Otherwise the reply
    /// waits, and a later Pong replaces an earlier one.
    fn reply(&mut self, reply: Reply) {
        self.closing.record_reply(&reply);
        match reply {
            Reply::Pong(payload) => self.stage_pong(payload),
            Reply::Close(Some(payload), _) => self.sender.queue_close(payload),
            Reply::Violation(violation) => self.sender.queue_violation(&violation),
            Reply::Close(None, _) | Reply::Lost => {}
        }
        if self.failure().is_none() {
            // Without entropy for a masking key the reply waits.
            let _ = self.stage_reply();
        }
    }

    fn expect_more(&mut self, may: bool) {
        self.expects_more = may;
    }

    fn read_error(&self) -> Error {
        self.closing.read_error()
    }
}

#[cfg(test)]
mod tests;
