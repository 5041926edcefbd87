//! Every operation of a connection, of whatever kind, to be run over a stream that fails or makes it wait,
//! and by calls that are dropped while they wait.

use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use framewire::blocking::{PreparedMessage, Shutdown};
use framewire::deflate::Negotiated;
use framewire::frame::Rsv;
use framewire::protocol::Role;
use framewire::{CloseCode, Closed, Config, Error, Opcode};

use super::connection::{Back, Connection, Kind, MessageWriter};
use super::peer::{Plan, ScriptedPeer};
use super::view::View;
use super::wait::{Drops, are_calls_dropped, in_turns};
use super::{Replay, again, io_again, peer};
use crate::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame};
use crate::oracle;
use crate::pattern;

/// One use of a connection, each of its calls made again for as long as it would block.
#[derive(Clone, Copy)]
pub struct Operation {
    pub name: &'static str,
    pub kind: Kind,
    pub role: Role,
    /// What was agreed on about compression.
    pub agreed: Option<fn() -> Negotiated>,
    /// What the peer says, as one of this role.
    pub conversation: fn(Role) -> Vec<u8>,
    again: Again,
    run: Run,
}

type Run = fn(&mut dyn Connection, &mut Vec<Seen>) -> Result<(), Error>;

/// What the peer sees where a call is dropped while it waits, and made again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// The same as if it had not been.
    Same,
    /// Maybe a message twice: the call took it whole or not at all, and does not tell which. The second
    /// call is not dropped: it writes what is left of the first, and would come to nothing else.
    MaybeTwice,
    /// Nothing sound: the call sends fragments, and would put one into its message twice.
    Never,
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

/// What the application was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Message(Opcode, Vec<u8>),
    Frame(bool, Opcode, Vec<u8>),
    Bytes(Vec<u8>),
    Sent(u64),
    Closed(Closed),
    Shutdown(Shutdown),
}

/// How it went.
pub struct Outcome {
    pub result: Result<(), Error>,
    pub seen: Vec<Seen>,
    pub connection: Box<dyn Connection>,
    pub peer: ScriptedPeer,
    /// How many calls were dropped.
    pub dropped: usize,
}

impl Outcome {
    /// What was sent, comparable whatever the masking keys.
    pub fn sent(&self) -> Vec<u8> {
        oracle::unmasked(&self.peer.written())
    }

    /// What the peer has seen, where messages and control frames that are the same as those before
    /// them are left out.
    pub fn sent_once(&self, role: Role) -> View {
        let mut view = View::of(role, &self.peer.written());
        view.messages.dedup();
        view.control.dedup();
        view
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?} as {:?}", self.name, self.kind, self.role)
    }
}

impl Operation {
    /// Each of either end of every kind of connection.
    pub fn all() -> impl Iterator<Item = Self> {
        let ends = [Role::Server, Role::Client].into_iter();
        let ends = ends.flat_map(|role| Kind::ALL.map(|kind| (kind, role)));
        ends.flat_map(|(kind, role)| {
            let operations = READING.iter().chain(WRITING);
            let is_whole = matches!(kind, Kind::Blocking | Kind::Tokio);
            let operations = operations.filter(move |(name, ..)| is_whole || *name != SHUTDOWN);
            operations.map(move |&(name, again, run)| Self {
                name,
                kind,
                role,
                agreed: None,
                conversation,
                again,
                run,
            })
        })
    }

    /// Whether it is that of a closing handshake.
    pub fn shuts_down(&self) -> bool {
        self.name == SHUTDOWN
    }

    /// Whether its calls can be dropped while they wait, and made again.
    pub fn can_be_dropped(&self) -> bool {
        self.kind.waits() && self.again != Again::Never
    }

    /// Has its calls dropped where they wait for the n-th time, over a stream where each call waits.
    pub fn dropping(&self, n: usize, at_most: usize) -> Conditions {
        Conditions {
            at_most,
            plan: Plan::BeforeAll(io::ErrorKind::WouldBlock),
            in_turns: true,
            drops: match self.again {
                Again::Same => Drops::At(n),
                Again::MaybeTwice | Again::Never => Drops::OnceAt(n),
            },
            ..Conditions::default()
        }
    }

