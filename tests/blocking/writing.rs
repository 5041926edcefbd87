//! What the writing side promises between its calls: what is open, what waits, what is refused.

use std::collections::HashSet;
use std::io::{ErrorKind as Kind, Write};

use framewire::blocking::PreparedMessage;
use framewire::frame::Rsv;
use framewire::protocol::{Role, SendError};
use framewire::{Config, Error, ErrorKind, Fault as Whose, Opcode, WebSocket};
use support::frames::{BINARY, CONTINUATION, FIN, PING, PONG, TEXT, frame};
use support::operations::SMALL;
use support::oracle::{data, frames_in};
use support::pattern;
use support::peer::{Direction, Fault, Plan, ScriptedPeer};
use support::{Replay, connect};

#[test]
fn a_flush_that_is_interrupted_is_made_again() {
    let plan = Plan::Nth(Direction::Flush, 0, Fault::Error(Kind::Interrupted));
    let mut server = connect(Role::Server, ScriptedPeer::new([]).failing(plan), SMALL);
    server.write_message(Opcode::Text, b"x").unwrap();
    assert_eq!(server.stream().calls().flushes, 2);
    server.write_message(Opcode::Text, b"y").unwrap();
}

#[test]
fn a_flush_that_would_block_is_made_up_for_before_the_next_read() {
    let plan = Plan::Nth(Direction::Flush, 0, Fault::Error(Kind::WouldBlock));
    let mut server = connect(Role::Server, ScriptedPeer::new([]).failing(plan), SMALL);
    server.write_message(Opcode::Text, b"x").unwrap();
    assert!(server.has_pending_output(), "the stream may hold it back");
    let _ = server.next_message();
    assert_eq!(server.stream().calls().flushes, 2);
    assert!(!server.has_pending_output());
}

#[test]
fn a_message_writer_dropped_keeps_its_message_open_and_is_taken_up_again() {
    for role in [Role::Server, Role::Client] {
        let bytes = pattern(100);
        let mut websocket = connect(role, ScriptedPeer::new([]), SMALL);
        websocket
            .message_writer(Opcode::Binary)
            .unwrap()
            .write_all(&bytes[..50])
            .unwrap();

        let prepared = PreparedMessage::new(Opcode::Text, b"x").unwrap();
        for refused in [
            websocket.write_message(Opcode::Text, b"x"),
            websocket.write_message(Opcode::Binary, b"x"),
            websocket.feed_message(Opcode::Text, b"x"),
            websocket.write_prepared(&prepared),
            websocket.write_frame(true, Rsv::NONE, Opcode::Continuation, b"x"),
            websocket.write_frame(true, Rsv::NONE, Opcode::Text, b"x"),
            websocket.message_writer(Opcode::Text).map(|_| ()),
            websocket.message_writer(Opcode::Binary).map(|_| ()),
            websocket
                .stream_message(Opcode::Text, 32, &b"x"[..])
                .map(|_| ()),
        ] {
            assert!(is_message_open(&refused), "{refused:?}");
        }
        websocket.ping(b"control frames may").unwrap();

        let mut writer = websocket.resume_message_writer().unwrap();
        writer.write_all(&bytes[50..]).unwrap();
        assert_eq!(writer.finish().unwrap(), 100);
        websocket.write_message(Opcode::Text, b"x").unwrap();
        let sent = frames_in(&websocket.stream().written());
        let first_bytes: Vec<u8> = sent.iter().map(|(first, _)| *first).collect();
        let fin_continuation = FIN | CONTINUATION;
        assert_eq!(
            first_bytes,
            [
                BINARY,
                FIN | PING,
                CONTINUATION,
                CONTINUATION,
                fin_continuation,
                FIN | TEXT
            ]
        );
        assert_eq!(
            data(&websocket.stream().written()),
            [&bytes[..], b"x"].concat()
        );
    }
}

