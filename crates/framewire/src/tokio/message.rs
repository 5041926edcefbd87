//! Messages that own their payload, for `Stream` and `Sink`.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;

use crate::frame::{Opcode, Rsv};
use crate::protocol::as_text;

/// A message that owns its payload: the item of the `Stream` and the `Sink` of a
/// [`WebSocket`](super::WebSocket).
///
/// Cheap to clone, as the clones share one payload. Control frames are no `Message`: they are answered while
/// messages are read. For anything beyond that there are handlers, [`ping`](super::Writer::ping) and
/// [`close`](super::WebSocket::close).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Message {
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

impl Message {
    /// Creates a text. Copies nothing if it is given a `String`, a `&'static str` or a [`Text`].
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// Creates a binary message. Copies nothing if it is given a `Vec<u8>`, a `&'static [u8]` or [`Bytes`].
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Creates a message that was received. The connection has checked that a text is UTF-8, unless it has
    /// reserved bits.
    pub(super) fn received(opcode: Opcode, rsv: Rsv, payload: Vec<u8>) -> Self {
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
    pub fn as_text(&self) -> Option<&str> {
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

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

/// Copies nothing.
impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Copies nothing.
impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::from_static(text)
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
        assert_eq!(Message::from(text).into_payload().as_ptr(), at);

        let string = "a".repeat(100);
        let at = string.as_ptr();
        assert_eq!(Message::text(string).payload().as_ptr(), at);

        let received = vec![b'a'; 100];
        let at = received.as_ptr();
        let message = Message::received(Opcode::Text, Rsv::NONE, received);
        assert_eq!(message.clone().into_payload().as_ptr(), at);
        assert_eq!(message.as_text().map(str::len), Some(100));
    }

    #[test]
    fn opcode_is_that_of_the_variant() {
        let text = Message::from("a");
        assert_eq!((text.opcode(), text.payload()), (Opcode::Text, &b"a"[..]));
        let binary = Message::from(vec![0xFF]);
        assert_eq!((binary.opcode(), binary.as_text()), (Opcode::Binary, None));
        assert_eq!(
            Message::received(Opcode::Binary, Rsv::NONE, vec![0xFF]),
            binary
        );
    }
}
