//! How a connection was closed: with which code and reason, and by whom, in every combination.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use framewire::blocking::CloseReply;
use framewire::frame::ControlPayload;
use framewire::protocol::Role;
use framewire::{CloseCode, Closed, Config, Fault, Opcode, Side, WebSocket};
use framewire_conformance::frames::{CLOSE, FIN, close_payload, to};
use framewire_conformance::oracle;
use framewire_conformance::peer::ScriptedPeer;

const BOTH: [Role; 2] = [Role::Server, Role::Client];

/// Without a code, with one, and with a reason: the payload, and what is reported of it.
fn closes() -> [(Vec<u8>, u16, &'static str); 3] {
    [
        (vec![], 1005, ""),
        (close_payload(1001, ""), 1001, ""),
        (close_payload(3000, "né"), 3000, "né"),
    ]
}

fn socket(role: Role) -> WebSocket<ScriptedPeer> {
    let peer = ScriptedPeer::default();
    WebSocket::with_leftover(peer, &[], role, Config::default()).unwrap()
}

fn hear_close(socket: &mut WebSocket<ScriptedPeer>, role: Role, payload: &[u8]) -> Closed {
    socket
        .stream_mut()
        .say(to(role, FIN | CLOSE, payload).bytes());
    let error = socket.next_message().unwrap_err();
    let closed = error.closed().unwrap().clone();
    assert_eq!(error.close_code(), Some(closed.code));
    assert_eq!(error.fault(), Fault::Transport);
    assert_eq!(error.to_string(), closed.to_string());
    // Final: every further read and write says the same.
    assert_eq!(socket.next_message().unwrap_err().closed(), Some(&closed));
    assert_eq!(
        socket.read_message(&mut vec![]).unwrap_err().closed(),
        Some(&closed)
    );
    assert_eq!(socket.read_header().unwrap_err().closed(), Some(&closed));
    assert_eq!(
        socket.message_reader().map(drop).unwrap_err().closed(),
        Some(&closed)
    );
    closed
}

#[test]
fn by_the_peer() {
    for role in BOTH {
        for (payload, code, reason) in closes() {
            let mut socket = socket(role);
            let closed = hear_close(&mut socket, role, &payload);
            let expected = Closed {
                code: CloseCode::new(code),
                reason: reason.to_owned(),
                by: Side::Peer,
            };
            assert_eq!(closed, expected);
            let error = socket.write_message(Opcode::Text, b"").unwrap_err();
            assert_eq!(error.closed(), Some(&expected));
            let tail = if reason.is_empty() {
                String::new()
            } else {
                format!(": {reason}")
            };
            assert_eq!(
                closed.to_string(),
                format!("closed by the peer with {code}{tail}")
            );
        }
    }
}

#[test]
fn by_this_end_and_answered_by_the_peer() {
    for role in BOTH {
        for (payload, code, reason) in closes() {
            let mut socket = socket(role);
            socket.close(CloseCode::GOING_AWAY, "bye").unwrap();
            // Until the peer answers it is our own frame that tells.
            let error = socket.write_message(Opcode::Text, b"").unwrap_err();
            assert_eq!(error.to_string(), "closed by this end with 1001: bye");
            let closed = hear_close(&mut socket, role, &payload);
            assert_eq!((closed.code.get(), &closed.reason[..]), (code, reason));
            assert_eq!(closed.by, Side::Local);
            assert!(closed.to_string().starts_with("closed by this end with "));
        }
    }
}

#[test]
fn by_this_end_with_a_raw_frame() {
    for role in BOTH {
        for (payload, code, reason) in closes() {
            let mut socket = socket(role);
            let rsv = framewire::frame::Rsv::NONE;
            socket
                .write_frame(true, rsv, Opcode::Close, &payload)
                .unwrap();
            let error = socket.ping(b"").unwrap_err();
            let closed = error.closed().unwrap();
            assert_eq!((closed.code.get(), &closed.reason[..]), (code, reason));
            assert_eq!(closed.by, Side::Local);
        }
    }
}

#[test]
fn a_handler_sees_the_close_frame_and_decides_what_answers_it() {
    let other = ControlPayload::close(CloseCode::POLICY_VIOLATION, "no").unwrap();
    for role in BOTH {
        for (reply, sent) in [
            (CloseReply::Echo, Some(&b"\x0B\xB8"[..])),
            (CloseReply::Replace(other), Some(b"\x03\xF0no")),
            (CloseReply::Nothing, None),
        ] {
            let mut socket = socket(role);
            socket.on_close(move |code, reason| {
                assert_eq!((code.map(CloseCode::get), reason), (Some(3000), "né"));
                reply
            });
            let closed = hear_close(&mut socket, role, &close_payload(3000, "né"));
            assert_eq!(closed.by, Side::Peer);
            let frames = oracle::frames(socket.stream().written());
            let payloads: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
            assert_eq!(payloads, Vec::from_iter(sent));
        }
    }
}

#[test]
fn a_close_that_the_application_answers_itself_is_the_peers_still() {
    for role in BOTH {
        let mut socket = socket(role);
        socket.on_close(|_, _| CloseReply::Nothing);
        hear_close(&mut socket, role, &close_payload(3000, "né"));
        socket.close(CloseCode::NORMAL, "ok").unwrap();
        let [close] = &oracle::frames(socket.stream().written())[..] else {
            panic!("one frame");
        };
        assert_eq!(close.payload, close_payload(1000, "ok"));
        let error = socket.next_message().unwrap_err();
        assert_eq!(error.closed().unwrap().by, Side::Peer);
        let sent = socket.writer().closed().unwrap();
        assert_eq!((sent.code, sent.by), (CloseCode::NORMAL, Side::Peer));
        let error = socket.write_message(Opcode::Text, b"").unwrap_err();
        assert_eq!(error.closed().unwrap().by, Side::Peer);
    }
}
