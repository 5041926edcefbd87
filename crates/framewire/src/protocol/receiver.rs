//! Receiving messages: bytes in, messages out.

use alloc::boxed::Box;
use core::ops::Range;

use super::decoder::Owner;
use super::extension::{MessageDecoder, Transformed};
use super::incoming::Incoming;
use super::outgoing::{Outgoing, ToOutgoing};
use super::utf8::as_text;
use super::{Decoder, Limits, MessageBuffer, Piece, Role};
use crate::frame::{CloseCode, ControlPayload, Opcode, Rsv, Violation};

/// The receiving end of a connection: a [`Decoder`] that assembles messages.
///
/// A message that arrives in one frame and one piece is lent from the input. Any other is assembled in the caller's
/// [`MessageBuffer`].
///
/// A message belongs to the call that began it, [`receive`](Self::receive) or [`receive_piece`](Self::receive_piece).
/// The other call skips what it is given of that message, and all that follows of it.
#[derive(Debug)]
pub struct Receiver {
    decoder: Decoder,
    incoming: Option<Box<Incoming>>,
}

/// What the peer has sent, lent from the input or from the message buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message.
    Message(Message<'a>),
    /// A Ping, to be answered by a Pong with the same payload (RFC 6455 5.5.2).
    Ping(&'a [u8]),
    /// A Pong.
    Pong(&'a [u8]),
    /// The peer's Close frame: nothing after it counts.
    Close(CloseFrame<'a>),
}

/// What the peer has sent, with messages in pieces.
#[derive(Debug, PartialEq, Eq)]
pub enum PieceEvent<'a> {
    /// A piece of a message.
    Data(Piece<'a>),
    /// A whole control frame; never a message.
    Control(Event<'a>),
}

/// A whole message, lent until the next call.
#[derive(Debug)]
pub struct Message<'a> {
    opcode: Opcode,
    rsv: Rsv,
    payload: &'a mut [u8],
    /// Whether the payload is as it was received.
    is_unchanged: bool,
}

/// The content of a Close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The status code; `None` where the frame was empty.
    pub code: Option<CloseCode>,
    /// The reason in words, for people who read logs: at most 123 bytes.
    pub reason: &'a str,
}

impl Event<'_> {
    /// Returns the payload of the automatic answer: a Pong with the payload of the Ping (RFC 6455 5.5.3), a Close frame
    /// with the peer's code (RFC 6455 5.5.1). Nothing else is answered.
    #[must_use]
    pub fn answer(&self) -> Option<ControlPayload> {
        match self {
            Self::Message(_) | Self::Pong(_) => None,
            Self::Ping(payload) => ControlPayload::new(payload),
            Self::Close(frame) => {
                let payload = frame.code.and_then(|code| ControlPayload::close(code, ""));
                Some(payload.unwrap_or(ControlPayload::EMPTY))
            }
        }
    }
}

impl Receiver {
    /// Creates a receiver for what the peer of a `role` sends.
    #[must_use]
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(role, limits),
            incoming: None,
        }
    }

    /// Decodes from the front of `input`. Returns how many bytes were used up, with the event that they gave, if any.
    /// `None` asks for more input: then all of it is used up.
    ///
    /// `message` belongs to this connection, since it holds the message under way. It is given memory only where a
    /// message, or a control frame, arrives in more than one piece.
    ///
    /// # Errors
    /// The peer's violation. No byte of the frame was lent, and further input has no effect.
    #[inline]
    pub fn receive<'a>(
        &mut self,
        input: &'a mut [u8],
        message: &'a mut MessageBuffer,
    ) -> Result<(usize, Option<Event<'a>>), Violation> {
        if let Some((opcode, place)) = self.receive_whole(input, message) {
            let used = place.end;
            let message = Message::new(opcode, Rsv::NONE, &mut input[place]);
            return Ok((used, Some(Event::Message(message))));
        }
        self.receive_parts(input, message)
    }

    /// Decodes a message that lies whole in `input`, in one frame, as most do. Returns its opcode and the place of its
    /// payload, which ends where the used input does.
    ///
    /// `None` changes nothing: [`receive`](Self::receive) then gives the same, or the violation, in more steps.
    #[inline]
    pub(crate) fn receive_whole(
        &mut self,
        input: &mut [u8],
        message: &mut MessageBuffer,
    ) -> Option<(Opcode, Range<usize>)> {
        if self.is_encoded(Rsv::NONE) {
            return None;
        }
        let found = self.decoder.decode_whole(input)?;
        // Of a message that another call went on with, a part may be held.
        message.forget();
        Some(found)
    }

    /// As [`receive`](Self::receive), for all but a message in one frame that has arrived whole.
    fn receive_parts<'a>(
        &mut self,
        input: &'a mut [u8],
        message: &'a mut MessageBuffer,
    ) -> Result<(usize, Option<Event<'a>>), Violation> {
        message.rest();
        let mut used = 0;
        loop {
            let (taken, found) = self.next(&mut input[used..], message)?;
            used += taken;
            let Some(found) = found else {
                return Ok((used, None));
            };
            if found.opcode.is_control() {
                let payload = found.lend(used, input, message);
                return Ok((used, Some(Event::from_control(found.opcode, payload))));
            }
            if !self.belongs_to(Owner::Whole, found.first) {
                self.follow(&input[used - found.len..used], &found)?;
                continue;
            }
            if found.first {
                message.forget();
            }
            if self.is_encoded(found.rsv) {
                let piece = &input[used - found.len..used];
                self.assemble_decoded(piece, &found, message)?;
                if found.last {
                    let rsv = self.given_rsv(found.rsv);
                    let message = Message::new(found.opcode, rsv, message.complete());
                    return Ok((used, Some(Event::Message(message))));
                }
                continue;
            }
            let whole = found.first && found.last;
            if !whole {
                message.append(&input[used - found.len..used]);
            }
            if found.last {
                let payload = if whole {
                    &mut input[used - found.len..used]
                } else {
                    message.complete()
                };
                let message = Message::new(found.opcode, found.rsv, payload);
                return Ok((used, Some(Event::Message(message))));
            }
        }
    }

    /// As [`receive`](Self::receive), but messages are lent in pieces as they arrive. Only a control frame in pieces
    /// is assembled.
    ///
    /// # Errors
    /// The peer's violation. No byte of the frame was lent or, in the case of bad UTF-8, of the piece. Further input
    /// has no effect.
    #[inline]
    pub fn receive_piece<'a>(
        &mut self,
        input: &'a mut [u8],
        message: &'a mut MessageBuffer,
    ) -> Result<(usize, Option<PieceEvent<'a>>), Violation> {
        let mut used = 0;
        let found = loop {
            let (taken, found) = self.next(&mut input[used..], message)?;
            used += taken;
            let Some(found) = found else {
                return Ok((used, None));
            };
            let is_control = found.opcode.is_control();
            if is_control || self.belongs_to(Owner::Pieces, found.first) {
                break found;
            }
            self.follow(&input[used - found.len..used], &found)?;
        };
        let payload = found.lend(used, input, message);
        let event = if found.opcode.is_control() {
            PieceEvent::Control(Event::from_control(found.opcode, payload))
        } else {
            PieceEvent::Data(Piece {
                opcode: found.opcode,
                rsv: found.rsv,
                first: found.first,
                last: found.last,
                payload,
            })
        };
        Ok((used, Some(event)))
    }

    /// Uses up one piece of a message that is discarded, or of a control frame. Returns the event that this completes,
    /// which is never a message.
    #[cfg(feature = "std")]
    pub(crate) fn skip_piece<'a>(
        &mut self,
        input: &'a mut [u8],
        message: &'a mut MessageBuffer,
    ) -> Result<(usize, Option<Event<'a>>), Violation> {
        let (used, found) = self.next(input, message)?;
        let Some(found) = found else {
            return Ok((used, None));
        };
        if found.opcode.is_control() {
            let payload = found.lend(used, input, message);
            return Ok((used, Some(Event::from_control(found.opcode, payload))));
        }
        self.follow(&input[used - found.len..used], &found)?;
        if found.last {
            self.decoder.owner = Owner::NoCall;
        }
        Ok((used, None))
    }

    /// Records that `len` bytes, all payload of the data frame under way, were read straight into the room of
    /// `message`. Returns the message's opcode and reserved bits where that completes it.
    #[cfg(feature = "std")]
    pub(crate) fn received(
        &mut self,
        len: usize,
        message: &mut MessageBuffer,
    ) -> Result<Option<(Opcode, Rsv)>, Violation> {
        let (_, piece) = self.decoder.decode_payload(message.fill(len))?;
        let Some((opcode, rsv, first, last)) = piece.map(|p| (p.opcode, p.rsv, p.first, p.last))
        else {
            return Ok(None);
        };
        if !self.belongs_to(Owner::Whole, first) {
            message.forget();
            return Ok(None);
        }
        if !last {
            return Ok(None);
        }
        message.complete();
        Ok(Some((opcode, rsv)))
    }

    /// Uses up payload of the data frame under way, as it was sent: that of a raw frame, or what was read straight
    /// into the caller's buffer.
    #[cfg(feature = "std")]
    pub(crate) fn raw_payload(&mut self, payload: &mut [u8]) -> Result<usize, Violation> {
        let (used, piece) = self.decoder.decode_payload(payload)?;
        let Some(piece) = piece else {
            return Ok(used);
        };
        {
            let found = Found::of(&piece);
            self.follow(piece.payload, &found)?;
        }
        Ok(used)
    }

    /// The kind of call that the message under way belongs to.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn owner(&self) -> Owner {
        self.decoder.owner
    }

    /// Gives the message under way, or the next one, to a kind of call.
    #[cfg(feature = "std")]
    pub(crate) fn set_owner(&mut self, owner: Owner) {
        self.decoder.owner = owner;
    }

    /// The frames' own state.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Returns the decoder of frames, to change limits and reserved bits, or to read raw frames.
    pub fn decoder_mut(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Transforms messages with the extension's reserved bits back from now on, and allows those bits.
    pub fn set_message_decoder(&mut self, extension: Box<dyn MessageDecoder>) {
        self.decoder.also_allow_rsv(extension.rsv());
        self.incoming = Some(Box::new(Incoming::new(extension)));
    }

    /// Returns whether nothing has begun, and no extension is used.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.incoming.is_none() && self.decoder.is_at_rest()
    }

    /// Returns whether an extension has transformed a message with these bits. The pieces that
    /// [`receive_piece`](Self::receive_piece) gives of it must then be [decoded](Self::decode).
    #[must_use]
    #[inline]
    pub fn is_encoded(&self, rsv: Rsv) -> bool {
        match &self.incoming {
            None => false,
            Some(incoming) => rsv.contains(incoming.rsv()),
        }
    }

    /// Returns the reserved bits that concern the application: not those of a transformation that is undone.
    pub(crate) fn given_rsv(&self, rsv: Rsv) -> Rsv {
        match &self.incoming {
            Some(incoming) if rsv.contains(incoming.rsv()) => rsv.without(incoming.rsv()),
            _ => rsv,
        }
    }

    /// Transforms a piece of an encoded message back, as far as `output` has room. Repeat the call with the rest of
    /// the piece until it is done. No limit on the message applies here: nothing of it is held in memory.
    ///
    /// # Errors
    /// The input is not what the extension produces, or its text is not UTF-8. Further input has no effect.
    pub fn decode(
        &mut self,
        piece: &[u8],
        opcode: Opcode,
        last: bool,
        output: &mut [u8],
    ) -> Result<Transformed, Violation> {
        let Some(incoming) = &mut self.incoming else {
            return Err(Violation::InvalidDeflate);
        };
        let decoded = incoming.decode(piece, opcode, last, output);
        decoded.inspect_err(|_| self.end())
    }

    /// Keeps the extension in step with a piece of a message that is discarded.
    #[inline]
    fn follow(&mut self, piece: &[u8], found: &Found) -> Result<(), Violation> {
        if self.is_encoded(found.rsv) {
            return self.follow_encoded(piece, found);
        }
        Ok(())
    }

    /// Separate, so that a message that is not transformed costs only a branch.
    #[inline(never)]
    fn follow_encoded(&mut self, mut piece: &[u8], found: &Found) -> Result<(), Violation> {
        let mut scratch = [0; 4 << 10];
        loop {
            let decoded = self.decode(piece, found.opcode, found.last, &mut scratch)?;
            if decoded.done {
                return Ok(());
            }
            piece = &piece[decoded.consumed..];
        }
    }

    #[inline(never)]
    fn assemble_decoded(
        &mut self,
        piece: &[u8],
        found: &Found,
        message: &mut MessageBuffer,
    ) -> Result<(), Violation> {
        let Some(incoming) = &mut self.incoming else {
            return Err(Violation::InvalidDeflate);
        };
        let limit = self.decoder.limits_mut().message;
        let assembled = incoming.assemble(piece, found.opcode, found.last, limit, message);
        assembled.inspect_err(|_| self.end())
    }

    /// Uses up further input without effect, and frees what the extension holds.
    pub(crate) fn end(&mut self) {
        self.decoder.end();
        self.incoming = None;
    }

    /// Returns whether a piece is part of a message that `call` began.
    #[inline]
    fn belongs_to(&mut self, call: Owner, first: bool) -> bool {
        if first {
            self.decoder.owner = call;
        }
        let belongs_to = self.decoder.owner == call;
        // What comes after a part that was skipped is not the message.
        if !belongs_to {
            self.decoder.owner = Owner::NoCall;
        }
        belongs_to
    }

    /// Returns the next piece of a message, or a whole control frame.
    #[inline]
    fn next(
        &mut self,
        input: &mut [u8],
        message: &mut MessageBuffer,
    ) -> Result<(usize, Option<Found>), Violation> {
        let (used, piece) = self.decoder.decode(input)?;
        let Some(piece) = piece else {
            return Ok((used, None));
        };
        let mut found = Found::of(&piece);
        if found.opcode.is_control() && !(found.first && found.last) {
            message.append_control(piece.payload, found.last);
            if !found.last {
                return Ok((used, None));
            }
            found.in_input = false;
        }
        Ok((used, Some(found)))
    }
}

