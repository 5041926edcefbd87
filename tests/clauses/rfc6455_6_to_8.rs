//! RFC 6455 sections 6 (sending and receiving), 7 (closing) and 8.1 (UTF-8): one test per MUST,
//! named for its clause.

use std::io::Write;
use std::time::Duration;

use framewire::frame::{Rsv, Violation};
use framewire::protocol::{Limits, Role, SendError, Utf8};
use framewire::{CloseCode, Config, ErrorKind, Opcode, Side};
use support::connection::{Connection, Endpoint, Messaging, all_ends, ends};
use support::event::{End, Event};
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, close_payload, to, wire,
};
use support::front_end::{Events, assert_given, assert_refused};
use support::oracle::{self, Terms};
use support::peer::{Ending, ScriptedPeer};
use support::rfc3629::{self, Text};

const BOTH: [Role; 2] = [Role::Server, Role::Client];

/// A socket to which the peer says this, and then ends the stream.
fn hearing(end: Endpoint, bytes: impl AsRef<[u8]>) -> (ScriptedPeer, Box<dyn Connection>) {
    let peer = ScriptedPeer::saying([bytes.as_ref()]).ending(Ending::Eof);
    let socket = end.with(&peer);
    (peer, socket)
}

/// The same of any kind.
fn any_hearing(end: Endpoint, bytes: impl AsRef<[u8]>) -> (ScriptedPeer, Box<dyn Messaging>) {
    let peer = ScriptedPeer::saying([bytes.as_ref()]).ending(Ending::Eof);
    let socket = end.messaging(&peer, Config::default());
    (peer, socket.unwrap())
}

fn close(role: Role, payload: impl AsRef<[u8]>) -> Vec<u8> {
    to(role, FIN | CLOSE, payload).bytes()
}

#[test]
fn rfc6455_6_1_only_an_open_connection_sends() {
    for end in all_ends() {
        let violation = to(end.role, FIN | 0xB, b"").bytes();
        for (bytes, is_clean) in [(close(end.role, b""), true), (violation, false)] {
            let (peer, mut socket) = any_hearing(end, bytes);
            assert_eq!(
                socket.next_message().is_ok_and(|end| end.is_none()),
                is_clean
            );
            peer.forget_written();
            assert!(socket.write("late").is_err());
            assert!(socket.feed("late").is_err());
            socket.flush().unwrap();
            assert!(peer.written().is_empty());
        }
    }
}

#[test]
fn rfc6455_6_1_a_stream_is_aborted_when_the_connection_closes() {
    for end in ends() {
        let (peer, mut socket) = hearing(end, close(end.role, close_payload(1000, "")));
        let mut writer = socket.message_writer(Opcode::Binary).unwrap();
        writer.write_all(&[0; 5000]).unwrap();
        drop(writer);
        assert!(socket.next_message().unwrap().is_none());
        assert!(socket.message_writer(Opcode::Binary).is_err());
        let mut writer = socket.resume_message_writer().unwrap();
        let error = writer.write_all(&[0; 5000]).and_then(|()| writer.flush());
        assert!(error.is_err());
        drop(writer);
        let frames = oracle::frames(&peer.written());
        let opcodes: Vec<_> = frames.iter().map(|frame| frame.opcode).collect();
        assert_eq!(opcodes, [Opcode::Binary, Opcode::Close]);
    }
}

#[test]
fn rfc6455_6_1_first_frame_has_the_type_and_the_last_fin() {
    for end in ends() {
        for opcode in [Opcode::Text, Opcode::Binary] {
            for len in [0, 1, 10, 11, 20, 25] {
                println!("{len} bytes as {opcode}");
                let (peer, mut socket) = hearing(end, b"");
                let payload = vec![b'x'; len];
                socket
                    .stream_message(opcode, 10, &mut &payload[..])
                    .unwrap();
                let frames = oracle::frames(&peer.written());
                assert_eq!(frames.len(), len.div_ceil(10).max(1));
                for (i, frame) in frames.iter().enumerate() {
                    let expected = if i == 0 { opcode } else { Opcode::Continuation };
                    assert_eq!(frame.opcode, expected);
                    assert_eq!(frame.fin, i + 1 == frames.len());
                }
            }
        }
    }
}

#[test]
fn rfc6455_6_1_what_is_sent_is_transmitted() {
    for end in all_ends() {
        let (peer, mut socket) = any_hearing(end, b"");
        socket.write("at once").unwrap();
        let sent = || oracle::judge(Terms::plain(support::peer(end.role)), &peer.written()).events;
        assert_eq!(sent(), [Event::Message(Opcode::Text, b"at once".to_vec())]);
        socket.feed("later").unwrap();
        assert_eq!(sent().len(), 1);
        socket.flush().unwrap();
        assert_eq!(sent().len(), 2);
    }
}

