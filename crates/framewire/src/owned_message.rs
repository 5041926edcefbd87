//! Messages that own their payload: to keep, to pass to another task, and for `Stream` and `Sink`.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;

use crate::frame::Opcode;
#[cfg(any(feature = "futures", test))]
use crate::frame::Rsv;
use crate::protocol::{Message, Outgoing, ToOutgoing, as_text};

/// A message that owns its payload: to keep, to pass to another task, and the item of the `Stream` and the `Sink` of
/// `tokio::WebSocket`. One that is lent, [`Message`], has the same accessors, and [becomes](Message::to_owned) one.
///
/// Cheap to clone, as the clones share one payload. It is sent without another check of its text. Control frames are no
/// `OwnedMessage`: they are answered while messages are read. For anything beyond that there are handlers, `ping` and
/// `close`.
///
/// # Examples
/// ```
/// use framewire::{Opcode, OwnedMessage};
///
/// let message = OwnedMessage::from("hello");
/// assert_eq!((message.opcode(), message.text()), (Opcode::Text, Some("hello")));
/// assert_eq!(OwnedMessage::from(vec![1, 2, 3]).payload(), [1, 2, 3]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OwnedMessage {
    /// Text.
    Text(Text),
    /// Bytes.
    Binary(Bytes),
}

/// Bytes that are valid UTF-8.
///
/// Cheap to clone, as the clones share their memory.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

/// The error of bytes that were to become a [`Text`] and are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUtf8(Bytes);

impl OwnedMessage {
    /// Creates a message that was received. The connection has checked that a text is UTF-8, unless it has
    /// reserved bits.
    #[cfg(any(feature = "futures", test))]
    pub(crate) fn received(opcode: Opcode, rsv: Rsv, payload: Vec<u8>) -> Self {
        let payload = Bytes::from(payload);
        match opcode {
            Opcode::Text if rsv.is_none() => Self::Text(Text(payload)),
            _ => Self::Binary(payload),
        }
    }

    /// Returns Text or Binary.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::Text,
            Self::Binary(_) => Opcode::Binary,
        }
    }

    /// Returns the payload as bytes, of a text too.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the payload as bytes, of a text too. Copies nothing.
    #[must_use]
    pub fn into_payload(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the text; `None` for a binary message. Costs what [`Text::as_str`] does.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Binary(_) => None,
        }
    }
}

impl Text {
    /// Creates a text from a `'static` one. Copies nothing.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Returns the text.
    ///
    /// Checks every byte again, so call it once, not in a loop.
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the constructors see to it"
    )]
    pub fn as_str(&self) -> &str {
        as_text(&self.0).expect("no other bytes get into a text")
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes. Copies nothing.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl NotUtf8 {
    /// Returns the bytes, as they were given.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<Text> for OwnedMessage {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

/// Copies nothing.
impl From<String> for OwnedMessage {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// Copies the text. For one that is `'static` there is [`Text::from_static`].
impl From<&str> for OwnedMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Copies nothing.
impl From<Bytes> for OwnedMessage {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

/// Copies nothing.
impl From<Vec<u8>> for OwnedMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// Copies the bytes.
impl From<&[u8]> for OwnedMessage {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

/// Copies the payload.
impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        message.to_owned()
    }
}

impl Message<'_> {
    /// Returns a message of its own with the same payload, which it copies. One with reserved bits becomes
    /// [`Binary`](OwnedMessage::Binary), and so does a text that was changed and is not UTF-8 any more.
    #[must_use]
    pub fn to_owned(&self) -> OwnedMessage {
        let payload = Bytes::copy_from_slice(self.payload());
        if self.to_outgoing().is_utf8 && self.opcode() == Opcode::Text {
            return OwnedMessage::Text(Text(payload));
        }
        match self.opcode() {
            Opcode::Text if self.rsv().is_none() => match Text::try_from(payload) {
                Ok(text) => text.into(),
                Err(NotUtf8(payload)) => OwnedMessage::Binary(payload),
            },
            _ => OwnedMessage::Binary(payload),
        }
    }
}

impl ToOutgoing for OwnedMessage {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        match self {
            Self::Text(text) => text.to_outgoing(),
            Self::Binary(bytes) => Outgoing::binary(bytes),
        }
    }
}

impl ToOutgoing for Text {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        let text = Outgoing::new(Opcode::Text, &self.0);
        Outgoing {
            is_utf8: true,
            ..text
        }
    }
}

impl ToOutgoing for Bytes {
    #[inline]
    fn to_outgoing(&self) -> Outgoing<'_> {
        Outgoing::binary(self)
    }
}

/// Copies nothing.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Copies the text. For one that is `'static` there is [`Text::from_static`].
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// Checks every byte, and copies nothing.
impl TryFrom<Bytes> for Text {
    type Error = NotUtf8;

    fn try_from(bytes: Bytes) -> Result<Self, NotUtf8> {
        if as_text(&bytes).is_none() {
            return Err(NotUtf8(bytes));
        }
        Ok(Self(bytes))
    }
}

/// Checks every byte, and copies nothing.
impl TryFrom<Vec<u8>> for Text {
    type Error = NotUtf8;

    fn try_from(bytes: Vec<u8>) -> Result<Self, NotUtf8> {
        Bytes::from(bytes).try_into()
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        text.into_bytes()
    }
}

/// Costs what [`Text::as_str`] does.
impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text of {} bytes is not utf-8", self.0.len())
    }
}

impl StdError for NotUtf8 {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_a_text_only_where_they_are_utf_8() {
        for bytes in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80", b"\xc0\x80"] {
            let refused = Text::try_from(bytes.to_vec()).unwrap_err();
            assert_eq!(refused.into_bytes(), bytes);
        }
        let text = Text::try_from("w\u{f6}rld".as_bytes().to_vec()).unwrap();
        assert_eq!((text.as_str(), text.len()), ("w\u{f6}rld", 6));
        assert!(text == "w\u{f6}rld" && text != "world");
        assert_eq!(format!("{text} {text:?}"), "w\u{f6}rld \"w\u{f6}rld\"");
    }

    #[test]
    fn what_is_given_is_not_copied() {
        let bytes = vec![b'a'; 100];
        let at = bytes.as_ptr();
        let text = Text::try_from(bytes).unwrap();
        assert_eq!(OwnedMessage::from(text).into_payload().as_ptr(), at);

        let string = "a".repeat(100);
        let at = string.as_ptr();
        assert_eq!(OwnedMessage::from(string).payload().as_ptr(), at);

        let received = vec![b'a'; 100];
        let at = received.as_ptr();
        let message = OwnedMessage::received(Opcode::Text, Rsv::NONE, received);
        assert_eq!(message.clone().into_payload().as_ptr(), at);
        assert_eq!(message.text().map(str::len), Some(100));
    }

    #[test]
    fn opcode_is_that_of_the_variant() {
        let text = OwnedMessage::from("a");
        assert_eq!((text.opcode(), text.payload()), (Opcode::Text, &b"a"[..]));
        let binary = OwnedMessage::from(vec![0xFF]);
        assert_eq!((binary.opcode(), binary.text()), (Opcode::Binary, None));
        assert_eq!(
            OwnedMessage::received(Opcode::Binary, Rsv::NONE, vec![0xFF]),
            binary
        );
    }
}
