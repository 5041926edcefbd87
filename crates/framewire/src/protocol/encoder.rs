//! Which frames may be sent now, and their headers.

use core::fmt;

use super::outgoing::{MessageKind, Outgoing};
use super::utf8::is_whole_text;
use super::{InvalidUtf8, Role, Utf8};
use crate::frame::mask::KeySource;
use crate::frame::{CloseCode, Header, MAX_CONTROL_PAYLOAD, MAX_PAYLOAD, Opcode, Rsv, Violation};

/// The source of one end's frame headers, which keeps that end within RFC 6455.
///
/// A frame that the peer would have to refuse is refused here with a [`SendError`], and the state stays the same.
/// Allocates nothing.
#[derive(Debug, Clone)]
pub struct Encoder {
    /// The source of a client's masking keys. A server has none.
    keys: Option<KeySource>,
    /// The message whose last fragment has not been sent.
    message: Option<Open>,
    extensions: Rsv,
    /// The reserved bits of messages that are transformed here.
    extended: Rsv,
    closed: bool,
    utf8: Utf8,
}

/// A message that is sent in more than one frame.
#[derive(Debug, Clone, Copy)]
struct Open {
    opcode: Opcode,
    rsv: Rsv,
    how: How,
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// By frames that the caller makes.
    Frames,
    /// In pieces, of which none was sent: a frame of the caller's is no part of it.
    #[cfg(feature = "std")]
    Opened,
    /// In pieces, of which some were sent.
    #[cfg(feature = "std")]
    Pieces,
}

