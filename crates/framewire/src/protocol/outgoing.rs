//! What is sent: a kind of message and its payload, as one value.

use core::fmt;

#[cfg(feature = "alloc")]
use alloc::borrow::{Cow, ToOwned};
#[cfg(feature = "alloc")]
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use crate::frame::{Opcode, Rsv};

/// What kind of message is sent: text or binary, with which reserved bits, compressed or not.
///
/// An [`Opcode`] is one: Text or Binary, as most messages are.
///
/// # Examples
/// ```
/// use framewire::protocol::MessageKind;
/// use framewire::{Opcode, Rsv};
///
/// let kind = MessageKind::new(Opcode::Binary).rsv(Rsv::RSV2).uncompressed();
/// assert_eq!(kind.opcode(), Opcode::Binary);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageKind {
    pub(crate) opcode: Opcode,
    pub(crate) rsv: Rsv,
    pub(crate) is_compressed: bool,
}

impl MessageKind {
    /// Creates the kind of a message without reserved bits, which is compressed where that was agreed on.
    #[must_use]
    #[inline]
    pub const fn new(opcode: Opcode) -> Self {
        Self {
            opcode,
            rsv: Rsv::NONE,
            is_compressed: true,
        }
    }

    /// Sets the reserved bits of the first frame, for an extension of the application's own. A message that has any
    /// is not compressed, and a text is not checked: the extension has made something else of it.
    #[must_use]
    #[inline]
    pub const fn rsv(self, rsv: Rsv) -> Self {
        Self { rsv, ..self }
    }

    /// Sends the message as it is, even where compression was agreed on. For payloads that are compressed already, or
    /// hold a secret next to what a stranger can choose.
    #[must_use]
    #[inline]
    pub const fn uncompressed(self) -> Self {
        Self {
            is_compressed: false,
            ..self
        }
    }

    /// Returns Text or Binary.
    #[must_use]
    #[inline]
    pub const fn opcode(self) -> Opcode {
        self.opcode
    }

    /// Returns whether an extension may transform the message.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn may_transform(self) -> bool {
        self.is_compressed && self.rsv.is_none()
    }
}

impl From<Opcode> for MessageKind {
    #[inline]
    fn from(opcode: Opcode) -> Self {
        Self::new(opcode)
    }
}

/// A message to send: its kind, and its payload in the caller's memory.
///
/// Every call that sends a message takes anything that can be made into one ([`ToOutgoing`]): a `&str`, bytes, a
/// message that was received. Of a text that is known to be UTF-8, such as a `&str`, no byte is checked again.
///
/// # Examples
/// ```
/// use framewire::{Config, Outgoing, WebSocket};
///
/// let mut websocket = WebSocket::server(std::io::Cursor::new(Vec::new()), Config::default())?;
/// websocket.write("text")?;
/// websocket.write(&[1, 2, 3])?;
/// websocket.write(Outgoing::binary(b"\x89PNG").uncompressed())?;
/// # Ok::<(), framewire::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Outgoing<'p> {
    pub(crate) kind: MessageKind,
    pub(crate) payload: &'p [u8],
    /// Whether a text is known to be UTF-8.
    pub(crate) is_utf8: bool,
}

impl<'p> Outgoing<'p> {
    /// Creates a text message.
    #[must_use]
    #[inline]
    pub const fn text(text: &'p str) -> Self {
        Self {
            kind: MessageKind::new(Opcode::Text),
            payload: text.as_bytes(),
            is_utf8: true,
        }
    }

    /// Creates a binary message.
    #[must_use]
    #[inline]
    pub const fn binary(payload: &'p [u8]) -> Self {
        Self {
            kind: MessageKind::new(Opcode::Binary),
            payload,
            is_utf8: false,
        }
    }

    /// Creates a message of a kind: an [`Opcode`] or a [`MessageKind`]. A text is checked when it is sent.
    #[must_use]
    #[inline]
    pub fn new(kind: impl Into<MessageKind>, payload: &'p [u8]) -> Self {
        Self {
            kind: kind.into(),
            payload,
            is_utf8: false,
        }
    }

    /// Sets the reserved bits; see [`MessageKind::rsv`].
    #[must_use]
    #[inline]
    pub const fn rsv(self, rsv: Rsv) -> Self {
        Self {
            kind: self.kind.rsv(rsv),
            ..self
        }
    }

