//! Reserved bits, for authors of extensions: each call that sends them puts them on the first
//! frame of a message and on no other, and each call that reads gives them back.

use std::io::Read;

use framewire::frame::Rsv;
use framewire::{Config, Opcode};
use support::compression::Compression;
use support::connection::{Back, Change, Connection, Endpoint, all_endpoints};
use support::frames::{CONTINUATION, FIN, TEXT, to, wire};
use support::operations::{Hands, Operation};
use support::oracle;
use support::peer::ScriptedPeer;

/// Not UTF-8: what an extension makes of text need not be.
const PAYLOAD: &[u8] = b"\xFF\xFE\xFD";

/// Those that are there for others: compression has the first.
fn bits(end: Endpoint) -> Rsv {
    match end.compression {
        Compression::None => Rsv::RSV1 | Rsv::RSV3,
        _ => Rsv::RSV2 | Rsv::RSV3,
    }
}

fn socket(end: Endpoint, bytes: &[u8]) -> (ScriptedPeer, Box<dyn Connection>) {
    let config = Config::default().rsv(bits(end));
    let peer = ScriptedPeer::saying([bytes]);
    let socket = end.open(&peer, config).unwrap();
    (peer, socket)
}

#[test]
fn every_sending_call_puts_them_on_the_first_frame_alone() {
    for end in all_endpoints() {
        for operation in Operation::sending_messages(end.kind).filter(|one| one.rsv) {
            let (peer, mut socket) = socket(end, b"");
            let mut hands = Hands::new(PAYLOAD, 1);
            hands.rsv = bits(end);
            operation.call(socket.as_mut(), &mut hands).unwrap();
            socket.flush().unwrap();
            let written = peer.written();
            let frames = oracle::frames(&written);
            let (first, others) = frames.split_first().unwrap();
            assert_eq!(first.opcode, Opcode::Text, "{operation:?}");
            assert_eq!(Rsv::from_first_byte(first.rsv), bits(end), "{operation:?}");
            assert!(others.iter().all(|frame| frame.rsv == 0), "{operation:?}");
            assert_eq!(oracle::data(&written), PAYLOAD, "{operation:?}");
        }
    }
}

#[test]
fn they_are_refused_on_continuations_control_frames_and_where_they_were_not_allowed() {
    for end in all_endpoints() {
        let (peer, mut socket) = socket(end, b"");
        let begun = socket.write_frame(false, bits(end), Opcode::Text, b"");
        begun.unwrap();
        peer.forget_written();
        for (rsv, opcode) in [
            (Rsv::RSV1, Opcode::Continuation),
            (Rsv::RSV1, Opcode::Ping),
            (Rsv::RSV3, Opcode::Close),
            (Rsv::RSV2, Opcode::Pong),
        ] {
            assert!(socket.write_frame(true, rsv, opcode, b"").is_err());
        }
        assert!(peer.written().is_empty());
    }
}

#[test]
fn a_message_that_is_sent_back_keeps_them_whatever_its_bytes_are() {
    for end in all_endpoints() {
        for back in [Back::Fed, Back::Written] {
            for change in [None, Some((|payload| payload[0] = 0xF8) as Change)] {
                let said = to(end.role, FIN | bits(end).bits() | TEXT, PAYLOAD).bytes();
                let (peer, mut socket) = socket(end, &said);
                let mut seen = vec![];
                let echoed = socket.echo_message(back, change, &mut seen);
                assert_eq!(echoed.unwrap(), Some(Opcode::Text));
                socket.flush().unwrap();
                let [echo] = &oracle::frames(&peer.written())[..] else {
                    panic!("one frame");
                };
                assert_eq!(Rsv::from_first_byte(echo.rsv), bits(end));
                assert_eq!((echo.opcode, &echo.payload), (Opcode::Text, &seen));
                assert_eq!(seen == PAYLOAD, change.is_none());
            }
        }
    }
}

// Each call has its own way to give them, which no operation of the table shows.
#[test]
fn every_reading_call_gives_them_back() {
    for end in all_endpoints() {
        let expected = bits(end);
        let first = expected.bits() | TEXT;
        let whole = to(end.role, FIN | first, PAYLOAD).bytes();
        let fragments = wire(&[
            to(end.role, first, PAYLOAD),
            to(end.role, FIN | CONTINUATION, b""),
        ]);
        for bytes in [whole, fragments] {
            let (_, mut next) = socket(end, &bytes);
            let message = next.next_message().unwrap().unwrap();
            assert_eq!((message.rsv(), message.payload()), (expected, PAYLOAD));
            assert_eq!(message.text(), None);

            let mut buffer = vec![];
            let (_, mut appended) = socket(end, &bytes);
            let message = appended.append_message(&mut buffer).unwrap().unwrap();
            assert_eq!((message.opcode(), message.rsv()), (Opcode::Text, expected));
            assert_eq!(message.payload(), PAYLOAD);
            assert_eq!(buffer, PAYLOAD);

            let (_, mut streamed) = socket(end, &bytes);
            let mut reader = streamed.message_reader().unwrap().unwrap();
            assert_eq!(reader.rsv(), expected);
            let mut bytes_read = vec![];
            reader.read_to_end(&mut bytes_read).unwrap();
            assert_eq!(bytes_read, PAYLOAD);

            let (_, mut raw) = socket(end, &bytes);
            assert_eq!(raw.read_header().unwrap().unwrap().rsv(), expected);
        }
    }
}
