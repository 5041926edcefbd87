//! Sending messages: messages in, bytes out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::encoding::Encoding;
use super::extension::MessageEncoder;
use super::outgoing::{Outgoing, ToOutgoing};
use super::{Encoder, SendError};
use crate::frame::{ControlPayload, Header, MAX_HEADER, MAX_REASON, Opcode, Rsv, Violation, mask};

/// The sending end of a connection: an [`Encoder`] that writes whole frames, and at most one pending automatic reply.
///
/// A Pong replaces an earlier Pong (RFC 6455 5.5.3 lets an endpoint answer only the latest Ping). A Close replaces a
/// Pong, and nothing replaces a Close. The first reply takes 128 bytes on the heap, which later ones use again: a peer
/// that pings and never reads costs no more.
#[derive(Debug)]
pub struct Sender {
    encoder: Encoder,
    encoding: Option<Box<Encoding>>,
    reply: Option<Box<Reply>>,
}

/// A Pong or a Close that is pending, or the memory for the next one.
#[derive(Debug)]
struct Reply {
    /// `None` where nothing is pending.
    opcode: Option<Opcode>,
    payload: ControlPayload,
}

impl Sender {
    /// Creates a sender that writes what `encoder` allows.
    #[must_use]
    pub const fn new(encoder: Encoder) -> Self {
        Self {
            encoder,
            encoding: None,
            reply: None,
        }
    }

    /// Appends a message in one frame to `output`.
    ///
    /// Allocates nothing but the room in `output`.
    ///
    /// # Errors
    /// The caller's mistake; nothing was appended.
    #[inline]
    pub fn message(
        &mut self,
        message: impl ToOutgoing,
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let message = message.to_outgoing();
        if let Some(header) = self.plain_header(&message) {
            append_frame(&header, message.payload(), output);
            return Ok(());
        }
        if !message.opcode().begins_message() {
            return Err(SendError::NotAMessage(message.opcode()));
        }
        if self.encoding.is_some() {
            return self.message_to_encode(&message, output);
        }
        let header = self.header(true, &message)?;
        append_frame(&header, message.payload(), output);
        Ok(())
    }

    /// Returns the header of a message, where nothing has to be done but to frame it.
    #[inline]
    pub(crate) fn plain_header(&self, message: &Outgoing<'_>) -> Option<Header> {
        match &self.encoding {
            None => self.encoder.plain_header(message),
            Some(_) => None,
        }
    }

    /// Appends a message where an extension is used, transformed if the extension wants it.
    #[inline(never)]
    fn message_to_encode(
        &mut self,
        message: &Outgoing<'_>,
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if !self.begin_encoded(message)? {
            let header = self.header(true, message)?;
            append_frame(&header, message.payload(), output);
            return Ok(());
        }
        let mut rest = message.payload();
        while !self.encoded_frame(message.opcode(), &mut rest, usize::MAX, output)? {}
        Ok(())
    }

    /// Transforms messages from now on, except raw frames, and messages that are sent
    /// [uncompressed](Outgoing::uncompressed) or with reserved bits.
    pub fn set_message_encoder(&mut self, extension: Box<dyn MessageEncoder>) {
        self.encoder.also_allow_rsv(extension.rsv());
        self.encoding = Some(Box::new(Encoding::new(extension)));
    }

