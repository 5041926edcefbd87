//! Every operation of every kind of connection over a stream that fails at every point: what would
//! block loses nothing, and what fails for good leaves the connection sound.

use std::io::ErrorKind as Kind;

use framewire::blocking::PreparedMessage;
use framewire::{CloseCode, Error, ErrorKind, Opcode};
use support::operations::{Operation, Outcome};
use support::peer::{Direction, Fault, Plan};

/// Errors after which a call can be made again. A stream of tokio's has none but to be pending.
fn goes_on_after(operation: &Operation) -> &'static [Kind] {
    const ALL: &[Kind] = &[Kind::WouldBlock, Kind::TimedOut, Kind::Interrupted];
    if operation.kind.waits() {
        &ALL[..1]
    } else {
        ALL
    }
}

const DIRECTIONS: [Direction; 3] = [Direction::Read, Direction::Write, Direction::Flush];

#[test]
fn short_reads_and_writes_of_any_size_change_nothing() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for at_most in 1..=60 {
            let got = operation.run(at_most, Plan::None);
            assert_same(&operation, &expected, got, &format!("{at_most} at a time"));
        }
    }
}

#[test]
fn what_would_block_at_every_point_loses_nothing() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for &kind in goes_on_after(&operation) {
            let plans = DIRECTIONS.map(|direction| Plan::Before(direction, kind));
            for plan in plans.into_iter().chain([Plan::BeforeAll(kind)]) {
                for at_most in [0, 1, 2, 5, 13, 33, 47] {
                    let got = operation.run(at_most, plan);
                    assert_same(
                        &operation,
                        &expected,
                        got,
                        &format!("{plan:?} by {at_most}"),
                    );
                }
            }
        }
    }
}

#[test]
fn what_would_block_at_one_point_loses_nothing() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for &kind in goes_on_after(&operation) {
            each_failure(&operation, Fault::Error(kind), |plan, at_most, got| {
                assert_same(
                    &operation,
                    &expected,
                    got,
                    &format!("{plan:?} by {at_most}"),
                );
            });
        }
    }
}

#[test]
fn an_error_at_any_call_is_reported_and_nothing_is_written_after_it() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        let sent = expected.sent();
        let kind = Kind::BrokenPipe;
        each_failure(&operation, Fault::Error(kind), |plan, at_most, mut got| {
            let context = format!("{operation}, {plan:?} by {at_most}");
            assert!(sent.starts_with(&got.sent()), "{context}: what was sent");
            if operation.shuts_down() && !expected.seen.starts_with(&got.seen) {
                // The peer's Close frame was there to be read although this end's was not written.
                return;
            }
            assert!(
                expected.seen.starts_with(&got.seen),
                "{context}: what was seen"
            );
            if got.seen == expected.seen && operation.shuts_down() {
                // Close frames went both ways: how the stream ends does not matter.
                return;
            }
            assert_eq!(
                io_kind(&got.result),
                Some(kind),
                "{context}: {:?}",
                got.result
            );
            if got.peer.failed() == Some(Direction::Read) {
                // What comes of it is the stream's business; that nothing panics is ours.
                let _ = got.connection.next_message();
                let _ = got.connection.read_header();
            } else {
                assert_nothing_follows(got, kind, &context);
            }
        });
    }
}

#[test]
fn a_stream_that_takes_nothing_more_is_an_error_for_good() {
    for operation in Operation::all() {
        let sent = operation.without_fault().sent();
        each_failure(&operation, Fault::Zero, |plan, at_most, got| {
            let context = format!("{operation}, {plan:?} by {at_most}");
            assert!(sent.starts_with(&got.sent()), "{context}: what was sent");
            if got.peer.failed() == Some(Direction::Write) {
                assert_eq!(io_kind(&got.result), Some(Kind::WriteZero), "{context}");
                assert_nothing_follows(got, Kind::WriteZero, &context);
            }
        });
    }
}

#[test]
fn the_end_of_the_stream_at_any_read_is_a_lost_connection_for_good() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        each_failure(&operation, Fault::Zero, |plan, at_most, mut got| {
            let context = format!("{operation}, {plan:?} by {at_most}");
            if got.peer.failed() != Some(Direction::Read) || operation.shuts_down() {
                return;
            }
            assert!(
                expected.seen.starts_with(&got.seen),
                "{context}: what was seen"
            );
            let lost = |error: &Error| match error.kind() {
                ErrorKind::ConnectionLost => true,
                ErrorKind::Io(error) => error.kind() == Kind::UnexpectedEof,
                _ => false,
            };
            assert!(lost(&got.result.unwrap_err()), "{context}");
            // The script would go on; the connection does not.
            let next = got.connection.next_message().unwrap_err();
            assert!(
                matches!(next.kind(), ErrorKind::ConnectionLost),
                "{context}"
            );
            assert_eq!(next.close_code(), Some(CloseCode::ABNORMAL));
        });
    }
}

/// Runs an operation with its n-th call failing, n = 0, 1, 2 … until it makes no n-th call, in
/// each direction, and over streams that move any number of bytes or only a few.
fn each_failure(operation: &Operation, fault: Fault, mut check: impl FnMut(Plan, usize, Outcome)) {
    for at_most in [0, 3, 11] {
        for direction in DIRECTIONS {
            if matches!((fault, direction), (Fault::Zero, Direction::Flush)) {
                continue;
            }
            for n in 0.. {
                let plan = Plan::Nth(direction, n, fault);
                let outcome = operation.run(at_most, plan);
                if outcome.peer.failed().is_none() {
                    assert!(outcome.result.is_ok());
                    break;
                }
                check(plan, at_most, outcome);
            }
        }
    }
}

fn assert_same(operation: &Operation, expected: &Outcome, mut got: Outcome, how: &str) {
    let context = format!("{operation}, {how}");
    assert!(got.result.is_ok(), "{context}: {:?}", got.result);
    assert_eq!(got.seen, expected.seen, "{context}: what was seen");
    assert_eq!(got.sent(), expected.sent(), "{context}: what was sent");
    assert!(!got.connection.has_pending_output(), "{context}");
}

/// Every way to write fails as the first did, and the stream is left alone.
fn assert_nothing_follows(outcome: Outcome, kind: Kind, context: &str) {
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
                .and_then(support::connection::MessageWriter::finish)
                .map(|_| ()),
        ),
        ("ping", websocket.ping(b"x")),
        ("pong", websocket.pong(b"x")),
        ("close", websocket.close(CloseCode::NORMAL, "")),
        ("flush", websocket.flush()),
    ];
    for (name, result) in attempts {
        assert_eq!(
            io_kind(&result),
            Some(kind),
            "{context}: then {name}: {result:?}"
        );
    }
    let _ = websocket.next_message();
    assert_eq!(
        outcome.peer.written().len(),
        before,
        "{context}: something followed"
    );
}

fn io_kind(result: &Result<(), Error>) -> Option<Kind> {
    match result.as_ref().err()?.kind() {
        ErrorKind::Io(error) => Some(error.kind()),
        _ => None,
    }
}
