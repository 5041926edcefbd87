//! What the two ends of a transfer say to each other, in JSON.

use std::fmt;
use std::time::Duration;

use framewire::{CloseCode, Message, Opcode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the sender says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Say {
    /// A file comes.
    File {
        name: String,
        /// Its bytes, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    /// The checksum of as many bytes of the file as the receiver has, if it can be told.
    Prefix(Option<String>),
    /// The checksum of the whole file.
    Sha256(String),
}

/// What the receiver answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// How many bytes are there, which may be of this file.
    Have(u64),
    /// The offset at which the message with the file is to begin.
    From(u64),
    /// The file is there, with so many bytes.
    Done(u64),
    Failed(Refused),
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    /// The same for people.
    pub(crate) text: String,
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Why {
    /// Its name cannot be that of a file.
    Name,
    /// A file of that name is there, and is another.
    Exists,
    /// It is larger than the receiver takes.
    TooLarge,
    /// A file of that name is just being received.
    Busy,
    /// It has fewer or more bytes than was announced.
    Size,
    /// What has arrived is not what was sent.
    Checksum,
    /// It cannot be stored: the disk is full, for example.
    Storage,
    /// A reason that a later version of the protocol has.
    #[serde(other)]
    Other,
}

/// A message that is none of this protocol.
#[derive(Debug)]
pub(crate) struct Malformed(String);

/// Returns what is said, as the text of a message.
pub(crate) fn encode(said: &impl Serialize) -> String {
    // Nothing that these types hold fails.
    serde_json::to_string(said).unwrap_or_default()
}

/// Reads what a message says.
pub(crate) fn decode<T: DeserializeOwned>(message: &Message<'_>) -> Result<T, Malformed> {
    if message.opcode() != Opcode::Text {
        return Err(Malformed("binary message where a text was due".to_owned()));
    }
    serde_json::from_slice(message.payload()).map_err(|error| Malformed(error.to_string()))
}

impl Refused {
    pub(crate) fn new(why: Why, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { why, text }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a message of {SUBPROTOCOL}: {}", self.0)
    }
}

/// Returns the longest beginning of a text that a Close frame can hold (RFC 6455 5.5).
pub(crate) fn close_reason(text: &str) -> &str {
    let mut end = text.len().min(MOST_REASON);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The name of the protocol in the handshake.
pub(crate) const SUBPROTOCOL: &str = "framewire.files.1";
/// The most bytes in a text message.
pub(crate) const MOST_TEXT: u64 = 4 << 10;
/// How many bytes of a file are in one fragment, and how many are read and written at a time.
pub(crate) const CHUNK: usize = 64 << 10;
/// The close code after a message that is none of the protocol (RFC 6455 7.4.1).
pub(crate) const MALFORMED: CloseCode = CloseCode::INVALID_PAYLOAD;
/// How often an end sends a Ping.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(5);
/// How long a Pong may take: an end that is busy reads nothing, and is known to be there by its own Pings.
pub(crate) const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
const MOST_REASON: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn both_ends_speak_json() {
        let file = |size| Say::File {
            name: "a\"b".to_owned(),
            size,
        };
        let refused = Refused::new(Why::TooLarge, "no");
        for (said, text) in [
            (file(Some(9)), r#"{"file":{"name":"a\"b","size":9}}"#),
            (file(None), r#"{"file":{"name":"a\"b"}}"#),
            (Say::Prefix(None), r#"{"prefix":null}"#),
            (Say::Sha256("00".to_owned()), r#"{"sha256":"00"}"#),
        ] {
            assert_eq!(encode(&said), text);
            assert_eq!(read::<Say>(text), Some(said));
        }
        let text = r#"{"failed":{"why":"too-large","text":"no"}}"#;
        assert_eq!(encode(&Answer::Failed(refused)), text);
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let text = r#"{"file":{"name":"a","size":9,"colour":"red"}}"#;
        assert!(read::<Say>(text).is_some());
        let text = r#"{"failed":{"why":"mood","text":"no"}}"#;
        let refused = Refused::new(Why::Other, "no");
        assert_eq!(read::<Answer>(text), Some(Answer::Failed(refused)));
    }

    #[test]
    fn nonsense_is_not_taken() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"file":{}}"#,
            r#"{"file":{"name":"a","size":-1}}"#,
            r#"{"file":{"name":"a","size":1e30}}"#,
            r#"{"file":{"name":7}}"#,
            r#"{"prefix":4}"#,
            r#"{"prefix":"4"} {"prefix":"4"}"#,
            r#"{"else":4}"#,
        ] {
            assert_eq!(read::<Say>(text), None, "{text}");
        }
        assert_eq!(read::<Say>(&"[".repeat(4096)), None);
    }

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        assert_eq!(close_reason("no"), "no");
        assert_eq!(close_reason(&"a".repeat(200)).len(), 123);
        assert_eq!(close_reason(&"ü".repeat(200)).len(), 122);
    }
}
