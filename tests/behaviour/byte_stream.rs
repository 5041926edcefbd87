//! A stream of bytes over binary messages, and what does not belong into it.

use std::io::{ErrorKind as Kind, Read, Write};

use framewire::Opcode;
use support::connection::{ByteStream, Endpoint, endpoints};
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, TEXT, close_payload, to,
};
use support::operations::SMALL;
use support::oracle::frames_in;
use support::peer::{Ending, ScriptedPeer};
use support::wait::{Drops, in_turns};
use support::{each, io_again, pattern};

/// One whose peer says this, and then ends the stream.
fn stream(end: Endpoint, frames: &[Frame]) -> (ScriptedPeer, Box<dyn ByteStream>) {
    let peer = ScriptedPeer::saying([end.said(frames)]).ending(Ending::Eof);
    let socket = end.open(&peer, SMALL).unwrap();
    (peer, socket.into_byte_stream())
}

/// What the peer was sent: the first byte and the payload of each frame.
fn heard(end: Endpoint, peer: &ScriptedPeer) -> Vec<(u8, Vec<u8>)> {
    frames_in(&end.heard(&peer.written()))
}

#[test]
fn messages_fragments_and_pings_are_no_bounds() {
    for end in endpoints() {
        let frames = [
            to(end.role, FIN | BINARY, b""),
            to(end.role, BINARY, b"ab"),
            to(end.role, FIN | PING, b"?"),
            to(end.role, CONTINUATION, b""),
            to(end.role, FIN | CONTINUATION, b"c"),
            to(end.role, BINARY, b""),
            to(end.role, FIN | CONTINUATION, b""),
            to(end.role, FIN | BINARY, b"def"),
            to(end.role, FIN | CLOSE, b"\x03\xE8"),
        ];
        let (peer, mut stream) = stream(end, &frames);
        assert_eq!(stream.read(&mut []).unwrap(), 0, "of no room, and no end");
        let mut bytes = vec![];
        stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"abcdef");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end stays");
        let replies = [(FIN | PONG, &b"?"[..]), (FIN | CLOSE, b"\x03\xE8")];
        let replies = replies.map(|(first, payload)| (first, payload.to_vec()));
        assert_eq!(heard(end, &peer), replies);
    }
}

#[test]
fn a_close_that_is_no_failure_is_the_end_and_any_other_end_is_an_error() {
    let close = |code| Some(close_payload(code, ""));
    // After a message, and in the middle of one.
    for (end, first) in endpoints().flat_map(|end| [(end, FIN | BINARY), (end, BINARY)]) {
        for (payload, error) in each([
            (Some(vec![]), None),
            (close(1000), None),
            (close(1001), None),
            (close(1002), Some(Kind::NotConnected)),
            (close(1011), Some(Kind::NotConnected)),
            (close(4000), Some(Kind::NotConnected)),
            (None, Some(Kind::UnexpectedEof)),
        ]) {
            let close = payload.map(|payload| to(end.role, FIN | CLOSE, payload));
            let message = to(end.role, first, b"x");
            let frames: Vec<_> = [message].into_iter().chain(close).collect();
            let (_, mut stream) = stream(end, &frames);
            let mut bytes = vec![];
            let read = stream.read_to_end(&mut bytes);
            assert_eq!(read.err().map(|error| error.kind()), error);
            assert_eq!(bytes, b"x");
        }
    }
}

#[test]
fn text_is_refused_and_not_one_byte_of_it_given_however_often_one_asks() {
    for end in endpoints() {
        let frames = [
            to(end.role, FIN | BINARY, b"good"),
            to(end.role, FIN | TEXT, b"secret"),
            to(end.role, FIN | BINARY, b"late"),
        ];
        let (peer, mut stream) = stream(end, &frames);
        let mut buffer = [0; 16];
        assert_eq!(stream.read(&mut buffer).unwrap(), 4);
        for _ in 0..3 {
            let error = stream.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData);
        }
        let close = close_payload(1003, "binary only");
        assert_eq!(heard(end, &peer), [(FIN | CLOSE, close)]);
    }
}

