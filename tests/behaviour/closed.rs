//! How a connection was closed: with which code and reason, and by whom, in every combination.

use std::io;

use framewire::blocking::CloseReply;
use framewire::frame::ControlPayload;
use framewire::protocol::Role;
use framewire::{Close, CloseCode, Closed, Config, Error, ErrorKind, Fault, Opcode, Side};
use support::connection::{Back, Endpoint, Messaging, all_endpoints, endpoints};
use support::each;
use support::frames::{CLOSE, FIN, PING, close_payload, to};
use support::loopback::PATIENCE;
use support::operations::{Hands, Operation};
use support::oracle;
use support::peer::{Ending, ScriptedPeer};

/// Without a code, with one, and with a reason: the payload, and what is reported of it.
fn closes() -> [(Vec<u8>, u16, &'static str); 3] {
    [
        (vec![], 1005, ""),
        (close_payload(1001, ""), 1001, ""),
        (close_payload(3000, "né"), 3000, "né"),
    ]
}

fn close(code: u16, reason: &str) -> Close {
    Close {
        code: CloseCode::new(code),
        reason: reason.to_owned(),
    }
}

fn socket(end: Endpoint) -> (ScriptedPeer, Box<dyn Messaging>) {
    let peer = ScriptedPeer::default();
    let socket = open(end, &peer);
    (peer, socket)
}

fn open(end: Endpoint, peer: &ScriptedPeer) -> Box<dyn Messaging> {
    end.messaging(peer, Config::default()).unwrap()
}

fn hear_close(
    peer: &ScriptedPeer,
    socket: &mut dyn Messaging,
    role: Role,
    payload: &[u8],
) -> Closed {
    peer.say(to(role, FIN | CLOSE, payload).bytes());
    // Final: every further read says the same.
    for _ in 0..2 {
        assert!(socket.next_message().unwrap().is_none());
        assert!(socket.append_message(&mut vec![]).unwrap().is_none());
        if let Some(socket) = socket.with_stream() {
            assert!(socket.message_reader().unwrap().is_none());
            assert!(socket.read_header().unwrap().is_none());
            assert!(socket.read_frame(&mut []).unwrap().is_none());
        }
        let echoed = socket.echo_message(Back::Fed, None, &mut vec![]);
        assert_eq!(echoed.unwrap(), None);
    }
    socket.closed().unwrap()
}

/// Nothing is sent any more, for this reason.
fn assert_refuses(socket: &mut dyn Messaging, closed: &Closed) {
    let error = socket.write("").unwrap_err();
    assert_eq!(error.closed(), Some(closed));
    assert_eq!(error.close_code(), Some(closed.code()));
    assert_eq!(error.fault(), Fault::Transport);
    assert_eq!(error.to_string(), closed.to_string());
    assert_eq!(socket.closed().as_ref(), Some(closed));
}

#[test]
fn by_the_peer() {
    for end in all_endpoints() {
        for (payload, code, reason) in each(closes()) {
            let (peer, mut socket) = socket(end);
            let closed = hear_close(&peer, socket.as_mut(), end.role, &payload);
            let expected = Closed {
                local: Some(close(code, "")),
                peer: Some(close(code, reason)),
                by: Side::Peer,
            };
            assert_eq!(closed, expected);
            assert_refuses(socket.as_mut(), &expected);
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
    for end in all_endpoints() {
        for (payload, code, reason) in each(closes()) {
            let (peer, mut socket) = socket(end);
            socket.close(CloseCode::GOING_AWAY, "bye").unwrap();
            // Until the peer answers it is our own frame that tells.
            let error = socket.write("").unwrap_err();
            assert_eq!(error.to_string(), "closed by this end with 1001: bye");
            let closed = hear_close(&peer, socket.as_mut(), end.role, &payload);
            let expected = Closed {
                local: Some(close(1001, "bye")),
                peer: Some(close(code, reason)),
                by: Side::Local,
            };
            assert_eq!(closed, expected);
            assert_eq!((closed.code().get(), closed.reason()), (code, reason));
            assert_refuses(socket.as_mut(), &expected);
        }
    }
}

#[test]
fn it_is_normal_where_the_peer_says_so() {
    let normal = [close_payload(1000, ""), close_payload(1001, ""), vec![]];
    let others = [1002, 1007, 1011, 3000, 4000].map(|code| close_payload(code, ""));
    let all = normal.map(|payload| (payload, true)).into_iter();
    let all: Vec<_> = all.chain(others.map(|payload| (payload, false))).collect();
    for end in all_endpoints() {
        for (payload, is_normal) in each(&all) {
            let (peer, mut socket) = socket(end);
            let closed = hear_close(&peer, socket.as_mut(), end.role, payload);
            assert_eq!(closed.is_normal(), *is_normal);
        }
        // Until the peer answers, it is what this end has said.
        for (code, is_normal, answer) in [(1001, true, 4000), (4000, false, 1000)] {
            let (peer, mut socket) = socket(end);
            socket.close(CloseCode::new(code), "").unwrap();
            assert_eq!(socket.closed().unwrap().is_normal(), is_normal);
            let answer = close_payload(answer, "");
            let closed = hear_close(&peer, socket.as_mut(), end.role, &answer);
            assert_eq!(closed.is_normal(), !is_normal);
        }
    }
}

#[test]
fn by_both_with_different_codes_in_words() {
    for end in all_endpoints() {
        let (peer, mut socket) = socket(end);
        socket.close(CloseCode::new(4000), "lunch").unwrap();
        let payload = close_payload(4001, "tea");
        let closed = hear_close(&peer, socket.as_mut(), end.role, &payload);
        assert_eq!(
            closed.to_string(),
            "closed by this end with 4000: lunch; the peer with 4001: tea"
        );
    }
}

#[test]
fn by_this_end_with_a_raw_frame() {
    for end in endpoints() {
        for (payload, code, reason) in each(closes()) {
            let mut socket = end.with(&ScriptedPeer::default());
            let rsv = framewire::frame::Rsv::NONE;
            socket
                .write_frame(true, rsv, Opcode::Close, &payload)
                .unwrap();
            let error = socket.ping(b"").unwrap_err();
            let closed = error.closed().unwrap();
            assert_eq!((closed.code().get(), closed.reason()), (code, reason));
            assert_eq!(closed.by, Side::Local);
        }
    }
}

#[test]
fn a_handler_sees_the_close_frame_and_decides_what_answers_it() {
    let other = ControlPayload::close(CloseCode::POLICY_VIOLATION, "no").unwrap();
    for end in all_endpoints() {
        for (payload, code, reason) in each(closes()) {
            // RFC 6455 5.5.1: an echo has the code alone, where there is one.
            let echo = &payload[..payload.len().min(2)];
            for (reply, sent) in each([
                (CloseReply::Echo, Some(echo)),
                (CloseReply::Replace(other), Some(&b"\x03\xF0no"[..])),
                (CloseReply::Nothing, None),
            ]) {
                let (peer, mut socket) = socket(end);
                socket.on_close(Box::new(move |given, words| {
                    let given = given.map_or(1005, CloseCode::get);
                    assert_eq!((given, words), (code, reason));
                    reply
                }));
                let closed = hear_close(&peer, socket.as_mut(), end.role, &payload);
                assert_eq!(closed.by, Side::Peer);
                let frames = oracle::frames(&peer.written());
                let payloads: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
                assert_eq!(payloads, Vec::from_iter(sent));
            }
        }
    }
}

#[test]
fn a_close_that_the_application_answers_itself_is_the_peers_still() {
    for end in all_endpoints() {
        let (peer, mut socket) = socket(end);
        socket.on_close(Box::new(|_, _| CloseReply::Nothing));
        hear_close(&peer, socket.as_mut(), end.role, &close_payload(3000, "né"));
        // RFC 6455 5.5.1: what is under way may be finished before.
        socket.write("last").unwrap();
        socket.close(CloseCode::NORMAL, "ok").unwrap();
        let [message, close] = &oracle::frames(&end.heard(&peer.written()))[..] else {
            panic!("two frames");
        };
        assert_eq!(message.payload, b"last");
        assert_eq!(close.payload, close_payload(1000, "ok"));
        let expected = Closed {
            local: Some(self::close(1000, "ok")),
            peer: Some(self::close(3000, "né")),
            by: Side::Peer,
        };
        assert!(socket.next_message().unwrap().is_none());
        assert_refuses(socket.as_mut(), &expected);
    }
}

#[test]
fn a_close_that_was_refused_did_not_come_first() {
    for end in all_endpoints() {
        let (peer, mut socket) = socket(end);
        socket.close(CloseCode::ABNORMAL, "").unwrap_err();
        let closed = hear_close(&peer, socket.as_mut(), end.role, b"\x03\xE8");
        assert_eq!(closed.by, Side::Peer);
    }
}

#[test]
fn a_close_before_a_split_came_first_after_it() {
    for end in endpoints() {
        let peer = ScriptedPeer::default();
        let mut socket = end.with(&peer);
        socket.close(CloseCode::NORMAL, "").unwrap();
        let mut socket = socket.split_or_reunite();
        let closed = hear_close(&peer, &mut *socket, end.role, b"\x03\xE8");
        assert_eq!(closed.by, Side::Local);
    }
}

#[test]
fn a_stream_that_ended_without_a_close_frame_takes_nothing_more() {
    for end in all_endpoints() {
        let peer = ScriptedPeer::default().ending(Ending::Eof);
        let mut socket = open(end, &peer);
        assert!(is_lost(&socket.next_message().map(drop)));
        assert_takes_nothing(end, &peer, socket.as_mut());
    }
}

#[test]
fn a_stream_that_failed_to_be_read_takes_nothing_more() {
    // Of TLS that is cut, of TCP that is reset, and of TCP that the system gave up.
    for failure in each([
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
    ]) {
        for end in all_endpoints() {
            let peer = ScriptedPeer::default().ending(Ending::Failure(failure));
            let mut socket = open(end, &peer);
            let error = socket.next_message().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io(error) if error.kind() == failure));
            assert_takes_nothing(end, &peer, socket.as_mut());
            // Whatever the stream would say afterwards.
            peer.say(to(end.role, FIN | PING, b"x").bytes());
            assert!(is_lost(&socket.next_message().map(drop)));
            if let Some(socket) = socket.with_stream() {
                assert!(is_lost(&socket.message_reader().map(drop)));
            }
            assert_eq!(peer.written(), b"");
        }
    }
}

#[test]
fn a_lost_connection_has_nobody_to_shut_it_down_with() {
    for ending in each([Ending::Eof, Ending::Failure(io::ErrorKind::ConnectionReset)]) {
        for end in endpoints() {
            let peer = ScriptedPeer::default().ending(ending);
            let mut socket = end.with(&peer);
            socket.next_message().map(drop).unwrap_err();
            let shutdown = socket.shutdown(PATIENCE).unwrap();
            assert_eq!(
                (shutdown.code, shutdown.clean),
                (CloseCode::ABNORMAL, false)
            );
            assert_eq!(peer.written(), b"");
        }
    }
}

fn assert_takes_nothing(end: Endpoint, peer: &ScriptedPeer, socket: &mut dyn Messaging) {
    let mut hands = Hands::new(b"x", 16);
    let all = Operation::sending(end.kind);
    let writes: Vec<_> = all.map(|one| one.call(socket, &mut hands)).collect();
    assert!(writes.iter().all(is_lost), "{writes:?}");
    assert_eq!(peer.written(), b"");
    assert_eq!(socket.closed(), None);
}

fn is_lost(result: &Result<(), Error>) -> bool {
    matches!(result, Err(error) if matches!(error.kind(), ErrorKind::ConnectionLost))
}
