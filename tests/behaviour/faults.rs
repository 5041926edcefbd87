//! Every operation of every kind of connection over a stream that fails or waits at every point, and by calls
//! that are dropped there: what would block loses nothing and no wake-up, and what fails for good leaves
//! the connection sound.

use std::io::ErrorKind as Kind;

use framewire::blocking::PreparedMessage;
use framewire::protocol::Role;
use framewire::{CloseCode, Error, ErrorKind, Opcode};
use support::connection::{self, MessageWriter, ends};
use support::operations::{Conditions, Operation, Outcome};
use support::peer::{Direction, Fault, Plan, ScriptedPeer, Taking};
use support::wait::{Drops, in_turns};
use support::{Replay, again};

// The rules, by one connection, one fault, and the bytes.

#[test]
fn a_read_that_would_block_in_the_middle_of_a_frame_is_gone_on_with_by_the_next() {
    for kind in connection::Kind::ALL {
        let peer = ScriptedPeer::saying([b"\x81\x05he"]);
        let mut client = kind.with(&peer, Role::Client);
        assert!(client.next_message().unwrap_err().is_would_block());
        peer.say(b"llo");
        assert_eq!(client.next_message().unwrap().payload(), b"hello");
    }
}

#[test]
fn a_message_that_was_written_in_part_is_ended_by_the_next_flush() {
    for kind in connection::Kind::ALL {
        let peer = ScriptedPeer::default().taking(Taking::Room(3));
        let mut server = kind.with(&peer, Role::Server);
        let written = server.write_message(Opcode::Text, b"hello");
        // What does not wait has taken it, and so has what was dropped while it waits.
        assert_eq!(written.is_err(), kind.waits(), "{written:?}");
        assert_eq!(peer.written(), b"\x81\x05h");
        peer.set_taking(Taking::All);
        server.flush().unwrap();
        assert_eq!(peer.written(), b"\x81\x05hello", "{kind:?}");
    }
}

#[test]
fn a_task_that_waits_is_woken_and_goes_on() {
    for kind in [connection::Kind::Tokio, connection::Kind::TokioHalves] {
        let peer = ScriptedPeer::saying([b"\x81\x05hello"]).waiting();
        let mut client = kind.with(&peer, Role::Client);
        let (message, dropped) = in_turns(&peer, Drops::Never, || {
            client.next_message().unwrap().payload().to_vec()
        });
        assert_eq!((&message[..], dropped), (&b"hello"[..], 0));
        // Nothing more comes, and no turn changes that.
        let (silence, _) = in_turns(&peer, Drops::Never, || client.next_message().map(drop));
        let error = silence.unwrap_err().to_string();
        assert!(error.contains("a wake-up was lost"), "{error}");
    }
}

#[test]
fn a_call_that_is_dropped_where_it_waits_is_made_again() {
    for kind in [connection::Kind::Tokio, connection::Kind::TokioHalves] {
        let peer = ScriptedPeer::saying([&b"\x81\x05he"[..], b"llo"]).waiting();
        let mut client = kind.with(&peer, Role::Client);
        // A read of each piece waits, and the first wait of each call is where it is dropped.
        let (message, dropped) = in_turns(&peer, Drops::At(1), || {
            again(|| Ok(client.next_message()?.payload().to_vec())).unwrap()
        });
        assert_eq!((&message[..], dropped), (&b"hello"[..], 2));
    }
}

#[test]
fn a_write_that_fails_is_an_error_and_the_next_one_writes_nothing() {
    for (kind, role) in ends() {
        let fault = Fault::Error(Kind::BrokenPipe);
        let peer =
            ScriptedPeer::default()
                .in_pieces_of(1)
                .failing(Plan::Nth(Direction::Write, 1, fault));
        let mut end = kind.with(&peer, role);
        let written = end.write_message(Opcode::Text, b"hello");
        assert_eq!(io_kind(&written), Some(Kind::BrokenPipe));
        assert_eq!(peer.written(), b"\x81", "then the second write failed");
        let next = end.write_message(Opcode::Text, b"next");
        assert_eq!(io_kind(&next), Some(Kind::BrokenPipe));
        assert_eq!(peer.written(), b"\x81");
    }
}

// The same at every call of every operation.

/// Errors after which a call can be made again. A stream of tokio's has none but to be pending.
fn goes_on_after(operation: &Operation) -> &'static [Kind] {
    const ALL: &[Kind] = &[Kind::WouldBlock, Kind::TimedOut, Kind::Interrupted];
    if operation.kind.waits() {
        &ALL[..1]
    } else {
        ALL
    }
}

