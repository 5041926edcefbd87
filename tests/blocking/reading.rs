//! What the reading side promises where kinds of reading meet, and what it leaves behind.

use std::io::{ErrorKind as Kind, Read};

use framewire::protocol::{Limits, Role};
use framewire::{Config, ErrorKind, Opcode, WebSocket};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, frame};
use support::operations::SMALL;
use support::oracle::frames_in;
use support::pattern;
use support::peer::{Direction, Fault, Plan, ScriptedPeer};
use support::{Replay, again, connect};

const CLIENT: Role = Role::Client;

fn client_frames(list: &[(u8, &[u8])]) -> Vec<u8> {
    list.iter()
        .flat_map(|(first, payload)| frame(CLIENT, *first, payload))
        .collect()
}

/// A server whose reads give `count` bytes and then would block, over and over.
fn server_in_pieces(input: &[u8], count: usize) -> WebSocket<ScriptedPeer> {
    let script = ScriptedPeer::new(input)
        .in_pieces_of(count)
        .failing(Plan::Before(Direction::Read, Kind::WouldBlock));
    connect(Role::Server, script, SMALL)
}

#[test]
fn what_is_left_of_a_streamed_message_is_skipped() {
    let input = client_frames(&[
        (BINARY, &pattern(40)),
        (FIN | PING, b"inside"),
        (FIN | CONTINUATION, &pattern(200)),
        (FIN | TEXT, b"next"),
    ]);
    for read in [0, 1, 39, 40, 41, 239, 240] {
        for pieces in [1, 5, 64, 1000] {
            let _replay = Replay(|| format!("{read} bytes read, {pieces} at a time"));
            let mut server = server_in_pieces(&input, pieces);
            let mut left = vec![0; read];
            {
                again(|| server.message_reader().map(|_| ())).unwrap();
                let mut done = 0;
                while done < read {
                    let mut reader = server.resume_message_reader().unwrap();
                    match reader.read(&mut left[done..]) {
                        Ok(len) => done += len,
                        Err(error) => assert_eq!(error.kind(), Kind::WouldBlock),
                    }
                }
            }
            let mut buf = Vec::new();
            let opcode = again(|| server.read_message(&mut buf)).unwrap();
            assert_eq!((opcode, &buf[..]), (Opcode::Text, &b"next"[..]));
        }
    }
}

/// The rule, by hand.
#[test]
fn the_second_half_of_a_message_whose_first_was_read_raw_is_skipped() {
    let input = client_frames(&[
        (BINARY, b"Hel"),
        (FIN | CONTINUATION, b"lo"),
        (FIN | TEXT, b"next"),
    ]);
    let mut server = connect(Role::Server, ScriptedPeer::new(input), SMALL);
    assert_eq!(server.read_frame(&mut [0; 100]).unwrap().payload(), b"Hel");
    assert_eq!(server.next_message().unwrap().payload(), b"next");
}

#[test]
fn what_is_left_of_a_message_read_raw_is_skipped() {
    let input = client_frames(&[
        (FIN | PING, b"before"),
        (BINARY, &pattern(60)),
        (FIN | PING, b"inside"),
        (FIN | CONTINUATION, &pattern(70)),
        (FIN | TEXT, b"next"),
    ]);
    for count in 0..=4 {
        for header_too in [false, true] {
            for pieces in [1, 5, 64, 1000] {
                let _replay = Replay(|| format!("{count} {header_too} {pieces}"));
                let mut server = server_in_pieces(&input, pieces);
                let mut buf = [0; 100];
                for _ in 0..count {
                    again(|| server.read_frame(&mut buf).map(|_| ())).unwrap();
                }
                if header_too {
                    again(|| server.read_header()).unwrap();
                }
                if count <= 1 {
                    // The message has not begun, though its header was looked at: it comes whole.
                    let message = again(|| server.next_message().map(|m| m.payload().to_vec()));
                    assert_eq!(message.unwrap()[..60], pattern(60));
                    continue;
                }
                let message = again(|| server.next_message().map(|m| m.payload().to_vec()));
                assert_eq!(message.unwrap(), b"next");
            }
        }
    }
}

#[test]
fn a_half_assembled_message_is_for_the_call_that_began_it() {
    let input = client_frames(&[(TEXT, b"be"), (FIN | CONTINUATION, b"gun")]);
    let mut server = connect(Role::Server, ScriptedPeer::new(&input[..8]), SMALL);
    let plan = Plan::Nth(Direction::Read, 1, Fault::Error(Kind::TimedOut));
    server.stream_mut().fail(plan);
    assert!(server.next_message().unwrap_err().is_would_block());
    server.stream().say(&input[8..]);

    let in_progress = |kind: &ErrorKind| matches!(kind, ErrorKind::MessageInProgress);
    assert!(in_progress(server.message_reader().unwrap_err().kind()));
    assert!(in_progress(server.read_header().unwrap_err().kind()));
    assert!(in_progress(
        server.read_frame(&mut [0; 9]).unwrap_err().kind()
    ));
    assert!(server.resume_message_reader().is_none());
    let mut buf = b"It has ".to_vec();
    assert_eq!(server.read_message(&mut buf).unwrap(), Opcode::Text);
    assert_eq!(buf, b"It has begun");
}

