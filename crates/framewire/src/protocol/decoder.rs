//! Decoding frames: bytes in, pieces of payload out.

#[cfg(feature = "alloc")]
use core::ops::Range;

#[cfg(feature = "alloc")]
use super::utf8::is_whole_text;
use super::{Limits, Role, Utf8};
use crate::frame::{CloseCode, Header, MAX_HEADER, Opcode, Rsv, Violation, mask};

/// A decoder of one peer's frames, in place and as they arrive.
///
/// Payload is unmasked in place and lent in pieces: nothing waits for a whole frame, and no announced length is
/// trusted. Everything that RFC 6455 forbids a peer, within one frame or in the order of frames, is a [`Violation`].
/// After a violation or a Close frame all further input is used up without effect (RFC 6455 1.4, 7.1.7).
///
/// Allocates nothing.
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: Limits,
    /// The frame whose payload is under way, or the last one.
    frame: Header,
    /// How many bytes of its payload are missing. Meaningless unless `state` is `Payload`.
    remaining: u64,
    /// The length of the message so far, by the headers of its frames.
    message_len: u64,
    /// The message under way, between its first and its last frame.
    message: Option<Opcode>,
    message_rsv: Rsv,
    extensions: Rsv,
    /// The reserved bits of messages whose limit applies to what an extension makes of them.
    transformed: Rsv,
    role: Role,
    state: State,
    /// Which call of a receiver reads the message under way. It is here because in the receiver it would make every
    /// connection larger.
    #[cfg(feature = "alloc")]
    pub(super) owner: Owner,
    utf8: Utf8,
    /// The first byte of a close code whose second byte is missing.
    close_code: u8,
    partial_len: u8,
    /// The beginning of a header whose rest is missing.
    partial: [u8; MAX_HEADER],
}

/// The kind of call that the message under way belongs to, or the last one: another kind cannot go on with it.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Calls that give messages whole.
    Whole,
    /// Calls that give them in pieces.
    Pieces,
    /// Calls that give raw frames.
    #[cfg(feature = "std")]
    Frames,
    /// No call: the rest of it is skipped.
    NoCall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Payload,
    /// A Close frame or a violation has arrived: nothing after it counts.
    Done,
}

/// A piece of a message or of a control frame, lent from the input.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece<'a> {
    /// The opcode of the message or control frame: Text, Binary, Close, Ping or Pong.
    pub opcode: Opcode,
    /// The reserved bits of the message's first frame.
    pub rsv: Rsv,
    /// Whether the message or control frame begins with this piece.
    pub first: bool,
    /// Whether the message or control frame ends with this piece.
    pub last: bool,
    /// The bytes, unmasked. They end where the used input ends.
    pub payload: &'a mut [u8],
}