    /// Sends the message as it is; see [`MessageKind::uncompressed`].
    #[must_use]
    #[inline]
    pub const fn uncompressed(self) -> Self {
        Self {
            kind: self.kind.uncompressed(),
            ..self
        }
    }

    /// Returns the kind of the message.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns Text or Binary.
    #[must_use]
    #[inline]
    pub const fn opcode(&self) -> Opcode {
        self.kind.opcode
    }

    /// Returns the bytes.
    #[must_use]
    #[inline]
    pub const fn payload(&self) -> &'p [u8] {
        self.payload
    }

    /// Returns whether this is a text that is known to be UTF-8, so that it is sent without a check.
    #[must_use]
    #[inline]
    pub const fn is_utf8(&self) -> bool {
        self.is_utf8
    }
}

/// Two messages are equal if they have the same kind and payload.
impl PartialEq for Outgoing<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.payload) == (other.kind, other.payload)
    }
}

impl Eq for Outgoing<'_> {}

/// Tells the kind and the length.
impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("kind", &self.kind)
            .field("len", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// Whatever can be sent as a message.
///
/// | type | is sent as |
/// |---|---|
/// | `str`, `String` | text, without a check |
/// | `[u8]`, `[u8; N]`, `Vec<u8>` | binary |
/// | [`Message`](super::Message), received | as it came: text without a check, its reserved bits too |
/// | [`Outgoing`] | what it says |
/// | `(kind, bytes)`, `kind` an [`Opcode`] or a [`MessageKind`] | a message of that kind; a text is checked |
/// | `OwnedMessage`, `Text`, `Bytes` (feature `bytes`) | what it is, without a check |
///
/// References, boxes, `Arc`s and `Cow`s of these are sent as what they point to. Implement it for a type of your own
/// to send that directly. [`to_outgoing`](Self::to_outgoing) has to return the same at each call.
pub trait ToOutgoing {
    /// Returns the message. Copies nothing.
    fn to_outgoing(&self) -> Outgoing<'_>;
}

impl ToOutgoing for Outgoing<'_> {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        *self
    }
}

impl ToOutgoing for str {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        Outgoing::text(self)
    }
}

impl ToOutgoing for [u8] {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        Outgoing::binary(self)
    }
}

impl<const N: usize> ToOutgoing for [u8; N] {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        Outgoing::binary(self)
    }
}

impl<K: Into<MessageKind> + Copy, P: AsRef<[u8]>> ToOutgoing for (K, P) {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        Outgoing::new(self.0, self.1.as_ref())
    }
}

impl<T: ToOutgoing + ?Sized> ToOutgoing for &T {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        (**self).to_outgoing()
    }
}

impl<T: ToOutgoing + ?Sized> ToOutgoing for &mut T {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        (**self).to_outgoing()
    }
}

#[cfg(feature = "alloc")]
impl ToOutgoing for String {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        Outgoing::text(self)
    }
}

/// Sends what it holds, borrowed or owned.
#[cfg(feature = "alloc")]
impl<T: ToOutgoing + ToOwned + ?Sized> ToOutgoing for Cow<'_, T> {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        (**self).to_outgoing()
    }
}

#[cfg(feature = "alloc")]
impl ToOutgoing for Vec<u8> {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        Outgoing::binary(self)
    }
}

#[cfg(feature = "alloc")]
impl<T: ToOutgoing + ?Sized> ToOutgoing for Box<T> {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        (**self).to_outgoing()
    }
}

#[cfg(feature = "alloc")]
impl<T: ToOutgoing + ?Sized> ToOutgoing for Arc<T> {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        (**self).to_outgoing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_equal_if_their_kinds_and_their_payloads_are() {
        let text = Outgoing::text("a");
        assert_eq!(text, Outgoing::new(Opcode::Text, b"a"));
        for other in [
            Outgoing::text("b"),
            Outgoing::binary(b"a"),
            text.rsv(Rsv::RSV1),
            text.uncompressed(),
        ] {
            assert_ne!(text, other);
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn what_is_shown_of_a_message_is_its_kind_and_its_length_and_no_payload() {
        let shown = alloc::format!("{:?}", Outgoing::text("secret"));
        assert!(
            shown.contains("Text") && shown.contains("len: 6"),
            "{shown}"
        );
        assert!(!shown.contains("secret"), "{shown}");
    }
}