    /// Runs it, and flushes at the end.
    pub fn run(&self, conditions: Conditions) -> Outcome {
        let _replay = Replay(|| format!("{self}, {conditions:?}"));
        let Conditions { plan, at_most, .. } = conditions;
        let peer = ScriptedPeer::new((self.conversation)(peer(self.role)))
            .in_pieces_of(at_most)
            .failing(plan);
        let peer = if conditions.not_vectored {
            peer.not_vectored()
        } else {
            peer
        };
        let agreed = self.agreed.map(|agreed| agreed());
        let opened = self.kind.open_with(
            &peer,
            self.role,
            SMALL,
            agreed.as_ref().map(|agreed| agreed as _),
        );
        let mut connection = opened.expect("no size is 0");
        let mut seen = Vec::new();
        let mut run = || {
            (self.run)(connection.as_mut(), &mut seen)?;
            again(|| connection.flush())
        };
        let (result, dropped) = if conditions.in_turns {
            in_turns(&peer.clone().in_turns(), conditions.drops, run)
        } else {
            (run(), 0)
        };
        Outcome {
            result,
            seen,
            connection,
            peer,
            dropped,
        }
    }

    pub fn without_fault(&self) -> Outcome {
        let outcome = self.run(Conditions::default());
        assert!(outcome.result.is_ok(), "{self}: {:?}", outcome.result);
        outcome
    }
}

/// Sizes that a few hundred bytes go over.
pub const SMALL: Config = {
    let mut config = DEFAULT;
    config.read_buffer = 48;
    config.chunk_size = 32;
    config.write_buffer = 100;
    config
};

const DEFAULT: Config = Config {
    limits: framewire::protocol::Limits {
        message: framewire::READ_LIMIT_STANDARD,
        compressed: None,
        frame: framewire::frame::MAX_PAYLOAD,
    },
    chunk_size: framewire::CHUNK_SIZE_LOW_MEMORY,
    read_buffer: 16 << 10,
    coalesce_writes: false,
    write_buffer: 64 << 10,
    rsv: Rsv::NONE,
};

/// Streams a message of so many bytes from a source, going on with it for as long as something would block.
fn stream(websocket: &mut dyn Connection, source: &mut dyn Read, len: u64) -> Result<u64, Error> {
    match websocket.stream_message(Opcode::Binary, 32, &mut *source) {
        Err(error) if error.is_would_block() => again(|| match resume(websocket) {
            Some(writer) => writer.finish_from(&mut *source),
            None => Ok(len),
        }),
        result => result,
    }
}

/// Ends a message of so many bytes.
fn finish(websocket: &mut dyn Connection, len: u64) -> Result<u64, Error> {
    again(|| resume(websocket).map_or(Ok(len), MessageWriter::finish))
}

/// The message that is open, unless its end was dropped when it was taken.
fn resume(websocket: &mut dyn Connection) -> Option<MessageWriter<'_>> {
    let writer = websocket.resume_message_writer();
    assert!(writer.is_some() || are_calls_dropped(), "none is open");
    writer
}

/// What the peer says to those who read: a bit of everything, and Close.
pub fn conversation(sender: Role) -> Vec<u8> {
    let long = pattern(300);
    let frames: &[(u8, &[u8])] = &[
        (FIN | PING, b"a"),
        (FIN | TEXT, "h\u{e9}".as_bytes()),
        (BINARY, b"0123456789"),
        (FIN | PING, b"between fragments"),
        (CONTINUATION, b""),
        (FIN | PONG, b""),
        (FIN | CONTINUATION, b"abcde"),
        (FIN | TEXT, b""),
        (FIN | BINARY, &long),
        (TEXT, b"cut in two: \xE2\x82"),
        (FIN | PING, b"c"),
        (FIN | CONTINUATION, b"\xAC"),
        (BINARY, &long[..64]),
        (FIN | CONTINUATION, b""),
        (FIN | CLOSE, b"\x03\xE8bye"),
    ];
    let frames = frames.iter();
    frames
        .flat_map(|(first, payload)| frame(sender, *first, payload))
        .collect()
}

const SHUTDOWN: &str = "shutdown";

