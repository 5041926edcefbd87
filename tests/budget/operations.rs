//! What is counted: each use of a connection once, for all budgets.

use std::io::{Read, Write};

use framewire::blocking::PreparedMessage;
use framewire::frame::Rsv;
use framewire::{CHUNK_SIZE_LOW_MEMORY as CHUNK, Config, Opcode};
use support::connection::{Back, Connection, Endpoint};

/// One use of a connection.
#[derive(Clone, Copy)]
pub struct Operation {
    pub name: &'static str,
    pub run: fn(&mut dyn Connection, &mut Hands),
    pub leaves: Leaves,
}

impl Operation {
    /// Says which case it is, for one that fails.
    pub fn case(&self, end: Endpoint, len: usize) -> String {
        format!("{} by {end:?}, {len} bytes", self.name)
    }
}

/// When something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Never.
    Nothing,
    /// Once the connection waits for its peer, together with all that was sent before.
    Later,
    /// At once, with one write; where [`Config::coalesce_writes`] is set, `Later`.
    AtOnce,
    /// At once, whatever is set.
    AlwaysAtOnce,
    /// At once, with one write for each fragment.
    Streamed { flushed: bool },
}

/// What a use has at hand.
pub struct Hands {
    pub message: Vec<u8>,
    prepared: PreparedMessage,
    buf: Vec<u8>,
    frame: Vec<u8>,
    /// How many messages are fed at once.
    count: usize,
}

impl Hands {
    /// For such a message, and frames of at most so many bytes.
    pub fn new(message: &[u8], longest_frame: usize, count: usize) -> Self {
        Self {
            message: message.to_vec(),
            prepared: PreparedMessage::new(Opcode::Binary, message).unwrap(),
            buf: Vec::new(),
            frame: vec![0; longest_frame],
            count,
        }
    }

    /// The next message, as if the application had made it anew.
    fn take_next(&mut self, connection: &mut dyn Connection) -> &[u8] {
        let message = connection.next_message().unwrap();
        self.buf.clear();
        self.buf.extend_from_slice(message.payload());
        &self.buf
    }
}

pub const RECEIVING: &[Operation] = &[
    Operation {
        name: "next_message",
        leaves: Leaves::Nothing,
        run: |connection, hands| {
            let message = connection.next_message().unwrap();
            assert_eq!(message.payload().len(), hands.message.len());
        },
    },
    Operation {
        name: "read_message",
        leaves: Leaves::Nothing,
        run: |connection, hands| {
            hands.buf.clear();
            connection.read_message(&mut hands.buf).unwrap();
            assert_eq!(hands.buf.len(), hands.message.len());
        },
    },
    Operation {
        name: "message_reader",
        leaves: Leaves::Nothing,
        run: |connection, _| {
            let mut reader = connection.message_reader().unwrap();
            while reader.read(&mut [0; 10_000]).unwrap() > 0 {}
        },
    },
    Operation {
        name: "read_frame",
        leaves: Leaves::Nothing,
        run: |connection, hands| {
            while {
                connection.read_header().unwrap();
                let frame = connection.read_frame(&mut hands.frame).unwrap();
                !frame.header().fin() || frame.header().opcode().is_control()
            } {}
        },
    },
];

pub const ECHOING: &[Operation] = &[
    Operation {
        name: "next_message_and_writer, fed",
        leaves: Leaves::Later,
        run: |connection, hands| {
            hands.buf.clear();
            connection.echo_message(Back::Fed, &mut hands.buf).unwrap();
        },
    },
    Operation {
        name: "next_message_and_writer, written",
        leaves: Leaves::AtOnce,
        run: |connection, hands| {
            hands.buf.clear();
            connection
                .echo_message(Back::Written, &mut hands.buf)
                .unwrap();
        },
    },
];