#[test]
fn rfc6455_6_2_control_frames_come_between_messages() {
    for role in BOTH {
        let bytes = wire(&[
            to(role, FIN | PING, b"1"),
            to(role, FIN | BINARY, b"2"),
            to(role, FIN | PONG, b"3"),
            to(role, FIN | BINARY, b"4"),
            to(role, FIN | CLOSE, b""),
        ]);
        let events = [
            Event::Ping(b"1".to_vec()),
            Event::Message(Opcode::Binary, b"2".to_vec()),
            Event::Pong(b"3".to_vec()),
            Event::Message(Opcode::Binary, b"4".to_vec()),
            Event::Close(None, String::new()),
        ];
        assert_given(role, bytes, &events, End::Closed);
    }
}

#[test]
fn rfc6455_6_2_one_message_after_another() {
    for role in BOTH {
        let bytes = wire(&[
            to(role, FIN | TEXT, "one"),
            to(role, BINARY, "t"),
            to(role, FIN | CONTINUATION, "wo"),
            to(role, TEXT, "thr"),
            to(role, FIN | CONTINUATION, "ee"),
        ]);
        let events = [
            (Opcode::Text, "one"),
            (Opcode::Binary, "two"),
            (Opcode::Text, "three"),
        ]
        .map(|(opcode, payload)| Event::Message(opcode, payload.as_bytes().to_vec()));
        assert_given(role, bytes, &events, End::Open);
    }
}

#[test]
fn rfc6455_6_2_server_removes_the_mask() {
    for key in [[0; 4], [0xFF; 4], [1, 2, 3, 4]] {
        let frames = [
            to(Role::Server, BINARY, b"abcde").with_mask(Some(key)),
            to(Role::Server, FIN | PING, b"ping").with_mask(Some(key)),
            to(Role::Server, FIN, b"fgh").with_mask(Some([9, 8, 7, 6])),
        ];
        let events = [
            Event::Ping(b"ping".to_vec()),
            Event::Message(Opcode::Binary, b"abcdefgh".to_vec()),
        ];
        assert_given(Role::Server, wire(&frames), &events, End::Open);
    }
}

/// A client reads them while it waits for the end of the stream, and a server leaves them unread.
#[test]
fn rfc6455_7_1_1_bytes_after_both_close_frames_are_discarded() {
    for end in ends() {
        let message = to(end.role, FIN | TEXT, "late").bytes();
        let ping = to(end.role, FIN | PING, "late").bytes();
        for late in [message, ping, vec![0xFF; 9], vec![0; 70_000]] {
            let said = [close(end.role, close_payload(1001, "")), late].concat();
            let (peer, mut socket) = hearing(end, said);
            let events = Events::default();
            socket.on_ping(Box::new(events.of_pings()));
            let done = socket.shutdown(Duration::from_secs(60)).unwrap();
            assert_eq!((done.code.get(), done.clean), (1001, true));
            assert_eq!(oracle::frames(&peer.written()).len(), 1);
            assert!(events.take().is_empty());
            assert!(end.role == Role::Server || peer.unread().is_empty());
        }
    }
}

#[test]
fn rfc6455_7_1_2_closing_sends_a_close_frame() {
    for end in ends() {
        let (peer, socket) = hearing(end, close(end.role, close_payload(1000, "")));
        let done = socket.shutdown(Duration::from_secs(60)).unwrap();
        assert_eq!((done.by, done.clean), (Side::Local, true));
        let [close] = &oracle::frames(&peer.written())[..] else {
            panic!("one frame");
        };
        assert_eq!(
            (close.opcode, &close.payload[..]),
            (Opcode::Close, &b"\x03\xE8"[..])
        );
    }
}

#[test]
fn rfc6455_7_1_4_clean_only_after_both() {
    for end in ends() {
        let (_, quiet) = hearing(end, b"");
        let done = quiet.shutdown(Duration::from_secs(60)).unwrap();
        assert!(!done.clean);
        assert_eq!(done.code, CloseCode::ABNORMAL);
        let peers = close(end.role, close_payload(1001, "gone"));
        let (_, closing) = hearing(end, peers);
        let done = closing.shutdown(Duration::from_secs(60)).unwrap();
        assert!(done.clean);
        assert_eq!((done.code.get(), &done.reason[..]), (1001, "gone"));
    }
}

#[test]
fn rfc6455_7_1_5_close_code() {
    for end in all_ends() {
        for (bytes, code) in [
            (close(end.role, close_payload(3000, "")), 3000),
            (close(end.role, b""), 1005),
            (vec![], 1006),
            (to(end.role, FIN | TEXT, b"\xFF").bytes(), 1007),
            (to(end.role, FIN | 0xB, b"").bytes(), 1002),
        ] {
            let (_, mut socket) = any_hearing(end, bytes);
            assert_eq!(socket.read_end().close_code().unwrap().get(), code);
        }
    }
}

