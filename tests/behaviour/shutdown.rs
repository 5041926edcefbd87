//! The closing handshake as one call: who closed, with what, and whether cleanly. Its deadlines are in `blocking`
//! and `tokio`, and what it does over a stream that fails or waits at any point is in `faults`.

use std::io::{ErrorKind as Kind, Read as _};
use std::time::Duration;

use framewire::blocking::{CloseReply, Shutdown};
use framewire::protocol::{Limits, Role};
use framewire::{CloseCode, Error, ErrorKind, Opcode, Side};
use support::connection::{Connection, Endpoint, endpoints, ends};
use support::each;
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, TEXT, close_payload, to, wire};
use support::loopback::PATIENCE;
use support::operations::{Hands, Operation, SMALL, Seen};
use support::oracle::frames_in;
use support::peer::{Direction, Ending, Fault, Plan, ScriptedPeer};

fn shut(code: u16, reason: &str, by: Side, clean: bool) -> Shutdown {
    Shutdown {
        code: CloseCode::new(code),
        reason: reason.to_owned(),
        by,
        clean,
    }
}

/// A connection whose peer says this, and then ends the stream.
fn ending(end: Endpoint, said: &[u8]) -> (ScriptedPeer, Box<dyn Connection>) {
    let peer = ScriptedPeer::saying([said]).ending(Ending::Eof);
    let socket = end.open(&peer, SMALL).unwrap();
    (peer, socket)
}

/// Those that can be gone on with after a shutdown that would block.
fn whole() -> impl Iterator<Item = Endpoint> {
    endpoints().filter(|end| end.kind.is_whole())
}

fn shutdown(socket: &mut dyn Connection) -> Result<Shutdown, Error> {
    socket.shutdown_whole(PATIENCE).expect("it is whole")
}

/// The rule, by hand: a message that comes before the peer's Close frame is dropped.
#[test]
fn what_comes_before_the_close_of_the_peer_is_forgotten() {
    for end in ends().filter(|end| end.role == Role::Client) {
        let said = b"\x81\x05Hello\x88\x05\x03\xE9bye";
        let peer = ScriptedPeer::saying([said]).ending(Ending::Eof);
        let mut client = end.with(&peer);
        client.close(CloseCode::new(4000), "mine").unwrap();
        let shutdown = client.shutdown(Duration::MAX).unwrap();
        assert_eq!(shutdown, shut(1001, "bye", Side::Local, true));
        let close = (FIN | CLOSE, close_payload(4000, "mine"));
        assert_eq!(frames_in(&peer.written()), [close]);
    }
}

#[test]
fn so_is_a_message_over_the_limit() {
    let limits = Limits::default().message(9).frame(9);
    for end in endpoints() {
        let said = end.said(&[
            to(end.role, FIN | BINARY, vec![7; 70_000]),
            to(end.role, FIN | CLOSE, b""),
        ]);
        let peer = ScriptedPeer::saying([said]).ending(Ending::Eof);
        let socket = end.open(&peer, SMALL.limits(limits)).unwrap();
        let shutdown = socket.shutdown(PATIENCE).unwrap();
        assert_eq!(shutdown, shut(1005, "", Side::Local, true));
    }
}