/// A piece without its borrow, which is lent later.
struct Found {
    opcode: Opcode,
    rsv: Rsv,
    first: bool,
    last: bool,
    len: usize,
    in_input: bool,
}

impl Found {
    #[inline]
    fn of(piece: &Piece<'_>) -> Self {
        Self {
            opcode: piece.opcode,
            rsv: piece.rsv,
            first: piece.first,
            last: piece.last,
            len: piece.payload.len(),
            in_input: true,
        }
    }

    #[inline]
    fn lend<'a>(
        &self,
        used: usize,
        input: &'a mut [u8],
        message: &'a mut MessageBuffer,
    ) -> &'a mut [u8] {
        if self.in_input {
            &mut input[used - self.len..used]
        } else {
            message.control()
        }
    }
}

impl<'a> Event<'a> {
    fn from_control(opcode: Opcode, payload: &'a [u8]) -> Self {
        match opcode {
            Opcode::Ping => Self::Ping(payload),
            Opcode::Close => Self::Close(CloseFrame::parse(payload)),
            _ => Self::Pong(payload),
        }
    }
}

impl<'a> Message<'a> {
    #[inline]
    pub(crate) fn new(opcode: Opcode, rsv: Rsv, payload: &'a mut [u8]) -> Self {
        Self {
            opcode,
            rsv,
            payload,
            is_unchanged: true,
        }
    }
}

