//! Every operation of a tokio connection, to be run over a stream that makes it wait, or fails.

use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use framewire::frame::Rsv;
use framewire::protocol::Role;
use framewire::tokio::{PreparedMessage, WebSocket};
use framewire::{CloseCode, Error, Opcode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::operations::{SMALL, Seen, conversation};
use super::peer;
use super::peer::{Plan, ScriptedPeer};
use super::tasks::{cancelling, finish};
use crate::oracle;
use crate::pattern;

/// One use of a connection.
#[derive(Clone, Copy)]
pub struct Operation {
    pub name: &'static str,
    pub role: Role,
    run: Run,
}

type Future<'a> = Pin<Box<dyn std::future::Future<Output = Result<(), Error>> + 'a>>;

/// Each call that reads is dropped at its n-th wait, n = 1, 2 …, and made again; with 0 none is.
type Run = for<'a> fn(&'a mut WebSocket<ScriptedPeer>, &'a mut Vec<Seen>, n: usize) -> Future<'a>;

/// How it went.
pub struct Outcome {
    pub result: Result<(), Error>,
    pub seen: Vec<Seen>,
    pub websocket: WebSocket<ScriptedPeer>,
    pub stream: ScriptedPeer,
}

impl Outcome {
    /// What was sent, comparable whatever the masking keys.
    pub fn sent(&self) -> Vec<u8> {
        oracle::unmasked(&self.stream.written())
    }
}

impl Operation {
    pub fn reading() -> impl Iterator<Item = Self> {
        Self::of(READING)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        Self::reading().chain(Self::of(WRITING))
    }

    fn of(operations: &'static [(&'static str, Run)]) -> impl Iterator<Item = Self> {
        [Role::Server, Role::Client].into_iter().flat_map(|role| {
            let operations = operations.iter();
            operations.map(move |&(name, run)| Self { name, role, run })
        })
    }

    /// The stream that it is to be run over: the peer says a bit of everything, and Close.
    pub fn stream(&self) -> ScriptedPeer {
        ScriptedPeer::new(conversation(peer(self.role)))
    }

    pub fn run(&self, stream: &ScriptedPeer, n: usize) -> Outcome {
        let mut websocket =
            WebSocket::with_leftover(stream.clone(), &[], self.role, SMALL).unwrap();
        let mut seen = Vec::new();
        let result = finish(stream, async {
            (self.run)(&mut websocket, &mut seen, n).await?;
            websocket.flush().await
        });
        Outcome {
            result,
            seen,
            websocket,
            stream: stream.clone(),
        }
    }

    pub fn without_fault(&self) -> Outcome {
        let outcome = self.run(&self.stream(), 0);
        let name = self.name;
        assert!(outcome.result.is_ok(), "{name}: {:?}", outcome.result);
        outcome
    }
}

const READING: &[(&str, Run)] = &[
    ("next_message", |websocket, seen, n| {
        until_closed(websocket, seen, n, async |websocket, seen| {
            let message = websocket.next_message().await?;
            seen.push(Seen::Message(message.opcode(), message.payload().to_vec()));
            Ok(())
        })
    }),
    ("read_message", |websocket, seen, n| {
        let mut buf = b"kept".to_vec();
        until_closed(websocket, seen, n, async move |websocket, seen| {
            assert_eq!(buf, b"kept", "cancelled or not");
            let (opcode, _) = websocket.read_message_ext(&mut buf).await?;
            seen.push(Seen::Message(opcode, buf.split_off(4)));
            Ok(())
        })
    }),
    ("read_message into an empty buffer", |websocket, seen, n| {
        until_closed(websocket, seen, n, async |websocket, seen| {
            let mut buf = Vec::new();
            let opcode = websocket.read_message(&mut buf).await?;
            seen.push(Seen::Message(opcode, buf));
            Ok(())
        })
    }),
    ("message_reader", |websocket, seen, n| {
        read_streamed(websocket, seen, n, 7)
    }),
    ("message_reader, long reads", |websocket, seen, n| {
        read_streamed(websocket, seen, n, 256)
    }),
    ("read_frame", |websocket, seen, n| {
        until_closed(websocket, seen, n, async |websocket, seen| {
            read_frame(websocket, seen).await
        })
    }),
    ("read_header and read_frame", |websocket, seen, n| {
        until_closed(websocket, seen, n, async move |websocket, seen| {
            let header = websocket.read_header().await?;
            cancelling(n, async || {
                assert_eq!(websocket.read_header().await?, header);
                read_frame(websocket, seen).await
            })
            .await
        })
    }),
    ("shutdown", |websocket, seen, n| {
        Box::pin(async move {
            let shutdown = cancelling(n, async || websocket.shutdown(Duration::MAX).await).await?;
            seen.push(Seen::Shutdown(shutdown));
            Ok(())
        })
    }),
];

