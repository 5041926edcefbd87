//! permessage-deflate over the blocking front end: frames, streams that stall, prepared messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use framewire::Opcode;
use framewire::blocking::PreparedMessage;
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, Negotiated, Parameters, ZlibRs,
};
use framewire::protocol::Role;
use support::deflate::ways::end;
use support::peer::{ScriptedPeer, Taking};

fn negotiated(takeover: bool, window_bits: u8, config: DeflateConfig) -> Negotiated {
    Deflate::new(config).unwrap().negotiated(Parameters {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        server_max_window_bits: window_bits,
        client_max_window_bits: window_bits,
    })
}

/// JSON that is alike and not the same.
fn json(len: usize) -> Vec<u8> {
    let objects = (0_u64..).flat_map(|n| format!("{{\"id\":{n},\"ok\":true}},").into_bytes());
    objects.take(len).collect()
}

/// The payload lengths and first bytes of the frames that a server wrote.
fn frames(mut wire: &[u8]) -> Vec<(u8, usize)> {
    let mut frames = Vec::new();
    while let Some((header, len)) = framewire::frame::Header::decode(wire).unwrap() {
        let payload = usize::try_from(header.payload_len()).unwrap();
        frames.push((wire[0], payload));
        wire = &wire[len + payload..];
    }
    frames
}

#[test]
fn a_long_message_leaves_in_frames_of_the_write_buffer() {
    let negotiated = negotiated(true, 15, DeflateConfig::default());
    let message = json(1 << 20);
    let mut server = end(Role::Server, ScriptedPeer::new([]), 1024, &negotiated);
    server.write_message(Opcode::Text, &message).unwrap();
    let written = server.into_inner().0.written();
    let frames = frames(&written);
    let (last, before) = frames.split_last().unwrap();
    let (first, middle) = before.split_first().unwrap();
    assert_eq!(
        (first.0, last.0),
        (0x41, 0x80),
        "RSV1 on the first, FIN on the last"
    );
    assert!(middle.iter().all(|frame| frame.0 == 0x00));
    assert!(
        before
            .iter()
            .all(|frame| (512..=5 * 1024).contains(&frame.1))
    );
    assert!(last.1 > 0);
    let mut client = end(
        Role::Client,
        ScriptedPeer::new(written).in_pieces_of(700),
        1024,
        &negotiated,
    );
    assert_eq!(client.next_message().unwrap().payload(), message);
}

/// Wherever the stream stops to take more, a message is taken whole or not at all.
#[test]
fn a_stalled_stream_cuts_no_message() {
    let negotiated = negotiated(true, 15, DeflateConfig::default());
    let messages = [json(60_000), json(200), json(30_000)];
    let mut stalls = 0;
    for room in (0..6_000).step_by(97) {
        let wire = ScriptedPeer::new([]).taking(Taking::Room(room));
        let mut server = end(Role::Server, wire, 256, &negotiated);
        for message in &messages {
            let mut sent = server.write_message(Opcode::Text, message);
            while let Err(error) = sent {
                assert!(error.is_would_block(), "{error}");
                stalls += 1;
                server.stream().set_taking(Taking::Room(100));
                sent = server.write_message(Opcode::Text, message);
            }
        }
        server.stream().set_taking(Taking::All);
        server.flush().unwrap();
        let wire = ScriptedPeer::new(server.into_inner().0.written()).in_pieces_of(700);
        let mut client = end(Role::Client, wire, 256, &negotiated);
        for message in &messages {
            assert_eq!(client.next_message().unwrap().payload(), message);
        }
    }
    assert!(stalls > 0);
}

