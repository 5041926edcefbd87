//! Writes of a tokio connection that are dropped while they wait: each was taken whole or not at
//! all, whatever is done next.

use std::io;

use framewire::protocol::Role;
use framewire::tokio::{PreparedMessage, WebSocket};
use framewire::{Config, Error, ErrorKind, Opcode};
use support::calls::{Call, FOR_EVER};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, frame};
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

// The same for every call, at every wait, and whatever follows.

/// What is done after a call that was dropped.
#[derive(Debug)]
enum Then {
    Call(Call),
    /// The same call.
    Again,
    /// A read that finds nothing.
    Read,
    /// A read that finds a Ping, in a message.
    ReadPinged,
    Shutdown,
    /// Both halves, of which the reading one waits.
    Split,
    ByteStream,
    /// A call that is dropped too, and a flush.
    Dropped(Call),
}

impl Then {
    /// Whether it makes no sense once this end has closed.
    fn needs_open(&self) -> bool {
        matches!(self, Self::Split | Self::ByteStream | Self::Dropped(_))
    }
}

fn thens() -> Vec<Then> {
    vec![
        Then::Call(Call::Flush),
        Then::Read,
        Then::Call(Call::Write(pattern(7))),
        Then::Call(Call::Write(pattern(110))),
        Then::Call(Call::Feed(pattern(10))),
        Then::Call(Call::Feed(pattern(110))),
        Then::Call(Call::Prepared(
            PreparedMessage::new(Opcode::Binary, &pattern(80)).unwrap(),
        )),
        Then::Call(Call::Ping(pattern(4))),
        Then::Call(Call::Close),
        Then::Call(Call::Stream(10, pattern(45))),
        Then::Call(Call::Push(11, pattern(45))),
        Then::Again,
        Then::ReadPinged,
        Then::Shutdown,
        Then::Split,
        Then::ByteStream,
        Then::Dropped(Call::Write(pattern(70))),
        Then::Dropped(Call::Feed(pattern(70))),
    ]
}

/// Those that are worth it at each byte.
const MOST_TELLING: usize = 3;

