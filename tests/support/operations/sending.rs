//! Operations that send a message, or a frame.

use std::io::{self, Read, Write};

use framewire::frame::Rsv;
use framewire::tokio::WriteHalf;
use framewire::{CloseCode, Error, Opcode};
use framewire::{MessageKind, Outgoing};
use tokio::io::AsyncWriteExt as _;

use super::{Again, Hands, Leaves, Operation, Sends};
use crate::connection::{Connection, MessageWriter};
use crate::peer::ScriptedPeer;
use crate::wait::are_calls_dropped;
use crate::{again, io_again};

pub const SENDING: &[Operation] = &[
    Operation {
        lens: &[0, 1, 20, 32, 33, 64, 65, 130, 400],
        by_half: Some(|half, hands| Box::pin(half.write((hands.opcode(), &hands.message)))),
        ..Operation::any("write", |connection, hands| {
            connection.write((hands.opcode(), &hands.message))
        })
    },
    Operation {
        lens: &[5, 20, 0, 32, 33, 90, 130, 1, 2, 300, 3],
        leaves: Leaves::Later,
        by_half: Some(|half, hands| Box::pin(half.feed((hands.opcode(), &hands.message)))),
        ..Operation::any("feed", |connection, hands| {
            connection.feed((hands.opcode(), &hands.message))
        })
    },
    Operation {
        lens: &[33],
        rsv: true,
        ..Operation::with_stream("write, with reserved bits", |connection, hands| {
            connection.write(Outgoing::new(hands.opcode_ext(), &hands.message).rsv(hands.rsv))
        })
    },
    Operation {
        lens: &[33, 130],
        leaves: Leaves::Later,
        rsv: true,
        ..Operation::with_stream("feed, with reserved bits", |connection, hands| {
            connection.feed(Outgoing::new(hands.opcode_ext(), &hands.message).rsv(hands.rsv))
        })
    },
    Operation {
        lens: &[5, 33, 90, 1, 130],
        leaves: Leaves::Later,
        waits: false,
        ..Operation::with_stream("try_feed", |connection, hands| {
            let fed = connection.try_feed((hands.opcode(), &hands.message));
            // What is longer than the write buffer is copied to memory of its own.
            if fed.is_err() {
                return connection.feed((hands.opcode(), &hands.message));
            }
            Ok(())
        })
    },
    Operation {
        lens: &[0, 20, 33, 140, 400],
        by_half: Some(|half, hands| Box::pin(half.write_prepared(&hands.prepared))),
        ..Operation::with_stream("write_prepared", |connection, hands| {
            connection.write_prepared(&hands.prepared)
        })
    },
    Operation {
        lens: &[0, 40],
        raw: true,
        ..Operation::with_stream("write, uncompressed", |connection, hands| {
            connection.write(Outgoing::new(hands.opcode(), &hands.message).uncompressed())
        })
    },
    Operation {
        lens: &[40],
        raw: true,
        ..Operation::with_stream("write, with compression off", |connection, hands| {
            connection.set_compression(false);
            let written = connection.write((hands.opcode(), &hands.message));
            connection.set_compression(true);
            written
        })
    },
    Operation {
        lens: &[0, 33, 130],
        leaves: Leaves::AlwaysAtOnce,
        rsv: true,
        raw: true,
        by_half: Some(|half, hands| {
            Box::pin(half.write_frame(true, Rsv::NONE, hands.opcode(), &hands.message))
        }),
        ..Operation::with_stream("write_frame", |connection, hands| {
            connection.write_frame(true, hands.rsv, hands.opcode_ext(), &hands.message)
        })
    },
    Operation {
        lens: &[0, 3, 150],
        again: Again::Never,
        leaves: Leaves::OneByOne,
        rsv: true,
        raw: true,
        ..Operation::with_stream("write_frame, in fragments", write_fragments)
    },
    Operation {
        lens: &[0, 1, 31, 32, 33, 64, 65, 200],
        again: Again::Same,
        in_pieces: true,
        leaves: Leaves::Streamed { flushed: false },
        by_half: Some(|half, hands| {
            let streamed = half.stream_message(hands.opcode(), hands.step, &hands.message[..]);
            Box::pin(async { streamed.await.map(drop) })
        }),
        ..Operation::with_stream("stream_message", |connection, hands| {
            let (opcode, mut message) = (hands.opcode(), &hands.message[..]);
            let sent = connection.stream_message(opcode, hands.step, &mut message);
            go_on(sent, connection, hands, &mut message)
        })
    },
    Operation {
        lens: &[65],
        again: Again::Same,
        leaves: Leaves::Streamed { flushed: false },
        rsv: true,
        ..Operation::with_stream("stream_message, with reserved bits", |connection, hands| {
            let (opcode, mut message) = (hands.opcode_ext(), &hands.message[..]);
            let sent = connection.stream_message(
                MessageKind::new(opcode).rsv(hands.rsv),
                hands.step,
                &mut message,
            );
            go_on(sent, connection, hands, &mut message)
        })
    },
    Operation {
        lens: &[0, 33, 200],
        again: Again::Same,
        in_pieces: true,
        leaves: Leaves::Streamed { flushed: false },
        ..Operation::with_stream(
            "stream_message from a source that would block",
            |connection, hands| {
                let (message, blocks) = (&hands.message[..], true);
                let mut source = Slow { message, blocks };
                let sent = connection.stream_message(hands.opcode(), hands.step, &mut source);
                go_on(sent, connection, hands, &mut source)
            },
        )
    },
    Operation {
        lens: &[0, 45],
        again: Again::Same,
        leaves: Leaves::Streamed { flushed: false },
        ..Operation::with_stream("message_writer", |connection, hands| {
            let mut writer = connection.message_writer(hands.opcode())?;
            push(&mut writer, &hands.message)?;
            drop(writer);
            finish(connection, hands)
        })
    },
    Operation {
        lens: &[45],
        again: Again::Same,
        leaves: Leaves::Streamed { flushed: false },
        rsv: true,
        ..Operation::with_stream("message_writer, with reserved bits", |connection, hands| {
            let mut writer =
                connection.message_writer(MessageKind::new(hands.opcode_ext()).rsv(hands.rsv))?;
            push(&mut writer, &hands.message)?;
            drop(writer);
            finish(connection, hands)
        })
    },
    Operation {
        lens: &[7, 200],
        again: Again::Same,
        in_pieces: true,
        leaves: Leaves::Streamed { flushed: true },
        by_half: Some(|half, hands| Box::pin(push_by_half(half, hands))),
        ..Operation::with_stream("message_writer, in pieces", |connection, hands| {
            let mut writer = connection.message_writer(hands.opcode())?;
            let middle = hands.message.len() / hands.step / 2;
            for (n, piece) in hands.message.chunks(hands.step).enumerate() {
                push(&mut writer, piece)?;
                if n == middle {
                    io_again(|| writer.flush())?;
                }
            }
            drop(writer);
            finish(connection, hands)
        })
    },
    Operation {
        lens: &[0, 45],
        again: Again::Never,
        in_pieces: true,
        leaves: Leaves::OneByOne,
        ..Operation::with_stream(
            "message_writer, with Pings between the pieces",
            |connection, hands| {
                drop(connection.message_writer(hands.opcode())?);
                for piece in hands.message.chunks(hands.step) {
                    let mut writer = resume(connection).expect("it is open");
                    push(&mut writer, piece)?;
                    io_again(|| writer.flush())?;
                    drop(writer);
                    again(|| connection.ping(b"between"))?;
                }
                finish(connection, hands)
            },
        )
    },
    Operation {
        lens: &[0, 20, 140],
        leaves: Leaves::Later,
        sends: Sends::Bytes,
        ..Operation::bytes("byte stream, write", |bytes, hands| {
            push(bytes, &hands.message)
        })
    },
    Operation {
        lens: &[33],
        leaves: Leaves::AlwaysAtOnce,
        sends: Sends::Bytes,
        ..Operation::bytes("byte stream, write and flush", |bytes, hands| {
            push(bytes, &hands.message)?;
            io_again(|| bytes.flush())
        })
    },
    Operation {
        lens: &[0, 8, 125],
        leaves: Leaves::AlwaysAtOnce,
        sends: Sends::Ping,
        by_half: Some(|half, hands| Box::pin(half.ping(&hands.message))),
        ..Operation::any("ping", |connection, hands| connection.ping(&hands.message))
    },
    Operation {
        lens: &[0, 8, 125],
        leaves: Leaves::AlwaysAtOnce,
        sends: Sends::Pong,
        by_half: Some(|half, hands| Box::pin(half.pong(&hands.message))),
        ..Operation::any("pong", |connection, hands| connection.pong(&hands.message))
    },
    Operation {
        lens: &[0],
        leaves: Leaves::AlwaysAtOnce,
        sends: Sends::Nothing,
        by_half: Some(|half, _| Box::pin(half.flush())),
        ..Operation::any("flush", |connection, _| connection.flush())
    },
    Operation {
        lens: &[0],
        leaves: Leaves::AlwaysAtOnce,
        sends: Sends::Close,
        by_half: Some(|half, _| Box::pin(half.close(CloseCode::GOING_AWAY, REASON))),
        ..Operation::any("close", |connection, _| {
            if are_calls_dropped() && connection.closed().is_some() {
                return Ok(());
            }
            connection.close(CloseCode::GOING_AWAY, REASON)
        })
    },
    // Where the connection is closed already, it is no error.
    Operation {
        lens: &[0],
        leaves: Leaves::AlwaysAtOnce,
        sends: Sends::Close,
        ..Operation::bytes("byte stream, shutdown", |bytes, _| {
            io_again(|| bytes.shut_down())
        })
    },
];