#[test]
fn a_message_is_compressed_into_the_room_that_a_stalled_stream_leaves() {
    let negotiated = negotiated(true, 15, DeflateConfig::default());
    let messages = [json(300), json(600), json(900)];
    let wire = ScriptedPeer::new([]).taking(Taking::Room(20));
    let mut server = end(Role::Server, wire, 1024, &negotiated);
    server.feed_message(Opcode::Text, &messages[0]).unwrap();
    assert!(server.flush().unwrap_err().is_would_block());
    server.stream().set_taking(Taking::All);
    for message in &messages[1..] {
        server.try_feed_message(Opcode::Text, message).unwrap();
    }
    assert_eq!(server.stream().written().len(), 20, "it never writes");
    server.flush().unwrap();
    let written = server.into_inner().0.written();
    let compressed = frames(&written);
    assert!(compressed.iter().all(|frame| frame.0 == 0xC1));
    let mut client = end(
        Role::Client,
        ScriptedPeer::new(written).in_pieces_of(700),
        1024,
        &negotiated,
    );
    for message in &messages {
        assert_eq!(client.next_message().unwrap().payload(), message);
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
    let compressors = Arc::new(AtomicUsize::new(0));
    let engine = Counted(Arc::clone(&compressors));
    // Without room in the pool nothing can be compressed any more.
    let deflate = Deflate::with_engine(DeflateConfig::default(), engine, 1).unwrap();
    let message = json(5_000);
    let prepared = PreparedMessage::new(Opcode::Text, &message).unwrap();
    let mut frames = Vec::new();
    for window_bits in [15, 9, 15, 9, 15] {
        let negotiated = deflate.negotiated(Parameters {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: window_bits,
            client_max_window_bits: 15,
        });
        let mut server = end(Role::Server, ScriptedPeer::new([]), 4096, &negotiated);
        server.write_prepared(&prepared).unwrap();
        let written = server.into_inner().0.written();
        assert!(written.len() < message.len() / 2);
        let mut client = end(
            Role::Client,
            ScriptedPeer::new(written.clone()).in_pieces_of(700),
            4096,
            &negotiated,
        );
        assert_eq!(client.next_message().unwrap().payload(), message);
        frames.push(written);
    }
    assert_eq!(compressors.load(Ordering::Relaxed), 2);
    assert_eq!((&frames[0], &frames[1]), (&frames[2], &frames[3]));
    assert_ne!(frames[0], frames[1]);
}

#[test]
fn a_prepared_message_goes_as_it_is_where_compression_is_off_or_not_worth_it() {
    let config = DeflateConfig {
        threshold: 100,
        ..DeflateConfig::default()
    };
    let negotiated = negotiated(false, 15, config);
    let mut server = end(Role::Server, ScriptedPeer::new([]), 4096, &negotiated);
    let short = PreparedMessage::new(Opcode::Binary, &[b'a'; 99]).unwrap();
    let long = PreparedMessage::new(Opcode::Binary, &[b'a'; 100]).unwrap();
    server.write_prepared(&short).unwrap();
    server.write_prepared(&long).unwrap();
    server.set_compression(false);
    server.write_prepared(&long).unwrap();
    let frames = frames(&server.into_inner().0.written());
    assert_eq!((frames[0], frames[2]), ((0x82, 99), (0x82, 100)));
    assert_eq!(frames[1].0, 0xC2);
}

/// With takeover, what is prepared enters the context like any other message.
#[test]
fn a_prepared_message_between_others_keeps_the_contexts_in_step() {
    let negotiated = negotiated(true, 15, DeflateConfig::default());
    let message = json(5_000);
    let prepared = PreparedMessage::new(Opcode::Text, &message).unwrap();
    for role in [Role::Server, Role::Client] {
        let mut from = end(role, ScriptedPeer::new([]), 4096, &negotiated);
        for n in 1..4 {
            from.write_message(Opcode::Text, &message[n * 1000..])
                .unwrap();
            from.write_prepared(&prepared).unwrap();
        }
        let written = from.into_inner().0.written();
        assert!(
            written.len() < 3_000,
            "the repetitions cost little: {}",
            written.len()
        );
        let peer = if role == Role::Server {
            Role::Client
        } else {
            Role::Server
        };
        let mut to = end(
            peer,
            ScriptedPeer::new(written).in_pieces_of(700),
            4096,
            &negotiated,
        );
        for n in 1..4 {
            assert_eq!(to.next_message().unwrap().payload(), &message[n * 1000..]);
            assert_eq!(to.next_message().unwrap().payload(), message);
        }
    }
}
