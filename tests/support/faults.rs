//! Every operation of every kind of connection, over a stream that fails or makes it wait, and by calls that are
//! dropped while they wait.

use std::cell::OnceCell;
use std::rc::Rc;
use std::{fmt, io};

use framewire::Error;
use framewire::protocol::Role;

use super::compression::Compression;
use super::connection::{Endpoint, Kind, Messaging, all_endpoints_with};
use super::operations::{Again, Hands, Operation, SHUTDOWN, SMALL, Seen, sample};
use super::peer::{Plan, ScriptedPeer};
use super::view::View;
use super::wait::{Drops, Threads, in_turns};
use super::{Replay, again, json, oracle, pattern};
use crate::frames::{BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, RSV3, TEXT, to};

/// An operation of one end of a connection, by pieces of so many bytes.
#[derive(Clone)]
pub struct Case {
    pub operation: &'static Operation,
    pub end: Endpoint,
    step: usize,
    /// What the peer says.
    said: Rc<[u8]>,
}

/// Under which conditions an operation is run: what it takes to run it so again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions {
    /// The most bytes that one call of the stream moves; 0 is any number.
    pub at_most: usize,
    /// Whether one write takes of one buffer only.
    pub not_vectored: bool,
    /// Which calls of the stream fail.
    pub plan: Plan,
    /// Whether what waits is woken by turns, and fails where it is not; for tokio's kinds.
    pub in_turns: bool,
    /// Which calls are dropped, in turns, and made again.
    pub drops: Drops,
}

/// How it went.
pub struct Outcome {
    pub result: Result<(), Error>,
    pub seen: Vec<Seen>,
    pub connection: Box<dyn Messaging>,
    pub peer: ScriptedPeer,
    /// How many calls were dropped.
    pub dropped: usize,
    sent_once: OnceCell<View>,
}

impl Outcome {
    /// What was sent, comparable whatever the masking keys.
    pub fn sent(&self) -> Vec<u8> {
        oracle::unmasked(&self.peer.written())
    }

    /// What the peer has seen, where messages and control frames that are the same as those before
    /// them are left out.
    pub fn sent_once(&self, end: Endpoint) -> &View {
        self.sent_once.get_or_init(|| {
            let mut view = View::of(end.role, &end.heard(&self.peer.written()));
            view.messages.dedup();
            view.control.dedup();
            view
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            end,
            step,
            ..
        } = self;
        write!(f, "{} in pieces of {step} by {end:?}", operation.name)
    }
}

impl Case {
    /// Each operation of either end of every kind of connection with this compression. That has nothing to do with
    /// threads, and contexts that are dropped after each message nothing with halves.
    pub fn all(compression: Compression) -> impl Iterator<Item = Self> {
        let ends = all_endpoints_with(compression);
        let ends = ends.filter(move |end| match compression {
            Compression::None => true,
            Compression::NoTakeover => matches!(end.kind, Kind::Blocking | Kind::Tokio),
            _ => end.kind.threads() == Threads::One,
        });
        ends.flat_map(move |end| {
            let has = Operation::all().filter(move |one| one.is_of(end.kind));
            has.flat_map(move |operation| {
                let steps: &[usize] = match operation.again {
                    _ if !operation.in_pieces => &[SMALL.chunk_size],
                    _ if operation.lens.is_empty() => &[7, 256],
                    _ => &[7, SMALL.chunk_size],
                };
                let said = Rc::<[u8]>::from(end.said(&conversation(end.role, operation)));
                steps.iter().map(move |&step| Self {
                    operation,
                    end,
                    step,
                    said: Rc::clone(&said),
                })
            })
        })
    }

    /// Whether it is that of a closing handshake.
    pub fn shuts_down(&self) -> bool {
        self.operation.name == SHUTDOWN.name
    }

    /// Whether its calls can be dropped while they wait, and made again.
    pub fn can_be_dropped(&self) -> bool {
        self.end.kind.waits() && self.operation.again != Again::Never
    }