#[test]
fn a_header_that_was_read_is_given_again_with_its_frame() {
    let input = client_frames(&[(BINARY, &pattern(80)), (FIN | CONTINUATION, b"")]);
    let mut server = server_in_pieces(&input, 3);
    let header = again(|| server.read_header()).unwrap();
    assert_eq!((header.fin(), header.payload_len()), (false, 80));
    let error = again(|| server.read_frame(&mut [0; 79]).map(|_| ())).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::FrameBufferTooSmall { needed: 80 }
    ));
    let mut buf = [0; 80];
    again(|| server.read_frame(&mut buf).map(|_| ())).unwrap();
    assert_eq!(buf[..], pattern(80));
    assert!(again(|| server.read_header()).unwrap().fin());
}

#[test]
fn a_header_that_was_looked_at_leaves_its_message_to_any_call() {
    let input = client_frames(&[
        (TEXT, b"a"),
        (FIN | PING, b"?"),
        (FIN | CONTINUATION, b"b"),
        (FIN | TEXT, b"next"),
    ]);
    for pieces in [1, 6, 1000] {
        let mut server = server_in_pieces(&input, pieces);
        again(|| server.read_header()).unwrap();
        let first = again(|| server.next_message().map(|m| m.payload().to_vec()));
        assert_eq!(first.unwrap(), b"ab");
        again(|| server.read_header()).unwrap();
        again(|| server.message_reader().map(drop)).unwrap();
        let mut bytes = Vec::new();
        while let Some(mut reader) = server.resume_message_reader() {
            match reader.read_to_end(&mut bytes) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), Kind::WouldBlock),
            }
        }
        assert_eq!(bytes, b"next");
    }
}

#[test]
fn a_message_whose_header_was_looked_at_is_bound_by_the_limit_of_the_call_that_reads_it() {
    let limits = Limits {
        message: 9,
        ..Limits::default()
    };
    let config = Config { limits, ..SMALL };
    for (len, fits) in [(9, true), (10, false)] {
        let input = client_frames(&[(FIN | BINARY, &pattern(len))]);
        let mut server = connect(Role::Server, ScriptedPeer::new(&input[..]), config);
        assert_eq!(server.read_header().unwrap().payload_len(), len as u64);
        let given = server.next_message().map(|m| m.payload().len());
        if fits {
            assert_eq!(given.unwrap(), len);
        } else {
            assert_eq!(given.unwrap_err().close_code().unwrap().get(), 1009);
            assert_eq!(frames_in(&server.stream().written())[0].0, FIN | CLOSE);
        }

        let mut server = connect(Role::Server, ScriptedPeer::new(&input[..]), config);
        server.read_header().unwrap();
        let mut bytes = Vec::new();
        let mut reader = server.message_reader().unwrap();
        assert_eq!(reader.read_to_end(&mut bytes).unwrap(), len);
    }
}

/// Linear: what each call puts into the caller's buffer is counted.
#[test]
fn the_bytes_of_a_raw_frame_are_given_once_however_often_its_reading_would_block() {
    const LEN: usize = 2000;
    let payload = vec![1; LEN];
    let input = client_frames(&[(FIN | BINARY, &payload)]);
    let mut server = server_in_pieces(&input, 1);
    let (mut given, mut calls) = (0, 0);
    loop {
        let mut buf = [0; LEN];
        let result = server.read_frame(&mut buf).map(drop);
        calls += 1;
        given += buf.iter().filter(|byte| **byte != 0).count();
        match result {
            Ok(()) => break,
            Err(error) => assert!(error.is_would_block()),
        }
    }
    assert!(calls > LEN, "{calls}");
    assert!(given < 2 * LEN, "{given} bytes");
}

#[test]
fn a_buffer_too_small_after_a_part_has_come_consumes_nothing() {
    let input = client_frames(&[(FIN | BINARY, &pattern(80))]);
    let mut buf = [0; 80];
    for reads in 1..=3 {
        let mut server = server_in_pieces(&input, 25);
        for _ in 0..=reads {
            assert!(server.read_frame(&mut buf).unwrap_err().is_would_block());
        }
        let error = server.read_frame(&mut [0; 79]).map(|_| ()).unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::FrameBufferTooSmall { needed: 80 }
        ));
        buf.fill(0);
        again(|| server.read_frame(&mut buf).map(|_| ())).unwrap();
        assert_eq!(buf[..], pattern(80));
    }
}

