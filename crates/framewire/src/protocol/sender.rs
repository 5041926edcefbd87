//! Messages in, bytes out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::{Encoder, SendError};
#[cfg(feature = "deflate")]
use crate::deflate::Deflater;
use crate::frame::{
    CloseCode, ControlPayload, Header, MAX_HEADER, MAX_REASON, Opcode, Rsv, Violation, mask,
};

/// The sending end of a connection: an [`Encoder`] that writes whole frames, and the one automatic
/// reply that may be pending.
///
/// At most one reply waits: a Pong replaces the one before it (RFC 6455 5.5.3 lets an endpoint
/// answer only the latest Ping), and a Close replaces a Pong and is replaced by nothing. It is on
/// the heap while it waits: a peer that pings and never reads costs 126 bytes.
#[derive(Debug)]
pub struct Sender {
    encoder: Encoder,
    #[cfg(feature = "deflate")]
    deflater: Option<Box<Deflater>>,
    reply: Option<Box<Pending>>,
}

/// A Pong or a Close that is pending.
#[derive(Debug)]
struct Pending {
    opcode: Opcode,
    payload: ControlPayload,
}

impl Sender {
    /// What `encoder` allows, written out.
    #[must_use]
    pub const fn new(encoder: Encoder) -> Self {
        Self {
            encoder,
            #[cfg(feature = "deflate")]
            deflater: None,
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
        opcode: Opcode,
        payload: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.message_ext(opcode, Rsv::NONE, payload, output)
    }

    /// As [`message`](Self::message), with the reserved bits of an extension.
    ///
    /// # Errors
    /// The caller's mistake; nothing was appended.
    #[inline]
    pub fn message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        payload: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if !opcode.begins_message() {
            return Err(SendError::NotAMessage(opcode));
        }
        #[cfg(feature = "deflate")]
        if self.deflater.is_some() && rsv.is_none() {
            return self.message_to_compress(opcode, payload, output);
        }
        self.frame(true, rsv, opcode, payload, output)
    }

    /// A message where compression was agreed on: compressed, if this one is to be.
    #[cfg(feature = "deflate")]
    #[inline(never)]
    fn message_to_compress(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if !self.begin_compressed(opcode, payload)? {
            return self.frame(true, Rsv::NONE, opcode, payload, output);
        }
        let mut rest = payload;
        while !self.compressed_frame(opcode, &mut rest, usize::MAX, output)? {}
        Ok(())
    }

    /// Has messages compressed from now on (RFC 7692), but for those that are sent with reserved
    /// bits, and raw frames.
    #[cfg(feature = "deflate")]
    pub fn set_deflater(&mut self, deflater: Deflater) {
        self.deflater = Some(Box::new(deflater));
        self.encoder.also_allow_rsv(Rsv::RSV1);
    }

    /// Whether a message of this length is to be compressed.
    #[cfg(feature = "deflate")]
    pub(crate) fn compresses(&self, len: usize) -> bool {
        let deflater = self.deflater.as_deref();
        deflater.is_some_and(|deflater| deflater.wants(len))
    }