pub(super) const REASON: &str = "good night";

fn write_fragments(connection: &mut dyn Connection, hands: &mut Hands) -> Result<(), Error> {
    let (first, rest) = hands.message.split_at(hands.message.len() / 2);
    let ping = &first[..first.len().min(125)];
    let frames: [(bool, Rsv, Opcode, &[u8]); 5] = [
        (false, hands.rsv, hands.opcode_ext(), first),
        (true, Rsv::NONE, Opcode::Ping, b"between"),
        (false, Rsv::NONE, Opcode::Continuation, b""),
        (true, Rsv::NONE, Opcode::Pong, ping),
        (true, Rsv::NONE, Opcode::Continuation, rest),
    ];
    for (fin, rsv, opcode, payload) in frames {
        again(|| connection.write_frame(fin, rsv, opcode, payload))?;
    }
    Ok(())
}

/// Goes on with a message from a source for as long as something would block.
fn go_on(
    sent: Result<u64, Error>,
    connection: &mut dyn Connection,
    hands: &Hands,
    source: &mut (dyn Read + Send),
) -> Result<(), Error> {
    let len = match sent {
        Err(error) if error.is_would_block() => again(|| match resume(connection) {
            Some(writer) => writer.finish_from(&mut *source),
            None => Ok(hands.message.len() as u64),
        })?,
        result => result?,
    };
    assert_eq!(len, hands.message.len() as u64);
    Ok(())
}