#[test]
fn a_raw_message_that_is_open_refuses_streams_and_messages() {
    let mut server = connect(Role::Server, ScriptedPeer::new([]), SMALL);
    server
        .write_frame(false, Rsv::NONE, Opcode::Text, b"raw")
        .unwrap();
    for refused in [
        server.write_message(Opcode::Text, b"x"),
        server.message_writer(Opcode::Text).map(|_| ()),
        server
            .stream_message(Opcode::Text, 32, &b"x"[..])
            .map(|_| ()),
    ] {
        assert!(is_message_open(&refused), "{refused:?}");
    }
    server
        .write_frame(true, Rsv::NONE, Opcode::Continuation, b"")
        .unwrap();
    server.write_message(Opcode::Text, b"x").unwrap();
}

#[test]
fn a_stream_that_could_send_no_frame_is_refused_and_leaves_no_message_open() {
    let mut server = connect(Role::Server, ScriptedPeer::new([]), SMALL);
    for refused in [
        server.message_writer_ext(Opcode::Text, Rsv::RSV1).map(drop),
        server
            .stream_message_ext(Opcode::Text, Rsv::RSV1, 32, &b"x"[..])
            .map(drop),
    ] {
        let error = refused.unwrap_err();
        let bits = SendError::ReservedBits(Rsv::RSV1);
        assert!(matches!(error.kind(), ErrorKind::Send(error) if *error == bits));
    }
    assert!(server.resume_message_writer().is_none());
    server.write_message(Opcode::Text, b"x").unwrap();
}

#[test]
fn a_source_that_fails_midway_is_taken_up_again() {
    for role in [Role::Server, Role::Client] {
        for fault in [Kind::ConnectionReset, Kind::WouldBlock, Kind::Other] {
            for n in 0.. {
                let _replay = Replay(|| format!("{role:?}, {fault:?} at read {n}"));
                let bytes = pattern(90);
                let mut source = ScriptedPeer::new(&bytes[..])
                    .in_pieces_of(10)
                    .failing(Plan::Nth(Direction::Read, n, Fault::Error(fault)));
                let mut websocket = connect(role, ScriptedPeer::new([]), SMALL);
                let result = websocket.stream_message(Opcode::Binary, 32, &mut source);
                if source.failed().is_some() {
                    let error = result.unwrap_err();
                    assert!(matches!(error.kind(), ErrorKind::Source(e) if e.kind() == fault));
                    assert_eq!(error.fault(), Whose::Caller);
                    let refused = websocket.write_message(Opcode::Text, b"x");
                    assert!(is_message_open(&refused));
                    let writer = websocket.resume_message_writer().unwrap();
                    assert_eq!(writer.finish_from(&mut source).unwrap(), 90);
                } else {
                    assert_eq!(result.unwrap(), 90);
                    assert!(n > 10);
                    break;
                }
                let sent = frames_in(&websocket.stream().written());
                let sizes: Vec<usize> = sent.iter().map(|(_, payload)| payload.len()).collect();
                assert_eq!(sizes, [32, 32, 26]);
                assert_eq!(data(&websocket.stream().written()), bytes);
            }
        }
    }
}

#[test]
fn every_frame_of_a_client_has_a_key_of_its_own() {
    let mut client = connect(Role::Client, ScriptedPeer::new([]), SMALL);
    for _ in 0..100 {
        client.feed_message(Opcode::Binary, b"").unwrap();
    }
    client.flush().unwrap();
    let output = &client.stream().written();
    let keys: HashSet<&[u8]> = output.chunks(6).map(|frame| &frame[2..]).collect();
    assert!(keys.len() > 98, "{} keys for 100 frames", keys.len());
}

