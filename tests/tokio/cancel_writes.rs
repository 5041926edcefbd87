//! Messages in pieces and streams of bytes of a tokio connection, whose calls are dropped while they wait and
//! followed by others. Those that take a message whole or not at all are in `behaviour/cancel.rs`.

use std::io;

use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{Config, ErrorKind, Opcode};
use support::frames::{BINARY, CLOSE, FIN, PING, PONG, frame};
use support::operations::SMALL;
use support::peer;
use support::peer::{Plan, ScriptedPeer, Taking};
use support::tasks::{Tasks, attempt, finish};
use support::view::View;
use support::{Replay, pattern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

// The rule, by one message.

#[test]
fn a_message_that_was_dropped_in_the_middle_is_ended_by_the_next_call() {
    let stream = ScriptedPeer::default().taking(Taking::Room(3));
    let mut server = WebSocket::server(stream.clone(), SMALL).unwrap();
    assert!(attempt(&stream, 0, server.write_message(Opcode::Text, b"hello")).is_none());
    assert_eq!(stream.written(), b"\x81\x05h");
    stream.set_taking(Taking::All);
    finish(&stream, server.ping(b"")).unwrap();
    assert_eq!(stream.written(), b"\x81\x05hello\x89\x00");
}

#[test]
fn a_message_that_was_dropped_before_it_was_its_turn_is_never_sent() {
    let stream = ScriptedPeer::default().taking(Taking::Nothing);
    let mut server = WebSocket::server(stream.clone(), SMALL).unwrap();
    finish(&stream, server.feed_message(Opcode::Text, b"fed")).unwrap();
    assert!(attempt(&stream, 0, server.flush()).is_none());
    assert!(attempt(&stream, 0, server.write_message(Opcode::Text, b"hello")).is_none());
    stream.set_taking(Taking::All);
    finish(&stream, server.ping(b"")).unwrap();
    assert_eq!(stream.written(), b"\x81\x03fed\x89\x00");
}

// The same of what goes by pieces, and of a stream of bytes.

#[test]
fn a_message_that_is_streamed_loses_nothing_when_it_is_dropped() {
    for role in ROLES {
        for at_most in [1, 7, 0] {
            for len in [0, 1, 32, 33, 100] {
                for n in 0.. {
                    if drop_stream_at(role, at_most, len, n) {
                        break;
                    }
                }
            }
        }
    }
}

/// Drops a message that is streamed at its n-th wait, and again and again. Says whether it was done
/// before.
fn drop_stream_at(role: Role, at_most: usize, len: usize, n: usize) -> bool {
    let _replay = Replay(|| format!("{len} as {role:?} by {at_most}, dropped at {n}"));
    let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
    let mut websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
    let payload = pattern(len);
    let mut source = ScriptedPeer::new(&payload[..]).in_pieces_of(9);
    source = source.failing(Plan::BeforeAll(io::ErrorKind::WouldBlock));
    let streamed = websocket.stream_message(Opcode::Binary, 32, &mut source);
    let was_done = attempt(&stream, n, streamed).is_some();
    for by_hand in [false, true].into_iter().cycle() {
        let Some(mut message) = websocket.resume_message_writer() else {
            break;
        };
        if by_hand {
            attempt(&stream, 1, message.flush());
            drop(message);
        } else {
            attempt(&stream, 1, message.finish_from(&mut source));
        }
        stream.turn();
        if websocket.resume_message_writer().is_some() {
            let other = finish(&stream, websocket.write_message(Opcode::Text, b"no"));
            let error = other.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Send(_)), "{error:?}");
            finish(&stream, websocket.ping(b"")).unwrap();
        }
    }
    finish(&stream, websocket.write_message(Opcode::Binary, b"after")).unwrap();
    let view = View::of(role, &stream.written());
    assert_eq!(view.payloads(), [&payload[..], b"after"]);
    was_done
}

#[test]
fn a_byte_stream_takes_each_byte_once_and_ends_whole() {
    for role in ROLES {
        for at_most in [1, 7, 0] {
            let _replay = Replay(|| format!("{role:?} by {at_most}"));
            let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
            let websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
            let mut bytes = websocket.into_byte_stream();
            let payload = pattern(300);
            let mut rest = &payload[..];
            for n in (0..4).cycle() {
                if rest.is_empty() {
                    break;
                }
                if let Some(written) = attempt(&stream, n, bytes.write(rest)) {
                    rest = &rest[written.unwrap()..];
                }
                stream.turn();
                attempt(&stream, n, bytes.flush());
                stream.turn();
            }
            while attempt(&stream, 1, bytes.shutdown()).is_none() {
                stream.turn();
            }
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads().concat(), payload);
            assert_eq!(view.control, [(FIN | CLOSE, b"\x03\xE8".to_vec())]);
        }
    }
}