#[test]
fn a_call_that_was_dropped_was_taken_whole_or_not_at_all() {
    for role in ROLES {
        for call in Call::all_or_nothing() {
            for (at_most, thens) in [(1, &thens()[..MOST_TELLING]), (17, &thens()), (0, &thens())] {
                for then in thens {
                    if call.is_close() && then.needs_open() {
                        continue;
                    }
                    for n in 0.. {
                        if drop_at(role, &call, at_most, n, then) {
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// Drops a call at its n-th wait and goes on. Says whether it was done before.
fn drop_at(role: Role, call: &Call, at_most: usize, n: usize, then: &Then) -> bool {
    let how = || format!("{call:?} as {role:?} by {at_most}, dropped at {n}, then {then:?}");
    let _replay = Replay(how);
    let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
    let mut websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
    let mut without = View::default();
    let before = Call::Feed(b"before".to_vec());
    finish(&stream, before.on(&mut websocket)).unwrap();
    before.show(&mut without);
    let was_done = attempt(&stream, n, call.on(&mut websocket)).is_some();
    let mut with = without.clone();
    call.show(&mut with);

    let result = go_on(
        websocket,
        &stream,
        role,
        call,
        then,
        [&mut without, &mut with],
    );
    let view = View::of(role, &stream.written());
    if call.is_close() && view.is_closed() {
        // Nothing can follow it.
        assert_eq!(view.messages, with.messages[..1]);
        return was_done;
    }
    result.unwrap();
    if was_done {
        assert_eq!(view, with);
    } else {
        assert!(view == with || view == without, "{view:?}");
    }
    was_done
}

/// Goes on until everything has to be out, and notes what the peer has to see.
fn go_on(
    mut websocket: WebSocket<ScriptedPeer>,
    stream: &ScriptedPeer,
    role: Role,
    call: &Call,
    then: &Then,
    mut views: [&mut View; 2],
) -> Result<(), Error> {
    let mut show = |call: &Call| views.iter_mut().for_each(|view| call.show(view));
    match then {
        Then::Call(_) | Then::Again => {
            let next = if let Then::Call(next) = then {
                next
            } else {
                call
            };
            let result = finish(stream, next.on(&mut websocket));
            finish(stream, websocket.flush())?;
            result?;
            show(next);
        }
        Then::Read => {
            assert!(attempt(stream, usize::MAX, websocket.next_message()).is_none());
            assert_eq!(
                websocket.buffered(),
                0,
                "it waits while something is unsent"
            );
            return Ok(());
        }
        Then::ReadPinged => {
            stream.say(frame(peer(role), BINARY, b"a"));
            stream.say(frame(peer(role), FIN | PING, b"?"));
            stream.say(frame(peer(role), FIN | CONTINUATION, b"b"));
            let message = finish(stream, websocket.next_message())?;
            assert_eq!(message.payload(), b"ab");
            if call.is_close() {
                finish(stream, websocket.flush())?;
                return Ok(());
            }
            show(&Call::Pong(b"?".to_vec()));
        }
        Then::Shutdown => {
            stream.say(frame(peer(role), FIN | CLOSE, b"\x03\xE8"));
            stream.end();
            let shutdown = finish(stream, websocket.shutdown(FOR_EVER))?;
            assert!(shutdown.clean);
            for view in views {
                view.control.push((FIN | CLOSE, b"\x03\xE8".to_vec()));
            }
            return Ok(());
        }
        Then::Split => {
            let (mut reader, writer) = websocket.split();
            assert!(attempt(stream, usize::MAX, reader.next_message()).is_none());
            assert_eq!(writer.buffered(), 0, "it waits while something is unsent");
            finish(stream, writer.write_message(Opcode::Binary, b"half"))?;
            show(&Call::Write(b"half".to_vec()));
            return Ok(());
        }
        Then::ByteStream => {
            let mut bytes = websocket.into_byte_stream();
            finish(stream, bytes.write_all(b"bytes")).map_err(Error::from)?;
            show(&Call::Write(b"bytes".to_vec()));
            let mut buf = [0; 10];
            assert!(attempt(stream, usize::MAX, bytes.read(&mut buf)).is_none());
            assert_eq!(bytes.get_mut().buffered(), 0);
            return Ok(());
        }
        Then::Dropped(next) => {
            let before = websocket.buffered();
            let done = attempt(stream, 2, next.on(&mut websocket)).is_some();
            // Only that it begins to be taken can make it grow.
            if done || websocket.buffered() > before {
                show(next);
            } else {
                // It may have been taken, and written in part.
                finish(stream, websocket.flush())?;
                let seen = View::of(role, &stream.written());
                let is_there = seen.messages.last().map(|(_, bytes)| bytes.len());
                if is_there == Some(70) {
                    show(next);
                }
            }
        }
    }
    finish(stream, websocket.flush())?;
    assert!(!websocket.has_pending_output());
    Ok(())
}

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
fn a_message_writer_takes_each_piece_once() {
    for role in ROLES {
        for at_most in [1, 7, 0] {
            let _replay = Replay(|| format!("{role:?} by {at_most}"));
            let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
            let mut websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
            let payload = pattern(150);
            let mut writer = websocket.message_writer(Opcode::Binary).unwrap();
            let mut rest = &payload[..];
            for n in (0..4).cycle() {
                if rest.is_empty() {
                    break;
                }
                let piece = &rest[..rest.len().min(13)];
                // A single write that waits has taken nothing.
                if let Some(written) = attempt(&stream, n, writer.write(piece)) {
                    rest = &rest[written.unwrap()..];
                }
                stream.turn();
                attempt(&stream, n, writer.flush());
                stream.turn();
            }
            assert_eq!(finish(&stream, writer.finish()).unwrap(), 150);
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads(), [&payload[..]]);
        }
    }
}

#[test]
fn a_message_whose_end_was_dropped_is_open_or_whole() {
    for role in ROLES {
        for at_most in [1, 7, 0] {
            for n in 0.. {
                let _replay = Replay(|| format!("{role:?} by {at_most}, dropped at {n}"));
                let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
                let mut websocket =
                    WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
                let payload = pattern(60);
                let mut writer = websocket.message_writer(Opcode::Binary).unwrap();
                finish(&stream, writer.write_all(&payload)).unwrap();
                let was_done = attempt(&stream, n, writer.finish()).is_some();
                if let Some(writer) = websocket.resume_message_writer() {
                    assert_eq!(finish(&stream, writer.finish()).unwrap(), 60);
                }
                assert!(websocket.resume_message_writer().is_none());
                finish(&stream, websocket.flush()).unwrap();
                let view = View::of(role, &stream.written());
                assert_eq!(view.payloads(), [&payload[..]]);
                if was_done {
                    break;
                }
            }
        }
    }
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
