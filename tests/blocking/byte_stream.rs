//! A connection as a stream of bytes: what goes in comes out, and its end is one of the kinds that
//! a reader knows.

use std::io::{self, ErrorKind as Kind, Read, Write};
use std::thread;

use framewire::blocking::ByteStream;
use framewire::protocol::Role;
use framewire::{CloseCode, Opcode};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame};
use support::loopback::{connected, tcp};
use support::operations::SMALL;
use support::oracle::{data, frames_in};
use support::pattern;
use support::peer::{Direction, Plan, ScriptedPeer};
use support::{connect, io_again};

fn byte_stream(list: &[(u8, &[u8])]) -> ByteStream<ScriptedPeer> {
    let input: Vec<u8> = list
        .iter()
        .flat_map(|(first, payload)| frame(Role::Client, *first, payload))
        .collect();
    connect(Role::Server, ScriptedPeer::new(input), SMALL).into_byte_stream()
}

#[test]
fn bytes_are_copied_both_ways_over_tcp() {
    let (server, client) = connected(tcp());
    let bytes = pattern(3_000_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut server = server.into_byte_stream();
            let mut received = Vec::new();
            // Until the client has said all, and then everything back.
            (&mut server)
                .take(bytes.len() as u64)
                .read_to_end(&mut received)
                .unwrap();
            io::copy(&mut &received[..], &mut server).unwrap();
            server.flush().unwrap();
            server.get_mut().close(CloseCode::NORMAL, "").unwrap();
            assert!(
                server
                    .get_mut()
                    .next_message()
                    .unwrap_err()
                    .closed()
                    .is_some()
            );
        });
        let mut client = client.into_byte_stream();
        io::copy(&mut &bytes[..], &mut client).unwrap();
        client.flush().unwrap();
        let mut received = Vec::new();
        io::copy(&mut client, &mut received).unwrap();
        assert!(received == bytes);
    });
}

#[test]
fn what_was_written_goes_out_before_a_read_that_waits() {
    let (server, client) = connected(tcp());
    let (mut server, mut client) = (server.into_byte_stream(), client.into_byte_stream());
    let echoing = thread::spawn(move || {
        let mut buf = [0; 1000];
        loop {
            match server.read(&mut buf).unwrap() {
                0 => break,
                len => server.write_all(&buf[..len]).unwrap(),
            }
        }
    });
    for len in [1, 999, 1000, 1001, 10_000] {
        let bytes = pattern(len);
        client.write_all(&bytes).unwrap();
        let mut received = vec![0; len];
        client.read_exact(&mut received).unwrap();
        assert!(received == bytes);
    }
    client.into_inner().close(CloseCode::NORMAL, "").unwrap();
    echoing.join().unwrap();
}

#[test]
fn messages_fragments_and_pings_are_no_bounds() {
    let mut stream = byte_stream(&[
        (FIN | BINARY, b""),
        (FIN | BINARY, b"ab"),
        (BINARY, b"c"),
        (FIN | PING, b"?"),
        (CONTINUATION, b""),
        (FIN | CONTINUATION, b"de"),
        (BINARY, b""),
        (FIN | CONTINUATION, b""),
        (FIN | BINARY, b"f"),
        (FIN | CLOSE, b"\x03\xE8"),
    ]);
    assert_eq!(
        stream.read(&mut []).unwrap(),
        0,
        "an empty buffer is no end"
    );
    let mut bytes = Vec::new();
    assert_eq!(stream.read_to_end(&mut bytes).unwrap(), 6);
    assert_eq!(bytes, b"abcdef");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end stays");
    let sent = frames_in(&stream.get_mut().stream().written());
    assert_eq!(
        sent,
        [
            (FIN | PONG, b"?".to_vec()),
            (FIN | CLOSE, b"\x03\xE8".to_vec())
        ]
    );
}

#[test]
fn a_clean_close_is_the_end_and_any_other_is_an_error() {
    for clean in [&b""[..], b"\x03\xE8", b"\x03\xE9"] {
        let mut stream = byte_stream(&[(FIN | BINARY, b"x"), (FIN | CLOSE, clean)]);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"x");
    }
    for unclean in [&b"\x03\xEA"[..], b"\x03\xF3", b"\x0F\xA0"] {
        let mut stream = byte_stream(&[(FIN | CLOSE, unclean)]);
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), Kind::NotConnected);
    }
}

#[test]
fn a_lost_connection_is_an_error() {
    for list in [&[][..], &[(BINARY, &b"x"[..])][..]] {
        let error = byte_stream(list).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), Kind::UnexpectedEof);
    }
}

#[test]
fn text_is_refused_with_1003_and_never_given() {
    let mut stream = byte_stream(&[
        (FIN | BINARY, b"x"),
        (FIN | TEXT, b"text"),
        (FIN | BINARY, b"y"),
    ]);
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).unwrap_err();
    assert_eq!((error.kind(), &bytes[..]), (Kind::InvalidData, &b"x"[..]));
    let sent = frames_in(&stream.get_mut().stream().written());
    assert_eq!(sent, [(FIN | CLOSE, b"\x03\xEBbinary only".to_vec())]);
    // A further read does not give the text as bytes.
    let mut buf = [0; 10];
    if let Ok(len) = stream.read(&mut buf) {
        assert_eq!(buf[..len], *b"y");
    }
}

#[test]
fn writes_of_any_size_become_messages_within_the_chunk_size() {
    for len in [0, 1, 32, 33, 1000] {
        let mut stream = byte_stream(&[]);
        stream.write_all(&pattern(len)).unwrap();
        stream.flush().unwrap();
        let output = &stream.get_mut().stream().written();
        assert_eq!(data(output), pattern(len));
        let sent = frames_in(output);
        assert_eq!(sent.len(), len.div_ceil(32));
        assert!(sent.iter().all(|(first, _)| *first == FIN | BINARY));
    }
}

#[test]
fn what_would_block_at_every_point_loses_nothing() {
    for direction in [Direction::Read, Direction::Write, Direction::Flush] {
        for at_most in [1, 2, 7, 40] {
            let bytes = pattern(300);
            let mut input = frame(Role::Client, FIN | BINARY, &bytes[..100]);
            input.extend(frame(Role::Client, BINARY, &bytes[100..]));
            input.extend(frame(Role::Client, FIN | CONTINUATION, b""));
            input.extend(frame(Role::Client, FIN | CLOSE, b"\x03\xE8"));
            let script = ScriptedPeer::new(input)
                .in_pieces_of(at_most)
                .failing(Plan::Before(direction, Kind::WouldBlock));
            let mut stream = connect(Role::Server, script, SMALL).into_byte_stream();
            let mut received = Vec::new();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let len = io_again(|| stream.write(rest)).unwrap();
                rest = &rest[len..];
            }
            loop {
                let mut buf = [0; 33];
                match io_again(|| stream.read(&mut buf)).unwrap() {
                    0 => break,
                    len => received.extend_from_slice(&buf[..len]),
                }
            }
            io_again(|| stream.flush()).unwrap();
            assert_eq!(received, bytes);
            assert_eq!(data(&stream.get_mut().stream().written()), bytes);
        }
    }
}

#[test]
fn it_goes_back_to_messages() {
    let mut stream = byte_stream(&[(FIN | BINARY, b"bytes"), (FIN | TEXT, b"message")]);
    stream.read_exact(&mut [0; 5]).unwrap();
    let mut server = stream.into_inner();
    let message = server.next_message().unwrap();
    assert_eq!(
        (message.opcode(), message.text()),
        (Opcode::Text, Some("message"))
    );
}
