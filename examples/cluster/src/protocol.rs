//! What clients and nodes say to each other, and how a message lies in NATS.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What a node sends: JSON in a text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ToClient<'a> {
    /// The first message of a connection: the client has all of the room up to `at`, and what follows comes after it.
    /// The numbers are those of this era.
    Welcome {
        at: u64,
        #[serde(borrow)]
        era: Cow<'a, str>,
    },
    /// A message of the room.
    #[serde(borrow)]
    Said(Said<'a>),
    /// The client's message of this number is stored. It may be told so more than once.
    Stored { number: u64, seq: u64 },
}

/// A message of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said<'a> {
    /// Its place in the one order of all rooms, which `JetStream` gives it.
    pub seq: u64,
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    /// Which one of its sender's messages it is.
    pub number: u64,
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// What a client sends: JSON in a text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say<'a> {
    /// Counts the messages of this session, so that one that is sent again is told from another with the same text.
    pub number: u64,
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// What a client asks for when it connects: `/ROOM?client=NAME&session=NONCE&after=SEQ&era=ERA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub room: String,
    pub client: String,
    /// What tells one start of a client from another, with the numbers of each from 1.
    pub session: String,
    /// The last message that the client has. `None` (`after=now`, or nothing) is the last one there is.
    pub after: Option<u64>,
    /// The era of that number, as the client was told.
    pub era: Option<String>,
}

impl Entry {
    /// Reads the path and the query of a request.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn parse(path: &str, query: &str) -> Result<Self, &'static str> {
        let room = path.strip_prefix('/').unwrap_or(path);
        if !is_name(room) {
            return Err("the path is not a room: 1 to 64 of A-Z a-z 0-9 - _");
        }
        let (mut client, mut session, mut era, mut after) = (None, None, None, None);
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("client", name)) => client = Some(named(name)?),
                Some(("session", nonce)) => session = Some(named(nonce)?),
                Some(("era", name)) => era = Some(named(name)?),
                Some(("after", "now")) => after = None,
                Some(("after", digits)) => {
                    after = Some(digits.parse().map_err(|_| "after is not a number")?);
                }
                _ => {}
            }
        }
        Ok(Self {
            room: room.to_owned(),
            client: client.ok_or("client is missing")?,
            session: session.ok_or("session is missing")?,
            after,
            era,
        })
    }
}

fn named(name: &str) -> Result<String, &'static str> {
    let named = is_name(name).then(|| name.to_owned());
    named.ok_or("client, session and era are 1 to 64 of A-Z a-z 0-9 - _ each")
}

/// Returns whether this can name a room, a client or a session. It becomes part of subjects and headers of NATS, in
/// which dots, spaces, wildcards and line ends mean something.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// Returns the id under which `JetStream` stores a message once.
#[must_use]
pub fn message_id(room: &str, client: &str, session: &str, number: u64) -> String {
    format!("{room}/{client}/{session}/{number}")
}

/// Returns the sender and the number out of a message's id. One that others have made says neither.
#[must_use]
pub fn sender(id: &str) -> (&str, u64) {
    let mut parts = id.split('/').skip(1);
    let client = parts.next().unwrap_or_default();
    let number = parts.nth(1).and_then(|digits| digits.parse().ok());
    (client, number.unwrap_or_default())
}

/// Returns the subject on which a room's messages are stored.
#[must_use]
pub fn stored_subject(room: &str) -> String {
    format!("{STORED}.{room}")
}

/// Returns the subject on which a room's messages come once they are stored.
#[must_use]
pub fn live_subject(room: &str) -> String {
    format!("{LIVE}.{room}")
}

pub const STORED: &str = "chat.room";
pub const LIVE: &str = "chat.live";
/// The longest text of a message, in bytes.
pub const MAX_TEXT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_reach_into_subjects_or_headers() {
        for name in [
            "",
            "a.b",
            "*",
            ">",
            "a b",
            "a\r\nNats-Msg-Id: x",
            "ä",
            "a/b",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(!is_name(&"a".repeat(65)));
        assert!(is_name(&"a".repeat(64)));
        assert!(is_name("room-1_A"));
    }

    #[test]
    fn an_entry_without_a_client_or_a_session_or_with_a_wrong_number_is_refused() {
        for (path, query) in [
            ("/", "client=me&session=1"),
            ("/a/b", "client=me&session=1"),
            ("/room", ""),
            ("/room", "session=1"),
            ("/room", "client=&session=1"),
            ("/room", "client=a.b&session=1"),
            ("/room", "client=me"),
            ("/room", "client=me&session="),
            ("/room", "client=me&session=a/b"),
            ("/room", "client=me&session=1&era="),
            ("/room", "client=me&session=1&after=-1"),
            ("/room", "client=me&session=1&after=99999999999999999999"),
        ] {
            assert!(Entry::parse(path, query).is_err(), "{path}?{query}");
        }
    }

    #[test]
    fn an_entry_says_after_which_message() {
        let after = |query| Entry::parse("/room", query).unwrap().after;
        assert_eq!(after("client=me&session=1"), None);
        assert_eq!(after("client=me&session=1&after=now"), None);
        assert_eq!(after("client=me&session=1&after=0"), Some(0));
        assert_eq!(after("after=12&client=me&session=1"), Some(12));
    }

    #[test]
    fn a_message_id_gives_back_its_sender() {
        assert_eq!(sender(&message_id("room", "me", "1", 7)), ("me", 7));
        assert_eq!(sender("of somebody else"), ("", 0));
        assert_eq!(sender("a/b/c"), ("b", 0));
        assert_eq!(sender("a/b/c/d"), ("b", 0));
    }

    #[test]
    fn a_client_that_starts_again_does_not_repeat_its_ids() {
        let first_id = |query| {
            let entry = Entry::parse("/room", query).unwrap();
            message_id(&entry.room, &entry.client, &entry.session, 1)
        };
        let one = first_id("client=me&session=one");
        assert_ne!(one, first_id("client=me&session=two"));
        assert_eq!(one, first_id("after=7&session=one&client=me"));
    }

    #[test]
    fn messages_are_json_with_their_type() {
        let said = ToClient::Said(Said {
            seq: 5,
            from: "me".into(),
            number: 1,
            text: "a \"word\"".into(),
        });
        let json = serde_json::to_string(&said).unwrap();
        assert_eq!(
            json,
            r#"{"type":"said","seq":5,"from":"me","number":1,"text":"a \"word\""}"#
        );
        assert_eq!(serde_json::from_str::<ToClient<'_>>(&json).unwrap(), said);
    }
}