impl Message<'_> {
    /// Returns Text or Binary.
    #[must_use]
    #[inline]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Returns the reserved bits of the first frame, for the extension that they belong to.
    #[must_use]
    #[inline]
    pub fn rsv(&self) -> Rsv {
        self.rsv
    }

    /// Returns the bytes. Those of a text are UTF-8 (but see [`text`](Self::text)).
    #[must_use]
    #[inline]
    pub fn payload(&self) -> &[u8] {
        self.payload
    }

    /// Returns the bytes, to change them in place. A text is then checked again when it is sent.
    #[must_use]
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.is_unchanged = false;
        self.payload
    }

    /// Returns the text; `None` for a binary message, and where the bytes are not UTF-8. That can be where the
    /// reserved bits say that an extension must transform the message back first.
    ///
    /// Validates the bytes again, since they can have been changed in between.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self.opcode {
            Opcode::Text => as_text(self.payload),
            _ => None,
        }
    }
}

/// Two messages are equal if they have the same opcode, reserved bits and payload.
impl PartialEq for Message<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.opcode, self.rsv, &*self.payload) == (other.opcode, other.rsv, &*other.payload)
    }
}

impl Eq for Message<'_> {}

/// Sends the message as it came, with its reserved bits. A text is not checked again, unless it was changed.
impl ToOutgoing for Message<'_> {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        let message = Outgoing::new(self.opcode, self.payload).rsv(self.rsv);
        Outgoing {
            is_utf8: self.opcode == Opcode::Text && self.is_unchanged && self.rsv.is_none(),
            ..message
        }
    }
}

impl<'a> CloseFrame<'a> {
    /// Splits a payload that the decoder has checked.
    fn parse(payload: &'a [u8]) -> Self {
        match payload.split_first_chunk() {
            Some((code, reason)) => Self {
                code: Some(CloseCode::new(u16::from_be_bytes(*code))),
                reason: core::str::from_utf8(reason).unwrap_or_default(),
            },
            None => Self {
                code: None,
                reason: "",
            },
        }
    }
}

#[cfg(test)]
mod tests;