#[test]
fn reads_of_a_byte_stream_lose_nothing() {
    for role in ROLES {
        for at_most in [1, 7, 0] {
            let _replay = Replay(|| format!("{role:?} by {at_most}"));
            let payload = pattern(300);
            let mut input = Vec::new();
            for piece in payload.chunks(70) {
                input.extend(frame(peer(role), FIN | BINARY, piece));
                input.extend(frame(peer(role), FIN | PING, b"?"));
            }
            input.extend(frame(peer(role), FIN | CLOSE, b"\x03\xE8"));
            let stream = ScriptedPeer::saying([input])
                .in_pieces_of(at_most)
                .waiting();
            let websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
            let mut bytes = websocket.into_byte_stream();
            let mut read = Vec::new();
            for step in [100, 3].into_iter().cycle() {
                let mut buf = vec![0; step];
                match attempt(&stream, 0, bytes.read(&mut buf)) {
                    Some(Ok(0)) => break,
                    Some(len) => read.extend_from_slice(&buf[..len.unwrap()]),
                    None => _ = stream.turn(),
                }
            }
            assert_eq!(read, payload);
            finish(&stream, bytes.flush()).unwrap();
            let view = View::of(role, &stream.written());
            let last = view.control.last().map(|(first, _)| *first);
            assert_eq!(last, Some(FIN | CLOSE));
            assert!(
                view.control[..view.control.len() - 1]
                    .iter()
                    .all(|(first, _)| *first == FIN | PONG)
            );
        }
    }
}

#[test]
fn what_is_kept_of_writes_that_are_dropped_is_bounded() {
    let stream = ScriptedPeer::default();
    stream.set_taking(Taking::Room(100));
    let config = Config::default();
    let most = 1_000_000 + config.write_buffer + config.chunk_size;
    for role in ROLES {
        let mut websocket =
            WebSocket::with_leftover(stream.clone(), &[], role, Config::default()).unwrap();
        let payload = pattern(1_000_000);
        for _ in 0..20 {
            let large = websocket.write_message(Opcode::Binary, &payload);
            assert!(attempt(&stream, 0, large).is_none());
            let small = websocket.feed_message(Opcode::Binary, b"small");
            assert!(attempt(&stream, 0, small).is_none());
            assert!(websocket.buffered() <= most, "{}", websocket.buffered());
        }
        stream.set_taking(Taking::All);
        finish(&stream, websocket.flush()).unwrap();
        let view = View::of(role, &stream.written());
        assert_eq!(view.payloads(), [&payload[..]], "the first, whole");
        stream.forget_written();
        stream.set_taking(Taking::Room(100));
    }
}

#[test]
fn a_byte_stream_in_two_tasks_loses_no_wake_up() {
    for role in ROLES {
        for (unseen, dropped) in [(false, false), (true, false), (false, true)] {
            let stream = ScriptedPeer::default();
            stream.set_taking(Taking::Room(5));
            let websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
            let (mut reader, mut writer) = tokio::io::split(websocket.into_byte_stream());
            let mut tasks = Tasks::new(&stream);
            let writing = tasks.begin(async move {
                writer.write_all(&pattern(50)).await.unwrap();
                writer.flush().await.unwrap();
            });
            let reading = tasks.begin(async move {
                let mut buf = [0; 2];
                reader.read_exact(&mut buf).await.unwrap();
                reader.read_exact(&mut buf).await.unwrap();
            });
            tasks.run();
            // What reads sends a Pong, and asks the stream whether it takes more.
            stream.say(frame(peer(role), FIN | PING, b"?"));
            stream.say(frame(peer(role), FIN | BINARY, b"ab"));
            tasks.run();
            assert!(!tasks.is_done(writing));
            if dropped {
                tasks.cancel(reading);
            }
            if unseen {
                stream.take_all_unseen();
                stream.say(frame(peer(role), FIN | BINARY, b"cd"));
            } else {
                stream.set_taking(Taking::All);
            }
            tasks.run();
            assert!(tasks.is_done(writing), "a wake-up was lost");
            assert_eq!(tasks.is_done(reading), unseen || dropped);
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads().concat(), pattern(50));
            assert_eq!(view.control, [(FIN | PONG, b"?".to_vec())]);
        }
    }
}
