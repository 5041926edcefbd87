//! The other end is zlib in C, with frames built and taken apart by hand: it says what is right.

use crate::engine_kinds::{Judge, Kind};
use crate::ways::{messages, opcode, receivers, senders, ways};
use flate2::{Compress, Compression, FlushCompress, Status};
use framewire::deflate::DeflateConfig;
use framewire::protocol::Role;
use framewire::{Config, Opcode};
use proptest::prelude::*;
use proptest::sample::Index;
use support::compression::TAIL;
use support::deflate::parameters;
use support::frames::{BINARY, CONTINUATION, FIN, PING, PONG, RSV1, TEXT, frame};
use support::oracle::frames_in;
use support::peer::ScriptedPeer;
use support::{connect, each, peer};

/// How the foreign end compresses a message.
#[derive(Debug, Clone)]
enum Compressed {
    No,
    /// Flushed at these places, and at the end.
    Flushed(Vec<(Index, Flush)>, Flush),
    /// With a last block (RFC 7692 7.2.3.4), with or without an empty one behind it.
    Final {
        empty_block: bool,
    },
    /// With a last block here, and a stream that stands alone behind it (RFC 7692 7.2.1).
    FinalInside(Index),
}

#[derive(Debug, Clone, Copy)]
enum Flush {
    Partial,
    Sync,
    Full,
}

fn flushes() -> impl Strategy<Value = Flush> {
    prop_oneof![Just(Flush::Partial), Just(Flush::Sync), Just(Flush::Full)]
}

fn compressed() -> impl Strategy<Value = Compressed> {
    let places = proptest::collection::vec((any::<Index>(), flushes()), 0..4);
    prop_oneof![
        Just(Compressed::No),
        (places, prop_oneof![Just(Flush::Sync), Just(Flush::Full)])
            .prop_map(|(places, last)| Compressed::Flushed(places, last)),
        any::<bool>().prop_map(|empty_block| Compressed::Final { empty_block }),
        any::<Index>().prop_map(Compressed::FinalInside),
    ]
}

/// zlib, with output that is never filled.
struct Foreign {
    zlib: Compress,
    takeover: bool,
}

impl Foreign {
    fn new(level: u8, takeover: bool, window_bits: u8) -> Self {
        let level = Compression::new(level.into());
        let zlib = Compress::new_with_window_bits(level, false, window_bits);
        Self { zlib, takeover }
    }

    fn put(&mut self, bytes: &[u8], flush: FlushCompress, payload: &mut Vec<u8>) -> Status {
        let taken = self.zlib.total_in();
        payload.reserve(2 * bytes.len() + 1000);
        let status = self.zlib.compress_vec(bytes, payload, flush).unwrap();
        assert_eq!(self.zlib.total_in() - taken, bytes.len() as u64);
        status
    }

    /// A message's payload, and the reserved bit that goes with it.
    fn message(&mut self, message: &[u8], how: &Compressed) -> (u8, Vec<u8>) {
        let mut payload = Vec::new();
        match how {
            Compressed::No => return (0, message.to_vec()),
            // RFC 7692 7.2.3.6.
            Compressed::Flushed(..) if message.is_empty() => payload.push(0x00),
            Compressed::Flushed(places, last) => {
                let mut places: Vec<_> = places
                    .iter()
                    .map(|(at, flush)| (at.index(message.len()), *flush))
                    .collect();
                places.sort_by_key(|(at, _)| *at);
                let mut from = 0;
                for (at, flush) in places {
                    self.put(&message[from..at], flush.into(), &mut payload);
                    from = at;
                }
                self.put(&message[from..], (*last).into(), &mut payload);
                assert!(payload.ends_with(&TAIL));
                payload.truncate(payload.len() - TAIL.len());
            }
            Compressed::Final { empty_block } => {
                let status = self.put(message, FlushCompress::Finish, &mut payload);
                assert_eq!(status, Status::StreamEnd);
                payload.extend(empty_block.then_some(0x00));
                self.zlib.reset();
            }
            Compressed::FinalInside(at) => {
                let (first, rest) = message.split_at(at.index(message.len() + 1));
                self.put(first, FlushCompress::Finish, &mut payload);
                self.zlib.reset();
                self.put(rest, FlushCompress::Sync, &mut payload);
                payload.truncate(payload.len() - TAIL.len());
            }
        }
        if !self.takeover {
            self.zlib.reset();
        }
        (RSV1, payload)
    }
}

impl From<Flush> for FlushCompress {
    fn from(flush: Flush) -> Self {
        match flush {
            Flush::Partial => Self::Partial,
            Flush::Sync => Self::Sync,
            Flush::Full => Self::Full,
        }
    }
}

/// The payload in fragments that are cut at these places, with Pings between.
fn fragments(from: Role, first_byte: u8, payload: &[u8], cuts: &[Index]) -> Vec<u8> {
    let mut cuts: Vec<_> = cuts
        .iter()
        .map(|cut| cut.index(payload.len() + 1))
        .collect();
    cuts.sort_unstable();
    let mut bytes = Vec::new();
    let mut first_byte = first_byte;
    let mut start = 0;
    for cut in cuts {
        bytes.extend(frame(from, first_byte, &payload[start..cut]));
        bytes.extend(frame(from, FIN | PING, b"between"));
        first_byte = CONTINUATION;
        start = cut;
    }
    bytes.extend(frame(from, FIN | first_byte, &payload[start..]));
    bytes
}