impl Decoder {
    /// Returns which end this is.
    #[cfg(feature = "std")]
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Creates a decoder for the frames that the peer of a `role` sends.
    #[must_use]
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            limits,
            frame: IDLE,
            remaining: 0,
            message_len: 0,
            message: None,
            message_rsv: Rsv::NONE,
            extensions: Rsv::NONE,
            transformed: Rsv::NONE,
            role,
            state: State::Header,
            #[cfg(feature = "alloc")]
            owner: Owner::Whole,
            utf8: Utf8::new(),
            close_code: 0,
            partial_len: 0,
            partial: [0; MAX_HEADER],
        }
    }

    /// Allows the reserved bits of a negotiated extension on the first frame of a message.
    ///
    /// Text with such a bit is not checked: it is not UTF-8 before the extension has transformed it back.
    pub fn allow_rsv(&mut self, rsv: Rsv) {
        self.extensions = rsv;
    }

    /// Allows further reserved bits beside those of [`allow_rsv`](Self::allow_rsv), for messages whose limit does not
    /// apply here: they may decompress to less than their frames.
    #[cfg(feature = "alloc")]
    pub(crate) fn also_allow_rsv(&mut self, rsv: Rsv) {
        self.transformed = rsv;
    }

    /// Uses up further input without effect: what an extension made of a message is a violation.
    #[cfg(feature = "alloc")]
    pub(crate) fn end(&mut self) {
        self.state = State::Done;
        self.message = None;
    }

    /// Decodes from the front of `input`. Returns how many bytes were used up, with the piece of payload that they
    /// gave, if any. `None` asks for more input: then all of it is used up.
    ///
    /// # Errors
    /// The peer's violation. No byte of the frame's payload was lent or, in the case of bad UTF-8, of this piece.
    #[inline]
    pub fn decode<'a>(
        &mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<Piece<'a>>), Violation> {
        let used = self.decode_header(input)?;
        let (taken, piece) = self.decode_payload(&mut input[used..])?;
        Ok((used + taken, piece))
    }

    /// Decodes a message that lies whole in `input`, in one frame without reserved bits, as most do. Returns its
    /// opcode and the place of its payload, which ends where the used input does.
    ///
    /// `None` changes nothing: [`decode`](Self::decode) then gives the same, or the violation, in more steps.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(super) fn decode_whole(&mut self, input: &mut [u8]) -> Option<(Opcode, Range<usize>)> {
        if self.state != State::Header || self.partial_len > 0 || self.message.is_some() {
            return None;
        }
        let (opcode, place) = whole_message(input, self.role)?;
        if place.len() as u64 > self.limits.message.min(self.limits.frame) {
            return None;
        }
        let (header, payload) = input[..place.end].split_at_mut(place.start);
        let key = match self.role {
            Role::Server => *header.last_chunk()?,
            Role::Client => [0; 4],
        };
        if self.role == Role::Server {
            mask::apply(payload, key, 0);
        }
        // RFC 6455 8.1: bytes that are not UTF-8 fail the connection.
        if opcode == Opcode::Text && !is_whole_text(payload) {
            mask::apply(payload, key, 0);
            return None;
        }
        self.message_rsv = Rsv::NONE;
        Some((opcode, place))
    }

    /// Decodes a header from the front of `input`, unless a frame is under way. Returns how many bytes were used up.
    /// [`frame`](Self::frame) then returns the header.
    ///
    /// # Errors
    /// The peer's violation, or a limit that the header exceeds.
    #[inline]
    pub fn decode_header(&mut self, input: &[u8]) -> Result<usize, Violation> {
        match self.state {
            State::Header => {}
            State::Payload => return Ok(0),
            State::Done => return Ok(input.len()),
        }
        let found = if self.partial_len == 0 {
            Header::decode(input)
        } else {
            self.complete_header(input)
        };
        match found {
            Ok(Some((header, used))) => match self.begin_frame(header) {
                Ok(()) => Ok(used),
                Err(violation) => Err(self.fail(violation)),
            },
            Ok(None) => {
                if self.partial_len == 0 {
                    self.partial[..input.len()].copy_from_slice(input);
                    self.partial_len = input.len() as u8; // 13 at most: no header needs more
                }
                Ok(input.len())
            }
            Err(violation) => Err(self.fail(violation)),
        }
    }

    /// Unmasks and lends what `input` has of the current frame's payload. All of `input` must follow the header.
    ///
    /// # Errors
    /// Text or a close reason that is not UTF-8, or a close code that is never sent.
    #[inline]
    pub fn decode_payload<'a>(
        &mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<Piece<'a>>), Violation> {
        match self.state {
            State::Payload if self.remaining == 0 || !input.is_empty() => {}
            State::Done => return Ok((input.len(), None)),
            _ => return Ok((0, None)),
        }
        let len = usize::try_from(self.remaining).map_or(input.len(), |n| n.min(input.len()));
        let payload = &mut input[..len];
        let offset = self.frame.payload_len() - self.remaining;
        if let Some(key) = self.frame.mask() {
            mask::apply(payload, key, offset);
        }
        self.remaining -= len as u64;
        let frame_done = self.remaining == 0;
        let piece = match self.frame.opcode() {
            Opcode::Close => {
                self.check_close(payload, offset, frame_done)
                    .map_err(|violation| self.fail(violation))?;
                self.control_piece(payload, offset, frame_done)
            }
            Opcode::Ping | Opcode::Pong => self.control_piece(payload, offset, frame_done),
            opcode => {
                let last = frame_done && self.frame.fin();
                let first = offset == 0 && opcode.begins_message();
                // The opcode of the message: a continuation is always part of one.
                let opcode = self.message.unwrap_or(opcode);
                if opcode == Opcode::Text && self.message_rsv.is_none() {
                    // RFC 6455 8.1: bytes that are not UTF-8 fail the connection.
                    let valid = self.utf8.push(payload).is_ok();
                    if !valid || last && !self.utf8.is_complete() {
                        return Err(self.fail(Violation::InvalidUtf8));
                    }
                }
                if last {
                    self.message = None;
                }
                Piece {
                    opcode,
                    rsv: self.message_rsv,
                    first,
                    last,
                    payload,
                }
            }
        };
        if frame_done && self.state == State::Payload {
            self.state = State::Header;
        }
        Ok((len, Some(piece)))
    }

    /// Returns the header of the frame whose payload is under way; `None` between frames.
    #[must_use]
    #[inline]
    pub fn frame(&self) -> Option<&Header> {
        (self.state == State::Payload).then_some(&self.frame)
    }

    /// Returns how many bytes of the current frame's payload are missing.
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> u64 {
        if self.state == State::Payload {
            self.remaining
        } else {
            0
        }
    }

    /// Returns the opcode of the message under way: its first frame has begun and its last has not ended.
    #[must_use]
    #[inline]
    pub fn message(&self) -> Option<Opcode> {
        self.message
    }

    /// Returns whether no header, frame or message has begun, and more may arrive.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.state == State::Header && self.partial_len == 0 && self.message.is_none()
    }

    /// Returns the bytes of a header that is not whole.
    #[cfg(feature = "std")]
    pub(crate) fn partial_header(&self) -> &[u8] {
        &self.partial[..usize::from(self.partial_len)]
    }

    /// Returns whether a header has arrived between messages, and nothing of its payload: a caller can act as if the
    /// header had not arrived either.
    #[cfg(feature = "std")]
    pub(crate) fn is_untouched(&self) -> bool {
        let opcode = self.frame.opcode();
        let is_between = opcode.begins_message() || opcode.is_control() && self.message.is_none();
        self.state == State::Payload && is_between && self.remaining == self.frame.payload_len()
    }

    /// Applies a limit that was changed after the header of the message under way arrived.
    #[cfg(feature = "std")]
    pub(crate) fn check_message_limit(&mut self) -> Result<(), Violation> {
        if self.is_transformed() {
            return self
                .check_compressed_limit()
                .map_err(|violation| self.fail(violation));
        }
        let limit = self.limits.message;
        if self.message.is_some() && self.message_len > limit {
            return Err(self.fail(Violation::MessageTooBig { limit }));
        }
        Ok(())
    }

    /// Returns the reserved bits of the message under way, or of the last one.
    #[must_use]
    #[inline]
    pub fn message_rsv(&self) -> Rsv {
        self.message_rsv
    }

    /// Returns whether a Close frame or a violation has arrived, so that nothing after it counts.
    #[must_use]
    #[inline]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Returns the limits, to change them. A change applies from the next header on.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Completes a header of which a part arrived earlier.
    #[cold]
    fn complete_header(&mut self, input: &[u8]) -> Result<Option<(Header, usize)>, Violation> {
        let had = usize::from(self.partial_len);
        let taken = input.len().min(MAX_HEADER - had);
        self.partial[had..had + taken].copy_from_slice(&input[..taken]);
        let Some((header, len)) = Header::decode(&self.partial[..had + taken])? else {
            self.partial_len += taken as u8; // 14 bytes always make a header
            return Ok(None);
        };
        self.partial_len = 0;
        Ok(Some((header, len - had)))
    }

    /// Begins a frame, where its header may come now.
    #[inline]
    fn begin_frame(&mut self, header: Header) -> Result<(), Violation> {
        // RFC 6455 5.1: a client masks every frame, a server none.
        match (self.role, header.mask()) {
            (Role::Server, None) => return Err(Violation::Unmasked),
            (Role::Client, Some(_)) => return Err(Violation::Masked),
            _ => {}
        }
        let opcode = header.opcode();
        let allowed = if opcode.begins_message() {
            self.allowed_rsv()
        } else {
            // RFC 7692 6.1: a message's bits stand on its first frame alone.
            Rsv::NONE
        };
        if !allowed.contains(header.rsv()) {
            return Err(Violation::ReservedBits(header.rsv()));
        }
        if opcode.is_control() {
            if opcode == Opcode::Close {
                // RFC 6455 5.5.1: a body begins with a two-byte code.
                if header.payload_len() == 1 {
                    return Err(Violation::CloseCodeTruncated);
                }
                self.utf8 = Utf8::new();
            }
        } else {
            self.begin_data_frame(&header)?;
        }
        self.frame = header;
        self.remaining = header.payload_len();
        self.state = State::Payload;
        Ok(())
    }

    /// Returns whether the message under way is one that an extension has transformed.
    fn is_transformed(&self) -> bool {
        !self.transformed.is_none() && self.message_rsv.contains(self.transformed)
    }

    fn check_compressed_limit(&self) -> Result<(), Violation> {
        let limit = self.limits.compressed_bound();
        if self.message.is_some() && self.message_len > limit {
            return Err(Violation::CompressedTooBig { limit });
        }
        Ok(())
    }

    /// Returns the reserved bits that the first frame of a message may have.
    #[inline]
    fn allowed_rsv(&self) -> Rsv {
        self.extensions | self.transformed
    }

    #[inline]
    fn begin_data_frame(&mut self, header: &Header) -> Result<(), Violation> {
        let opcode = header.opcode();
        match (self.message, opcode) {
            // RFC 6455 5.4: fragments of one message are not mixed with another's.
            (Some(_), Opcode::Continuation) => {}
            (None, Opcode::Continuation) => return Err(Violation::UnexpectedContinuation),
            (Some(_), _) => return Err(Violation::ExpectedContinuation(opcode)),
            (None, _) => {
                self.message_rsv = header.rsv();
                self.message_len = 0;
                self.utf8 = Utf8::new();
            }
        }
        let len = header.payload_len();
        if len > self.limits.frame {
            return Err(Violation::FrameTooBig {
                limit: self.limits.frame,
            });
        }
        if self.is_transformed() {
            self.message_len = self.message_len.saturating_add(len);
            self.message.get_or_insert(opcode);
            return self.check_compressed_limit();
        }
        // A sum saturates only on lengths that no peer can ever send. Any limit but 2^64 − 1 refuses them.
        let message_len = self.message_len.saturating_add(len);
        if message_len > self.limits.message {
            return Err(Violation::MessageTooBig {
                limit: self.limits.message,
            });
        }
        self.message_len = message_len;
        if self.message.is_none() {
            self.message = Some(opcode);
        }
        Ok(())
    }

    fn control_piece<'a>(&self, payload: &'a mut [u8], offset: u64, frame_done: bool) -> Piece<'a> {
        Piece {
            opcode: self.frame.opcode(),
            rsv: Rsv::NONE,
            first: offset == 0,
            last: frame_done,
            payload,
        }
    }

    #[cold]
    fn check_close(
        &mut self,
        payload: &[u8],
        offset: u64,
        frame_done: bool,
    ) -> Result<(), Violation> {
        let mut reason = payload;
        for position in offset..2 {
            let Some((&byte, rest)) = reason.split_first() else {
                break;
            };
            reason = rest;
            if position == 0 {
                self.close_code = byte;
            } else {
                let code = CloseCode::new(u16::from_be_bytes([self.close_code, byte]));
                if !code.is_sendable() {
                    return Err(Violation::CloseCodeInvalid(code));
                }
            }
        }
        let valid = self.utf8.push(reason).is_ok();
        if !valid || frame_done && !self.utf8.is_complete() {
            return Err(Violation::InvalidReason);
        }
        if frame_done {
            self.state = State::Done;
        }
        Ok(())
    }

    #[cold]
    fn fail(&mut self, violation: Violation) -> Violation {
        self.state = State::Done;
        self.message = None;
        violation
    }
}

