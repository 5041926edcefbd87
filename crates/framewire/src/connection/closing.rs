//! How a connection ends: one state, for both directions.

use std::io;

use super::replies::Reply;
use crate::error::{Close, Closed, Error, ErrorKind, Side, lasting};
use crate::frame::{CloseCode, Violation};

/// How far a connection has come to its end (RFC 6455 7.1). It is open until one of the [`Step`]s.
///
/// The parts are independent of each other, and not the states of one sequence: a write may fail before or after either
/// Close frame, and what the peer has sent before that can still be read. The decoder and the encoder are told of the
/// end of their direction; the halves of a connection have a copy of this for the reader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Closing(Option<Box<Ending>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ending {
    /// The Close frames, once either end has sent one.
    closed: Option<Closed>,
    /// The peer's violation, after which nothing more is read.
    violation: Option<Violation>,
    /// Whether the stream has ended before the closing handshake did.
    is_lost: bool,
    /// The error of a write, after which nothing more is written.
    failed: Option<io::ErrorKind>,
}

/// An event that ends a connection, or begins to.
#[derive(Debug)]
pub(crate) enum Step {
    /// This end has sent a Close frame, or is about to.
    Sent(Close),
    /// The peer's Close frame has arrived.
    Received(Close),
    /// The peer has broken a rule. This end's Close frame says so, unless it has sent one.
    Violated(Violation),
    /// The stream has ended, or a read has failed.
    Lost,
    /// A write has failed.
    Failed(io::ErrorKind),
}

impl Closing {
    /// Applies a step. Only the first Close frame of each end counts, and none after the end of the stream.
    pub(crate) fn record(&mut self, step: Step) {
        let ending = self.0.get_or_insert_default();
        match step {
            Step::Failed(error) => ending.failed = Some(error),
            _ if ending.is_lost => {}
            Step::Lost => ending.is_lost = true,
            Step::Sent(close) => {
                ending.closed_by(Side::Local).local.get_or_insert(close);
            }
            Step::Received(close) => {
                ending.closed_by(Side::Peer).peer.get_or_insert(close);
            }
            Step::Violated(violation) => {
                let close = Close::of_violation(&violation);
                ending.closed_by(Side::Local).local.get_or_insert(close);
                ending.violation = Some(violation);
            }
        }
    }

    /// Applies the steps that a reply stands for.
    pub(crate) fn record_reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Close(answer, received) => {
                self.record(Step::Received(received.clone()));
                if let Some(payload) = answer {
                    self.record(Step::Sent(Close::of(payload.as_slice())));
                }
            }
            Reply::Violation(violation) => self.record(Step::Violated(*violation)),
            Reply::Lost => self.record(Step::Lost),
            Reply::Pong(_) => {}
        }
    }

    /// Records a Close frame of this end with 1000, unless it has sent one or can send nothing. Returns whether it did.
    pub(crate) fn record_normal_close(&mut self) -> bool {
        let can_send = self.can_send();
        if can_send {
            self.record(Step::Sent(Close {
                code: CloseCode::NORMAL,
                reason: String::new(),
            }));
        }
        can_send
    }

    /// Returns the Close frames, once either end has sent one.
    pub(crate) fn closed(&self) -> Option<&Closed> {
        self.0.as_ref()?.closed.as_ref()
    }

    /// Returns whether nothing has begun to end the connection.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Returns whether frames can still be sent, a Close frame included.
    #[inline]
    pub(crate) fn can_send(&self) -> bool {
        match &self.0 {
            None => true,
            Some(ending) => !ending.is_lost && ending.failed.is_none() && !self.has_sent(),
        }
    }

    /// Returns whether this end has sent a Close frame, or is about to.
    pub(crate) fn has_sent(&self) -> bool {
        self.closed().is_some_and(|closed| closed.local.is_some())
    }

    /// Returns the error of a write, after which nothing more can be written.
    #[inline]
    pub(crate) fn failure(&self) -> Option<io::ErrorKind> {
        self.0.as_ref()?.failed
    }

    /// Returns why nothing more is sent.
    #[cold]
    pub(crate) fn write_error(&self) -> Error {
        if let Some(error) = self.failure() {
            return lasting(error.into()).into();
        }
        match self.closed() {
            Some(closed) if closed.local.is_some() => {
                ErrorKind::Closed(Box::new(closed.clone())).into()
            }
            _ => ErrorKind::ConnectionLost.into(),
        }
    }

    /// Returns why nothing more is read.
    #[cold]
    pub(crate) fn read_error(&self) -> Error {
        let Some(ending) = &self.0 else {
            return ErrorKind::ConnectionLost.into();
        };
        match (&ending.violation, &ending.closed) {
            (Some(violation), _) => ErrorKind::Violation(*violation).into(),
            (None, Some(closed)) if closed.peer.is_some() => {
                ErrorKind::Closed(Box::new(closed.clone())).into()
            }
            _ => ErrorKind::ConnectionLost.into(),
        }
    }
}