    /// Those of these sizes that are worth the time: of several threads, where each other poll begins one, and of
    /// compression the first alone.
    pub fn sizes(&self, sizes: &'static [usize]) -> &'static [usize] {
        match (self.end.kind.threads(), self.end.compression) {
            (Threads::One, Compression::None) => sizes,
            _ => &sizes[..1],
        }
    }

    /// Has its calls dropped where they wait for the n-th time, over a stream where each call waits.
    pub fn dropping(&self, n: usize, at_most: usize) -> Conditions {
        Conditions {
            at_most,
            plan: Plan::BeforeAll(io::ErrorKind::WouldBlock),
            in_turns: true,
            drops: match self.operation.again {
                Again::Same => Drops::At(n),
                Again::MaybeTwice | Again::Never => Drops::OnceAt(n),
            },
            ..Conditions::default()
        }
    }

    /// Runs it, and flushes at the end.
    pub fn run(&self, conditions: Conditions) -> Outcome {
        let _replay = Replay(|| format!("{self}, {conditions:?}"));
        let peer = ScriptedPeer::new(&*self.said)
            .in_pieces_of(conditions.at_most)
            .failing(conditions.plan);
        let peer = if conditions.not_vectored {
            peer.not_vectored()
        } else {
            peer
        };
        let opened = self.end.messaging(&peer, SMALL);
        let mut connection = opened.expect("no size is 0");
        let mut hands = Hands::seeing(self.step);
        hands.rsv = SMALL.rsv;
        let mut run = || {
            self.go(connection.as_mut(), &mut hands)?;
            again(|| connection.flush())
        };
        let (result, dropped) = if conditions.in_turns {
            in_turns(&peer.clone().in_turns(), conditions.drops, run)
        } else {
            (run(), 0)
        };
        Outcome {
            result,
            seen: std::mem::take(hands.seen()),
            connection,
            peer,
            dropped,
            sent_once: OnceCell::new(),
        }
    }

    pub fn without_fault(&self) -> Outcome {
        let outcome = self.run(Conditions::default());
        assert!(outcome.result.is_ok(), "{self}: {:?}", outcome.result);
        outcome
    }

    /// Sends messages of all lengths, behind one that was fed; or receives to the end.
    fn go(&self, connection: &mut dyn Messaging, hands: &mut Hands) -> Result<(), Error> {
        if self.shuts_down() {
            return again(|| self.operation.call(connection, hands));
        }
        if self.operation.lens.is_empty() {
            return self.until_closed(connection, hands);
        }
        again(|| connection.feed("before"))?;
        for &len in self.operation.lens {
            hands.take(&sample(len));
            again(|| self.operation.call(connection, hands))?;
        }
        Ok(())
    }

    fn until_closed(&self, connection: &mut dyn Messaging, hands: &mut Hands) -> Result<(), Error> {
        loop {
            let before = hands.seen().len();
            if let Err(error) = again(|| self.operation.call(connection, hands)) {
                let Some(closed) = error.closed() else {
                    return Err(error);
                };
                hands.seen().push(Seen::Closed(closed.clone()));
                return Ok(());
            }
            if self.operation.is_of_bytes() && hands.seen().len() == before {
                return Ok(());
            }
            assert_eq!(hands.seen().len(), before + 1);
        }
    }
}

/// What the peer says to one of this role that reads: a bit of everything that the operation takes, and Close.
fn conversation(role: Role, operation: &Operation) -> Vec<Frame> {
    // A stream of bytes is binary.
    let text = if operation.is_of_bytes() {
        BINARY
    } else {
        TEXT
    };
    let (long, records) = (pattern(64), json(300));
    let frames: &[(u8, &[u8])] = &[
        (FIN | PING, b"a"),
        (FIN | text, "h\u{e9}".as_bytes()),
        (BINARY, b"0123456789"),
        (FIN | PING, b"between fragments"),
        (CONTINUATION, b""),
        (FIN | PONG, b""),
        (FIN | CONTINUATION, b"abcde"),
        (FIN | text, b""),
        (FIN | text, &records),
        (text, b"cut in two: \xE2\x82"),
        (FIN | PING, b"c"),
        (FIN | CONTINUATION, b"\xAC"),
        (BINARY, &long),
        (FIN | CONTINUATION, b""),
        (FIN | RSV3 | BINARY, b"of an extension"),
        (FIN | CLOSE, b"\x03\xE8bye"),
    ];
    let frames = frames.iter();
    frames
        .map(|(first, payload)| to(role, *first, payload))
        .collect()
}
