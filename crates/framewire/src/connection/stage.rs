//! Messages and frames on their way into the write buffer, or past it.
//!
//! A frame is staged whole or, where there is no room, not at all. Once staged it must be sent to its end. Payload
//! that is not in the write buffer stays in the caller's memory, and [`Unsent`] is what is left of it. A caller that
//! waits until the stream has taken it saves a copy. For any other caller it is [buffered](Outbound::buffer_rest).

use super::closing::Step;
use super::fragment::Fragment;
use super::{Outbound, PreparedMessage};
use crate::error::{Close, Error};
use crate::frame::{CloseCode, ControlPayload, Header, MAX_HEADER, Opcode, Rsv};
use crate::protocol::{Outgoing, SendError, append_frame, close_error};

/// The rest of a staged frame or message: what is neither written nor in the write buffer.
#[derive(Debug, Default)]
#[must_use = "a frame that was begun has to be ended"]
pub enum Unsent<'p> {
    #[default]
    Nothing,
    /// Sent as it is.
    Plain(&'p [u8]),
    /// Sent masked.
    Masked {
        header: Header,
        payload: &'p [u8],
        done: usize,
    },
    /// Sent in fragments that an extension makes.
    Encoded { opcode: Opcode, payload: &'p [u8] },
}

impl Unsent<'_> {
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// Why nothing was staged.
#[derive(Debug)]
pub enum NotStaged {
    /// What waits must be written first.
    Full,
    /// Another frame must end first.
    InFrame,
    /// Nothing of it can be sent.
    Failed(Error),
}

impl From<Error> for NotStaged {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<SendError> for NotStaged {
    fn from(error: SendError) -> Self {
        Self::Failed(error.into())
    }
}

impl Outbound {
    /// Stages a message that is to leave now.
    pub(crate) fn stage_message<'p>(
        &mut self,
        message: &Outgoing<'p>,
    ) -> Result<Unsent<'p>, NotStaged> {
        if self.stage_plain(message) {
            return Ok(Unsent::Nothing);
        }
        if let Some(unsent) = self.stage_if_encoded(message)? {
            return Ok(unsent);
        }
        self.stage_checked(true, message)
    }

    /// As [`stage_message`](Self::stage_message), for a message that may wait in the write buffer.
    #[inline]
    pub(crate) fn stage_fed<'p>(
        &mut self,
        message: &Outgoing<'p>,
    ) -> Result<Unsent<'p>, NotStaged> {
        if self.stage_plain(message) {
            return Ok(Unsent::Nothing);
        }
        self.stage_any_fed(message)
    }

    /// As [`stage_fed`](Self::stage_fed), without its short way, [`stage_plain`](Self::stage_plain).
    pub(crate) fn stage_any_fed<'p>(
        &mut self,
        message: &Outgoing<'p>,
    ) -> Result<Unsent<'p>, NotStaged> {
        if let Some(unsent) = self.stage_if_encoded(message)? {
            return Ok(unsent);
        }
        let len = message.payload().len();
        if self.may_copy(len) {
            self.make_room(len)?;
            if self.buffered() + MAX_HEADER + len <= self.write_buffer() {
                self.append(true, message)?;
                return Ok(Unsent::Nothing);
            }
        }
        self.stage_checked(true, message)
    }

    /// Returns whether a message that may wait is copied: a copy of a long one costs more than a call of its own.
    fn may_copy(&self, len: usize) -> bool {
        len <= self.chunk_size() || self.sender.encoder().masks()
    }

    /// Stages a message that is copied, where nothing has to be done but to frame it. Otherwise nothing changes.
    #[inline]
    pub(crate) fn stage_plain(&mut self, message: &Outgoing<'_>) -> bool {
        let is_idle = self.closing.is_open()
            && self.in_frame.is_none()
            && !self.sender.has_reply()
            && !self.stalled;
        let len = message.payload().len();
        if !is_idle
            || len > self.chunk_size()
            || self.buffered() + MAX_HEADER + len > self.write_buffer()
        {
            return false;
        }
        let Some(header) = self.sender.plain_header(message) else {
            return false;
        };
        self.reserve(MAX_HEADER + len);
        header.append_to(&mut self.output);
        self.output.extend_from_slice(message.payload());
        true
    }

    /// Checks that a message may begin, and begins it if the extension transforms it.
    #[inline]
    fn stage_if_encoded<'p>(
        &mut self,
        message: &Outgoing<'p>,
    ) -> Result<Option<Unsent<'p>>, NotStaged> {
        self.check_message(message.opcode())?;
        if self.sender.encodes(message) {
            self.make_room(message.payload().len().min(self.chunk_size()))?;
            return Ok(self.stage_encoded(message)?);
        }
        Ok(None)
    }

    /// Makes sure that the next message can be staged whole, whatever replies are staged before it.
    #[cfg(feature = "futures")]
    pub(crate) fn make_ready(&mut self) -> Result<(), NotStaged> {
        self.check_no_message()?;
        self.make_room(self.chunk_size())?;
        self.is_ready = true;
        Ok(())
    }

    /// Stages a message of any length, even over the bound of the write buffer. The caller writes or buffers the rest.
    /// Fails for want of room only where the buffer was not [made ready](Self::make_ready) for it.
    #[cfg(feature = "futures")]
    pub(crate) fn stage_whole<'p>(
        &mut self,
        message: &Outgoing<'p>,
    ) -> Result<Unsent<'p>, NotStaged> {
        let was_ready = std::mem::take(&mut self.is_ready);
        let is_unbounded = self.is_unbounded || was_ready;
        let was_unbounded = std::mem::replace(&mut self.is_unbounded, is_unbounded);
        let staged = self.stage_if_room(message);
        self.is_unbounded = was_unbounded;
        staged
    }

    #[cfg(feature = "futures")]
    fn stage_if_room<'p>(&mut self, message: &Outgoing<'p>) -> Result<Unsent<'p>, NotStaged> {
        if let Some(unsent) = self.stage_if_encoded(message)? {
            return Ok(unsent);
        }
        let len = message.payload().len();
        if self.may_copy(len) && self.buffered() + MAX_HEADER + len <= self.write_buffer() {
            self.append(true, message)?;
            return Ok(Unsent::Nothing);
        }
        self.stage_checked(true, message)
    }

    pub(crate) fn stage_frame<'p>(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<Unsent<'p>, NotStaged> {
        let frame = Outgoing::new(opcode, payload).rsv(rsv);
        if opcode == Opcode::Close {
            let unsent = self.stage_checked(fin, &frame)?;
            self.record_close(payload);
            return Ok(unsent);
        }
        if !opcode.is_control() {
            self.check_no_message()?;
        }
        self.stage_checked(fin, &frame)
    }

    pub(crate) fn stage_prepared<'p>(
        &mut self,
        prepared: &'p PreparedMessage,
    ) -> Result<Unsent<'p>, NotStaged> {
        let message = prepared.message();
        if self.sender.encoder().masks() {
            return self.stage_message(&message);
        }
        let opcode = message.opcode();
        self.check_message(opcode)?;
        self.make_room(0)?;
        if self.sender.encodes(&message)
            && let Some(encoding) = self.sender.encoding_mut()
        {
            let Some(kind) = prepared.kind_for(&*encoding.extension) else {
                return self.stage_message(&message);
            };
            let frame = prepared.encoded(kind, encoding);
            return self.stage_framed(opcode, frame.unwrap_or(prepared.frame()));
        }
        self.stage_framed(opcode, prepared.frame())
    }

    /// Returns the header of a fragment, whose frame the caller writes or buffers at once.
    pub(crate) fn stage_fragment(
        &mut self,
        fragment: &Fragment,
        fin: bool,
    ) -> Result<Header, NotStaged> {
        self.check_open()?;
        self.make_room(0)?;
        let header = self.sender.encoder_mut().fragment(fin, fragment.payload());
        Ok(header.map_err(|error| self.send_error(error))?)
    }

    /// Stages a frame that has passed the checks of the call.
    fn stage_checked<'p>(
        &mut self,
        fin: bool,
        frame: &Outgoing<'p>,
    ) -> Result<Unsent<'p>, NotStaged> {
        self.check_open()?;
        let (opcode, payload) = (frame.opcode(), frame.payload());
        self.make_room(payload.len().min(self.chunk_size()))?;
        if payload.len() <= self.chunk_size() || opcode.is_control() {
            self.append(fin, frame)?;
            return Ok(Unsent::Nothing);
        }
        let header = self.encode(fin, frame)?;
        self.reserve(MAX_HEADER + self.chunk_size());
        header.append_to(&mut self.output);
        self.in_frame = Some(opcode);
        Ok(match header.mask() {
            None => Unsent::Plain(payload),
            Some(_) => Unsent::Masked {
                header,
                payload,
                done: 0,
            },
        })
    }

    /// Stages a message that is already framed.
    fn stage_framed<'p>(
        &mut self,
        opcode: Opcode,
        frame: &'p [u8],
    ) -> Result<Unsent<'p>, NotStaged> {
        let recorded = self.sender.encoder_mut().record_framed_message(opcode);
        recorded.map_err(|error| self.send_error(error))?;
        if self.may_coalesce() && self.buffered() + frame.len() <= self.write_buffer() {
            self.reserve(frame.len());
            self.output.extend_from_slice(frame);
            return Ok(Unsent::Nothing);
        }
        self.in_frame = Some(opcode);
        Ok(Unsent::Plain(frame))
    }

    #[inline]
    pub(super) fn append(&mut self, fin: bool, frame: &Outgoing<'_>) -> Result<(), Error> {
        let header = self.encode(fin, frame)?;
        self.reserve(MAX_HEADER + frame.payload().len());
        append_frame(&header, frame.payload(), &mut self.output);
        Ok(())
    }

    /// Records that a Close frame was staged.
    pub(super) fn record_close(&mut self, payload: &[u8]) {
        self.closing.record(Step::Sent(Close::of(payload)));
    }

    /// Makes sure that a frame can be staged: stalled bytes must be written first, and what waits must leave room for
    /// `len` bytes of payload. To be called once it is known that something can be sent.
    #[inline]
    pub(super) fn make_room(&mut self, len: usize) -> Result<(), NotStaged> {
        if self.in_frame.is_some() {
            return Err(NotStaged::InFrame);
        }
        let needed = self.buffered() + MAX_HEADER + len;
        let is_full = self.stalled || self.buffered() > 0 && needed > self.write_buffer();
        if is_full && !self.is_unbounded {
            return Err(NotStaged::Full);
        }
        // Without entropy for a masking key the reply waits.
        let _ = self.stage_reply();
        Ok(())
    }
}

/// Returns the payload of a Close frame.
pub(crate) fn close_payload(code: CloseCode, reason: &str) -> Result<ControlPayload, Error> {
    let payload = ControlPayload::close(code, reason);
    Ok(payload.ok_or_else(|| close_error(code, reason))?)
}

#[cfg(test)]
mod tests;
