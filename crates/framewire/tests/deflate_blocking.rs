//! permessage-deflate over the blocking front end: every way to send, every way to read.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    reason = "what fails in a test's helper fails the test"
)]

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use framewire::blocking::PreparedMessage;
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, Negotiated, Parameters, ZlibRs,
};
use framewire::frame::Rsv;
use framewire::protocol::{Limits, Role};
use framewire::{Config, Opcode, WebSocket};
use proptest::prelude::*;

/// Takes what is written, as long as there is room, and gives `input` to be read in steps of a
/// size.
struct Wire {
    input: io::Cursor<Vec<u8>>,
    step: usize,
    written: Vec<u8>,
    room: usize,
}

impl Default for Wire {
    fn default() -> Self {
        Self::input(Vec::new(), 0)
    }
}

impl Wire {
    fn input(bytes: Vec<u8>, step: usize) -> Self {
        Self {
            input: io::Cursor::new(bytes),
            step,
            written: Vec::new(),
            room: usize::MAX,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(self.step);
        self.input.read(&mut buf[..len])
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buf.len().min(self.room);
        self.written.extend_from_slice(&buf[..len]);
        self.room -= len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn negotiated(takeover: bool, window_bits: u8, config: DeflateConfig) -> Negotiated {
    Deflate::new(config).unwrap().negotiated(Parameters {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        server_max_window_bits: window_bits,
        client_max_window_bits: window_bits,
    })
}

fn end(role: Role, wire: Wire, chunk_size: usize, negotiated: &Negotiated) -> WebSocket<Wire> {
    let config = Config {
        chunk_size,
        read_buffer: 512,
        write_buffer: 4 * chunk_size,
        limits: Limits::UNLIMITED,
        ..Config::default()
    };
    let mut websocket = WebSocket::with_leftover(wire, &[], role, config).unwrap();
    websocket.set_deflate(negotiated);
    websocket
}

#[derive(Debug, Clone)]
enum Send {
    Write,
    Feed,
    Stream(usize),
    Push { piece: usize, flush: bool },
    Prepared,
    Uncompressed,
    Fragments,
}

#[derive(Debug, Clone)]
enum Receive {
    Lend,
    Append,
    Stream(usize),
    Skip,
    Frames,
}

fn sends() -> impl Strategy<Value = Send> {
    prop_oneof![
        Just(Send::Write),
        Just(Send::Feed),
        (1_usize..64).prop_map(Send::Stream),
        (20_usize..200, any::<bool>()).prop_map(|(piece, flush)| Send::Push { piece, flush }),
        Just(Send::Prepared),
        Just(Send::Uncompressed),
        Just(Send::Fragments),
    ]
}

fn receives() -> impl Strategy<Value = Receive> {
    prop_oneof![
        Just(Receive::Lend),
        Just(Receive::Append),
        (1_usize..700).prop_map(Receive::Stream),
        Just(Receive::Skip),
        Just(Receive::Frames),
    ]
}

fn messages() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        "[a-c]{0,600}".prop_map(String::into_bytes),
        "\\PC{0,100}".prop_map(String::into_bytes),
        (0_u8..128, 0_usize..5_000).prop_map(|(byte, len)| vec![byte; len]),
        "[a-z0-9]{0,1500}".prop_map(String::into_bytes),
    ]
}

fn send(websocket: &mut WebSocket<Wire>, how: &Send, message: &[u8]) {
    let opcode = Opcode::Text;
    match how {
        Send::Write => websocket.write_message(opcode, message).unwrap(),
        Send::Feed => websocket.feed_message(opcode, message).unwrap(),
        Send::Stream(chunk) => {
            let sent = websocket.stream_message(opcode, *chunk, message).unwrap();
            assert_eq!(sent, message.len() as u64);
        }
        Send::Push { piece, flush } => {
            let mut writer = websocket.message_writer(opcode).unwrap();
            for piece in message.chunks(*piece) {
                writer.write_all(piece).unwrap();
                if *flush {
                    writer.flush().unwrap();
                }
            }
            assert_eq!(writer.finish().unwrap(), message.len() as u64);
        }
        Send::Prepared => {
            let prepared = PreparedMessage::new(opcode, message).unwrap();
            websocket.write_prepared(&prepared).unwrap();
        }
        Send::Uncompressed => {
            websocket.set_compression(false);
            websocket.write_message(opcode, message).unwrap();
            websocket.set_compression(true);
        }
        Send::Fragments => {
            websocket
                .write_frame(false, Rsv::NONE, opcode, message)
                .unwrap();
            websocket.ping(b"between").unwrap();
            websocket
                .write_frame(true, Rsv::NONE, Opcode::Continuation, b"")
                .unwrap();
        }
    }
}

fn receive(websocket: &mut WebSocket<Wire>, how: &Receive, expected: &[u8]) {
    match how {
        Receive::Lend => {
            let message = websocket.next_message().unwrap();
            assert_eq!(message.payload(), expected);
            assert_eq!(message.rsv(), Rsv::NONE);
        }
        Receive::Append => {
            let mut message = b"before".to_vec();
            websocket.read_message(&mut message).unwrap();
            assert_eq!(message.strip_prefix(b"before"), Some(expected));
        }
        Receive::Stream(size) => {
            let mut message = Vec::new();
            let mut reader = websocket.message_reader().unwrap();
            assert_eq!(reader.opcode(), Opcode::Text);
            assert_eq!(reader.rsv(), Rsv::NONE);
            let mut piece = vec![0; *size];
            loop {
                let len = reader.read(&mut piece).unwrap();
                if len == 0 {
                    break;
                }
                message.extend_from_slice(&piece[..len]);
            }
            assert_eq!(message, expected);
        }
        Receive::Skip => {
            let mut reader = websocket.message_reader().unwrap();
            let _ = reader.read(&mut [0; 3]).unwrap();
        }
        Receive::Frames => {
            let mut buf = vec![0; 100_000];
            loop {
                let frame = websocket.read_frame(&mut buf).unwrap();
                if frame.header().fin() && !frame.header().opcode().is_control() {
                    break;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_way_to_send_is_read_in_any_way(
        plan in proptest::collection::vec((sends(), receives(), messages()), 1..8),
        takeover: bool,
        window_bits in 9_u8..=15,
        step in 1_usize..2000,
        chunk_size in 64_usize..600,
        level in 0_u8..=9,
        threshold in prop_oneof![Just(0), Just(40)],
        client: bool,
    ) {
        let config = DeflateConfig { level, threshold, ..DeflateConfig::default() };
        let negotiated = negotiated(takeover, window_bits, config);
        let (from, to) = if client { (Role::Client, Role::Server) } else { (Role::Server, Role::Client) };
        let mut sender = end(from, Wire::default(), chunk_size, &negotiated);
        for (how, _, message) in &plan {
            send(&mut sender, how, message);
        }
        sender.flush().unwrap();
        let wire = Wire::input(sender.into_inner().0.written, step);
        let mut receiver = end(to, wire, chunk_size, &negotiated);
        for (_, how, message) in &plan {
            receive(&mut receiver, how, message);
        }
    }
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
    let mut server = end(Role::Server, Wire::default(), 1024, &negotiated);
    server.write_message(Opcode::Text, &message).unwrap();
    let written = server.into_inner().0.written;
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
    let mut client = end(Role::Client, Wire::input(written, 700), 1024, &negotiated);
    assert_eq!(client.next_message().unwrap().payload(), message);
}

/// Wherever the stream stops to take more, a message is taken whole or not at all.
#[test]
fn a_stalled_stream_cuts_no_message() {
    let negotiated = negotiated(true, 15, DeflateConfig::default());
    let messages = [json(60_000), json(200), json(30_000)];
    let mut stalls = 0;
    for room in (0..6_000).step_by(97) {
        let wire = Wire {
            room,
            ..Wire::default()
        };
        let mut server = end(Role::Server, wire, 256, &negotiated);
        for message in &messages {
            let mut sent = server.write_message(Opcode::Text, message);
            while let Err(error) = sent {
                assert!(error.is_would_block(), "{error}");
                stalls += 1;
                server.stream_mut().room += 100;
                sent = server.write_message(Opcode::Text, message);
            }
        }
        server.stream_mut().room = usize::MAX;
        server.flush().unwrap();
        let wire = Wire::input(server.into_inner().0.written, 700);
        let mut client = end(Role::Client, wire, 256, &negotiated);
        for message in &messages {
            assert_eq!(client.next_message().unwrap().payload(), message);
        }
    }
    assert!(stalls > 0);
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
        let mut server = end(Role::Server, Wire::default(), 4096, &negotiated);
        server.write_prepared(&prepared).unwrap();
        let written = server.into_inner().0.written;
        assert!(written.len() < message.len() / 2);
        let mut client = end(
            Role::Client,
            Wire::input(written.clone(), 700),
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
    let mut server = end(Role::Server, Wire::default(), 4096, &negotiated);
    let short = PreparedMessage::new(Opcode::Binary, &[b'a'; 99]).unwrap();
    let long = PreparedMessage::new(Opcode::Binary, &[b'a'; 100]).unwrap();
    server.write_prepared(&short).unwrap();
    server.write_prepared(&long).unwrap();
    server.set_compression(false);
    server.write_prepared(&long).unwrap();
    let frames = frames(&server.into_inner().0.written);
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
        let mut from = end(role, Wire::default(), 4096, &negotiated);
        for n in 1..4 {
            from.write_message(Opcode::Text, &message[n * 1000..])
                .unwrap();
            from.write_prepared(&prepared).unwrap();
        }
        let written = from.into_inner().0.written;
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
        let mut to = end(peer, Wire::input(written, 700), 4096, &negotiated);
        for n in 1..4 {
            assert_eq!(to.next_message().unwrap().payload(), &message[n * 1000..]);
            assert_eq!(to.next_message().unwrap().payload(), message);
        }
    }
}