/// Errors after which none can, and what they are reported as.
fn fails_with(operation: &Operation) -> &'static [(Fault, Kind)] {
    const ALL: &[(Fault, Kind)] = &[
        (Fault::Error(Kind::BrokenPipe), Kind::BrokenPipe),
        // What is polled has no time-out, and no stream of tokio's is to say that it would block.
        (Fault::Error(Kind::TimedOut), Kind::TimedOut),
        (Fault::ReadyError(Kind::WouldBlock), Kind::Other),
    ];
    if operation.kind.waits() {
        ALL
    } else {
        &ALL[..1]
    }
}

/// The same conditions over a stream that takes one buffer at a time, for one plan or none of them all; and
/// where a task can wait, over one that wakes it by turns.
fn variants(operation: &Operation, conditions: Conditions) -> impl Iterator<Item = Conditions> {
    let not_vectored = matches!(conditions.plan, Plan::BeforeAll(_)).then_some(Conditions {
        not_vectored: true,
        ..conditions
    });
    let in_turns = operation.kind.waits().then_some(Conditions {
        in_turns: true,
        ..conditions
    });
    [conditions].into_iter().chain(not_vectored).chain(in_turns)
}

#[test]
fn short_reads_and_writes_of_any_size_change_nothing() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for (at_most, not_vectored) in (1..=60).flat_map(|size| [(size, false), (size, true)]) {
            let conditions = Conditions {
                at_most,
                not_vectored,
                ..Conditions::default()
            };
            let got = operation.run(conditions);
            assert_same(&operation, &expected, conditions, got);
        }
    }
}

#[test]
fn what_would_block_at_every_point_loses_nothing_and_no_wake_up() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for &kind in goes_on_after(&operation) {
            let plans = Direction::ALL.map(|direction| Plan::Before(direction, kind));
            for plan in plans.into_iter().chain([Plan::BeforeAll(kind)]) {
                for at_most in [0, 1, 2, 5, 13, 33, 47] {
                    let conditions = Conditions {
                        at_most,
                        plan,
                        ..Conditions::default()
                    };
                    for conditions in variants(&operation, conditions) {
                        let got = operation.run(conditions);
                        assert_same(&operation, &expected, conditions, got);
                    }
                }
            }
        }
    }
}

#[test]
fn what_would_block_at_one_point_loses_nothing_and_no_wake_up() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        let in_turns = operation.kind.waits();
        for &kind in goes_on_after(&operation) {
            let fault = Fault::Error(kind);
            each_failure(&operation, in_turns, fault, |conditions, got| {
                assert_same(&operation, &expected, conditions, got);
            });
        }
    }
}

#[test]
fn a_call_that_is_dropped_at_any_wait_and_made_again_loses_nothing() {
    for operation in Operation::all().filter(Operation::can_be_dropped) {
        let expected = operation.without_fault();
        for (at_most, waits) in MOST_WAITS {
            for n in 1..=waits {
                let conditions = operation.dropping(n, at_most);
                let got = operation.run(conditions);
                let is_over = got.dropped == 0;
                assert_same(&operation, &expected, conditions, got);
                if is_over {
                    break;
                }
            }
        }
    }
}

/// How much a stream moves, and up to which wait calls are dropped that have many then.
const MOST_WAITS: [(usize, usize); 8] = [
    (0, usize::MAX),
    (13, usize::MAX),
    (47, usize::MAX),
    (48, usize::MAX),
    (49, usize::MAX),
    (1, 3),
    (2, 3),
    (5, 3),
];

#[test]
fn an_error_at_any_call_is_reported_and_nothing_is_written_after_it() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for &(fault, reported) in fails_with(&operation) {
            each_failure(&operation, false, fault, |_, got| {
                assert_failed(&operation, &expected, got, reported);
            });
        }
    }
}

fn assert_failed(operation: &Operation, expected: &Outcome, mut got: Outcome, reported: Kind) {
    let is_part = expected.sent().starts_with(&got.sent());
    assert!(is_part, "{:?} was sent", got.sent());
    let is_part = expected.seen.starts_with(&got.seen);
    if operation.shuts_down() && (!is_part || got.seen == expected.seen) {
        // The peer's Close frame was there to be read although this end's was not written; or they
        // went both ways, and how the stream ends does not matter.
        return;
    }
    assert!(is_part, "{:?} was seen", got.seen);
    let result = &got.result;
    assert_eq!(io_kind(result), Some(reported), "{result:?}");
    assert!(!result.as_ref().is_err_and(Error::is_would_block));
    if got.peer.failed() == Some(Direction::Read) {
        // What comes of it is the stream's business; that nothing panics is ours.
        let _ = got.connection.next_message();
        let _ = got.connection.read_header();
    } else {
        assert_nothing_follows(got, reported);
    }
}

