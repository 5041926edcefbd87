//! Who holds a context of the pool, and for how long; and engines that keep to their contract in
//! their own way.

use std::io::ErrorKind::BrokenPipe;
use std::io::Write as _;

use crate::ways::end;
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, EngineError, Flush, Negotiated,
    Progress, ZlibRs,
};
use framewire::protocol::{Role, SendError};
use framewire::{CloseCode, Config, ErrorKind, Opcode};
use support::compression::HELLO;
use support::connection::{Kind, Messaging};
use support::deflate::{parameters, pooled};
use support::frames::{BINARY, CLOSE, FIN, RSV1, frame};
use support::peer::{Direction, Fault, Plan, ScriptedPeer};
use support::{each, pattern};

fn server(kind: Kind, peer: &ScriptedPeer, negotiated: &Negotiated) -> Box<dyn Messaging> {
    let config = Config::default();
    let server = kind.messaging(peer, Role::Server, config, Some(negotiated));
    server.unwrap()
}

/// Whether a connection can have the only decompressor of the pool.
fn decompressor_is_free(negotiated: &Negotiated) -> bool {
    let hello = frame(Role::Client, FIN | RSV1 | BINARY, &HELLO);
    let mut server = server(Kind::Blocking, &ScriptedPeer::new(hello), negotiated);
    server.next_message().is_ok_and(|message| message.is_some())
}

/// Whether a connection can have the only compressor of the pool: else it sends as it is.
fn compressor_is_free(negotiated: &Negotiated) -> bool {
    let peer = ScriptedPeer::new([]);
    let mut server = server(Kind::Blocking, &peer, negotiated);
    server.write(b"Hello").unwrap();
    peer.written()[0] & RSV1 != 0
}

#[test]
fn a_connection_that_has_ended_holds_no_decompressor() {
    let begun = frame(Role::Client, RSV1 | BINARY, &HELLO[..2]);
    let close = frame(Role::Client, FIN | CLOSE, b"\x03\xE8");
    let illegal = frame(Role::Client, FIN | BINARY, b"a message inside another");
    for rest in each([close, illegal, Vec::new()]) {
        for kind in each(Kind::ALL) {
            let negotiated = pooled(1);
            let peer = ScriptedPeer::saying([&begun[..]]);
            let mut ended = server(kind, &peer, &negotiated);
            assert!(ended.next_message().unwrap_err().is_would_block());
            assert!(!decompressor_is_free(&negotiated));
            peer.say(&rest);
            peer.end();
            assert!(
                !ended
                    .next_message()
                    .is_err_and(|error| error.is_would_block())
            );
            assert!(decompressor_is_free(&negotiated));
        }
    }
}

#[test]
fn a_connection_that_can_send_no_more_holds_no_compressor() {
    for kind in each(Kind::FRONT_ENDS) {
        let negotiated = pooled(1);
        let mut closed = server(kind, &ScriptedPeer::new([]), &negotiated);
        let closed = closed.with_stream().unwrap();
        closed.message_writer(Opcode::Binary).unwrap();
        assert!(!compressor_is_free(&negotiated));
        closed.close(CloseCode::NORMAL, "").unwrap();
        assert!(compressor_is_free(&negotiated));
        let mut writer = closed.resume_message_writer().unwrap();
        let error = writer.write(b"more").unwrap_err();
        assert!(error.to_string().contains("closed"), "{error}");
        drop(writer);

        let plan = Plan::Always(Direction::Write, Fault::Error(BrokenPipe));
        let mut failed = server(kind, &ScriptedPeer::new([]).failing(plan), &negotiated);
        let failed = failed.with_stream().unwrap();
        let mut writer = failed.message_writer(Opcode::Binary).unwrap();
        writer.write_all(b"something").unwrap();
        writer.flush().unwrap_err();
        drop(writer);
        assert!(compressor_is_free(&negotiated));
    }
}

/// Takes and puts out as little as the traits allow, or nothing at all.
#[derive(Debug)]
struct Reluctant {
    works: bool,
}

struct Compressing {
    zlib: Box<dyn Compressor>,
    works: bool,
}

impl Engine for Reluctant {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        Box::new(Compressing {
            zlib: ZlibRs.compressor(level, window_bits, memory_level),
            works: self.works,
        })
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        ZlibRs.decompressor(window_bits)
    }
}

impl Compressor for Compressing {
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError> {
        match input {
            _ if !self.works => Ok(Progress {
                consumed: 0,
                produced: 0,
                ended: false,
            }),
            [first, _, ..] => self.zlib.compress(&[*first], output, Flush::None),
            last => self.zlib.compress(last, output, flush),
        }
    }

    fn reset(&mut self) {
        self.zlib.reset();
    }
}

fn reluctant(works: bool) -> Negotiated {
    let engine = Reluctant { works };
    let deflate = Deflate::with_engine(DeflateConfig::default(), engine, 4).unwrap();
    deflate.negotiated(parameters(true, 15))
}

#[test]
fn an_engine_that_takes_a_byte_at_a_time_sends_the_same_messages() {
    let negotiated = reluctant(true);
    for kind in each(Kind::FRONT_ENDS) {
        for fed in each((0..200).step_by(7)) {
            let peer = ScriptedPeer::new([]);
            let mut server = end(kind, Role::Server, &peer, 16, &negotiated);
            let (first, second) = (pattern(fed), pattern(300));
            server.feed(&first).unwrap();
            server.feed(&second).unwrap();
            server
                .stream_message(Opcode::Binary, 16, &mut &second[..])
                .unwrap();
            let wire = ScriptedPeer::new(peer.written()).in_pieces_of(700);
            let mut client = end(kind, Role::Client, &wire, 64, &negotiated);
            assert_eq!(client.next_message().unwrap().unwrap().payload(), first);
            assert_eq!(client.next_message().unwrap().unwrap().payload(), second);
            assert_eq!(client.next_message().unwrap().unwrap().payload(), second);
        }
    }
}

#[test]
fn an_engine_that_gets_nowhere_is_an_error() {
    let negotiated = reluctant(false);
    for kind in each(Kind::FRONT_ENDS) {
        let peer = ScriptedPeer::new([]);
        let mut server = end(kind, Role::Server, &peer, 16, &negotiated);
        let written = server.write(b"Hello").unwrap_err();
        let streamed = server.stream_message(Opcode::Binary, 16, &mut &b"Hello"[..]);
        for error in [written, streamed.unwrap_err()] {
            assert!(
                matches!(error.kind(), ErrorKind::Send(SendError::Compression)),
                "{error}"
            );
        }
        assert!(peer.written().is_empty());
    }
}

/// RFC 7692 7.2.3.6 has a byte for it, but there are peers that cut that off as well.
#[test]
fn an_empty_message_without_a_byte_leaves_the_context_as_it_was() {
    let payloads: [&[u8]; 3] = [&HELLO, &[], &HELLO];
    let frames = payloads.map(|payload| frame(Role::Client, FIN | RSV1 | BINARY, payload));
    let frames = frames.concat();
    for takeover in each([true, false]) {
        let negotiated = support::deflate::negotiated(takeover);
        for kind in each(Kind::ALL) {
            let mut server = server(kind, &ScriptedPeer::new(&frames[..]), &negotiated);
            for expected in [&b"Hello"[..], b"", b"Hello"] {
                assert_eq!(server.next_message().unwrap().unwrap().payload(), expected);
            }
        }
    }
}