#[test]
fn into_inner_gives_the_bytes_that_were_read_and_not_used() {
    let first = client_frames(&[(FIN | TEXT, b"first")]);
    let rest = client_frames(&[(FIN | PING, b"?"), (FIN | BINARY, &pattern(20))]);
    for cut in 0..=rest.len() {
        let input = [&first[..], &rest[..cut]].concat();
        let mut server = connect(Role::Server, ScriptedPeer::new(input), SMALL);
        assert_eq!(server.next_message().unwrap().payload(), b"first");
        let (script, leftover) = server.into_inner();
        let unread = [&leftover[..], &script.unread()].concat();
        assert_eq!(unread, rest[..cut]);
    }
}

#[test]
fn another_connection_goes_on_with_the_leftover_at_any_byte_of_a_header() {
    for payload in [pattern(5), pattern(200), pattern(70_000)] {
        let bytes = frame(CLIENT, FIN | BINARY, &payload);
        let header = bytes.len() - payload.len();
        for cut in 0..=header {
            let mut server = connect(Role::Server, ScriptedPeer::new(&bytes[..cut]), SMALL);
            server
                .stream_mut()
                .fail(nothing_after(usize::from(cut > 0)));
            assert!(server.next_message().unwrap_err().is_would_block());
            let (script, leftover) = server.into_inner();
            assert_eq!(leftover, bytes[..cut]);
            script.say(&bytes[cut..]);
            script.fail(Plan::None);
            let mut other =
                WebSocket::with_leftover(script, &leftover, Role::Server, SMALL).unwrap();
            assert!(other.next_message().unwrap().payload() == payload);
        }
    }
}

/// Would block after so many reads.
fn nothing_after(reads: usize) -> Plan {
    Plan::Nth(Direction::Read, reads, Fault::Error(Kind::WouldBlock))
}

#[test]
fn leftover_bytes_are_read_before_the_stream() {
    let bytes = client_frames(&[(FIN | TEXT, b"first"), (FIN | BINARY, &pattern(150))]);
    for cut in 0..=bytes.len() {
        let script = ScriptedPeer::new(&bytes[cut..]).in_pieces_of(11);
        let mut server =
            WebSocket::with_leftover(script, &bytes[..cut], Role::Server, SMALL).unwrap();
        assert_eq!(server.next_message().unwrap().payload(), b"first");
        assert_eq!(server.next_message().unwrap().payload(), pattern(150));
        let (_, leftover) = server.into_inner();
        assert!(leftover.is_empty());
    }
}

#[test]
fn a_streamed_message_is_not_bound_by_the_message_limit_and_an_assembled_one_is() {
    let config = Config {
        limits: Limits {
            message: 100,
            ..Limits::default()
        },
        ..SMALL
    };
    let input = client_frames(&[(BINARY, &pattern(90)), (FIN | CONTINUATION, &pattern(90))]);
    let mut server = connect(Role::Server, ScriptedPeer::new(&input[..]), config);
    let mut bytes = Vec::new();
    server
        .message_reader()
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes.len(), 180);
    // The rest of a streamed message is skipped under no limit; the next is bound again.
    let twice = [&input[..], &input[..]].concat();
    let mut server = connect(Role::Server, ScriptedPeer::new(twice), config);
    let mut byte = [0];
    server
        .message_reader()
        .unwrap()
        .read_exact(&mut byte)
        .unwrap();
    let error = server.next_message().unwrap_err();
    assert_eq!(error.close_code().unwrap().get(), 1009);
    let (first, payload) = frames_in(&server.stream().written()).remove(0);
    assert_eq!((first, &payload[..2]), (FIN | CLOSE, &[3, 0xF1][..]));
}

#[test]
fn an_error_of_the_connection_comes_through_a_message_reader() {
    let mut input = client_frames(&[(TEXT, b"fine"), (FIN | TEXT, b"not a continuation")]);
    let mut server = connect(Role::Server, ScriptedPeer::new(&input[..]), SMALL);
    let mut reader = server.message_reader().unwrap();
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(
        (error.kind(), &bytes[..]),
        (Kind::InvalidData, &b"fine"[..])
    );

    input.truncate(7);
    let mut server = connect(Role::Server, ScriptedPeer::new(&input[..]), SMALL);
    let mut reader = server.message_reader().unwrap();
    let error = reader.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::UnexpectedEof);
}

#[test]
fn a_message_reader_is_not_resumed_after_the_end() {
    let begun = (TEXT, &b"a"[..]);
    let closed = client_frames(&[begun, (FIN | CLOSE, b"\x03\xE8")]);
    let violated = client_frames(&[begun, (FIN | TEXT, b"not a continuation")]);
    let lost = client_frames(&[begun]);
    for input in [closed, violated, lost] {
        let mut server = connect(Role::Server, ScriptedPeer::new(input), SMALL);
        let mut reader = server.message_reader().unwrap();
        reader.read_exact(&mut [0]).unwrap();
        reader.read(&mut [0]).unwrap_err();
        let reads = server.stream().calls().reads;
        assert!(server.resume_message_reader().is_none());
        server.message_reader().map(drop).unwrap_err();
        server.next_message().map(drop).unwrap_err();
        assert_eq!(server.stream().calls().reads, reads, "the end is final");
    }
}
