//! What one way to read leaves to the next: nothing of a message or a frame is lost, and nothing is given twice.

use std::io::{ErrorKind as Kind, Read as _};

use framewire::protocol::{Limits, Role};
use framewire::{ErrorKind, Opcode};
use support::compression::Compression;
use support::connection::{Connection, Endpoint, all_endpoints, all_endpoints_with, all_ends};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, to, wire};
use support::operations::SMALL;
use support::oracle::frames_in;
use support::peer::ScriptedPeer;
use support::wait::{Drops, in_turns};
use support::{again, each, io_again, pattern};

/// A connection whose stream would block before each read, and what it is: a call that waits is dropped there.
fn by_pieces<T>(
    end: Endpoint,
    said: &[u8],
    at_most: usize,
    calls: impl FnOnce(&mut dyn Connection) -> T,
) -> (T, ScriptedPeer) {
    let peer = ScriptedPeer::saying([said]).in_pieces_of(at_most).waiting();
    let mut socket = end.open(&peer, SMALL).unwrap();
    let (result, _) = in_turns(&peer, Drops::At(1), || {
        let result = calls(&mut *socket);
        again(|| socket.flush()).unwrap();
        result
    });
    (result, peer)
}

fn next_message(socket: &mut dyn Connection) -> Vec<u8> {
    again(|| Ok(socket.next_message()?.unwrap().payload().to_vec())).unwrap()
}

// The rule, by hand.

#[test]
fn the_second_half_of_a_message_whose_first_was_read_raw_is_skipped() {
    for end in all_ends().filter(|end| end.role == Role::Client) {
        let peer = ScriptedPeer::saying([b"\x02\x03Hel\x80\x02lo\x81\x04next"]);
        let mut client = end.with(&peer);
        assert_eq!(
            client.read_frame(&mut [0; 9]).unwrap().unwrap().payload(),
            b"Hel"
        );
        assert_eq!(client.next_message().unwrap().unwrap().payload(), b"next");
    }
}

// The same wherever one stops.

#[test]
fn what_is_left_of_a_streamed_message_is_skipped() {
    for end in all_endpoints() {
        let said = end.said(&[
            to(end.role, BINARY, pattern(40)),
            to(end.role, FIN | PING, b"inside"),
            to(end.role, FIN | CONTINUATION, pattern(200)),
            to(end.role, FIN | TEXT, b"next"),
        ]);
        for count in each([0, 1, 39, 40, 41, 239, 240]) {
            for at_most in each([7, 64, 0]) {
                let (next, peer) = by_pieces(end, &said, at_most, |socket| {
                    again(|| socket.message_reader().map(drop)).unwrap();
                    let (mut bytes, mut done) = (vec![0; count], 0);
                    while done < count {
                        let read = io_again(|| {
                            let mut reader = socket.resume_message_reader().unwrap();
                            reader.read(&mut bytes[done..])
                        });
                        done += read.unwrap();
                    }
                    assert_eq!(bytes, [pattern(40), pattern(200)].concat()[..count]);
                    next_message(socket)
                });
                assert_eq!(next, b"next");
                let pong = (FIN | PONG, b"inside".to_vec());
                assert_eq!(frames_in(&peer.written()), [pong]);
            }
        }
    }
}

#[test]
fn what_is_left_of_a_message_read_raw_is_skipped() {
    for end in all_endpoints() {
        let said = end.said(&[
            to(end.role, FIN | PING, b"before"),
            to(end.role, BINARY, pattern(60)),
            to(end.role, FIN | PING, b"inside"),
            to(end.role, FIN | CONTINUATION, pattern(70)),
            to(end.role, FIN | TEXT, b"next"),
        ]);
        for count in each(0..=4) {
            for (looks, at_most) in each([(false, 0), (true, 0), (false, 7), (true, 7)]) {
                let (message, _) = by_pieces(end, &said, at_most, |socket| {
                    for _ in 0..count {
                        again(|| socket.read_frame(&mut [0; 200]).map(drop)).unwrap();
                    }
                    if looks {
                        again(|| socket.read_header()).unwrap().unwrap();
                    }
                    next_message(socket)
                });
                // A header that was looked at leaves its message to any call.
                let expected = match count {
                    0 | 1 => [pattern(60), pattern(70)].concat(),
                    _ => b"next".to_vec(),
                };
                assert!(message == expected);
            }
        }
    }
}

#[test]
fn a_half_assembled_message_is_for_the_calls_that_assemble() {
    for end in all_endpoints() {
        let mut speaker = end.peer();
        let mut say = |first, payload| wire(&speaker.say(&[to(end.role, first, payload)]));
        let peer = ScriptedPeer::saying([say(TEXT, "be")]);
        let mut socket = end.with(&peer);
        assert!(socket.next_message().unwrap_err().is_would_block());
        for _ in 0..2 {
            let others = [
                socket.message_reader().map(drop),
                socket.read_header().map(drop),
                socket.read_frame(&mut [0; 9]).map(drop),
            ];
            for other in others {
                let error = other.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::MessageInProgress));
            }
            assert!(socket.resume_message_reader().is_none());
        }
        peer.say(say(FIN | CONTINUATION, "gun"));
        let mut buf = b"It has ".to_vec();
        let message = socket.append_message(&mut buf).unwrap().unwrap();
        assert_eq!(message.opcode(), Opcode::Text);
        assert_eq!(message.text(), Some("begun"));
        assert_eq!(buf, b"It has begun");
    }
}