const WRITING: &[(&str, Run)] = &[
    ("write_message, small", |websocket, _, _| {
        Box::pin(async move {
            for len in [0, 1, 20, 32] {
                websocket
                    .write_message(Opcode::Binary, &pattern(len))
                    .await?;
            }
            Ok(())
        })
    }),
    ("write_message, over the chunk size", |websocket, _, _| {
        Box::pin(async move {
            for len in [33, 64, 65, 130, 400] {
                websocket
                    .write_message(Opcode::Binary, &pattern(len))
                    .await?;
            }
            Ok(())
        })
    }),
    ("next_message_and_writer", |websocket, seen, _| {
        until_closed(websocket, seen, 0, async |websocket, seen| {
            let (message, writer) = websocket.next_message_and_writer().await?;
            let (opcode, payload) = (message.opcode(), message.payload());
            seen.push(Seen::Message(opcode, payload.to_vec()));
            writer.feed_message(opcode, payload).await
        })
    }),
    ("feed_message", |websocket, _, _| {
        Box::pin(async move {
            for len in [5, 20, 0, 32, 33, 90, 130, 1, 2, 300, 3] {
                websocket
                    .feed_message(Opcode::Binary, &pattern(len))
                    .await?;
            }
            Ok(())
        })
    }),
    ("write_frame", |websocket, _, _| {
        Box::pin(async move {
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
                websocket
                    .write_frame(fin, Rsv::NONE, opcode, payload)
                    .await?;
            }
            Ok(())
        })
    }),
    ("write_prepared", |websocket, _, _| {
        Box::pin(async move {
            for len in [0, 20, 33, 140, 400] {
                let message = PreparedMessage::new(Opcode::Binary, &pattern(len))?;
                websocket.write_prepared(&message).await?;
            }
            Ok(())
        })
    }),
    ("stream_message", |websocket, seen, _| {
        Box::pin(async move {
            for len in [0, 1, 31, 32, 33, 64, 65, 200] {
                let source = ScriptedPeer::new(pattern(len)).in_pieces_of(5);
                let source = source.failing(Plan::BeforeAll(ErrorKind::WouldBlock));
                let len = websocket.stream_message(Opcode::Binary, 32, source).await?;
                seen.push(Seen::Sent(len));
            }
            Ok(())
        })
    }),
    ("message_writer", |websocket, seen, _| {
        Box::pin(async move {
            let mut writer = websocket.message_writer(Opcode::Binary)?;
            for (i, piece) in pattern(200).chunks(7).enumerate() {
                writer.write_all(piece).await?;
                if i % 10 == 9 {
                    writer.flush().await?;
                }
            }
            seen.push(Seen::Sent(writer.finish().await?));
            Ok(())
        })
    }),
    ("ping and pong", |websocket, _, _| {
        Box::pin(async move {
            for len in [0, 8, 125] {
                websocket.ping(&pattern(len)).await?;
                websocket.pong(&pattern(len)).await?;
            }
            Ok(())
        })
    }),
    ("close", |websocket, _, _| {
        Box::pin(async move {
            websocket.write_message(Opcode::Text, b"last words").await?;
            websocket.close(CloseCode::GOING_AWAY, "good night").await
        })
    }),
];

/// Does it until the peer's Close frame is there.
fn until_closed<'a>(
    websocket: &'a mut WebSocket<ScriptedPeer>,
    seen: &'a mut Vec<Seen>,
    n: usize,
    mut step: impl AsyncFnMut(&mut WebSocket<ScriptedPeer>, &mut Vec<Seen>) -> Result<(), Error> + 'a,
) -> Future<'a> {
    Box::pin(async move {
        loop {
            let before = seen.len();
            if let Err(error) = cancelling(n, async || step(websocket, seen).await).await {
                let Some(closed) = error.closed() else {
                    return Err(error);
                };
                seen.push(Seen::Closed(closed.clone()));
                return Ok(());
            }
            assert_eq!(seen.len(), before + 1);
        }
    })
}

/// Reads messages in pieces; with `n`, drops the reader too, and goes on with it.
fn read_streamed<'a>(
    websocket: &'a mut WebSocket<ScriptedPeer>,
    seen: &'a mut Vec<Seen>,
    n: usize,
    step: usize,
) -> Future<'a> {
    let mut bytes = Vec::new();
    until_closed(websocket, seen, n, async move |websocket, seen| {
        let mut buf = vec![0; step];
        let mut reader = match websocket.resume_message_reader() {
            Some(reader) => reader,
            None if bytes.is_empty() => websocket.message_reader().await?,
            None => panic!("the rest of a message was lost"),
        };
        loop {
            match reader.read(&mut buf).await? {
                0 => break,
                len => bytes.extend_from_slice(&buf[..len]),
            }
        }
        seen.push(Seen::Message(reader.opcode(), std::mem::take(&mut bytes)));
        Ok(())
    })
}

async fn read_frame(
    websocket: &mut WebSocket<ScriptedPeer>,
    seen: &mut Vec<Seen>,
) -> Result<(), Error> {
    let mut buf = [0; 300];
    let frame = websocket.read_frame(&mut buf).await?;
    let header = frame.header();
    let seen_frame = Seen::Frame(header.fin(), header.opcode(), frame.payload().to_vec());
    seen.push(seen_frame);
    Ok(())
}
