//! Every operation of a connection, of whatever kind, to be run over a stream that fails.

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
use super::{again, io_again, peer};
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
    run: Run,
}

type Run = fn(&mut dyn Connection, &mut Vec<Seen>) -> Result<(), Error>;

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
}

impl Outcome {
    /// What was sent, comparable whatever the masking keys.
    pub fn sent(&self) -> Vec<u8> {
        oracle::unmasked(&self.peer.written())
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
            let operations = operations.filter(move |(name, _)| is_whole || *name != SHUTDOWN);
            operations.map(move |&(name, run)| Self {
                name,
                kind,
                role,
                agreed: None,
                conversation,
                run,
            })
        })
    }

    /// Whether it is that of a closing handshake.
    pub fn shuts_down(&self) -> bool {
        self.name == SHUTDOWN
    }

    /// Runs it over a stream that moves at most so many bytes at a time and fails as planned, and
    /// flushes at the end.
    pub fn run(&self, at_most: usize, plan: Plan) -> Outcome {
        let peer = ScriptedPeer::new((self.conversation)(peer(self.role)))
            .in_pieces_of(at_most)
            .failing(plan);
        let agreed = self.agreed.map(|agreed| agreed());
        let opened = self
            .kind
            .open_with(&peer, self.role, SMALL, agreed.as_ref());
        let mut connection = opened.expect("no size is 0");
        let mut seen = Vec::new();
        let result = (self.run)(connection.as_mut(), &mut seen);
        let result = result.and_then(|()| again(|| connection.flush()));
        Outcome {
            result,
            seen,
            connection,
            peer,
        }
    }

    pub fn without_fault(&self) -> Outcome {
        let outcome = self.run(0, Plan::None);
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

/// Streams a message from a source, going on with it for as long as something would block.
fn stream(websocket: &mut dyn Connection, source: &mut dyn Read) -> Result<u64, Error> {
    match websocket.stream_message(Opcode::Binary, 32, &mut *source) {
        Err(error) if error.is_would_block() => {
            again(|| resume(websocket).finish_from(&mut *source))
        }
        result => result,
    }
}

/// The message that is open.
fn resume(websocket: &mut dyn Connection) -> MessageWriter<'_> {
    websocket
        .resume_message_writer()
        .expect("a message is open")
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

const READING: &[(&str, Run)] = &[
    ("next_message", |websocket, seen| {
        until_closed(websocket, seen, |websocket, seen| {
            let message = websocket.next_message()?;
            seen.push(Seen::Message(message.opcode(), message.payload().to_vec()));
            Ok(())
        })
    }),
    ("read_message", |websocket, seen| {
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
    ("read_message into an empty buffer", |websocket, seen| {
        until_closed(websocket, seen, |websocket, seen| {
            let mut buf = Vec::new();
            let opcode = websocket.read_message(&mut buf)?;
            seen.push(Seen::Message(opcode, buf));
            Ok(())
        })
    }),
    ("message_reader", |websocket, seen| {
        read_streamed(websocket, seen, 7)
    }),
    ("message_reader, long reads", |websocket, seen| {
        read_streamed(websocket, seen, 256)
    }),
    ("resume_message_reader", |websocket, seen| {
        read_resumed(websocket, seen, 7)
    }),
    ("resume_message_reader, long reads", |websocket, seen| {
        read_resumed(websocket, seen, 256)
    }),
    ("read_frame", |websocket, seen| {
        until_closed(websocket, seen, |websocket, seen| {
            read_frame(websocket, seen)
        })
    }),
    ("read_header and read_frame", |websocket, seen| {
        until_closed(websocket, seen, |websocket, seen| {
            let header = websocket.read_header()?;
            again(|| {
                assert_eq!(websocket.read_header()?, header);
                read_frame(websocket, seen)
            })
        })
    }),
    ("next_message_and_writer", |websocket, seen| {
        until_closed(websocket, seen, |websocket, seen| {
            let mut payload = Vec::new();
            let opcode = websocket.echo_message(Back::Fed, &mut payload)?;
            seen.push(Seen::Message(opcode, payload));
            Ok(())
        })
    }),
    (SHUTDOWN, |websocket, seen| {
        let shutdown = again(|| {
            let shutdown = websocket.shutdown_whole(Duration::from_secs(600));
            shutdown.expect("it is whole")
        })?;
        seen.push(Seen::Shutdown(shutdown));
        Ok(())
    }),
];

const WRITING: &[(&str, Run)] = &[
    ("write_message, small", |websocket, _| {
        for len in [0, 1, 20, 32] {
            again(|| websocket.write_message(Opcode::Binary, &pattern(len)))?;
        }
        Ok(())
    }),
    ("write_message, over the chunk size", |websocket, _| {
        for len in [33, 64, 65, 130, 400] {
            again(|| websocket.write_message(Opcode::Binary, &pattern(len)))?;
        }
        Ok(())
    }),
    ("feed_message", |websocket, _| {
        for len in [5, 20, 0, 32, 33, 90, 130, 1, 2, 300, 3] {
            again(|| websocket.feed_message(Opcode::Binary, &pattern(len)))?;
        }
        again(|| websocket.flush())
    }),
    ("write_frame", |websocket, _| {
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
    ("write_prepared", |websocket, _| {
        for len in [0, 20, 33, 140, 400] {
            let message = PreparedMessage::new(Opcode::Binary, &pattern(len))?;
            again(|| websocket.write_prepared(&message))?;
        }
        Ok(())
    }),
    ("stream_message", |websocket, seen| {
        for len in [0, 1, 31, 32, 33, 64, 65, 200] {
            let bytes = pattern(len);
            let mut source = &bytes[..];
            let len = stream(websocket, &mut source)?;
            seen.push(Seen::Sent(len));
        }
        Ok(())
    }),
    (
        "stream_message from a source that would block",
        |websocket, seen| {
            for len in [0, 33, 200] {
                let mut source = ScriptedPeer::new(pattern(len))
                    .in_pieces_of(5)
                    .failing(Plan::BeforeAll(io::ErrorKind::WouldBlock));
                let len = stream(websocket, &mut source)?;
                seen.push(Seen::Sent(len));
            }
            Ok(())
        },
    ),
    ("message_writer", |websocket, seen| {
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
        let len = again(|| resume(websocket).finish())?;
        seen.push(Seen::Sent(len));
        Ok(())
    }),
    ("message_writer, flushed at its end", |websocket, seen| {
        let mut writer = websocket.message_writer(Opcode::Text)?;
        io_again(|| writer.write(b"flushed"))?;
        io_again(|| writer.flush())?;
        drop(writer);
        let len = again(|| resume(websocket).finish())?;
        seen.push(Seen::Sent(len));
        Ok(())
    }),
    ("ping and pong", |websocket, _| {
        for len in [0, 8, 125] {
            again(|| websocket.ping(&pattern(len)))?;
            again(|| websocket.pong(&pattern(len)))?;
        }
        Ok(())
    }),
    ("close", |websocket, _| {
        again(|| websocket.write_message(Opcode::Text, b"last words"))?;
        again(|| websocket.close(CloseCode::GOING_AWAY, "good night"))
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
