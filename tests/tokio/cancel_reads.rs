//! Reads of a tokio connection that are dropped while they wait, and followed by others. Those that are made
//! again are in `behaviour/faults.rs`.

use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{ErrorKind, Opcode};
use support::frames::{BINARY, FIN, PING, PONG, TEXT, frame};
use support::operations::SMALL;
use support::oracle::frames_in;
use support::pattern;
use support::peer::ScriptedPeer;
use support::tasks::{attempt, finish};
use tokio::io::AsyncReadExt;

#[test]
fn a_long_read_that_waited_can_be_followed_by_a_short_one() {
    let payload = pattern(300);
    let stream = ScriptedPeer::saying([frame(Role::Client, FIN | BINARY, &payload)]);
    let stream = stream.in_pieces_of(60).waiting();
    let mut server = WebSocket::server(stream.clone(), SMALL).unwrap();
    let read = finish(&stream, async {
        let mut reader = server.message_reader().await.unwrap();
        let mut bytes = Vec::new();
        for step in [100, 3].into_iter().cycle() {
            let mut buf = vec![0; step];
            match reader.read(&mut buf).await.unwrap() {
                0 => break,
                len => bytes.extend_from_slice(&buf[..len]),
            }
        }
        bytes
    });
    assert_eq!(read, payload);
}

#[test]
fn a_long_read_dropped_can_be_followed_by_a_short_one() {
    let payload = pattern(300);
    let bytes = frame(Role::Client, FIN | BINARY, &payload);
    let stream = ScriptedPeer::saying([&bytes[..48]]);
    let mut server = WebSocket::server(stream.clone(), SMALL).unwrap();
    let mut buf = [0; 100];
    let len = finish(&stream, async {
        server
            .message_reader()
            .await
            .unwrap()
            .read(&mut buf)
            .await
            .unwrap()
    });
    let mut read = buf[..len].to_vec();
    let mut reader = server.resume_message_reader().unwrap();
    assert!(attempt(&stream, 0, reader.read(&mut buf)).is_none());
    stream.say(&bytes[48..]);
    finish(&stream, async {
        while let len @ 1.. = reader.read(&mut buf[..3]).await.unwrap() {
            read.extend_from_slice(&buf[..len]);
        }
    });
    assert_eq!(read, payload);
}

#[test]
fn a_message_is_only_for_the_call_that_began_it() {
    let stream = ScriptedPeer::saying([frame(Role::Client, BINARY, b"begun")]);
    let mut server = WebSocket::server(stream.clone(), SMALL).unwrap();
    assert!(attempt(&stream, 9, server.next_message()).is_none());
    for _ in 0..2 {
        let other = finish(&stream, server.message_reader()).map(drop);
        assert!(matches!(
            other.unwrap_err().kind(),
            ErrorKind::MessageInProgress
        ));
    }
    stream.say(frame(Role::Client, FIN, b" and ended"));
    let message = finish(&stream, server.next_message()).unwrap();
    assert_eq!(message.payload(), b"begun and ended");
}

#[test]
fn what_was_begun_as_a_stream_is_skipped_by_reads_that_are_dropped() {
    let long = pattern(200);
    let bytes = [
        frame(Role::Client, BINARY, &long),
        frame(Role::Client, FIN | PING, b"?"),
        frame(Role::Client, FIN, &long),
        frame(Role::Client, FIN | TEXT, b"next"),
    ]
    .concat();
    for at_most in [1, 7, 0] {
        let stream = ScriptedPeer::saying([&bytes[..]]).in_pieces_of(at_most);
        let stream = stream.waiting();
        let mut server = WebSocket::server(stream.clone(), SMALL).unwrap();
        finish(&stream, async {
            let mut some = [0; 10];
            let mut reader = server.message_reader().await.unwrap();
            reader.read_exact(&mut some).await.unwrap();
        });
        let message = loop {
            if let Some(message) = attempt(&stream, 0, async {
                let message = server.next_message().await.unwrap();
                (message.opcode(), message.payload().to_vec())
            }) {
                break message;
            }
            stream.turn();
        };
        assert_eq!(message, (Opcode::Text, b"next".to_vec()));
        finish(&stream, server.flush()).unwrap();
        assert_eq!(frames_in(&stream.written()), [(FIN | PONG, b"?".to_vec())]);
    }
}