impl Encoder {
    /// Creates a server's encoder: frames are not masked.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            keys: None,
            message: None,
            extensions: Rsv::NONE,
            extended: Rsv::NONE,
            closed: false,
            utf8: Utf8::new(),
        }
    }

    /// Creates a client's encoder: each frame is masked with a new key (RFC 6455 5.3).
    #[must_use]
    pub const fn client(keys: KeySource) -> Self {
        let mut this = Self::server();
        this.keys = Some(keys);
        this
    }

    /// Allows the reserved bits of a negotiated extension on the first frame of a message.
    ///
    /// Text sent with such a bit is not checked: the extension has transformed it.
    pub fn allow_rsv(&mut self, rsv: Rsv) {
        self.extensions = rsv;
    }

    /// Allows further reserved bits beside those of [`allow_rsv`](Self::allow_rsv).
    #[cfg(feature = "alloc")]
    pub(crate) fn also_allow_rsv(&mut self, rsv: Rsv) {
        self.extended = rsv;
    }

    /// Returns the header for a frame with this payload, which must be sent next and whole. Where the header has a
    /// [`mask`](Header::mask), the payload must be masked with it.
    ///
    /// # Errors
    /// The caller's mistake; nothing may be sent. See [`SendError`].
    #[inline]
    pub fn frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<Header, SendError> {
        self.header(fin, &Outgoing::new(opcode, payload).rsv(rsv))
    }

    /// Returns the header for a frame with this payload, as [`frame`](Self::frame) does.
    #[inline]
    pub(crate) fn header(&mut self, fin: bool, frame: &Outgoing<'_>) -> Result<Header, SendError> {
        let MessageKind { opcode, rsv, .. } = frame.kind;
        // Most messages are one frame, which needs fewer checks.
        let is_whole = fin && rsv.is_none() && opcode.begins_message();
        if is_whole && self.message.is_none() && !self.closed {
            check_whole(frame)?;
            let mask = self.draw_key()?;
            let len = frame.payload.len() as u64;
            return Ok(Header::new(true, Rsv::NONE, opcode, mask, len)?);
        }
        self.any_frame(fin, rsv, opcode, frame.payload)
    }

    /// Returns the header of a message that is one frame, is not masked and needs no further check. `None` changes
    /// nothing: [`header`](Self::header) then gives the same, or what is wrong, in more steps.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn plain_header(&self, message: &Outgoing<'_>) -> Option<Header> {
        let MessageKind { opcode, rsv, .. } = message.kind;
        let is_legal = match opcode {
            Opcode::Text => message.is_utf8,
            Opcode::Binary => true,
            _ => false,
        };
        let is_next = self.keys.is_none() && self.message.is_none() && !self.closed;
        if !is_legal || !is_next || !rsv.is_none() {
            return None;
        }
        Header::new(true, Rsv::NONE, opcode, None, message.payload.len() as u64).ok()
    }

    fn any_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<Header, SendError> {
        let mut utf8 = self.check(fin, rsv, opcode, payload.len())?;
        match opcode {
            Opcode::Close => check_close(payload)?,
            Opcode::Ping | Opcode::Pong => {}
            _ => {
                let message = self.message.unwrap_or(Open::new(opcode, rsv));
                message.check_text(&mut utf8, payload, fin)?;
            }
        }
        self.commit(fin, rsv, opcode, payload.len(), utf8)
    }

    /// Opens a message that is written in pieces. Until its last [fragment](Self::fragment) all other messages,
    /// and raw data frames, are refused.
    #[cfg(feature = "std")]
    pub(crate) fn open_message(&mut self, opcode: Opcode, rsv: Rsv) -> Result<(), SendError> {
        self.utf8 = self.check(false, rsv, opcode, 0)?;
        let how = How::Opened;
        self.message = Some(Open { opcode, rsv, how });
        Ok(())
    }

    /// Returns the header of the next fragment of the message that was [opened](Self::open_message).
    #[cfg(feature = "std")]
    pub(crate) fn fragment(&mut self, fin: bool, payload: &[u8]) -> Result<Header, SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        let open = self.message.ok_or(SendError::NoMessageOpen)?;
        let (opcode, rsv) = match open.how {
            How::Frames => return Err(SendError::NoMessageOpen),
            How::Opened => (open.opcode, open.rsv),
            How::Pieces => (Opcode::Continuation, Rsv::NONE),
        };
        let mut utf8 = self.utf8;
        open.check_text(&mut utf8, payload, fin)?;
        let header = self.commit(fin, rsv, opcode, payload.len(), utf8)?;
        let how = How::Pieces;
        self.message = (!fin).then_some(Open { how, ..open });
        Ok(header)
    }

    /// Returns the opcode of the message that is written in pieces, from before its first frame.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn held_message(&self) -> Option<Opcode> {
        let held = self.message.filter(|open| open.how != How::Frames);
        held.map(|open| open.opcode)
    }

    /// Records a message in one frame that was made elsewhere and is known to be legal.
    #[cfg(feature = "std")]
    pub(crate) fn record_framed_message(&mut self, opcode: Opcode) -> Result<(), SendError> {
        let utf8 = self.check(true, Rsv::NONE, opcode, 0)?;
        self.commit(true, Rsv::NONE, opcode, 0, utf8)?;
        Ok(())
    }

    /// Checks that a message may begin now and that this one is legal: once it is transformed it can be neither
    /// checked nor taken back.
    #[cfg(feature = "alloc")]
    pub(crate) fn check_message(&self, rsv: Rsv, message: &Outgoing<'_>) -> Result<(), SendError> {
        self.check(true, rsv, message.opcode(), message.payload.len())?;
        check_whole(message)
    }

    /// Returns the opcode of the message that has begun and not ended.
    #[must_use]
    #[inline]
    pub fn message(&self) -> Option<Opcode> {
        self.message.map(|open| open.opcode)
    }

    /// Returns whether a Close frame was made, so that nothing may follow (RFC 6455 5.5.1).
    #[must_use]
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether frames are masked: this is a client's encoder.
    #[must_use]
    #[inline]
    pub fn masks(&self) -> bool {
        self.keys.is_some()
    }

    /// Returns which end this is.
    #[must_use]
    #[inline]
    pub fn role(&self) -> Role {
        if self.masks() {
            Role::Client
        } else {
            Role::Server
        }
    }

    /// Checks what does not depend on the bytes of the payload. Returns the state of the text so far.
    #[inline]
    pub(crate) fn check(
        &self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        len: usize,
    ) -> Result<Utf8, SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        let allowed = if opcode.begins_message() {
            self.allowed_rsv()
        } else {
            Rsv::NONE
        };
        if !allowed.contains(rsv) {
            return Err(SendError::ReservedBits(rsv));
        }
        match (self.message, opcode) {
            (_, Opcode::Close | Opcode::Ping | Opcode::Pong) => {
                if !fin {
                    return Err(SendError::FragmentedControl(opcode));
                }
                if len > MAX_CONTROL_PAYLOAD {
                    return Err(SendError::ControlTooLarge { len });
                }
                Ok(self.utf8)
            }
            (Some(open), Opcode::Continuation) if open.how == How::Frames => Ok(self.utf8),
            (None, Opcode::Continuation) => Err(SendError::NoMessageOpen),
            (Some(open), _) => Err(SendError::MessageOpen(open.opcode)),
            (None, _) => Ok(Utf8::new()),
        }
    }

    /// Returns a client's next masking key.
    #[inline]
    fn draw_key(&self) -> Result<Option<[u8; 4]>, SendError> {
        match self.keys {
            Some(draw) => Ok(Some(draw().ok_or(SendError::NoEntropy)?)),
            None => Ok(None),
        }
    }

    /// Returns the reserved bits that the first frame of a message may have.
    #[inline]
    fn allowed_rsv(&self) -> Rsv {
        self.extensions | self.extended
    }

    #[inline]
    fn commit(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        len: usize,
        utf8: Utf8,
    ) -> Result<Header, SendError> {
        let mask = self.draw_key()?;
        let header = Header::new(fin, rsv, opcode, mask, len as u64)?;
        self.utf8 = utf8;
        match opcode {
            Opcode::Close => self.closed = true,
            Opcode::Ping | Opcode::Pong => {}
            Opcode::Continuation => {
                if fin {
                    self.message = None;
                }
            }
            Opcode::Text | Opcode::Binary => {
                self.message = (!fin).then_some(Open::new(opcode, rsv));
            }
        }
        Ok(header)
    }
}

impl Open {
    #[inline]
    fn new(opcode: Opcode, rsv: Rsv) -> Self {
        Self {
            opcode,
            rsv,
            how: How::Frames,
        }
    }