/// Returns the opcode of a message that is one whole frame at the front of `input`, and the place of its payload.
/// `role` is that of the receiver. `None` where anything about the message is unusual.
#[cfg(feature = "alloc")]
#[inline]
fn whole_message(input: &[u8], role: Role) -> Option<(Opcode, Range<usize>)> {
    let &[first, second, ref rest @ ..] = input else {
        return None;
    };
    // FIN, and no reserved bit.
    let opcode = match first {
        0x81 => Opcode::Text,
        0x82 => Opcode::Binary,
        _ => return None,
    };
    // RFC 6455 5.1: a client masks every frame, a server none.
    let (mask_bit, key_len) = match role {
        Role::Server => (0x80, 4),
        Role::Client => (0, 0),
    };
    let (len, start) = match second ^ mask_bit {
        len @ 0..=125 => (usize::from(len), 2 + key_len),
        126 => {
            let len = u16::from_be_bytes(*rest.first_chunk()?);
            // RFC 6455 5.2: the minimal number of bytes must be used.
            (len >= 126).then_some((usize::from(len), 4 + key_len))?
        }
        _ => return None,
    };
    let place = start..start + len;
    (place.end <= input.len()).then_some((opcode, place))
}

/// The header before the first frame has arrived.
const IDLE: Header = match Header::new(true, Rsv::NONE, Opcode::Pong, None, 0) {
    Ok(header) => header,
    Err(_) => unreachable!(),
};

#[cfg(test)]
#[cfg(feature = "alloc")]
mod tests;