    /// Returns whether the extension transforms this message.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn encodes(&self, message: &Outgoing<'_>) -> bool {
        match &self.encoding {
            None => false,
            Some(encoding) => {
                message.kind.may_transform()
                    && encoding.extension.wants(Some(message.payload.len()))
            }
        }
    }

    /// Begins a message if the extension transforms it. [`encoded_frame`](Self::encoded_frame) then makes all of it.
    pub(crate) fn begin_encoded(&mut self, message: &Outgoing<'_>) -> Result<bool, SendError> {
        match &mut self.encoding {
            Some(encoding)
                if message.kind.may_transform()
                    && encoding.extension.wants(Some(message.payload.len())) =>
            {
                let rsv = encoding.extension.rsv();
                self.encoder.check_message(rsv, message)?;
                Ok(encoding.begin())
            }
            _ => Ok(false),
        }
    }

    /// Appends the next frame of a transformed message. See [`Encoding::append_frame`].
    pub(crate) fn encoded_frame(
        &mut self,
        opcode: Opcode,
        rest: &mut &[u8],
        bound: usize,
        output: &mut Vec<u8>,
    ) -> Result<bool, SendError> {
        let encoding = self.encoding.as_deref_mut();
        let encoding = encoding.ok_or(SendError::Compression)?;
        encoding.append_frame(&mut self.encoder, opcode, rest, bound, output)
    }

    /// Ends the transformation and frees what the extension holds: nothing more can be sent.
    pub(crate) fn end_encoding(&mut self) {
        self.encoding = None;
    }

    /// Returns the extension's encoder, where an extension is used and something can still be sent.
    pub fn message_encoder_mut(&mut self) -> Option<&mut (dyn MessageEncoder + 'static)> {
        let encoding = self.encoding.as_deref_mut()?;
        Some(&mut *encoding.extension)
    }

    /// As [`message_encoder_mut`](Self::message_encoder_mut), to make whole frames.
    #[cfg(feature = "std")]
    pub(crate) fn encoding_mut(&mut self) -> Option<&mut Encoding> {
        self.encoding.as_deref_mut()
    }

    /// Appends one frame to `output`: a fragment, or a control frame.
    ///
    /// # Errors
    /// The caller's mistake; nothing was appended.
    #[inline]
    pub fn frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let header = self.header(fin, &Outgoing::new(opcode, payload).rsv(rsv))?;
        append_frame(&header, payload, output);
        Ok(())
    }

    /// Returns the header of a frame that will be sent. A Close frame cancels a pending reply.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a tenth of the cost of a short message"
    )]
    pub(crate) fn header(&mut self, fin: bool, frame: &Outgoing<'_>) -> Result<Header, SendError> {
        let header = self.encoder.header(fin, frame)?;
        if frame.opcode() == Opcode::Close {
            self.reply = None;
            self.end_encoding();
        }
        Ok(header)
    }

    /// Queues a Pong with this payload, in place of a pending one.
    ///
    /// No effect once a Close frame is pending or was sent.
    pub fn queue_pong(&mut self, payload: ControlPayload) {
        if !self.is_closing() {
            self.put(Opcode::Pong, payload);
        }
    }

    /// Queues a Close frame with this payload as the last frame, in place of a pending Pong.
    ///
    /// No effect once a Close frame is pending or was sent: it is sent once (RFC 6455 5.5.1).
    pub fn queue_close(&mut self, payload: ControlPayload) {
        if !self.is_closing() {
            self.put(Opcode::Close, payload);
        }
    }

    /// Queues the Close frame that answers a violation as the last frame (RFC 6455 7.1.7), with its code, and its text
    /// as the reason.
    pub fn queue_violation(&mut self, violation: &Violation) {
        let mut reason = Reason::default();
        // A reason that is cut off is still a reason.
        let _ = write!(reason, "{violation}");
        let payload = ControlPayload::close(violation.close_code(), reason.as_str());
        self.queue_close(payload.unwrap_or(ControlPayload::EMPTY));
    }

    /// Appends the pending reply, if any, to `output`. Returns whether there was one.
    ///
    /// # Errors
    /// Only [`SendError::NoEntropy`]; the reply is still pending.
    #[inline]
    pub fn write_reply(&mut self, output: &mut Vec<u8>) -> Result<bool, SendError> {
        if self.encoder.is_closed() {
            // RFC 6455 5.5.1: nothing follows a Close frame.
            self.reply = None;
        }
        if !self.has_reply() {
            return Ok(false);
        }
        self.write_pending_reply(output)?;
        Ok(true)
    }

    fn write_pending_reply(&mut self, output: &mut Vec<u8>) -> Result<(), SendError> {
        let Some(Reply {
            opcode: Some(opcode),
            payload,
        }) = self.reply.as_deref()
        else {
            return Ok(());
        };
        let (opcode, payload) = (*opcode, payload.as_slice());
        let header = self.encoder.frame(true, Rsv::NONE, opcode, payload)?;
        append_frame(&header, payload, output);
        if opcode == Opcode::Close {
            self.reply = None;
            self.end_encoding();
        } else if let Some(reply) = &mut self.reply {
            reply.opcode = None;
        }
        Ok(())
    }

    fn put(&mut self, opcode: Opcode, payload: ControlPayload) {
        let opcode = Some(opcode);
        match &mut self.reply {
            Some(reply) => **reply = Reply { opcode, payload },
            None => self.reply = Some(Box::new(Reply { opcode, payload })),
        }
    }

    /// Gives back the memory of replies, unless one is pending.
    #[cfg(feature = "std")]
    pub(crate) fn rest(&mut self) {
        if !self.has_reply() {
            self.reply = None;
        }
    }

    /// Returns whether a reply is pending.
    #[must_use]
    #[inline]
    pub fn has_reply(&self) -> bool {
        self.reply
            .as_ref()
            .is_some_and(|reply| reply.opcode.is_some())
    }

    /// Returns whether nothing has begun, nothing is pending and no extension is used.
    pub(crate) fn is_at_rest(&self) -> bool {
        let encoder = &self.encoder;
        self.encoding.is_none()
            && !self.has_reply()
            && encoder.message().is_none()
            && !encoder.is_closed()
    }

    /// Returns whether a Close frame was sent or is pending.
    #[must_use]
    #[inline]
    pub fn is_closing(&self) -> bool {
        let reply = self.reply.as_ref();
        self.encoder.is_closed() || reply.is_some_and(|reply| reply.opcode == Some(Opcode::Close))
    }

    /// Returns the encoder of frames.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Returns the encoder of frames, to allow reserved bits, or to write frames without a `Vec`.
    pub fn encoder_mut(&mut self) -> &mut Encoder {
        &mut self.encoder
    }
}

/// Appends a header and its payload, masked where the header says so.
#[inline]
pub(crate) fn append_frame(header: &Header, payload: &[u8], output: &mut Vec<u8>) {
    output.reserve(MAX_HEADER + payload.len());
    header.append_to(output);
    append_payload(header, payload, 0, output);
}

/// Appends a piece of a frame's payload, which is `offset` bytes into it.
#[inline]
pub(crate) fn append_payload(header: &Header, payload: &[u8], offset: u64, output: &mut Vec<u8>) {
    match header.mask() {
        None => output.extend_from_slice(payload),
        Some(key) => mask::append(payload, key, offset, output),
    }
}

/// A close reason that is being written. What is over 123 bytes is cut off between characters.
struct Reason {
    bytes: [u8; MAX_REASON],
    len: usize,
}

impl Default for Reason {
    fn default() -> Self {
        Self {
            bytes: [0; MAX_REASON],
            len: 0,
        }
    }
}

impl Reason {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl fmt::Write for Reason {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_REASON - self.len;
        let fits = (0..=room.min(text.len()))
            .rfind(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        self.bytes[self.len..self.len + fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.len += fits;
        if fits == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

#[cfg(test)]
mod tests;
