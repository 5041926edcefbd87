//! A stream of bytes over binary messages, and what does not belong into it.

use std::io::{self, Read, Write};

use framewire::Opcode;
use support::connection::{ByteStream, Endpoint, endpoints};
use support::frames::{BINARY, CLOSE, FIN, Frame, PING, TEXT, close_payload, to};
use support::oracle;
use support::peer::{Ending, ScriptedPeer};

fn stream(end: Endpoint, frames: &[Frame]) -> (ScriptedPeer, Box<dyn ByteStream>) {
    let peer = ScriptedPeer::saying([end.said(frames)]).ending(Ending::Eof);
    let socket = end.with(&peer);
    (peer, socket.into_byte_stream())
}

#[test]
fn messages_have_no_bounds_and_a_close_that_is_no_failure_is_the_end() {
    for end in endpoints() {
        for (payload, is_end) in [
            (vec![], true),
            (close_payload(1000, ""), true),
            (close_payload(1001, ""), true),
            (close_payload(1011, ""), false),
        ] {
            let (_, mut stream) = stream(
                end,
                &[
                    to(end.role, BINARY, b"ab"),
                    to(end.role, FIN | PING, b""),
                    to(end.role, FIN, b"c"),
                    to(end.role, FIN | BINARY, b""),
                    to(end.role, FIN | BINARY, b"def"),
                    to(end.role, FIN | CLOSE, payload),
                ],
            );
            let mut bytes = vec![];
            assert_eq!(stream.read_to_end(&mut bytes).is_ok(), is_end);
            assert_eq!(bytes, b"abcdef");
        }
    }
}

#[test]
fn text_is_refused_and_not_one_byte_of_it_given_however_often_one_asks() {
    for end in endpoints() {
        let (peer, mut stream) = stream(
            end,
            &[
                to(end.role, FIN | BINARY, b"good"),
                to(end.role, FIN | TEXT, b"secret"),
                to(end.role, FIN | BINARY, b"late"),
            ],
        );
        let mut buffer = [0; 16];
        assert_eq!(stream.read(&mut buffer).unwrap(), 4);
        for _ in 0..3 {
            let error = stream.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let [close] = &oracle::frames(&end.heard(&peer.written()))[..] else {
            panic!("one frame");
        };
        assert_eq!(close.opcode, Opcode::Close);
        assert_eq!(close.payload[..2], 1003_u16.to_be_bytes());
    }
}

#[test]
fn what_is_written_goes_out_in_binary_messages_of_the_chunk_size() {
    for end in endpoints() {
        let (peer, mut stream) = stream(end, &[]);
        let bytes: Vec<_> = (0..10_000_u32).map(|i| (i % 251) as u8).collect();
        stream.write_all(&bytes).unwrap();
        stream.flush().unwrap();
        let frames = oracle::frames(&end.heard(&peer.written()));
        assert!(
            frames
                .iter()
                .all(|frame| frame.fin && frame.opcode == Opcode::Binary)
        );
        assert!(frames.iter().all(|frame| frame.declared <= 4096));
        let payloads: Vec<_> = frames.into_iter().map(|frame| frame.payload).collect();
        assert_eq!(payloads.concat(), bytes);
    }
}
