//! RFC 6455 section 5.5, control frames: one test per MUST, named for its clause.

use framewire::frame::{CloseCode, Rsv, Violation, os_key};
use framewire::protocol::{Limits, MessageBuffer, Role, SendError, Session};
use framewire::{Config, ErrorKind, Opcode};
use support::connection::{Connection, Endpoint, Messaging, all_ends, ends};
use support::event::{End, Event};
use support::frames::{BINARY, CLOSE, FIN, PING, PONG, TEXT, close_payload, to, wire};
use support::front_end::{self, assert_given, assert_refused};
use support::operations::{Hands, Operation, Sends};
use support::oracle;
use support::peer::{Ending, ScriptedPeer};

const BOTH: [Role; 2] = [Role::Server, Role::Client];
const CONTROL: [(u8, Opcode); 3] = [
    (CLOSE, Opcode::Close),
    (PING, Opcode::Ping),
    (PONG, Opcode::Pong),
];

fn socket(end: Endpoint) -> (ScriptedPeer, Box<dyn Connection>) {
    let peer = ScriptedPeer::default();
    let socket = end.with(&peer);
    (peer, socket)
}

/// One of any kind.
fn any_socket(end: Endpoint) -> (ScriptedPeer, Box<dyn Messaging>) {
    let peer = ScriptedPeer::default();
    let socket = end.messaging(&peer, Config::default());
    (peer, socket.unwrap())
}

fn session(role: Role) -> Session {
    match role {
        Role::Server => Session::server(Limits::default()),
        Role::Client => Session::client(Limits::default(), os_key),
    }
}

fn refused(role: Role, bad: impl AsRef<[u8]>, violation: Violation) {
    assert_refused(role, Limits::UNLIMITED, bad, violation, 1002);
}

/// What every front end that sends anything sends in answer, without its masks.
fn answered(role: Role, bytes: &[u8], expected: &[(Opcode, &[u8])]) {
    for front_end in front_end::all() {
        let Some(sent) = front_end::answers(front_end.as_ref(), role, bytes) else {
            continue;
        };
        let sent: Vec<_> = sent
            .iter()
            .map(|frame| (frame.opcode, &frame.payload[..]))
            .collect();
        assert_eq!(sent, expected, "{}", front_end.name());
    }
}

#[test]
fn rfc6455_5_5_longest_control_frame() {
    for role in BOTH {
        let payload = close_payload(1000, [b'x'; 123]);
        let order = [PING, PONG, CLOSE];
        let bytes = wire(&order.map(|bits| to(role, FIN | bits, &payload)));
        let events = order.map(|bits| {
            let opcode = Opcode::from_bits(bits).unwrap();
            Event::from_control(opcode, &payload)
        });
        assert_given(role, bytes, &events, End::Closed);
    }
}

#[test]
fn rfc6455_5_5_control_frame_over_125_bytes() {
    for role in BOTH {
        for (bits, opcode) in CONTROL {
            let frame = to(role, FIN | bits, close_payload(1000, [b'x'; 124])).bytes();
            refused(role, frame, Violation::ControlTooLarge(opcode));
        }
    }
}

#[test]
fn rfc6455_5_5_longer_control_frame_is_not_sent() {
    for end in ends() {
        let (peer, mut socket) = socket(end);
        for (_, opcode) in CONTROL {
            let payload = close_payload(1000, [b'x'; 124]);
            let error = socket
                .write_frame(true, Rsv::NONE, opcode, &payload)
                .unwrap_err();
            let expected = SendError::ControlTooLarge { len: 126 };
            assert!(matches!(error.kind(), ErrorKind::Send(found) if *found == expected));
        }
        socket.ping(&[0; 125]).unwrap();
        assert_eq!(oracle::frames(&peer.written())[0].declared, 125);
    }
}

#[test]
fn rfc6455_5_5_fragmented_control_frame() {
    for role in BOTH {
        for (bits, opcode) in CONTROL {
            let frame = to(role, bits, b"").bytes();
            refused(role, frame, Violation::FragmentedControl(opcode));
        }
    }
}

#[test]
fn rfc6455_5_5_fragmented_control_frame_is_not_sent() {
    for end in ends() {
        for (_, opcode) in CONTROL {
            let (peer, mut socket) = socket(end);
            let error = socket
                .write_frame(false, Rsv::NONE, opcode, b"")
                .unwrap_err();
            let expected = SendError::FragmentedControl(opcode);
            assert!(matches!(error.kind(), ErrorKind::Send(found) if *found == expected));
            assert!(peer.written().is_empty());
        }
    }
}

