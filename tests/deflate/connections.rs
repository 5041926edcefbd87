//! permessage-deflate over connections: frames, streams that stall, prepared messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ways::end;
use framewire::blocking::PreparedMessage;
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, Negotiated, ZlibRs,
};
use framewire::protocol::Role;
use framewire::{Config, Opcode};
use support::compression::Compression;
use support::connection::{Kind, endpoints_with};
use support::deflate::parameters;
use support::frames::{BINARY, FIN, RSV1, TEXT};
use support::peer::{ScriptedPeer, Taking};
use support::{each, json, oracle};

fn negotiated(takeover: bool, window_bits: u8, config: DeflateConfig) -> Negotiated {
    let deflate = Deflate::new(config).unwrap();
    deflate.negotiated(parameters(takeover, window_bits))
}

#[test]
fn a_long_message_leaves_in_frames_of_the_write_buffer() {
    let message = json(1 << 20);
    for end in endpoints_with(Compression::Takeover) {
        let stream = ScriptedPeer::default();
        let config = Config::default().chunk_size(1024).write_buffer(4096);
        let mut connection = end.open(&stream, config).unwrap();
        connection.write((Opcode::Text, &message)).unwrap();
        let written = stream.written();
        assert!(oracle::data(&end.heard(&written)) == message);
        let frames = oracle::frames(&written);
        let (last, before) = frames.split_last().unwrap();
        let (first, middle) = before.split_first().unwrap();
        // RSV1 on the first, FIN on the last.
        assert_eq!((first.first, last.first), (RSV1 | TEXT, FIN));
        assert!(middle.iter().all(|frame| frame.first == 0x00));
        let lengths = before.iter().map(|frame| frame.declared);
        assert!(
            lengths
                .into_iter()
                .all(|len| (512..=5 * 1024).contains(&len))
        );
        assert!(last.declared > 0);
    }
}

/// The rule, by hand: a message that found no room is in no context. The second "Hello" is five bytes that are five
/// bytes back, as in RFC 7692 7.2.3.2, where the compressor says the first of them once more.
#[test]
fn a_message_that_found_no_room_is_in_no_context() {
    for end in endpoints_with(Compression::Takeover).filter(|end| end.role == Role::Server) {
        let stream = ScriptedPeer::default().taking(Taking::Nothing);
        let mut server = end.with(&stream);
        // What does not wait has taken it, and so has what was dropped while it waits.
        let _ = server.write("Hello");
        let refused = server.write("world");
        assert!(refused.unwrap_err().is_would_block());
        stream.set_taking(Taking::All);
        server.write("Hello").unwrap();
        let first = b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00";
        assert_eq!(
            stream.written(),
            [&first[..], b"\xC1\x04\x02\x13\x00\x00"].concat()
        );
    }
}

/// Wherever the stream stops to take more, a message is taken whole or not at all. Where a call waits for the stream,
/// dropping it does not tell which: see `behaviour/cancel.rs`.
#[test]
fn a_stalled_stream_cuts_no_message() {
    let negotiated = negotiated(true, 15, DeflateConfig::default());
    let messages = [json(60_000), json(200), json(30_000)];
    let config = Config::default().chunk_size(256).write_buffer(1024);
    for kind in each(Kind::ALL.into_iter().filter(|kind| !kind.waits())) {
        let mut stalls = 0;
        for room in each((0..6_000).step_by(191)) {
            let peer = ScriptedPeer::new([]).taking(Taking::Room(room));
            let connect = |peer, role| kind.messaging(peer, role, config, Some(&negotiated));
            let mut server = connect(&peer, Role::Server).unwrap();
            for message in &messages {
                let mut sent = server.write((Opcode::Text, message));
                while let Err(error) = sent {
                    assert!(error.is_would_block(), "{error}");
                    stalls += 1;
                    peer.set_taking(Taking::Room(100));
                    sent = server.write((Opcode::Text, message));
                }
            }
            peer.set_taking(Taking::All);
            server.flush().unwrap();
            let wire = ScriptedPeer::new(peer.written()).in_pieces_of(700);
            let mut client = connect(&wire, Role::Client).unwrap();
            for message in &messages {
                assert_eq!(client.next_message().unwrap().unwrap().payload(), message);
            }
        }
        assert!(stalls > 0);
    }
}