/// A use of a connection, and its name.
type Use = (&'static str, fn(&mut dyn Connection));

/// Each way to begin a message of 3 bytes of which 2 have come. By hand: an operation of the table goes on to the end.
const BEGINS: [Use; 3] = [
    ("assembled", |socket| {
        assert!(socket.next_message().unwrap_err().is_would_block());
    }),
    ("raw", |socket| {
        let read = socket.read_frame(&mut [0; 8]).map(drop);
        assert!(read.unwrap_err().is_would_block());
    }),
    ("streamed", |socket| {
        let mut reader = socket.message_reader().unwrap().unwrap();
        reader.read_exact(&mut [0; 2]).unwrap();
    }),
];

#[test]
fn so_is_the_rest_of_a_message_that_any_call_began() {
    for end in endpoints() {
        let message = to(end.role, FIN | BINARY, b"old").bytes();
        let (begun, rest) = message.split_at(message.len() - 1);
        for (_, begin) in each(BEGINS) {
            let peer = ScriptedPeer::saying([begun]);
            let mut socket = end.open(&peer, SMALL).unwrap();
            begin(&mut *socket);
            peer.say(rest);
            peer.say(to(end.role, FIN | CLOSE, b"").bytes());
            peer.end();
            let shutdown = socket.shutdown(PATIENCE).unwrap();
            assert_eq!(shutdown, shut(1005, "", Side::Local, true));
        }
    }
}

#[test]
fn a_close_frame_that_came_half_to_a_raw_call_is_whole_for_a_shutdown() {
    for end in endpoints() {
        let close = to(end.role, FIN | CLOSE, close_payload(1001, "bye")).bytes();
        for cut in each(1..close.len()) {
            let peer = ScriptedPeer::saying([&close[..cut]]);
            let mut socket = end.open(&peer, SMALL).unwrap();
            let read = socket.read_frame(&mut [0; 125]).map(drop);
            assert!(read.unwrap_err().is_would_block());
            peer.say(&close[cut..]);
            peer.end();
            let shutdown = socket.shutdown(PATIENCE).unwrap();
            assert_eq!(shutdown, shut(1001, "bye", Side::Local, true));
        }
    }
}

#[test]
fn a_close_of_the_peers_that_a_shutdown_answers_is_the_peers_still() {
    for end in endpoints() {
        let close = to(end.role, FIN | CLOSE, close_payload(1001, "")).bytes();
        let (peer, mut socket) = ending(end, &close);
        socket.on_close(Box::new(|_, _| CloseReply::Nothing));
        assert!(socket.next_message().unwrap().is_none());
        let shutdown = socket.shutdown(PATIENCE).unwrap();
        assert_eq!(shutdown, shut(1001, "", Side::Peer, true));
        let close = (FIN | CLOSE, close_payload(1000, ""));
        assert_eq!(frames_in(&peer.written()), [close]);
    }
}

#[test]
fn a_shutdown_that_is_over_says_the_same_again() {
    for end in whole() {
        let close = to(end.role, FIN | CLOSE, close_payload(1001, "gone")).bytes();
        let (peer, mut socket) = ending(end, &close);
        for _ in 0..2 {
            let shutdown = shutdown(&mut *socket).unwrap();
            assert_eq!(shutdown, shut(1001, "gone", Side::Local, true));
        }
        let close = (FIN | CLOSE, close_payload(1000, ""));
        assert_eq!(frames_in(&peer.written()), [close]);
    }
}

#[test]
fn a_shutdown_closes_the_stream_once_both_have_closed() {
    for end in whole() {
        let peer = ScriptedPeer::default();
        let mut socket = end.open(&peer, SMALL).unwrap();
        assert!(shutdown(&mut *socket).unwrap_err().is_would_block());
        assert!(!peer.is_ended());
        peer.say(to(end.role, FIN | CLOSE, b"").bytes());
        peer.end();
        assert!(shutdown(&mut *socket).unwrap().clean);
        assert!(peer.is_ended());
    }
}

#[test]
fn a_stream_that_cannot_be_closed_changes_nothing() {
    for end in endpoints() {
        let close = to(end.role, FIN | CLOSE, b"").bytes();
        let (peer, socket) = ending(end, &close);
        // The first flush is that of the Close frame.
        let fault = Fault::Error(Kind::NotConnected);
        peer.fail(Plan::Nth(Direction::Flush, 1, fault));
        let shutdown = socket.shutdown(PATIENCE).unwrap();
        assert_eq!(shutdown, shut(1005, "", Side::Local, true));
        assert_eq!(peer.failed(), Some(Direction::Flush));
    }
}

#[test]
fn a_stream_that_cannot_be_closed_yet_is_closed_by_the_same_call_again() {
    for end in whole() {
        let close = to(end.role, FIN | CLOSE, b"").bytes();
        let (peer, mut socket) = ending(end, &close);
        let fault = Fault::Error(Kind::WouldBlock);
        peer.fail(Plan::Nth(Direction::Flush, 1, fault));
        let first = shutdown(&mut *socket);
        let shutdown = match first {
            Err(error) if error.is_would_block() => shutdown(&mut *socket),
            // A task is woken, and goes on by itself.
            first => first,
        };
        assert_eq!(shutdown.unwrap(), shut(1005, "", Side::Local, true));
        assert!(peer.is_ended());
    }
}

// What is not clean.

#[test]
fn a_violation_instead_of_a_close_is_not_clean() {
    for end in endpoints() {
        let (_, socket) = ending(end, &to(end.role, FIN | 0xF, b"").bytes());
        let shutdown = socket.shutdown(PATIENCE).unwrap();
        let expected = shut(1002, "reserved opcode 0xf", Side::Local, false);
        assert_eq!(shutdown, expected);
    }
}

#[test]
fn what_the_peer_closed_with_is_told_although_no_close_can_be_written() {
    for end in endpoints() {
        let close = to(end.role, FIN | CLOSE, close_payload(1001, "going")).bytes();
        let (peer, socket) = ending(end, &close);
        let broken = Fault::Error(Kind::BrokenPipe);
        peer.fail(Plan::Always(Direction::Write, broken));
        let shutdown = socket.shutdown(PATIENCE).unwrap();
        assert_eq!(shutdown, shut(1001, "going", Side::Local, false));
    }
}

#[test]
fn a_stream_that_fails_before_the_peer_has_closed_is_an_error() {
    for end in endpoints() {
        for direction in each([Direction::Read, Direction::Write]) {
            let (peer, socket) = ending(end, b"");
            let reset = Fault::Error(Kind::ConnectionReset);
            peer.fail(Plan::Nth(direction, 0, reset));
            let error = socket.shutdown(PATIENCE).unwrap_err();
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Io(error) if error.kind() == Kind::ConnectionReset));
        }
    }
}