#[test]
fn rfc6455_5_5_1_close_body_begins_with_a_code() {
    for role in BOTH {
        let frame = |payload: &[u8]| to(role, FIN | CLOSE, payload).bytes();
        refused(role, frame(b"\x03"), Violation::CloseCodeTruncated);
        let none = Event::Close(None, String::new());
        assert_given(role, frame(b""), &[none], End::Closed);
        // In network order: 0x03E8 is 1000.
        let code = Event::Close(Some(1000), String::new());
        assert_given(role, frame(b"\x03\xE8"), &[code], End::Closed);
        let reason = Event::Close(Some(4999), "né".to_owned());
        assert_given(role, frame(b"\x13\x87n\xC3\xA9"), &[reason], End::Closed);
    }
}

#[test]
fn rfc6455_5_5_1_close_body_without_a_code_is_not_sent() {
    for end in ends() {
        let (peer, mut socket) = socket(end);
        let error = socket
            .write_frame(true, Rsv::NONE, Opcode::Close, b"x")
            .unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Send(SendError::CloseCodeTruncated)
        ));
        assert!(peer.written().is_empty());
    }
}

#[test]
fn rfc6455_5_5_1_reason_is_utf8() {
    for end in ends() {
        let frame = to(end.role, FIN | CLOSE, close_payload(1000, b"\xC3")).bytes();
        assert_refused(
            end.role,
            Limits::UNLIMITED,
            frame,
            Violation::InvalidReason,
            1007,
        );
        let (_, mut socket) = socket(end);
        let payload = close_payload(1000, b"\xC3");
        let error = socket
            .write_frame(true, Rsv::NONE, Opcode::Close, &payload)
            .unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Send(SendError::InvalidUtf8)
        ));
    }
}

#[test]
fn rfc6455_5_5_1_clients_close_is_masked() {
    for end in all_ends().filter(|end| end.role == Role::Client) {
        let (peer, mut socket) = any_socket(end);
        socket.close(CloseCode::NORMAL, "bye").unwrap();
        let [close] = &oracle::frames(&peer.written())[..] else {
            panic!("one frame");
        };
        assert!(close.key.is_some());
        assert_eq!(close.payload, close_payload(1000, "bye"));
    }
}

#[test]
fn rfc6455_5_5_1_nothing_is_sent_after_a_close() {
    for end in all_ends() {
        let (peer, mut socket) = any_socket(end);
        socket.close(CloseCode::NORMAL, "").unwrap();
        peer.forget_written();
        let mut hands = Hands::new(b"x", 1);
        for operation in Operation::sending(end.kind) {
            let refused = operation.call(socket.as_mut(), &mut hands);
            // To shut a stream of bytes down again is no error.
            let is_done = operation.is_of_bytes() && operation.sends == Sends::Close;
            let is_refused = refused.is_err_and(|error| error.closed().is_some());
            assert!(is_refused || is_done, "{operation:?}");
        }
        // Nor the answer to a Ping that comes later.
        peer.say(to(end.role, FIN | PING, b"late").bytes());
        assert!(socket.next_message().unwrap_err().is_would_block());
        socket.flush().unwrap();
        assert!(peer.written().is_empty());

        let mut session = session(end.role);
        let mut output = vec![];
        session.close(CloseCode::NORMAL, "", &mut output).unwrap();
        let refused = session.send("", &mut output);
        assert_eq!(refused, Err(SendError::Closed));
        assert_eq!(oracle::frames(&output).len(), 1);
    }
}

#[test]
fn rfc6455_5_5_1_a_message_that_is_open_is_not_finished_after_a_close() {
    for end in ends() {
        let (peer, mut socket) = socket(end);
        socket
            .write_frame(false, Rsv::NONE, Opcode::Binary, b"be")
            .unwrap();
        socket.close(CloseCode::NORMAL, "").unwrap();
        let error = socket.write_frame(true, Rsv::NONE, Opcode::Continuation, b"gun");
        assert!(error.unwrap_err().closed().is_some());
        assert_eq!(oracle::frames(&peer.written()).len(), 2);
    }
}

