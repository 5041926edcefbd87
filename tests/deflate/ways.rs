//! Any way to send a message, and any way to read one: the operations of the table, by every kind.

use framewire::deflate::Negotiated;
use framewire::frame::Rsv;
use framewire::protocol::{Limits, Role};
use framewire::{Config, Opcode};
use proptest::prelude::*;
use proptest::sample::select;

use support::connection::{Connection, Kind, Messaging};
use support::operations::{Hands, Operation, Seen, Sends};
use support::pattern;
use support::peer::ScriptedPeer;

/// One end of a connection of a kind with every call, which compresses.
pub fn end(
    kind: Kind,
    role: Role,
    peer: &ScriptedPeer,
    chunk_size: usize,
    negotiated: &Negotiated,
) -> Box<dyn Connection> {
    let end = kind.open(peer, role, config(chunk_size), Some(negotiated));
    end.unwrap()
}

fn config(chunk_size: usize) -> Config {
    Config::default()
        .chunk_size(chunk_size)
        .read_buffer(512)
        .write_buffer(4 * chunk_size)
        .limits(Limits::UNLIMITED)
}

/// A kind of connection, and any of the operations that it has.
#[derive(Debug, Clone)]
pub struct Ways {
    kind: Kind,
    operations: Vec<&'static Operation>,
}

/// What sends messages, by any kind.
pub fn senders() -> impl Strategy<Value = Ways> {
    let message = |one: &&Operation| one.sends == Sends::Message;
    select(Kind::ALL.to_vec()).prop_map(move |kind| {
        let operations = Operation::sending_messages(kind).filter(message);
        let operations = operations.collect();
        Ways { kind, operations }
    })
}

/// What receives them and answers nothing, by any kind.
pub fn receivers() -> impl Strategy<Value = Ways> {
    // A stream of bytes is no text.
    let message = |one: &&Operation| !one.is_of_bytes();
    select(Kind::ALL.to_vec()).prop_map(move |kind| {
        let operations = Operation::reading(kind).filter(message);
        let operations = operations.collect();
        Ways { kind, operations }
    })
}

/// One of the ways, and how long its pieces are.
pub type Way = (prop::sample::Index, usize);

/// Any of them; the pieces are no longer than the smallest chunks.
pub fn ways() -> impl Strategy<Value = Way> {
    (any::<prop::sample::Index>(), 1_usize..64)
}

pub fn messages() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        "[a-c]{0,600}".prop_map(String::into_bytes),
        "\\PC{0,100}".prop_map(String::into_bytes),
        (0_u8..128, 0_usize..5_000).prop_map(|(byte, len)| vec![byte; len]),
        "[a-z0-9]{0,1500}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..3_000),
        // What comes again from further away than a small window.
        (0_usize..2, 100_usize..20_000).prop_map(|(times, len)| pattern(len).repeat(1 + times)),
    ]
}

/// Text is what can be.
pub fn opcode(message: &[u8]) -> Opcode {
    match std::str::from_utf8(message) {
        Ok(_) => Opcode::Text,
        Err(_) => Opcode::Binary,
    }
}

impl Ways {
    /// One end of a connection that compresses.
    pub fn end(
        &self,
        role: Role,
        peer: &ScriptedPeer,
        chunk_size: usize,
        negotiated: &Negotiated,
    ) -> Box<dyn Messaging> {
        let end = self
            .kind
            .messaging(peer, role, config(chunk_size), Some(negotiated));
        end.unwrap()
    }

    pub fn send(&self, connection: &mut dyn Messaging, (way, step): Way, message: &[u8]) {
        let mut hands = Hands::new(message, step);
        let sent = way.get(&self.operations).call(connection, &mut hands);
        sent.unwrap();
    }

    pub fn receive(&self, connection: &mut dyn Messaging, (way, step): Way, expected: &[u8]) {
        let mut hands = Hands::seeing(10 * step);
        let operation = way.get(&self.operations);
        let opcode = opcode(expected);
        loop {
            operation.call(connection, &mut hands).unwrap();
            match hands.seen().pop().expect("one call sees one thing") {
                Seen::Frame(is_last, opcode, _) if is_last && !opcode.is_control() => return,
                Seen::Frame(..) => {}
                Seen::Begun(begun) => return assert_eq!(begun, opcode, "{operation:?}"),
                seen => {
                    let message = Seen::Message(opcode, Rsv::NONE, expected.to_vec());
                    return assert!(seen == message, "{operation:?}: {seen:x?}");
                }
            }
        }
    }
}