#[test]
fn a_message_is_compressed_into_the_room_that_a_stalled_stream_leaves() {
    let messages = [json(300), json(600), json(900)];
    for end in endpoints_with(Compression::Takeover) {
        let stream = ScriptedPeer::default().taking(Taking::Room(20));
        let mut connection = end.with(&stream);
        connection.feed((Opcode::Text, &messages[0])).unwrap();
        assert!(connection.flush().unwrap_err().is_would_block());
        stream.set_taking(Taking::All);
        for message in &messages[1..] {
            connection.try_feed((Opcode::Text, message)).unwrap();
        }
        assert_eq!(stream.written().len(), 20, "it never writes");
        connection.flush().unwrap();
        let written = stream.written();
        let frames = oracle::frames(&written);
        assert!(frames.iter().all(|frame| frame.first == FIN | RSV1 | TEXT));
        assert!(oracle::data(&end.heard(&written)) == messages.concat());
    }
}

/// zlib-rs, and how often it was asked for a compressor.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Engine for Counted {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        self.0.fetch_add(1, Ordering::Relaxed);
        ZlibRs.compressor(level, window_bits, memory_level)
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        ZlibRs.decompressor(window_bits)
    }
}

#[test]
fn a_prepared_message_is_compressed_once_for_each_window() {
    let message = json(5_000);
    for kind in each(Kind::FRONT_ENDS) {
        let compressors = Arc::new(AtomicUsize::new(0));
        let engine = Counted(Arc::clone(&compressors));
        // Without room in the pool nothing can be compressed any more.
        let deflate = Deflate::with_engine(DeflateConfig::default(), engine, 1).unwrap();
        let prepared = PreparedMessage::new((Opcode::Text, &message)).unwrap();
        let frames = [15, 9, 15, 9, 15].map(|window_bits| {
            let negotiated = deflate.negotiated(parameters(false, window_bits));
            let peer = ScriptedPeer::new([]);
            let mut server = end(kind, Role::Server, &peer, 4096, &negotiated);
            server.write_prepared(&prepared).unwrap();
            let written = peer.written();
            assert!(written.len() < message.len() / 2);
            let wire = ScriptedPeer::new(written.clone()).in_pieces_of(700);
            let mut client = end(kind, Role::Client, &wire, 4096, &negotiated);
            assert_eq!(client.next_message().unwrap().unwrap().payload(), message);
            written
        });
        assert_eq!(compressors.load(Ordering::Relaxed), 2);
        assert_eq!((&frames[0], &frames[1]), (&frames[2], &frames[3]));
        assert_ne!(frames[0], frames[1]);
    }
}

#[test]
fn a_prepared_message_goes_as_it_is_where_compression_is_off_or_not_worth_it() {
    let config = DeflateConfig::default().threshold(100);
    let negotiated = negotiated(false, 15, config);
    let short = PreparedMessage::new([b'a'; 99]).unwrap();
    let long = PreparedMessage::new([b'a'; 100]).unwrap();
    for kind in each(Kind::FRONT_ENDS) {
        let peer = ScriptedPeer::new([]);
        let mut server = end(kind, Role::Server, &peer, 4096, &negotiated);
        server.write_prepared(&short).unwrap();
        server.write_prepared(&long).unwrap();
        server.set_compression(false);
        server.write_prepared(&long).unwrap();
        let frames = oracle::frames(&peer.written());
        let [first, second, third] = &frames[..] else {
            panic!("three frames");
        };
        assert_eq!((first.first, first.declared), (FIN | BINARY, 99));
        assert_eq!(second.first, FIN | RSV1 | BINARY);
        assert_eq!((third.first, third.declared), (FIN | BINARY, 100));
    }
}

/// With takeover, what is prepared enters the context like any other message.
#[test]
fn a_prepared_message_refers_to_those_before_it_and_is_referred_to() {
    let message = json(5_000);
    let prepared = PreparedMessage::new((Opcode::Text, &message)).unwrap();
    for end in endpoints_with(Compression::Takeover) {
        let stream = ScriptedPeer::default();
        let mut connection = end.with(&stream);
        let mut sent = vec![];
        for n in 1..4 {
            let other = &message[n * 1000..];
            connection.write((Opcode::Text, other)).unwrap();
            connection.write_prepared(&prepared).unwrap();
            sent.extend_from_slice(&[other, &message[..]].concat());
        }
        let written = stream.written();
        let len = written.len();
        assert!(len < 3_000, "the repetitions cost little: {len}");
        assert!(oracle::data(&end.heard(&written)) == sent);
    }
}