#[test]
fn rfc6455_5_5_1_close_is_answered() {
    for role in BOTH {
        for payload in [
            vec![],
            close_payload(1000, ""),
            close_payload(4000, "reason"),
        ] {
            // With the code, where there was one.
            let echo = &payload[..payload.len().min(2)];
            let close = to(role, FIN | CLOSE, &payload);
            let bytes = wire(&[close.clone(), close, to(role, FIN | TEXT, "late")]);
            answered(role, &bytes, &[(Opcode::Close, echo)]);
        }
    }
}

#[test]
fn rfc6455_5_5_1_our_close_is_not_answered_twice() {
    for end in all_ends() {
        let (peer, mut socket) = any_socket(end);
        socket.close(CloseCode::GOING_AWAY, "").unwrap();
        // Messages that were on their way are still given.
        let rest = [
            to(end.role, FIN | BINARY, b"late"),
            to(end.role, FIN | CLOSE, close_payload(1000, "")),
        ];
        peer.say(wire(&rest));
        assert_eq!(socket.next_message().unwrap().unwrap().payload(), b"late");
        assert!(socket.next_message().unwrap().is_none());
        let [close] = &oracle::frames(&peer.written())[..] else {
            panic!("one frame");
        };
        assert_eq!(close.payload, close_payload(1001, ""));
    }
}

#[test]
fn rfc6455_5_5_1_connection_is_over_after_both() {
    for role in BOTH {
        let mut close = to(role, FIN | CLOSE, close_payload(1000, "")).bytes();
        let mut message = MessageBuffer::new();
        // The peer's first.
        let mut session = session(role);
        let mut output = vec![];
        session.receive(&mut close.clone(), &mut message).unwrap();
        assert!(!session.is_closed(), "the answer has not been written");
        session.write_reply(&mut output).unwrap();
        assert!(session.is_closed());
        // Ours first.
        let mut session = self::session(role);
        session.close(CloseCode::NORMAL, "", &mut output).unwrap();
        assert!(!session.is_closed());
        session.receive(&mut close, &mut message).unwrap();
        assert!(session.is_closed());
    }
    // A client waits for the server to end the stream (7.1.1), a server ends it itself.
    for end in ends() {
        let reads = if end.role == Role::Client { 2 } else { 1 };
        let close = to(end.role, FIN | CLOSE, close_payload(1000, "")).bytes();
        let peer = ScriptedPeer::saying([close]).ending(Ending::Eof);
        let socket = end.with(&peer);
        let done = socket.shutdown(std::time::Duration::from_secs(60)).unwrap();
        assert!(done.clean);
        assert_eq!(peer.calls().reads, reads);
    }
}

#[test]
fn rfc6455_5_5_2_ping_is_answered() {
    for role in BOTH {
        for payload in [&b""[..], b"Hello", &[0xFF; 125]] {
            let ping = to(role, FIN | PING, payload).bytes();
            answered(role, &ping, &[(Opcode::Pong, payload)]);
        }
        let pings = [b"1", b"2"].map(|payload| to(role, FIN | PING, payload));
        answered(
            role,
            &wire(&pings),
            &[(Opcode::Pong, b"1"), (Opcode::Pong, b"2")],
        );
    }
}

#[test]
fn rfc6455_5_5_2_ping_after_a_close_is_not_answered() {
    for role in BOTH {
        let frames = [to(role, FIN | CLOSE, b""), to(role, FIN | PING, b"late")];
        answered(role, &wire(&frames), &[(Opcode::Close, b"")]);
    }
}

#[test]
fn rfc6455_5_5_3_latest_ping() {
    for role in BOTH {
        let mut session = session(role);
        let mut message = MessageBuffer::new();
        for payload in [b"1", b"2", b"3"] {
            let mut ping = to(role, FIN | PING, payload).bytes();
            session.receive(&mut ping, &mut message).unwrap();
        }
        let mut output = vec![];
        assert!(session.write_reply(&mut output).unwrap());
        assert!(!session.write_reply(&mut output).unwrap());
        assert_eq!(oracle::frames(&output)[0].payload, b"3");
    }
}

#[test]
fn rfc6455_5_5_3_pong_is_not_answered() {
    for role in BOTH {
        let pong = to(role, FIN | PONG, b"unasked").bytes();
        answered(role, &pong, &[]);
        assert_given(role, pong, &[Event::Pong(b"unasked".to_vec())], End::Open);
    }
}