#[test]
fn a_stream_that_takes_nothing_more_is_an_error_for_good() {
    for operation in Operation::all() {
        let sent = operation.without_fault().sent();
        each_failure(&operation, false, Fault::Zero, |_, got| {
            assert!(sent.starts_with(&got.sent()), "{:?} was sent", got.sent());
            if got.peer.failed() == Some(Direction::Write) {
                assert_eq!(io_kind(&got.result), Some(Kind::WriteZero));
                assert_nothing_follows(got, Kind::WriteZero);
            }
        });
    }
}

#[test]
fn the_end_of_the_stream_at_any_read_is_a_lost_connection_for_good() {
    for operation in Operation::all().filter(|operation| !operation.shuts_down()) {
        let expected = operation.without_fault();
        each_failure(&operation, false, Fault::Zero, |_, mut got| {
            if got.peer.failed() != Some(Direction::Read) {
                return;
            }
            let is_part = expected.seen.starts_with(&got.seen);
            assert!(is_part, "{:?} was seen", got.seen);
            let error = got.result.unwrap_err();
            let is_lost = match error.kind() {
                ErrorKind::ConnectionLost => true,
                ErrorKind::Io(error) => error.kind() == Kind::UnexpectedEof,
                _ => false,
            };
            assert!(is_lost, "{error:?}");
            // The script would go on; the connection does not.
            let next = got.connection.next_message().unwrap_err();
            assert!(matches!(next.kind(), ErrorKind::ConnectionLost), "{next:?}");
            assert_eq!(next.close_code(), Some(CloseCode::ABNORMAL));
        });
    }
}

/// Runs an operation with its n-th call failing, n = 0, 1, 2 … until it makes no n-th call, in
/// each direction, and over streams that move any number of bytes or only a few.
fn each_failure(
    operation: &Operation,
    in_turns: bool,
    fault: Fault,
    mut check: impl FnMut(Conditions, Outcome),
) {
    for at_most in [0, 5, 11] {
        for direction in Direction::ALL {
            if matches!((fault, direction), (Fault::Zero, Direction::Flush)) {
                continue;
            }
            for n in 0.. {
                let conditions = Conditions {
                    at_most,
                    in_turns,
                    plan: Plan::Nth(direction, n, fault),
                    ..Conditions::default()
                };
                let _replay = Replay(|| format!("{operation}, {conditions:?}"));
                let outcome = operation.run(conditions);
                if outcome.peer.failed().is_none() {
                    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
                    break;
                }
                check(conditions, outcome);
            }
        }
    }
}

/// The application and the peer have seen the same, and nothing is left.
#[track_caller]
fn assert_same(
    operation: &Operation,
    expected: &Outcome,
    conditions: Conditions,
    mut got: Outcome,
) {
    let _replay = Replay(|| format!("{operation}, {conditions:?}"));
    assert!(got.result.is_ok(), "{:?}", got.result);
    assert_eq!(got.seen, expected.seen, "what was seen");
    if let Drops::OnceAt(_) = conditions.drops {
        let [got, expected] = [&got, expected].map(|outcome| outcome.sent_once(operation.role));
        assert_eq!(got, expected, "what was sent");
    } else {
        assert_eq!(got.sent(), expected.sent(), "what was sent");
    }
    assert!(!got.connection.has_pending_output());
}

/// Every way to write fails as the first did, and the stream is left alone.
fn assert_nothing_follows(outcome: Outcome, kind: Kind) {
    let mut websocket = outcome.connection;
    let before = outcome.peer.written_before();
    let prepared = PreparedMessage::new(Opcode::Binary, &[7; 40]).unwrap();
    let attempts = [
        ("write_message", websocket.write_message(Opcode::Text, b"x")),
        (
            "write_message, long",
            websocket.write_message(Opcode::Binary, &[7; 400]),
        ),
        ("feed_message", websocket.feed_message(Opcode::Text, b"x")),
        ("write_prepared", websocket.write_prepared(&prepared)),
        (
            "stream_message",
            websocket
                .stream_message(Opcode::Binary, 32, &mut &b"x"[..])
                .map(|_| ()),
        ),
        (
            "message_writer",
            websocket
                .message_writer(Opcode::Binary)
                .and_then(MessageWriter::finish)
                .map(|_| ()),
        ),
        ("ping", websocket.ping(b"x")),
        ("pong", websocket.pong(b"x")),
        ("close", websocket.close(CloseCode::NORMAL, "")),
        ("flush", websocket.flush()),
    ];
    for (name, result) in attempts {
        assert_eq!(io_kind(&result), Some(kind), "then {name}: {result:?}");
    }
    let _ = websocket.next_message();
    let after = outcome.peer.written().len();
    assert_eq!(after, before, "something followed");
}

fn io_kind(result: &Result<(), Error>) -> Option<Kind> {
    match result.as_ref().err()?.kind() {
        ErrorKind::Io(error) => Some(error.kind()),
        _ => None,
    }
}
