//! Operations that receive a message, or a frame.

use std::io::Read;
use std::time::Duration;

use framewire::Error;
use framewire::frame::Rsv;

use super::{Again, Calls, Hands, Leaves, Operation, Seen, Sends};
use crate::connection::{Back, ByteStream, Connection};
use crate::{again, io_again};

pub const RECEIVING: &[Operation] = &[
    receives(Operation::any("next_message", |connection, hands| {
        let Some(message) = connection.next_message()? else {
            return Err(connection.end());
        };
        let (opcode, rsv, payload) = (message.opcode(), message.rsv(), message.payload());
        hands.see(|| Seen::Message(opcode, rsv, payload.to_vec()));
        Ok(())
    })),
    receives(Operation::any("append_message", |connection, hands| {
        hands.buf.clear();
        let Some(message) = connection.append_message(&mut hands.buf)? else {
            return Err(connection.end());
        };
        let (opcode, rsv) = (message.opcode(), message.rsv());
        hands.see_buf(0, |bytes| Seen::Message(opcode, rsv, bytes));
        Ok(())
    })),
    receives(Operation::any(
        "append_message, to what is there",
        |connection, hands| {
            hands.buf.clear();
            hands.buf.extend_from_slice(b"kept");
            let appended = connection.append_message(&mut hands.buf);
            let kind = appended.map(|one| one.map(|message| (message.opcode(), message.rsv())));
            assert_eq!(hands.buf[..4], *b"kept");
            let is_as_it_was = hands.buf.len() == 4;
            assert!(
                matches!(kind, Ok(Some(_))) || is_as_it_was,
                "an end leaves it"
            );
            let (opcode, rsv) = kind?.ok_or_else(|| connection.end())?;
            hands.see_buf(4, |bytes| Seen::Message(opcode, rsv, bytes));
            Ok(())
        },
    )),
    Operation {
        in_pieces: true,
        ..receives(Operation::with_stream("message_reader", read_streamed))
    },
    Operation {
        in_pieces: true,
        ..receives(Operation::with_stream(
            "resume_message_reader",
            read_resumed,
        ))
    },
    Operation {
        skips: true,
        ..receives(Operation::with_stream(
            "message_reader, skipped",
            |connection, hands| {
                let Some(mut reader) = connection.message_reader()? else {
                    return Err(connection.end());
                };
                let _ = io_again(|| reader.read(&mut [0; 3]))?;
                let opcode = reader.opcode();
                hands.see(|| Seen::Begun(opcode));
                Ok(())
            },
        ))
    },
    Operation {
        raw: true,
        ..receives(Operation::with_stream("read_frame", read_frame))
    },
    Operation {
        raw: true,
        ..receives(Operation::with_stream(
            "read_header and read_frame",
            |connection, hands| {
                let Some(header) = connection.read_header()? else {
                    return Err(connection.end());
                };
                again(|| {
                    assert_eq!(connection.read_header()?, Some(header));
                    read_frame(connection, hands)
                })
            },
        ))
    },
    receives(Operation::bytes("byte stream, read", read_bytes)),
    Operation {
        leaves: Leaves::Later,
        ..Operation::any("next_message_and_writer, fed", |connection, hands| {
            hands.buf.clear();
            let echoed = connection.echo_message(Back::Fed, None, &mut hands.buf)?;
            let opcode = echoed.ok_or_else(|| connection.end())?;
            hands.see_buf(0, |bytes| Seen::Message(opcode, Rsv::NONE, bytes));
            Ok(())
        })
    },
    Operation::any("next_message_and_writer, written", |connection, hands| {
        hands.buf.clear();
        let echoed = connection.echo_message(Back::Written, None, &mut hands.buf)?;
        let opcode = echoed.ok_or_else(|| connection.end())?;
        hands.see_buf(0, |bytes| Seen::Message(opcode, Rsv::NONE, bytes));
        Ok(())
    }),
];

/// The closing handshake.
pub const SHUTDOWN: &Operation = &Operation {
    leaves: Leaves::AlwaysAtOnce,
    ..receives(Operation::new(
        "shutdown",
        Calls::Whole(|connection, hands| {
            let shutdown = connection.shutdown_whole(Duration::from_secs(600));
            let shutdown = shutdown.expect("it is whole")?;
            hands.see(|| Seen::Shutdown(shutdown));
            Ok(())
        }),
    ))
};

const fn receives(operation: Operation) -> Operation {
    Operation {
        again: Again::Same,
        leaves: Leaves::Nothing,
        sends: Sends::Nothing,
        ..operation
    }
}

fn read_streamed(connection: &mut dyn Connection, hands: &mut Hands) -> Result<(), Error> {
    let Some(mut reader) = connection.message_reader()? else {
        return Err(connection.end());
    };
    hands.buf.clear();
    hands.piece.resize(hands.step, 0);
    while let len @ 1.. = io_again(|| reader.read(&mut hands.piece))? {
        hands.buf.extend_from_slice(&hands.piece[..len]);
    }
    let (opcode, rsv) = (reader.opcode(), reader.rsv());
    hands.see_buf(0, |bytes| Seen::Message(opcode, rsv, bytes));
    Ok(())
}

/// As above, but drops the reader after each read, and after each that would block.
fn read_resumed(connection: &mut dyn Connection, hands: &mut Hands) -> Result<(), Error> {
    let Some(reader) = connection.message_reader()? else {
        return Err(connection.end());
    };
    let (opcode, rsv) = (reader.opcode(), reader.rsv());
    hands.buf.clear();
    hands.piece.resize(hands.step, 0);
    while connection.resume_message_reader().is_some() {
        let len = io_again(|| match connection.resume_message_reader() {
            Some(mut reader) => reader.read(&mut hands.piece),
            None => Ok(0),
        })?;
        hands.buf.extend_from_slice(&hands.piece[..len]);
    }
    hands.see_buf(0, |bytes| Seen::Message(opcode, rsv, bytes));
    Ok(())
}

/// As many bytes as the message has, or without one a piece: all of it, unless it is the last.
fn read_bytes(bytes: &mut dyn ByteStream, hands: &mut Hands) -> Result<(), Error> {
    let len = match hands.message.len() {
        0 => hands.step,
        len => len,
    };
    hands.buf.clear();
    hands.piece.resize(hands.step, 0);
    while hands.buf.len() < len {
        let room = hands.step.min(len - hands.buf.len());
        match io_again(|| bytes.read(&mut hands.piece[..room]))? {
            0 => break,
            read => hands.buf.extend_from_slice(&hands.piece[..read]),
        }
    }
    if !hands.buf.is_empty() {
        hands.see_buf(0, Seen::Bytes);
    }
    Ok(())
}

fn read_frame(connection: &mut dyn Connection, hands: &mut Hands) -> Result<(), Error> {
    hands.piece.resize(hands.longest_frame, 0);
    let Some(frame) = connection.read_frame(&mut hands.piece)? else {
        return Err(connection.end());
    };
    let (header, payload) = (*frame.header(), frame.payload());
    if let Some(seen) = &mut hands.seen {
        let frame = Seen::Frame(header.fin(), header.opcode(), payload.to_vec());
        seen.push(frame);
    }
    Ok(())
}