const READING: &[(&str, Again, Run)] = &[
    ("next_message", Again::Same, |websocket, seen| {
        until_closed(websocket, seen, |websocket, seen| {
            let message = websocket.next_message()?;
            seen.push(Seen::Message(message.opcode(), message.payload().to_vec()));
            Ok(())
        })
    }),
    ("read_message", Again::Same, |websocket, seen| {
        let mut buf = b"kept".to_vec();
        until_closed(websocket, seen, |websocket, seen| {
            let result = websocket.read_message(&mut buf);
            assert_eq!(buf[..4], *b"kept");
            assert!(
                result.is_ok() || buf.len() == 4,
                "an error leaves it as it was"
            );
            let opcode = result?;
            seen.push(Seen::Message(opcode, buf.split_off(4)));
            Ok(())
        })
    }),
    (
        "read_message into an empty buffer",
        Again::Same,
        |websocket, seen| {
            until_closed(websocket, seen, |websocket, seen| {
                let mut buf = Vec::new();
                let opcode = websocket.read_message(&mut buf)?;
                seen.push(Seen::Message(opcode, buf));
                Ok(())
            })
        },
    ),
    ("message_reader", Again::Same, |websocket, seen| {
        read_streamed(websocket, seen, 7)
    }),
    (
        "message_reader, long reads",
        Again::Same,
        |websocket, seen| read_streamed(websocket, seen, 256),
    ),
    ("resume_message_reader", Again::Same, |websocket, seen| {
        read_resumed(websocket, seen, 7)
    }),
    (
        "resume_message_reader, long reads",
        Again::Same,
        |websocket, seen| read_resumed(websocket, seen, 256),
    ),
    ("read_frame", Again::Same, |websocket, seen| {
        until_closed(websocket, seen, |websocket, seen| {
            read_frame(websocket, seen)
        })
    }),
    (
        "read_header and read_frame",
        Again::Same,
        |websocket, seen| {
            until_closed(websocket, seen, |websocket, seen| {
                let header = websocket.read_header()?;
                again(|| {
                    assert_eq!(websocket.read_header()?, header);
                    read_frame(websocket, seen)
                })
            })
        },
    ),
    (
        "next_message_and_writer",
        Again::MaybeTwice,
        |websocket, seen| {
            until_closed(websocket, seen, |websocket, seen| {
                let is_odd = seen.len() % 2 == 1;
                let back = if is_odd { Back::Written } else { Back::Fed };
                let mut payload = Vec::new();
                let opcode = websocket.echo_message(back, &mut payload)?;
                seen.push(Seen::Message(opcode, payload));
                Ok(())
            })
        },
    ),
    (SHUTDOWN, Again::Same, |websocket, seen| {
        let shutdown = again(|| {
            let shutdown = websocket.shutdown_whole(Duration::from_secs(600));
            shutdown.expect("it is whole")
        })?;
        seen.push(Seen::Shutdown(shutdown));
        Ok(())
    }),
];

const WRITING: &[(&str, Again, Run)] = &[
    ("write_message, small", Again::MaybeTwice, |websocket, _| {
        for len in [0, 1, 20, 32] {
            again(|| websocket.write_message(Opcode::Binary, &pattern(len)))?;
        }
        Ok(())
    }),
    (
        "write_message, over the chunk size",
        Again::MaybeTwice,
        |websocket, _| {
            for len in [33, 64, 65, 130, 400] {
                again(|| websocket.write_message(Opcode::Binary, &pattern(len)))?;
            }
            Ok(())
        },
    ),
    ("feed_message", Again::MaybeTwice, |websocket, _| {
        for len in [5, 20, 0, 32, 33, 90, 130, 1, 2, 300, 3] {
            again(|| websocket.feed_message(Opcode::Binary, &pattern(len)))?;
        }
        again(|| websocket.flush())
    }),
    ("write_frame", Again::Never, |websocket, _| {
        let long = pattern(150);
        let frames: &[(bool, Opcode, &[u8])] = &[
            (false, Opcode::Text, b"\xE2"),
            (true, Opcode::Ping, b"between"),
            (false, Opcode::Continuation, b"\x82\xAC"),
            (true, Opcode::Continuation, b""),
            (false, Opcode::Binary, &long),
            (true, Opcode::Pong, &long[..125]),
            (true, Opcode::Continuation, &long[..70]),
        ];
        for &(fin, opcode, payload) in frames {
            again(|| websocket.write_frame(fin, Rsv::NONE, opcode, payload))?;
        }
        Ok(())
    }),
    ("write_prepared", Again::MaybeTwice, |websocket, _| {
        for len in [0, 20, 33, 140, 400] {
            let message = PreparedMessage::new(Opcode::Binary, &pattern(len))?;
            again(|| websocket.write_prepared(&message))?;
        }
        Ok(())
    }),
    ("stream_message", Again::Same, |websocket, seen| {
        for len in [0, 1, 31, 32, 33, 64, 65, 200] {
            let bytes = pattern(len);
            let len = stream(websocket, &mut &bytes[..], len as u64)?;
            seen.push(Seen::Sent(len));
        }
        Ok(())
    }),
    (
        "stream_message from a source that would block",
        Again::Same,
        |websocket, seen| {
            for len in [0, 33, 200] {
                let mut source = ScriptedPeer::new(pattern(len))
                    .in_pieces_of(5)
                    .failing(Plan::BeforeAll(io::ErrorKind::WouldBlock));
                let len = stream(websocket, &mut source, len as u64)?;
                seen.push(Seen::Sent(len));
            }
            Ok(())
        },
    ),
    ("message_writer", Again::Same, |websocket, seen| {
        let bytes = pattern(200);
        let mut writer = websocket.message_writer(Opcode::Binary)?;
        for (i, piece) in bytes.chunks(7).enumerate() {
            let mut rest = piece;
            while !rest.is_empty() {
                let len = io_again(|| writer.write(rest))?;
                rest = &rest[len..];
            }
            if i % 10 == 9 {
                io_again(|| writer.flush())?;
            }
        }
        drop(writer);
        seen.push(Seen::Sent(finish(websocket, 200)?));
        Ok(())
    }),
    (
        "message_writer, flushed at its end",
        Again::Same,
        |websocket, seen| {
            let mut writer = websocket.message_writer(Opcode::Text)?;
            io_again(|| writer.write(b"flushed"))?;
            io_again(|| writer.flush())?;
            drop(writer);
            seen.push(Seen::Sent(finish(websocket, 7)?));
            Ok(())
        },
    ),
    ("ping and pong", Again::MaybeTwice, |websocket, _| {
        for len in [0, 8, 125] {
            again(|| websocket.ping(&pattern(len)))?;
            again(|| websocket.pong(&pattern(len)))?;
        }
        Ok(())
    }),
    ("close", Again::MaybeTwice, |websocket, _| {
        again(|| websocket.write_message(Opcode::Text, b"last words"))?;
        again(|| {
            if are_calls_dropped() && websocket.sent_close().is_some() {
                return Ok(());
            }
            websocket.close(CloseCode::GOING_AWAY, "good night")
        })
    }),
];

