//! What went wrong in a run, by kind.

use std::collections::BTreeMap;
use std::fmt;

use framewire::handshake::{HandshakeError, HandshakeErrorKind};
use framewire::upgrade::UpgradeErrorKind;
use framewire::{Error, ErrorKind};

/// How often each kind of trouble was met, with the text of the first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Troubles(BTreeMap<Kind, Trouble>);

#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) count: u64,
    /// What the first one said. Parts of it may come from the server.
    pub(crate) first: String,
}

/// What went wrong, with a connection or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// There was no connection.
    Connect,
    /// The server answered the handshake with this status.
    Refused(u16),
    /// The server did not keep to HTTP or WebSocket.
    Protocol,
    /// The connection was closed with this code.
    Closed(u16),
    /// The connection ended without a Close frame.
    Lost,
    /// The handshake, or an answer, did not come in time.
    Timeout,
    /// An answer was not the same as its message.
    Wrong,
    /// A message came that answers nothing.
    Unasked,
}

impl Troubles {
    pub(crate) fn add(&mut self, kind: Kind, text: impl fmt::Display) {
        let first = || Trouble {
            count: 0,
            first: text.to_string(),
        };
        self.0.entry(kind).or_insert_with(first).count += 1;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, trouble) in other.0 {
            let Trouble { count, first } = trouble;
            let first = || Trouble { count: 0, first };
            self.0.entry(kind).or_insert_with(first).count += count;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Kind, &Trouble)> {
        self.0.iter().map(|(kind, trouble)| (*kind, trouble))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Kind {
    /// Returns why a connection did not come about.
    pub(crate) fn of_handshake(error: &HandshakeError) -> Self {
        if let Some(status) = error.status() {
            return Self::Refused(status.as_u16());
        }
        match error.kind() {
            HandshakeErrorKind::Upgrade(UpgradeErrorKind::TimedOut) => Self::Timeout,
            HandshakeErrorKind::Upgrade(
                UpgradeErrorKind::Malformed
                | UpgradeErrorKind::HeadTooLarge
                | UpgradeErrorKind::TooManyHeaders
                | UpgradeErrorKind::Version
                | UpgradeErrorKind::MissingConnection
                | UpgradeErrorKind::ProtocolMismatch,
            )
            | HandshakeErrorKind::Subprotocol
            | HandshakeErrorKind::Extension
            | HandshakeErrorKind::Accept => Self::Protocol,
            _ => Self::Connect,
        }
    }

    /// Returns why a connection ended.
    pub(crate) fn of_connection(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Violation(_) => Self::Protocol,
            ErrorKind::Closed(closed) => Self::Closed(closed.code().get()),
            _ => Self::Lost,
        }
    }

    /// Returns a name for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refused(_) => "refused",
            Self::Protocol => "protocol",
            Self::Closed(_) => "closed",
            Self::Lost => "lost",
            Self::Timeout => "timeout",
            Self::Wrong => "wrong_answer",
            Self::Unasked => "unasked_message",
        }
    }

    /// Returns the HTTP status or the close code.
    pub(crate) fn code(self) -> Option<u16> {
        match self {
            Self::Refused(code) | Self::Closed(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("could not connect"),
            Self::Refused(status) => write!(f, "refused with {status}"),
            Self::Protocol => f.write_str("broke the protocol"),
            Self::Closed(code) => write!(f, "closed with {code}"),
            Self::Lost => f.write_str("lost"),
            Self::Timeout => f.write_str("timed out"),
            Self::Wrong => f.write_str("wrong answer"),
            Self::Unasked => f.write_str("answer to nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Troubles};

    #[test]
    fn troubles_of_threads_add_up_and_the_first_text_stays() {
        let mut troubles = Troubles::default();
        troubles.add(Kind::Lost, "a");
        troubles.add(Kind::Lost, "b");
        let mut others = Troubles::default();
        others.add(Kind::Lost, "c");
        others.add(Kind::Closed(1001), "d");
        troubles.merge(others);
        let told: Vec<_> = troubles
            .iter()
            .map(|(kind, trouble)| (kind.to_string(), trouble.count, &trouble.first[..]))
            .collect();
        let expected = [
            ("closed with 1001".to_owned(), 1, "d"),
            ("lost".to_owned(), 3, "a"),
        ];
        assert_eq!(told, expected);
    }
}