    /// Checks a piece of a text (RFC 6455 8.1: the message as a whole is UTF-8). With reserved bits it is none:
    /// an extension has made something else of it.
    #[inline]
    fn check_text(self, utf8: &mut Utf8, payload: &[u8], fin: bool) -> Result<(), SendError> {
        if self.opcode == Opcode::Text && self.rsv.is_none() {
            utf8.push(payload)?;
            if fin && !utf8.is_complete() {
                return Err(SendError::InvalidUtf8);
            }
        }
        Ok(())
    }
}

/// Checks that a text is UTF-8 as a whole (RFC 6455 8.1), unless that is known.
#[inline]
fn check_whole(message: &Outgoing<'_>) -> Result<(), SendError> {
    if message.opcode() == Opcode::Text && !message.is_utf8 && !is_whole_text(message.payload) {
        return Err(SendError::InvalidUtf8);
    }
    Ok(())
}

fn check_close(payload: &[u8]) -> Result<(), SendError> {
    match payload {
        [] => Ok(()),
        [_] => Err(SendError::CloseCodeTruncated),
        [high, low, reason @ ..] => {
            let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
            if !code.is_sendable() {
                return Err(SendError::CloseCodeUnsendable(code));
            }
            match core::str::from_utf8(reason) {
                Ok(_) => Ok(()),
                Err(_) => Err(SendError::InvalidUtf8),
            }
        }
    }
}

/// Why a frame cannot be sent. The caller's mistake, except for [`NoEntropy`](Self::NoEntropy) and
/// [`Compression`](Self::Compression). Nothing was sent and the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame was sent: nothing may follow it (RFC 6455 5.5.1).
    Closed,
    /// A new message while another message's last fragment is due (RFC 6455 5.4).
    MessageOpen(Opcode),
    /// A continuation without a message to continue (RFC 6455 5.4).
    NoMessageOpen,
    /// A message must begin as Text or Binary.
    NotAMessage(Opcode),
    /// Reserved bits that were not allowed, or not on this frame (RFC 6455 5.2).
    ReservedBits(Rsv),
    /// A control frame cannot be fragmented (RFC 6455 5.5).
    FragmentedControl(Opcode),
    /// A control frame carries at most 125 bytes (RFC 6455 5.5).
    ControlTooLarge {
        /// The bytes that were given.
        len: usize,
    },
    /// The reason of a Close frame with more than 123 bytes: its code takes two of the 125
    /// (RFC 6455 5.5.1).
    ReasonTooLarge {
        /// The bytes of the reason that was given.
        len: usize,
    },
    /// A Close frame's payload begins with a two-byte code (RFC 6455 5.5.1).
    CloseCodeTruncated,
    /// A code that is never sent (RFC 6455 7.4).
    CloseCodeUnsendable(CloseCode),
    /// Text or a close reason that is not UTF-8 (RFC 6455 8.1).
    InvalidUtf8,
    /// More than 2^63 − 1 bytes in one frame (RFC 6455 5.2).
    TooLong,
    /// The key source had no masking key (RFC 6455 5.3).
    NoEntropy,
    /// The compression engine failed.
    Compression,
}

impl From<InvalidUtf8> for SendError {
    fn from(_: InvalidUtf8) -> Self {
        Self::InvalidUtf8
    }
}

/// A header that cannot be built is a frame that cannot be sent, for the same reason.
impl From<Violation> for SendError {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::FragmentedControl(opcode) => Self::FragmentedControl(opcode),
            _ => Self::TooLong,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("a close frame was sent: nothing may follow it"),
            Self::MessageOpen(opcode) => write!(f, "a {opcode} message is open: finish it first"),
            Self::NoMessageOpen => f.write_str("no message is open to continue"),
            Self::NotAMessage(opcode) => write!(f, "a message cannot begin as {opcode}"),
            Self::ReservedBits(rsv) => write!(f, "reserved bits {rsv} not allowed here"),
            Self::FragmentedControl(opcode) => write!(f, "a {opcode} frame cannot be fragmented"),
            Self::ControlTooLarge { len } => write!(
                f,
                "control payload of {len} bytes exceeds the limit of {MAX_CONTROL_PAYLOAD}"
            ),
            Self::ReasonTooLarge { len } => write!(
                f,
                "close reason of {len} bytes exceeds the limit of {}",
                MAX_CONTROL_PAYLOAD - 2
            ),
            Self::CloseCodeTruncated => f.write_str("close payload of one byte: a code is two"),
            Self::CloseCodeUnsendable(code) => write!(f, "close code {code} is never sent"),
            Self::InvalidUtf8 => f.write_str("text that is not UTF-8"),
            Self::TooLong => write!(f, "frame exceeds the limit of {MAX_PAYLOAD} bytes"),
            Self::NoEntropy => f.write_str("no entropy for a masking key"),
            Self::Compression => f.write_str("compression engine failed"),
        }
    }
}

impl core::error::Error for SendError {}

#[cfg(test)]
#[cfg(feature = "alloc")]
mod tests;