#[test]
fn pongs_go_between_the_fragments_of_a_stream_and_never_inside_one() {
    let input = frame(Role::Client, FIN | PING, b"?");
    let silence = Plan::Nth(Direction::Read, 1, Fault::Error(Kind::WouldBlock));
    let script = ScriptedPeer::new(input).failing(silence);
    let mut server = connect(Role::Server, script, SMALL);
    let mut writer = server.message_writer(Opcode::Binary).unwrap();
    writer.write_all(&[1; 40]).unwrap();
    drop(writer);
    assert!(server.next_message().unwrap_err().is_would_block());
    server.resume_message_writer().unwrap().finish().unwrap();
    let sent: Vec<u8> = frames_in(&server.stream().written())
        .iter()
        .map(|(first, _)| *first)
        .collect();
    assert_eq!(sent, [BINARY, FIN | PONG, FIN | CONTINUATION]);
}

#[test]
fn while_the_stream_takes_nothing_a_flood_of_pings_leaves_bounded_pongs() {
    let mut input = Vec::new();
    for i in 0..10_000_u32 {
        input.extend(frame(Role::Client, FIN | PING, &i.to_be_bytes()));
    }
    let would_block = Fault::Error(Kind::WouldBlock);
    let script = ScriptedPeer::new(input).failing(Plan::Always(Direction::Write, would_block));
    let mut server = connect(Role::Server, script, SMALL);
    assert!(server.next_message().is_err());
    server.stream_mut().fail(Plan::None);
    server.flush().unwrap();
    let sent = frames_in(&server.stream().written());
    // The write buffer holds 100 bytes, a frame over that, and one reply is pending.
    assert!(sent.len() <= 100 / 6 + 2, "{} pongs", sent.len());
    assert_eq!(
        sent.last().unwrap().1,
        9_999_u32.to_be_bytes(),
        "the latest counts"
    );
}

#[test]
fn what_the_stream_did_not_take_goes_first() {
    for (role, len) in [
        (Role::Server, 5),
        (Role::Client, 5),
        (Role::Server, 500),
        (Role::Client, 500),
    ] {
        let would_block = Fault::Error(Kind::WouldBlock);
        let script = ScriptedPeer::new([]).failing(Plan::Always(Direction::Write, would_block));
        let mut websocket = connect(role, script, SMALL);
        let first = pattern(len);
        websocket.write_message(Opcode::Binary, &first).unwrap();
        assert!(websocket.has_pending_output());
        assert!(
            websocket
                .write_message(Opcode::Text, b"not taken")
                .unwrap_err()
                .is_would_block()
        );
        assert!(
            websocket
                .feed_message(Opcode::Text, b"not taken")
                .unwrap_err()
                .is_would_block()
        );
        assert!(websocket.ping(b"not taken").unwrap_err().is_would_block());
        websocket.stream_mut().fail(Plan::None);
        websocket.write_message(Opcode::Text, b"second").unwrap();
        assert!(!websocket.has_pending_output());
        let sent = frames_in(&websocket.stream().written());
        assert_eq!(
            sent,
            [(FIN | BINARY, first), (FIN | TEXT, b"second".to_vec())]
        );
    }
}

#[test]
fn chunk_sizes_of_nothing_and_over_the_connections_are_refused() {
    let mut server = connect(Role::Server, ScriptedPeer::new([]), SMALL);
    for requested in [0, 33, usize::MAX] {
        let error = server
            .stream_message(Opcode::Text, requested, &b"x"[..])
            .unwrap_err();
        let ErrorKind::ChunkSize {
            requested: said,
            limit,
        } = *error.kind()
        else {
            panic!("{error}");
        };
        assert_eq!((said, limit), (requested, 32));
    }
    server.stream_message(Opcode::Text, 32, &b"x"[..]).unwrap();
    for config in [
        Config {
            chunk_size: 0,
            ..SMALL
        },
        Config {
            read_buffer: 0,
            ..SMALL
        },
        Config {
            write_buffer: 0,
            ..SMALL
        },
    ] {
        let error = WebSocket::server(ScriptedPeer::new([]), config).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Config(_)));
    }
}

fn is_message_open(result: &Result<(), Error>) -> bool {
    let kind = result.as_ref().err().map(Error::kind);
    matches!(kind, Some(ErrorKind::Send(SendError::MessageOpen(_))))
}