/// A source that would block before each few bytes.
struct Slow<'a> {
    message: &'a [u8],
    blocks: bool,
}

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.blocks = !self.blocks;
        if !self.blocks {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let few = buf.len().min(5.max(self.message.len() / 16));
        self.message.read(&mut buf[..few])
    }
}

/// Has the whole of a piece taken.
fn push(writer: &mut (impl Write + ?Sized), mut piece: &[u8]) -> Result<(), Error> {
    while !piece.is_empty() {
        let len = io_again(|| writer.write(piece))?;
        piece = &piece[len..];
    }
    Ok(())
}

/// Ends the message.
fn finish(connection: &mut dyn Connection, hands: &Hands) -> Result<(), Error> {
    let len = hands.message.len() as u64;
    let finished = again(|| resume(connection).map_or(Ok(len), MessageWriter::finish))?;
    assert_eq!(finished, len);
    Ok(())
}

/// The message that is open, unless its end was dropped when it was taken.
fn resume(connection: &mut dyn Connection) -> Option<MessageWriter<'_>> {
    let writer = connection.resume_message_writer();
    assert!(writer.is_some() || are_calls_dropped(), "none is open");
    writer
}

async fn push_by_half(half: &mut WriteHalf<ScriptedPeer>, hands: &Hands) -> Result<(), Error> {
    let mut writer = half.message_writer(hands.opcode()).await?;
    for piece in hands.message.chunks(hands.step) {
        writer.write_all(piece).await?;
    }
    writer.finish().await.map(drop)
}