    /// Begins a message that goes out compressed, if this one is to be: then
    /// [`compressed_frame`](Self::compressed_frame) makes all of it.
    #[cfg(feature = "deflate")]
    pub(crate) fn begin_compressed(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<bool, SendError> {
        match &mut self.deflater {
            Some(deflater) if deflater.wants(payload.len()) => {
                self.encoder.check_message(opcode, payload)?;
                Ok(deflater.begin())
            }
            _ => Ok(false),
        }
    }

    /// Appends the next frame of a compressed message to `output`, for which that may hold `bound`
    /// bytes or a few more, and takes what went into it off `rest`. Says whether it was the last.
    ///
    /// # Errors
    /// The engine, or the keys: nothing was appended, and a message that had begun cannot be ended.
    #[cfg(feature = "deflate")]
    pub(crate) fn compressed_frame(
        &mut self,
        opcode: Opcode,
        rest: &mut &[u8],
        bound: usize,
        output: &mut Vec<u8>,
    ) -> Result<bool, SendError> {
        let deflater = self.deflater.as_deref_mut().ok_or(SendError::Compression)?;
        append_compressed(&mut self.encoder, deflater, opcode, rest, bound, output)
    }

    /// Compresses no more, and gives the context back: nothing can be sent any more.
    #[cfg(feature = "deflate")]
    pub(crate) fn end_compression(&mut self) {
        self.deflater = None;
    }

    /// What compresses messages, where that was agreed on and something can still be sent.
    #[cfg(feature = "deflate")]
    pub fn deflater_mut(&mut self) -> Option<&mut Deflater> {
        self.deflater.as_deref_mut()
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
        let header = self.header(fin, rsv, opcode, payload)?;
        append_frame(&header, payload, output);
        Ok(())
    }

    /// The header of a frame that is going to be sent. With a Close frame no reply is due any more.
    #[inline]
    pub(crate) fn header(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<Header, SendError> {
        let header = self.encoder.frame(fin, rsv, opcode, payload)?;
        if opcode == Opcode::Close {
            self.reply = None;
            #[cfg(feature = "deflate")]
            self.end_compression();
        }
        Ok(header)
    }

    /// Lets a Pong with this payload answer a Ping, in place of one that is still pending.
    ///
    /// No effect once a Close frame is pending or was sent.
    pub fn queue_pong(&mut self, payload: ControlPayload) {
        if !self.is_closing() {
            self.put(Opcode::Pong, payload);
        }
    }

    /// Lets a Close frame with this payload be the last thing sent, in place of a pending Pong.
    ///
    /// No effect once a Close frame is pending or was sent: it is sent once (RFC 6455 5.5.1).
    pub fn queue_close(&mut self, payload: ControlPayload) {
        if !self.is_closing() {
            self.put(Opcode::Close, payload);
        }
    }

    /// Lets the Close frame that answers a violation be the last thing sent (RFC 6455 7.1.7):
    /// its code, and its words as the reason.
    pub fn queue_violation(&mut self, violation: &Violation) {
        let mut reason = Reason::default();
        // A reason that is cut off is still one.
        let _ = write!(reason, "{violation}");
        let payload = ControlPayload::close(violation.close_code(), reason.as_str());
        self.queue_close(payload.unwrap_or(ControlPayload::EMPTY));
    }

    /// Appends the pending reply, if any, to `output` and says whether there was one.
    ///
    /// # Errors
    /// [`SendError::NoEntropy`] alone; the reply is still pending.
    #[inline]
    pub fn write_reply(&mut self, output: &mut Vec<u8>) -> Result<bool, SendError> {
        if self.encoder.is_closed() {
            // RFC 6455 5.5.1: nothing follows a Close frame.
            self.reply = None;
        }
        let Some(reply) = &self.reply else {
            return Ok(false);
        };
        let (opcode, payload) = (reply.opcode, reply.payload.as_slice());
        let header = self.encoder.frame(true, Rsv::NONE, opcode, payload)?;
        append_frame(&header, payload, output);
        self.reply = None;
        #[cfg(feature = "deflate")]
        if opcode == Opcode::Close {
            self.end_compression();
        }
        Ok(true)
    }

    fn put(&mut self, opcode: Opcode, payload: ControlPayload) {
        let pending = Pending { opcode, payload };
        match &mut self.reply {
            Some(reply) => **reply = pending,
            None => self.reply = Some(Box::new(pending)),
        }
    }

    /// Whether a reply is pending.
    #[must_use]
    #[inline]
    pub fn has_reply(&self) -> bool {
        self.reply.is_some()
    }

    /// Whether nothing has begun and nothing is pending, and messages are not compressed.
    pub(super) fn is_at_rest(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.deflater.is_some() {
            return false;
        }
        let encoder = &self.encoder;
        self.reply.is_none() && encoder.message().is_none() && !encoder.is_closed()
    }

    /// Whether a Close frame was sent or is pending.
    #[must_use]
    #[inline]
    pub fn is_closing(&self) -> bool {
        let reply = self.reply.as_ref();
        self.encoder.is_closed() || reply.is_some_and(|reply| reply.opcode == Opcode::Close)
    }

    /// The frames' own state.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The frames' own state, to allow reserved bits, or to write frames without a `Vec`.
    pub fn encoder_mut(&mut self) -> &mut Encoder {
        &mut self.encoder
    }
}

/// Appends the next frame of a compressed message. See [`Sender::compressed_frame`].
#[cfg(feature = "deflate")]
pub(crate) fn append_compressed(
    encoder: &mut Encoder,
    deflater: &mut Deflater,
    opcode: Opcode,
    rest: &mut &[u8],
    bound: usize,
    output: &mut Vec<u8>,
) -> Result<bool, SendError> {
    let (opcode, rsv) = match encoder.message() {
        Some(_) => (Opcode::Continuation, Rsv::NONE),
        None => (opcode, Rsv::RSV1),
    };
    let start = output.len();
    // How long the header is will be known when the payload is there.
    let payload = start + MAX_HEADER;
    reserve(output, MAX_HEADER, bound);
    output.resize(payload, 0);
    let made = deflater
        .append(rest, bound, output)
        .map_err(|_| SendError::Compression)
        .and_then(|last| {
            let header = encoder.frame(last, rsv, opcode, &output[payload..])?;
            Ok((last, header))
        });
    let (last, header) = made.inspect_err(|_| {
        output.truncate(start);
        deflater.start_over();
    })?;
    if let Some(key) = header.mask() {
        mask::apply(&mut output[payload..], key, 0);
    }
    let mut bytes = [0; MAX_HEADER];
    let len = header.encode(&mut bytes);
    output[start..start + len].copy_from_slice(&bytes[..len]);
    output.copy_within(payload.., start + len);
    output.truncate(output.len() - (MAX_HEADER - len));
    Ok(last)
}

/// Makes room for more, by doubling what there is, but to no more than `bound` bytes while that is
/// enough.
#[cfg(feature = "std")]
pub(crate) fn reserve(output: &mut Vec<u8>, additional: usize, bound: usize) {
    let needed = output.len() + additional;
    if needed > bound {
        output.reserve(additional);
    } else if needed > output.capacity() {
        let doubled = output.capacity().saturating_mul(2).min(bound);
        output.reserve_exact(needed.max(doubled) - output.len());
    }
}

/// Appends a header and its payload, masked where the header says so.
#[inline]
pub(crate) fn append_frame(header: &Header, payload: &[u8], output: &mut Vec<u8>) {
    let mut bytes = [0; MAX_HEADER];
    let len = header.encode(&mut bytes);
    output.reserve(len + payload.len());
    output.extend_from_slice(&bytes[..len]);
    append_payload(header, payload, 0, output);
}

/// Appends a piece of a frame's payload that stands `offset` bytes into it.
#[inline]
pub(crate) fn append_payload(header: &Header, payload: &[u8], offset: u64, output: &mut Vec<u8>) {
    let start = output.len();
    output.extend_from_slice(payload);
    if let Some(key) = header.mask() {
        mask::apply(&mut output[start..], key, offset);
    }
}

/// A close reason that is being written: what is over 123 bytes is cut off between characters.
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

/// The payload of a Close frame that answers the peer's: the same code (RFC 6455 5.5.1).
pub(crate) fn close_echo(code: Option<CloseCode>) -> ControlPayload {
    code.and_then(|code| ControlPayload::close(code, ""))
        .unwrap_or(ControlPayload::EMPTY)
}
