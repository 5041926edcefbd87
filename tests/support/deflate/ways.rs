//! Every way to send a message over the blocking front end, and every way to read one.

use std::io::{Read, Write};

use framewire::blocking::PreparedMessage;
use framewire::deflate::Negotiated;
use framewire::frame::Rsv;
use framewire::protocol::{Limits, Role};
use framewire::{Config, Opcode, WebSocket};
use proptest::prelude::*;

use crate::pattern;
use crate::peer::ScriptedPeer;

/// One end of a connection that compresses.
pub fn end(
    role: Role,
    peer: ScriptedPeer,
    chunk_size: usize,
    negotiated: &Negotiated,
) -> WebSocket<ScriptedPeer> {
    let config = Config {
        chunk_size,
        read_buffer: 512,
        write_buffer: 4 * chunk_size,
        limits: Limits::UNLIMITED,
        ..Config::default()
    };
    let mut websocket = WebSocket::with_leftover(peer, &[], role, config).unwrap();
    websocket.set_extension(negotiated);
    websocket
}

#[derive(Debug, Clone)]
pub enum Send {
    Write,
    Feed,
    Stream(usize),
    Push {
        piece: usize,
        flush: bool,
        ping: bool,
    },
    Prepared,
    Uncompressed,
    Fragments,
}

#[derive(Debug, Clone)]
pub enum Receive {
    Lend,
    Append,
    Stream(usize),
    Skip,
    Frames,
}

pub fn sends() -> impl Strategy<Value = Send> {
    prop_oneof![
        Just(Send::Write),
        Just(Send::Feed),
        (1_usize..64).prop_map(Send::Stream),
        (20_usize..200, any::<bool>(), any::<bool>()).prop_map(|(piece, flush, ping)| Send::Push {
            piece,
            flush,
            ping
        }),
        Just(Send::Prepared),
        Just(Send::Uncompressed),
        Just(Send::Fragments),
    ]
}

pub fn receives() -> impl Strategy<Value = Receive> {
    prop_oneof![
        Just(Receive::Lend),
        Just(Receive::Append),
        (1_usize..700).prop_map(Receive::Stream),
        Just(Receive::Skip),
        Just(Receive::Frames),
    ]
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

pub fn send(websocket: &mut WebSocket<ScriptedPeer>, how: &Send, message: &[u8]) {
    let opcode = opcode(message);
    match how {
        Send::Write => websocket.write_message(opcode, message).unwrap(),
        Send::Feed => websocket.feed_message(opcode, message).unwrap(),
        Send::Stream(chunk) => {
            let sent = websocket.stream_message(opcode, *chunk, message).unwrap();
            assert_eq!(sent, message.len() as u64);
        }
        Send::Push { piece, flush, ping } => {
            let mut writer = websocket.message_writer(opcode).unwrap();
            for piece in message.chunks(*piece) {
                writer.write_all(piece).unwrap();
                if *flush {
                    writer.flush().unwrap();
                }
                if *ping {
                    drop(writer);
                    websocket.ping(b"between").unwrap();
                    writer = websocket.resume_message_writer().unwrap();
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

pub fn receive(websocket: &mut WebSocket<ScriptedPeer>, how: &Receive, expected: &[u8]) {
    match how {
        Receive::Lend => {
            let message = websocket.next_message().unwrap();
            assert_eq!(message.opcode(), opcode(expected));
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
            assert_eq!(reader.opcode(), opcode(expected));
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