#[test]
fn what_is_written_goes_out_in_binary_messages_of_the_chunk_size() {
    for end in endpoints() {
        for len in each([0, 1, 32, 33, 1000]) {
            let (peer, mut stream) = stream(end, &[]);
            stream.write_all(&pattern(len)).unwrap();
            stream.flush().unwrap();
            let messages = pattern(len);
            let messages = messages.chunks(SMALL.chunk_size);
            let messages = messages.map(|chunk| (FIN | BINARY, chunk.to_vec()));
            assert!(heard(end, &peer).into_iter().eq(messages));
        }
    }
}

#[test]
fn what_was_written_goes_out_before_a_read_that_waits() {
    for end in endpoints() {
        let peer = ScriptedPeer::default();
        let mut stream = end.open(&peer, SMALL).unwrap().into_byte_stream();
        stream.write_all(b"question").unwrap();
        let silence = stream.read(&mut [0; 9]).unwrap_err();
        assert_eq!(silence.kind(), Kind::WouldBlock);
        assert_eq!(heard(end, &peer), [(FIN | BINARY, b"question".to_vec())]);
    }
}

/// Every call of the stream would block once, and each call that waits is dropped there, the first or a later time.
#[test]
fn what_would_block_at_every_point_loses_nothing() {
    let bytes = pattern(300);
    for end in endpoints() {
        let frames = [
            to(end.role, FIN | BINARY, &bytes[..100]),
            to(end.role, FIN | PING, b"?"),
            to(end.role, BINARY, &bytes[100..]),
            to(end.role, FIN | CONTINUATION, b""),
            to(end.role, FIN | CLOSE, b"\x03\xE8"),
        ];
        let said = end.said(&frames);
        for (at_most, n) in each([(1, 1), (7, 1), (7, 2), (40, 3), (0, 1)]) {
            let peer = ScriptedPeer::saying([&said[..]])
                .in_pieces_of(at_most)
                .waiting();
            let mut stream = end.open(&peer, SMALL).unwrap().into_byte_stream();
            let (read, _) = in_turns(&peer, Drops::At(n), || {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let len = io_again(|| stream.write(rest)).unwrap();
                    rest = &rest[len..];
                    io_again(|| stream.flush()).unwrap();
                }
                let mut read = vec![];
                // A short read may follow a long one that waited.
                for room in [100, 3].into_iter().cycle() {
                    let mut buf = vec![0; room];
                    match io_again(|| stream.read(&mut buf)).unwrap() {
                        0 => break,
                        len => read.extend_from_slice(&buf[..len]),
                    }
                }
                io_again(|| stream.flush()).unwrap();
                read
            });
            assert_eq!(read, bytes);
            let (messages, replies): (Vec<_>, Vec<_>) = heard(end, &peer)
                .into_iter()
                .partition(|(first, _)| *first == FIN | BINARY);
            let written = messages.iter().map(|(_, payload)| &payload[..]);
            assert_eq!(written.collect::<Vec<_>>().concat(), bytes);
            let replies = replies.iter().map(|(first, _)| *first);
            assert!(replies.eq([FIN | PONG, FIN | CLOSE]));
        }
    }
}

#[test]
fn it_goes_back_to_messages() {
    for end in endpoints() {
        let frames = [
            to(end.role, FIN | BINARY, b"bytes"),
            to(end.role, FIN | TEXT, b"message"),
        ];
        let (_, mut stream) = stream(end, &frames);
        stream.read_exact(&mut [0; 5]).unwrap();
        let mut socket = stream.into_messages();
        let message = socket.next_message().unwrap().unwrap();
        assert_eq!(message.opcode(), Opcode::Text);
        assert_eq!(message.payload(), b"message");
    }
}