/// Does it until the peer's Close frame is there.
fn until_closed(
    websocket: &mut dyn Connection,
    seen: &mut Vec<Seen>,
    mut step: impl FnMut(&mut dyn Connection, &mut Vec<Seen>) -> Result<(), Error>,
) -> Result<(), Error> {
    loop {
        let before = seen.len();
        if let Err(error) = again(|| step(websocket, seen)) {
            let Some(closed) = error.closed() else {
                return Err(error);
            };
            seen.push(Seen::Closed(closed.clone()));
            return Ok(());
        }
        assert_eq!(seen.len(), before + 1);
    }
}

fn read_streamed(
    websocket: &mut dyn Connection,
    seen: &mut Vec<Seen>,
    step: usize,
) -> Result<(), Error> {
    until_closed(websocket, seen, |websocket, seen| {
        let mut bytes = Vec::new();
        let mut buf = vec![0; step];
        let mut reader = websocket.message_reader()?;
        loop {
            match io_again(|| reader.read(&mut buf))? {
                0 => break,
                len => bytes.extend_from_slice(&buf[..len]),
            }
        }
        seen.push(Seen::Message(reader.opcode(), bytes));
        Ok(())
    })
}

/// As above, but drops the reader after each read, and after each that would block.
fn read_resumed(
    websocket: &mut dyn Connection,
    seen: &mut Vec<Seen>,
    step: usize,
) -> Result<(), Error> {
    until_closed(websocket, seen, |websocket, seen| {
        let mut bytes = Vec::new();
        let mut buf = vec![0; step];
        let opcode = websocket.message_reader()?.opcode();
        while websocket.resume_message_reader().is_some() {
            let len = io_again(|| match websocket.resume_message_reader() {
                Some(mut reader) => reader.read(&mut buf),
                None => Ok(0),
            })?;
            bytes.extend_from_slice(&buf[..len]);
        }
        seen.push(Seen::Message(opcode, bytes));
        Ok(())
    })
}

fn read_frame(websocket: &mut dyn Connection, seen: &mut Vec<Seen>) -> Result<(), Error> {
    let mut buf = [0; 300];
    let frame = websocket.read_frame(&mut buf)?;
    let header = frame.header();
    let seen_frame = Seen::Frame(header.fin(), header.opcode(), frame.payload().to_vec());
    seen.push(seen_frame);
    Ok(())
}