#[test]
fn rfc6455_7_1_6_close_reason() {
    for end in all_ends() {
        for (payload, reason) in [
            (vec![], ""),
            (close_payload(1000, ""), ""),
            (close_payload(1000, "né"), "né"),
        ] {
            let (_, mut socket) = any_hearing(end, close(end.role, payload));
            assert!(socket.next_message().unwrap().is_none());
            assert_eq!(socket.closed().unwrap().reason(), reason);
        }
    }
}

#[test]
fn rfc6455_7_1_7_nothing_is_processed_after_a_failure() {
    for role in BOTH {
        // A message, a Ping and a Close frame follow in there.
        let bad = to(role, FIN | 0x3, b"").bytes();
        let violation = Violation::ReservedOpcode(3);
        assert_refused(role, Limits::UNLIMITED, bad, violation, 1002);
    }
}

#[test]
fn rfc6455_7_1_7_failure_sends_its_code() {
    for role in BOTH {
        for (first, payload, limit, violation, code) in [
            (FIN | 0x3, "", 9, Violation::ReservedOpcode(3), 1002),
            (
                FIN | BINARY,
                "over it",
                6,
                Violation::FrameTooBig { limit: 6 },
                1009,
            ),
        ] {
            let limits = Limits::UNLIMITED.frame(limit);
            let bad = to(role, first, payload).bytes();
            assert_refused(role, limits, bad, violation, code);
        }
        let bad = to(role, FIN | TEXT, b"\xFF").bytes();
        assert_refused(role, Limits::UNLIMITED, bad, Violation::InvalidUtf8, 1007);
    }
}

#[test]
fn rfc6455_7_4_1_reported_codes_are_not_sent() {
    for end in all_ends() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            let (peer, mut socket) = any_hearing(end, b"");
            let number = code;
            let code = CloseCode::new(code);
            let payload = close_payload(number, "");
            let by_frame = socket.with_stream().map(|socket| {
                let sent = socket.write_frame(true, Rsv::NONE, Opcode::Close, &payload);
                sent.unwrap_err()
            });
            let by_close = socket.close(code, "").unwrap_err();
            for error in by_frame.into_iter().chain([by_close]) {
                let expected = SendError::CloseCodeUnsendable(code);
                assert!(matches!(error.kind(), ErrorKind::Send(found) if *found == expected));
            }
            assert!(peer.written().is_empty());
        }
    }
}

#[test]
fn rfc6455_7_4_codes_that_are_accepted() {
    let defined = [1000..=1003, 1007..=1014, 3000..=4999];
    for end in all_ends() {
        for code in (0..6000).chain([65535]) {
            let (_, mut socket) = any_hearing(end, close(end.role, close_payload(code, "")));
            let error = socket.read_end();
            if defined.iter().any(|codes| codes.contains(&code)) {
                assert_eq!(error.closed().unwrap().code().get(), code);
            } else {
                let expected = Violation::CloseCodeInvalid(CloseCode::new(code));
                assert!(
                    matches!(error.kind(), ErrorKind::Violation(found) if *found == expected),
                    "{code}: {error:?}"
                );
            }
        }
    }
}

#[test]
fn rfc6455_8_1_not_utf8_fails_the_connection() {
    for role in BOTH {
        for bad in [
            &b"\x80"[..],
            b"\xC0\xAF",
            b"\xED\xBF\xBF",
            b"\xF4\x90\x80\x80",
            b"\xFE",
        ] {
            let whole = to(role, FIN | TEXT, bad).bytes();
            let later = wire(&[to(role, TEXT, b""), to(role, FIN | CONTINUATION, bad)]);
            for bytes in [whole, later] {
                // The answer, Close 1007, is held against the oracle.
                let end = End::Violation(Violation::InvalidUtf8);
                assert_given(role, bytes, &[], end);
            }
        }
    }
}

#[test]
fn rfc6455_8_1_every_sequence_of_two_and_three_bytes() {
    // All that can follow a first byte decides within three bytes, but for the last of four.
    let edges = [0x7F, 0x80, 0xBF, 0xC0];
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            for third in edges {
                let bytes = [first, second, third];
                let verdict = rfc3629::judge(&bytes);
                for cut in 0..=2 {
                    let mut utf8 = Utf8::new();
                    let (head, tail) = bytes.split_at(cut);
                    let pushed = utf8.push(head).and_then(|()| utf8.push(tail));
                    assert_eq!(pushed.is_err(), verdict == Text::Bad, "{bytes:x?} {cut}");
                    if pushed.is_ok() {
                        assert_eq!(utf8.is_complete(), verdict == Text::Whole, "{bytes:x?}");
                    }
                }
            }
        }
    }
}