#[test]
fn a_frame_buffer_that_is_too_small_loses_nothing_of_what_has_come() {
    for end in all_endpoints() {
        let frame = to(end.role, FIN | BINARY, pattern(80)).bytes();
        for cut in each([0, 1, 5, 7, 30, 60, frame.len() - 1]) {
            let peer = ScriptedPeer::saying([&frame[..cut]]);
            let mut socket = end.open(&peer, SMALL).unwrap();
            let mut buf = [0; 80];
            if let Ok(header) = socket.read_header() {
                assert_eq!(header.unwrap().payload_len(), 80);
            }
            for len in [80, 79, 80] {
                socket.read_frame(&mut buf[..len]).map(drop).unwrap_err();
            }
            peer.say(&frame[cut..]);
            let error = socket.read_frame(&mut buf[..79]).map(drop).unwrap_err();
            let needed = matches!(error.kind(), ErrorKind::FrameBufferTooSmall { needed: 80 });
            assert!(needed, "{error:?}");
            buf.fill(0);
            socket.read_frame(&mut buf).unwrap().unwrap();
            assert_eq!(buf[..], pattern(80));
        }
    }
}

/// Linear: what each call puts into the caller's buffer is counted.
#[test]
fn the_bytes_of_a_raw_frame_are_given_once_however_often_its_reading_would_block() {
    const LEN: usize = 500;
    for end in all_endpoints_with(Compression::None) {
        let peer = ScriptedPeer::default();
        let mut socket = end.open(&peer, SMALL).unwrap();
        let mut given = 0;
        for byte in to(end.role, FIN | BINARY, [1; LEN]).bytes() {
            let mut buf = [0; LEN];
            let read = socket.read_frame(&mut buf).map(drop);
            assert!(read.unwrap_err().is_would_block());
            given += buf.iter().filter(|byte| **byte != 0).count();
            peer.say([byte]);
        }
        let mut buf = [0; LEN];
        assert_eq!(
            socket.read_frame(&mut buf).unwrap().unwrap().payload(),
            [1; LEN]
        );
        assert!(given < LEN, "{given} bytes before the last call");
    }
}

#[test]
fn a_long_read_that_would_block_is_followed_by_short_ones() {
    let config = SMALL.read_buffer(4);
    for end in all_endpoints() {
        let said = end.said(&[to(end.role, FIN | BINARY, b"0123456789")]);
        let header = if end.role == Role::Server { 6 } else { 2 };
        for cut in each(header..said.len()) {
            let peer = ScriptedPeer::saying([&said[..cut]]);
            let mut socket = end.open(&peer, config).unwrap();
            let mut reader = socket.message_reader().unwrap().unwrap();
            let (mut bytes, mut buf) = (vec![], [0; 100]);
            let error = loop {
                match reader.read(&mut buf) {
                    Ok(len) => bytes.extend_from_slice(&buf[..len]),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), Kind::WouldBlock);
            peer.say(&said[cut..]);
            // Too short to be read into past the read buffer.
            while let len @ 1.. = reader.read(&mut buf[..3]).unwrap() {
                bytes.extend_from_slice(&buf[..len]);
            }
            assert_eq!(bytes, b"0123456789");
        }
    }
}

// Limits, where kinds of reading meet.

/// At most 9 bytes to a message that is assembled.
fn limited(end: Endpoint, said: &[u8]) -> (ScriptedPeer, Box<dyn Connection>) {
    let limits = Limits::default().message(9);
    let peer = ScriptedPeer::saying([said]);
    let socket = end.open(&peer, SMALL.limits(limits));
    (peer, socket.unwrap())
}

fn assert_too_big(peer: &ScriptedPeer, socket: &mut dyn Connection) {
    let error = socket.next_message().unwrap_err();
    assert_eq!(error.close_code().unwrap().get(), 1009);
    let (first, payload) = frames_in(&peer.written()).remove(0);
    assert_eq!((first, &payload[..2]), (FIN | CLOSE, &b"\x03\xF1"[..]));
}

#[test]
fn a_message_whose_header_was_looked_at_is_bound_by_the_limit_of_the_call_that_reads_it() {
    for end in all_endpoints() {
        for len in each([9, 10]) {
            let said = end.said(&[to(end.role, FIN | BINARY, pattern(len))]);
            let (peer, mut socket) = limited(end, &said);
            socket.read_header().unwrap().unwrap();
            if len == 9 {
                assert_eq!(
                    socket.next_message().unwrap().unwrap().payload(),
                    pattern(9)
                );
            } else {
                assert_too_big(&peer, &mut *socket);
            }

            let (_, mut socket) = limited(end, &said);
            socket.read_header().unwrap().unwrap();
            let mut bytes = vec![];
            let mut reader = socket.message_reader().unwrap().unwrap();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, pattern(len));
        }
    }
}

#[test]
fn what_is_skipped_of_a_streamed_message_is_bound_by_no_limit_and_the_next_message_is() {
    for end in all_endpoints() {
        let long = [
            to(end.role, BINARY, pattern(90)),
            to(end.role, FIN | CONTINUATION, pattern(90)),
        ];
        let said = end.said(&[&long[..], &long].concat());
        let (peer, mut socket) = limited(end, &said);
        let mut reader = socket.message_reader().unwrap().unwrap();
        reader.read_exact(&mut [0]).unwrap();
        assert_too_big(&peer, &mut *socket);
    }
}