// One that would block, or that is dropped while it waits, and is followed by other calls.

#[test]
fn what_was_half_read_before_a_shutdown_that_would_block_comes_back_in_no_call() {
    for end in whole() {
        let old = to(end.role, FIN | BINARY, b"old").bytes();
        let (begun, rest) = old.split_at(old.len() - 1);
        let new = [
            to(end.role, BINARY, b"n"),
            to(end.role, FIN | CONTINUATION, b"ew"),
        ];
        let thens = || Operation::reading(end.kind);
        let uses = BEGINS
            .iter()
            .flat_map(|begin| thens().map(move |then| (begin, then)));
        for ((_, begin), then) in each(uses) {
            let peer = ScriptedPeer::saying([begun]);
            let mut socket = end.open(&peer, SMALL).unwrap();
            begin(&mut *socket);
            assert!(shutdown(&mut *socket).unwrap_err().is_would_block());
            peer.say(rest);
            peer.say(wire(&new));
            assert!(socket.resume_message_reader().is_none());
            let mut hands = Hands::seeing(16);
            hands.take(b"new");
            then.call(&mut *socket, &mut hands).unwrap();
            match hands.seen().pop().unwrap() {
                Seen::Message(.., payload) | Seen::Bytes(payload) => assert_eq!(payload, b"new"),
                Seen::Frame(_, _, payload) => assert_eq!(payload, b"n"),
                seen => assert_eq!(seen, Seen::Begun(Opcode::Binary)),
            }
        }
    }
}

#[test]
fn limits_hold_again_after_a_shutdown_that_would_block() {
    let frame = Limits::UNLIMITED.frame(2);
    let message = Limits::UNLIMITED.message(2);
    for end in whole() {
        for limits in each([frame, message]) {
            let peer = ScriptedPeer::default();
            let mut socket = end.open(&peer, SMALL.limits(limits)).unwrap();
            assert!(shutdown(&mut *socket).unwrap_err().is_would_block());
            peer.say(to(end.role, FIN | TEXT, b"hello").bytes());
            let error = socket.next_message().unwrap_err();
            assert_eq!(error.close_code(), Some(CloseCode::MESSAGE_TOO_BIG));
        }
    }
}