/// The rule, by hand: zlib says what RFC 7692 7.2.3.1 and 7.2.3.2 say, and either end understands the other.
#[test]
fn zlib_and_a_connection_say_hello_to_each_other_twice_as_the_rfc_does() {
    let said = *b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00\xC1\x05\xF2\x00\x11\x00\x00";
    let mut foreign = Foreign::new(6, true, 15);
    let how = Compressed::Flushed(vec![], Flush::Sync);
    let hello = |_| {
        let (rsv1, payload) = foreign.message(b"Hello", &how);
        frame(Role::Server, FIN | rsv1 | TEXT, &payload)
    };
    assert_eq!([0, 1].map(hello).concat(), said);

    for kind in each(Kind::ALL) {
        let negotiated = kind.deflate(DeflateConfig::default());
        let negotiated = negotiated.negotiated(parameters(true, 15));
        let mut client = connect(Role::Client, ScriptedPeer::new(said), Config::default());
        client.set_extension(&negotiated);
        let peer = ScriptedPeer::default();
        let mut server = connect(Role::Server, peer.clone(), Config::default());
        server.set_extension(&negotiated);
        let mut judge = Judge::new(15);
        for _ in 0..2 {
            assert_eq!(
                client.next_message().unwrap().unwrap().text(),
                Some("Hello")
            );
            server.write("Hello").unwrap();
        }
        for (first, payload) in frames_in(&peer.written()) {
            assert_eq!(first, FIN | RSV1 | TEXT);
            assert_eq!(judge.read(&[&payload[..], &TAIL].concat()), b"Hello");
        }
    }
}

fn roles() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

fn kinds() -> impl Strategy<Value = Kind> {
    proptest::sample::select(Kind::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_zlib_compresses_is_read_in_any_way(
        plan in proptest::collection::vec(
            (messages(), compressed(), ways(), proptest::collection::vec(any::<Index>(), 0..5)),
            1..8,
        ),
        (receives, reader) in (receivers(), kinds()),
        from in roles(),
        takeover: bool,
        window_bits in 9_u8..=15,
        level in 0_u8..=9,
        step in 1_usize..2000,
    ) {
        let mut foreign = Foreign::new(level, takeover, window_bits);
        let mut bytes = Vec::new();
        for (message, how, _, cuts) in &plan {
            let (rsv1, payload) = foreign.message(message, how);
            let opcode = if opcode(message) == Opcode::Text { TEXT } else { BINARY };
            bytes.extend(fragments(from, rsv1 | opcode, &payload, cuts));
        }
        let negotiated = reader.deflate(DeflateConfig::default()).negotiated(parameters(takeover, window_bits));
        let wire = ScriptedPeer::new(bytes).in_pieces_of(step);
        let mut end = receives.end(peer(from), &wire, 64, &negotiated);
        for (message, _, way, _) in &plan {
            receives.receive(&mut *end, *way, message);
        }
    }

    #[test]
    fn what_is_sent_in_any_way_is_read_by_zlib(
        plan in proptest::collection::vec((messages(), ways()), 1..8),
        (sends, writer) in (senders(), kinds()),
        from in roles(),
        takeover: bool,
        window_bits in 9_u8..=15,
        level in 0_u8..=9,
        memory_level in 1_u8..=9,
        threshold in prop_oneof![Just(0), Just(40)],
        chunk_size in 64_usize..600,
    ) {
        let config = DeflateConfig::default()
            .level(level)
            .memory_level(memory_level)
            .threshold(threshold);
        let negotiated = writer.deflate(config).negotiated(parameters(takeover, window_bits));
        let wire = ScriptedPeer::default();
        let mut end = sends.end(from, &wire, chunk_size, &negotiated);
        for (message, way) in &plan {
            sends.send(&mut *end, *way, message);
        }
        end.flush().unwrap();
        let written = wire.written();
        let mut messages = plan.iter().map(|(message, _)| message);
        let mut judge = Judge::new(window_bits);
        let mut payload = Vec::new();
        let mut compressed = false;
        for (first_byte, piece) in frames_in(&written) {
            if first_byte == FIN | PING || first_byte == FIN | PONG {
                continue;
            }
            if first_byte & 0x0f == CONTINUATION {
                prop_assert_eq!(first_byte & RSV1, 0);
            } else {
                prop_assert!(payload.is_empty());
                compressed = first_byte & RSV1 != 0;
            }
            payload.extend(piece);
            if first_byte & FIN != 0 {
                let mut message = std::mem::take(&mut payload);
                if compressed {
                    if !takeover {
                        judge.forget();
                    }
                    message.extend(TAIL);
                    message = judge.read(&message);
                }
                prop_assert_eq!(Some(&message), messages.next());
            }
        }
        prop_assert_eq!(messages.next(), None);
    }
}
