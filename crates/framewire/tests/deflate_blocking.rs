//! permessage-deflate over the blocking front end: every way to send, every way to read.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used)]

use std::io::{self, Read, Write};

use framewire::blocking::PreparedMessage;
use framewire::deflate::{Deflate, DeflateConfig, Negotiated, Parameters};
use framewire::frame::Rsv;
use framewire::protocol::{Limits, Role};
use framewire::{Config, Opcode, WebSocket};
use proptest::prelude::*;

/// Takes what is written, and gives `input` to be read in steps of a size.
#[derive(Default)]
struct Wire {
    input: io::Cursor<Vec<u8>>,
    step: usize,
    written: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(self.step);
        self.input.read(&mut buf[..len])
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(buf);
        Ok(buf.len())
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
        let wire = Wire {
            input: io::Cursor::new(sender.into_inner().0.written),
            step,
            written: Vec::new(),
        };
        let mut receiver = end(to, wire, chunk_size, &negotiated);
        for (_, how, message) in &plan {
            receive(&mut receiver, how, message);
        }
    }
}