/// What is the same by two calls.
pub const ECHOING_BY_TWO: &[Operation] = &[
    Operation {
        name: "read_message and feed_message",
        leaves: Leaves::Later,
        run: |connection, hands| {
            hands.buf.clear();
            let opcode = connection.read_message(&mut hands.buf).unwrap();
            connection.feed_message(opcode, &hands.buf).unwrap();
        },
    },
    Operation {
        name: "next_message and try_feed_message",
        leaves: Leaves::Later,
        run: |connection, hands| {
            let message = hands.take_next(connection);
            // What is longer than the write buffer is copied to memory of its own.
            let fits = message.len() < Config::default().write_buffer;
            if !fits
                || connection
                    .try_feed_message(Opcode::Binary, message)
                    .is_err()
            {
                connection.feed_message(Opcode::Binary, message).unwrap();
            }
        },
    },
    Operation {
        name: "next_message and write_message",
        leaves: Leaves::AtOnce,
        run: |connection, hands| {
            let message = hands.take_next(connection);
            connection.write_message(Opcode::Binary, message).unwrap();
        },
    },
    Operation {
        name: "next_message and write_prepared",
        leaves: Leaves::AtOnce,
        run: |connection, hands| {
            connection.next_message().unwrap();
            connection.write_prepared(&hands.prepared).unwrap();
        },
    },
    Operation {
        name: "next_message and write_frame",
        leaves: Leaves::AlwaysAtOnce,
        run: |connection, hands| {
            let message = hands.take_next(connection);
            connection
                .write_frame(true, Rsv::NONE, Opcode::Binary, message)
                .unwrap();
        },
    },
];

pub const SENDING: &[Operation] = &[
    Operation {
        name: "write_message",
        leaves: Leaves::AtOnce,
        run: |connection, hands| {
            connection
                .write_message(Opcode::Binary, &hands.message)
                .unwrap();
        },
    },
    Operation {
        name: "feed_message and write_message",
        leaves: Leaves::AtOnce,
        run: |connection, hands| {
            connection.feed_message(Opcode::Binary, b"before").unwrap();
            connection
                .write_message(Opcode::Binary, &hands.message)
                .unwrap();
        },
    },
    FEED,
    Operation {
        name: "write_frame",
        leaves: Leaves::AtOnce,
        run: |connection, hands| {
            connection
                .write_frame(true, Rsv::NONE, Opcode::Binary, &hands.message)
                .unwrap();
        },
    },
    Operation {
        name: "write_prepared",
        leaves: Leaves::AtOnce,
        run: |connection, hands| connection.write_prepared(&hands.prepared).unwrap(),
    },
    Operation {
        name: "stream_message",
        leaves: Leaves::Streamed { flushed: false },
        run: |connection, hands| {
            connection
                .stream_message(Opcode::Binary, CHUNK, &mut &hands.message[..])
                .unwrap();
        },
    },
    Operation {
        name: "message_writer",
        leaves: Leaves::Streamed { flushed: false },
        run: |connection, hands| {
            let mut writer = connection.message_writer(Opcode::Binary).unwrap();
            writer.write_all(&hands.message).unwrap();
            writer.finish().unwrap();
        },
    },
    Operation {
        name: "message_writer, in pieces",
        leaves: Leaves::Streamed { flushed: true },
        run: |connection, hands| {
            let mut writer = connection.message_writer(Opcode::Binary).unwrap();
            for piece in hands.message.chunks(1000) {
                writer.write_all(piece).unwrap();
            }
            writer.flush().unwrap();
            writer.finish().unwrap();
        },
    },
];

pub const FEED: Operation = Operation {
    name: "feed_message and flush",
    leaves: Leaves::AtOnce,
    run: |connection, hands| {
        for _ in 0..hands.count {
            connection
                .feed_message(Opcode::Binary, &hands.message)
                .unwrap();
        }
        connection.flush().unwrap();
    },
};

/// Those of control frames, of which the last answers what its peer says.
pub const CONTROL: [Operation; 3] = [
    Operation {
        name: "ping",
        leaves: Leaves::AlwaysAtOnce,
        run: |connection, hands| connection.ping(&hands.message).unwrap(),
    },
    Operation {
        name: "pong",
        leaves: Leaves::AlwaysAtOnce,
        run: |connection, hands| connection.pong(&hands.message).unwrap(),
    },
    Operation {
        name: "a Ping answered",
        leaves: Leaves::AlwaysAtOnce,
        run: |connection, _| _ = connection.next_message().unwrap(),
    },
];
