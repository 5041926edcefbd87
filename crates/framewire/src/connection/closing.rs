//! The state of the closing handshake, as the sending side knows it.

use std::mem;

use super::replies::Reply;
use crate::error::{Close, Closed, Side};

/// The state of the closing handshake (RFC 6455 7.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Neither end has sent a Close frame.
    #[default]
    Open,
    /// One end has sent a Close frame, or both have.
    Begun(Box<Closed>),
    /// The stream has ended before the closing handshake did. Nothing more is sent.
    Lost(Option<Box<Closed>>),
}

/// An event that changes the state of the closing handshake.
#[derive(Debug)]
pub(crate) enum Step {
    /// This end has sent a Close frame, or is about to.
    Sent(Close),
    /// The peer's Close frame has arrived.
    Received(Close),
    /// The stream has ended or failed.
    Lost,
}

impl Closing {
    /// Applies a step. Only the first Close frame of each end counts.
    pub(crate) fn record(&mut self, step: Step) {
        *self = match (mem::take(self), step) {
            (Self::Open, Step::Sent(close)) => Self::Begun(Box::new(Closed {
                local: Some(close),
                peer: None,
                by: Side::Local,
            })),
            (Self::Open, Step::Received(close)) => Self::Begun(Box::new(Closed {
                local: None,
                peer: Some(close),
                by: Side::Peer,
            })),
            (Self::Begun(mut closed), Step::Sent(close)) => {
                closed.local.get_or_insert(close);
                Self::Begun(closed)
            }
            (Self::Begun(mut closed), Step::Received(close)) => {
                closed.peer.get_or_insert(close);
                Self::Begun(closed)
            }
            (Self::Open, Step::Lost) => Self::Lost(None),
            (Self::Begun(closed), Step::Lost) => Self::Lost(Some(closed)),
            (lost @ Self::Lost(_), _) => lost,
        };
    }

    /// Applies the steps that a reply stands for.
    pub(crate) fn record_reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Pong(_) => {}
            Reply::Close(answer, received) => {
                self.record(Step::Received(received.clone()));
                if let Some(payload) = answer {
                    self.record(Step::Sent(Close::of(payload.as_slice())));
                }
            }
            Reply::Violation(violation) => {
                self.record(Step::Sent(Close::of_violation(violation)));
            }
            Reply::Lost => self.record(Step::Lost),
        }
    }

    /// Returns the Close frames, once either end has sent one.
    pub(crate) fn closed(&self) -> Option<&Closed> {
        match self {
            Self::Open => None,
            Self::Begun(closed) => Some(closed),
            Self::Lost(closed) => closed.as_deref(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Returns whether frames can still be sent, a Close frame included.
    #[inline]
    pub(crate) fn can_send(&self) -> bool {
        match self {
            Self::Open => true,
            Self::Begun(closed) => closed.local.is_none(),
            Self::Lost(_) => false,
        }
    }

    /// Returns whether this end has sent a Close frame, or is about to.
    pub(crate) fn has_sent(&self) -> bool {
        self.closed().is_some_and(|closed| closed.local.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::CloseCode;

    fn close(code: u16) -> Close {
        Close::of(&code.to_be_bytes())
    }

    /// Returns the Close codes in the order in which they were recorded, with `!` where the stream has ended.
    fn told(closing: &Closing) -> String {
        let mut told = String::new();
        if let Some(closed) = closing.closed() {
            let code = |close: &Option<Close>| close.as_ref().map(|close| close.code);
            let ours = code(&closed.local).map(|code| format!("ours {code}"));
            let theirs = code(&closed.peer).map(|code| format!("theirs {code}"));
            let both = match closed.by {
                Side::Local => [ours, theirs],
                Side::Peer => [theirs, ours],
            };
            told = both.into_iter().flatten().collect::<Vec<_>>().join(", ");
        }
        if matches!(closing, Closing::Lost(_)) {
            told.push('!');
        }
        told
    }

    #[test]
    fn each_step_leads_where_the_table_says() {
        // The steps recorded first, and the state after one more: our Close 1000, the peer's Close 1001, or the end of
        // the stream.
        let table = [
            ("", ["ours 1000", "theirs 1001", "!"]),
            ("s", ["ours 4000", "ours 4000, theirs 1001", "ours 4000!"]),
            (
                "r",
                ["theirs 4001, ours 1000", "theirs 4001", "theirs 4001!"],
            ),
            (
                "sr",
                [
                    "ours 4000, theirs 4001",
                    "ours 4000, theirs 4001",
                    "ours 4000, theirs 4001!",
                ],
            ),
            (
                "rs",
                [
                    "theirs 4001, ours 4000",
                    "theirs 4001, ours 4000",
                    "theirs 4001, ours 4000!",
                ],
            ),
            ("l", ["!"; 3]),
            ("sl", ["ours 4000!"; 3]),
            ("rl", ["theirs 4001!"; 3]),
            ("srl", ["ours 4000, theirs 4001!"; 3]),
        ];
        for (before, after) in table {
            for (step, expected) in ["s", "r", "l"].into_iter().zip(after) {
                let mut closing = Closing::default();
                for step in before.chars() {
                    closing.record(match step {
                        's' => Step::Sent(close(4000)),
                        'r' => Step::Received(close(4001)),
                        _ => Step::Lost,
                    });
                }
                closing.record(match step {
                    "s" => Step::Sent(close(CloseCode::NORMAL.get())),
                    "r" => Step::Received(close(CloseCode::GOING_AWAY.get())),
                    _ => Step::Lost,
                });
                assert_eq!(told(&closing), expected, "{before:?}, then {step}");
                let lost = expected.ends_with('!');
                assert_eq!(
                    closing.can_send(),
                    !lost && !expected.contains("ours"),
                    "{expected}"
                );
                assert_eq!(closing.has_sent(), expected.contains("ours"), "{expected}");
                assert!(!closing.is_open());
            }
        }
    }
}