impl Ending {
    /// Returns the Close frames. `side` has sent the first one, unless there are any.
    fn closed_by(&mut self, side: Side) -> &mut Closed {
        self.closed.get_or_insert(Closed {
            local: None,
            peer: None,
            by: side,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let ending = closing.0.as_deref();
        for (sign, is_so) in [
            ("?", ending.is_some_and(|ending| ending.violation.is_some())),
            ("!", ending.is_some_and(|ending| ending.is_lost)),
            ("#", closing.failure().is_some()),
        ] {
            if is_so {
                told.push_str(sign);
            }
        }
        told
    }

    fn step(name: char, ours: u16, theirs: u16) -> Step {
        match name {
            's' => Step::Sent(close(ours)),
            'r' => Step::Received(close(theirs)),
            'v' => Step::Violated(Violation::ReservedOpcode(3)),
            'l' => Step::Lost,
            'f' => Step::Failed(io::ErrorKind::BrokenPipe),
            _ => unreachable!("{name}"),
        }
    }

    /// The steps recorded first, and the state after one more: our Close 1000, the peer's Close 1001, its violation,
    /// the end of the stream, or a failed write.
    const TABLE: [(&str, [&str; 5]); 8] = [
        ("", ["ours 1000", "theirs 1001", "ours 1002?", "!", "#"]),
        (
            "s",
            [
                "ours 4000",
                "ours 4000, theirs 1001",
                "ours 4000?",
                "ours 4000!",
                "ours 4000#",
            ],
        ),
        (
            "r",
            [
                "theirs 4001, ours 1000",
                "theirs 4001",
                "theirs 4001, ours 1002?",
                "theirs 4001!",
                "theirs 4001#",
            ],
        ),
        (
            "sr",
            [
                "ours 4000, theirs 4001",
                "ours 4000, theirs 4001",
                "ours 4000, theirs 4001?",
                "ours 4000, theirs 4001!",
                "ours 4000, theirs 4001#",
            ],
        ),
        (
            "rs",
            [
                "theirs 4001, ours 4000",
                "theirs 4001, ours 4000",
                "theirs 4001, ours 4000?",
                "theirs 4001, ours 4000!",
                "theirs 4001, ours 4000#",
            ],
        ),
        (
            "v",
            [
                "ours 1002?",
                "ours 1002, theirs 1001?",
                "ours 1002?",
                "ours 1002?!",
                "ours 1002?#",
            ],
        ),
        ("l", ["!", "!", "!", "!", "!#"]),
        (
            "f",
            ["ours 1000#", "theirs 1001#", "ours 1002?#", "!#", "#"],
        ),
    ];

    #[test]
    fn each_step_leads_where_the_table_says() {
        for (before, after) in TABLE {
            for (last, expected) in "srvlf".chars().zip(after) {
                let mut closing = Closing::default();
                for name in before.chars() {
                    closing.record(step(name, 4000, 4001));
                }
                closing.record(step(last, 1000, 1001));
                assert_eq!(told(&closing), expected, "{before:?}, then {last}");
            }
        }
    }

    #[test]
    fn any_steps_in_a_row_say_what_can_still_be_sent_and_why_nothing_is_read_or_sent() {
        let mut sequences = vec![String::new()];
        for _ in 0..4 {
            let longer = sequences
                .iter()
                .flat_map(|steps| "srvlf".chars().map(move |name| format!("{steps}{name}")));
            sequences = longer.chain([String::new()]).collect();
        }
        for steps in sequences.iter().filter(|steps| !steps.is_empty()) {
            let mut closing = Closing::default();
            for name in steps.chars() {
                closing.record(step(name, 1000, 1001));
            }
            // After the end of the stream nothing counts but that a write fails.
            let until_lost = steps.split('l').next().unwrap_or_default();
            let (is_lost, has_failed) = (steps.contains('l'), steps.contains('f'));
            let has_ours = until_lost.contains(['s', 'v']);
            let (has_theirs, is_violated) = (until_lost.contains('r'), until_lost.contains('v'));
            assert!(!closing.is_open(), "{steps}");
            assert_eq!(closing.has_sent(), has_ours, "{steps}");
            let can_send = !has_ours && !is_lost && !has_failed;
            assert_eq!(closing.can_send(), can_send, "{steps}");
            let read = closing.read_error().into_kind();
            let is_why_read = match read {
                ErrorKind::Violation(_) => is_violated,
                ErrorKind::Closed(_) => has_theirs && !is_violated,
                ErrorKind::ConnectionLost => !has_theirs && !is_violated,
                _ => false,
            };
            assert!(is_why_read, "{steps}: {read:?}");
            let write = closing.write_error().into_kind();
            let is_why_sent = match write {
                ErrorKind::Io(_) => has_failed,
                ErrorKind::Closed(_) => has_ours && !has_failed,
                ErrorKind::ConnectionLost => !has_ours && !has_failed,
                _ => false,
            };
            assert!(is_why_sent, "{steps}: {write:?}");
        }
    }
}
