//! Reserved bits, for authors of extensions: each call that sends them puts them on the first
//! frame of a message and on no other, and each call that reads gives them back.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read, Write};

use framewire::frame::Rsv;
use framewire::protocol::Role;
use framewire::{Config, Opcode, WebSocket};
use framewire_conformance::frames::{CONTINUATION, FIN, RSV1, RSV3, TEXT, to, wire};
use framewire_conformance::oracle;
use framewire_conformance::peer::ScriptedPeer;

type Socket = WebSocket<ScriptedPeer>;

const BOTH: [Role; 2] = [Role::Server, Role::Client];
/// Not UTF-8: what an extension makes of text need not be.
const PAYLOAD: &[u8] = b"\xFF\xFE\xFD";

fn socket(role: Role, bytes: &[u8]) -> Socket {
    let config = Config {
        rsv: Rsv::RSV1 | Rsv::RSV3,
        ..Config::default()
    };
    let peer = ScriptedPeer::saying([bytes]);
    WebSocket::with_leftover(peer, &[], role, config).unwrap()
}

#[test]
fn every_sending_call_puts_them_on_the_first_frame_alone() {
    let bits = Rsv::RSV1 | Rsv::RSV3;
    let calls: [fn(&mut Socket, Rsv); 5] = [
        |socket, rsv| {
            let sent = socket.write_message_ext(Opcode::Text, rsv, PAYLOAD);
            sent.unwrap();
        },
        |socket, rsv| {
            let fed = socket.feed_message_ext(Opcode::Text, rsv, PAYLOAD);
            fed.and_then(|()| socket.flush()).unwrap();
        },
        |socket, rsv| {
            let sent = socket.stream_message_ext(Opcode::Text, rsv, 1, PAYLOAD);
            assert_eq!(sent.unwrap(), 3);
        },
        |socket, rsv| {
            let mut writer = socket.message_writer_ext(Opcode::Text, rsv).unwrap();
            for byte in PAYLOAD {
                writer.write_all(&[*byte]).unwrap();
                writer.flush().unwrap();
            }
            writer.finish().unwrap();
        },
        |socket, rsv| {
            let first = socket.write_frame(false, rsv, Opcode::Text, PAYLOAD);
            first.unwrap();
            let last = socket.write_frame(true, Rsv::NONE, Opcode::Continuation, b"");
            last.unwrap();
        },
    ];
    for role in BOTH {
        for call in calls {
            let mut socket = socket(role, b"");
            call(&mut socket, bits);
            let frames = oracle::frames(socket.stream().written());
            let (first, others) = frames.split_first().unwrap();
            assert_eq!(first.rsv, RSV1 | RSV3);
            assert!(others.iter().all(|frame| frame.rsv == 0));
            let payloads: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
            assert_eq!(payloads.concat(), PAYLOAD);
        }
    }
}

#[test]
fn they_are_refused_on_continuations_control_frames_and_where_they_were_not_allowed() {
    for role in BOTH {
        let mut socket = socket(role, b"");
        let begun = socket.write_frame(false, Rsv::RSV1, Opcode::Text, b"");
        begun.unwrap();
        socket.stream_mut().take_written();
        for (rsv, opcode) in [
            (Rsv::RSV1, Opcode::Continuation),
            (Rsv::RSV1, Opcode::Ping),
            (Rsv::RSV3, Opcode::Close),
            (Rsv::RSV2, Opcode::Pong),
        ] {
            assert!(socket.write_frame(true, rsv, opcode, b"").is_err());
        }
        assert!(socket.stream().written().is_empty());
    }
}

#[test]
fn every_reading_call_gives_them_back() {
    let expected = Rsv::RSV1 | Rsv::RSV3;
    for role in BOTH {
        let whole = to(role, FIN | RSV1 | RSV3 | TEXT, PAYLOAD).bytes();
        let fragments = wire(&[
            to(role, RSV1 | RSV3 | TEXT, PAYLOAD),
            to(role, FIN | CONTINUATION, b""),
        ]);
        for bytes in [whole, fragments] {
            let mut next = socket(role, &bytes);
            let message = next.next_message().unwrap();
            assert_eq!((message.rsv(), message.payload()), (expected, PAYLOAD));
            assert_eq!(message.text(), None);

            let mut buffer = vec![];
            let read = socket(role, &bytes).read_message_ext(&mut buffer);
            assert_eq!(read.unwrap(), (Opcode::Text, expected));
            assert_eq!(buffer, PAYLOAD);

            let mut streamed = socket(role, &bytes);
            let mut reader = streamed.message_reader().unwrap();
            assert_eq!(reader.rsv(), expected);
            let mut bytes_read = vec![];
            reader.read_to_end(&mut bytes_read).unwrap();
            assert_eq!(bytes_read, PAYLOAD);

            let mut raw = socket(role, &bytes);
            assert_eq!(raw.read_header().unwrap().rsv(), expected);
        }
    }
}
