//! Every operation of a tokio connection over a stream that waits at every point, or fails with what is
//! no failure to a blocking one: waiting loses nothing and no wake-up. What fails alike for every kind of
//! connection is in `behaviour/faults.rs`.

use std::io::ErrorKind as Kind;

use framewire::tokio::{PreparedMessage, WebSocket};
use framewire::{CloseCode, Error, ErrorKind, Opcode};
use support::peer::{Direction, Fault, Plan, ScriptedPeer};
use support::polled_operations::{Operation, Outcome};
use support::tasks::finish;

const DIRECTIONS: [Direction; 3] = [Direction::Read, Direction::Write, Direction::Flush];

#[test]
fn short_reads_and_writes_of_any_size_change_nothing() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for at_most in 1..=60 {
            for stream in streams(&operation, at_most) {
                let got = operation.run(&stream, 0);
                assert_same(&operation, &expected, &got, &format!("{at_most} at a time"));
            }
        }
    }
}

#[test]
fn waiting_at_every_point_loses_nothing_and_no_wake_up() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        for at_most in [0, 1, 2, 5, 13, 33, 47] {
            for stream in streams(&operation, at_most) {
                let got = operation.run(&stream.failing(Plan::BeforeAll(Kind::WouldBlock)), 0);
                assert_same(&operation, &expected, &got, &format!("waits by {at_most}"));
            }
        }
    }
}

#[test]
fn waiting_at_one_point_loses_nothing_and_no_wake_up() {
    for operation in Operation::all() {
        let expected = operation.without_fault();
        let wait = |direction, n| Plan::Nth(direction, n, Fault::Error(Kind::WouldBlock));
        each(&operation, wait, |plan, at_most, got| {
            assert_same(
                &operation,
                &expected,
                &got,
                &format!("{plan:?} by {at_most}"),
            );
        });
    }
}

#[test]
fn an_error_at_any_call_is_reported_and_nothing_is_written_after_it() {
    // To a blocking stream the second is no failure; what is polled has no time-out.
    for (kind, reported) in [
        (Kind::BrokenPipe, Kind::BrokenPipe),
        (Kind::TimedOut, Kind::TimedOut),
        (Kind::WouldBlock, Kind::Other),
    ] {
        for operation in Operation::all() {
            let expected = operation.without_fault();
            let sent = expected.sent();
            let fail = |direction, n| Plan::Nth(direction, n, Fault::ReadyError(kind));
            each(&operation, fail, |plan, at_most, mut got| {
                let (name, role) = (operation.name, operation.role);
                let context = format!("{name} as {role:?}, {plan:?} by {at_most}");
                assert!(sent.starts_with(&got.sent()), "{context}: what was sent");
                if name == "shutdown" && !expected.seen.starts_with(&got.seen) {
                    // The peer's Close frame was there to be read although this end's was not
                    // written.
                    return;
                }
                assert!(
                    expected.seen.starts_with(&got.seen),
                    "{context}: what was seen"
                );
                if name == "shutdown" && got.seen == expected.seen {
                    // Close frames went both ways: how the stream ends does not matter.
                    return;
                }
                let result = &got.result;
                assert_eq!(io_kind(result), Some(reported), "{context}: {result:?}");
                let goes_on = result.as_ref().is_err_and(Error::is_would_block);
                assert!(!goes_on, "{context}");
                if got.stream.failed() == Some(Direction::Read) {
                    // What comes of it is the stream's business; that nothing panics is ours.
                    let _ = finish(&got.stream, got.websocket.next_message());
                } else {
                    assert_nothing_follows(got, reported, &context);
                }
            });
        }
    }
}

/// The streams that move so many bytes at a time.
fn streams(operation: &Operation, at_most: usize) -> [ScriptedPeer; 3] {
    let stream = || operation.stream().in_pieces_of(at_most);
    [
        stream().in_turns(),
        stream().in_turns().not_vectored(),
        stream(),
    ]
}

/// Runs an operation with its n-th call made to wait or fail, n = 0, 1, 2 … until it makes no n-th
/// call, in each direction, and over streams that move any number of bytes or only a few.
fn each(
    operation: &Operation,
    plan: impl Fn(Direction, usize) -> Plan,
    mut check: impl FnMut(Plan, usize, Outcome),
) {
    for at_most in [0, 3, 11] {
        for direction in DIRECTIONS {
            for n in 0.. {
                let plan = plan(direction, n);
                let stream = operation
                    .stream()
                    .in_pieces_of(at_most)
                    .in_turns()
                    .failing(plan);
                let outcome = operation.run(&stream, 0);
                let failed = stream.failed();
                if failed.is_none() {
                    assert!(outcome.result.is_ok());
                    break;
                }
                check(plan, at_most, outcome);
            }
        }
    }
}

fn assert_same(operation: &Operation, expected: &Outcome, got: &Outcome, how: &str) {
    let context = format!("{} as {:?}, {how}", operation.name, operation.role);
    assert!(got.result.is_ok(), "{context}: {:?}", got.result);
    assert_eq!(got.seen, expected.seen, "{context}: what was seen");
    assert_eq!(got.sent(), expected.sent(), "{context}: what was sent");
    assert!(!got.websocket.has_pending_output(), "{context}");
}

/// Every way to write fails as the first did, and the stream is left alone.
fn assert_nothing_follows(outcome: Outcome, kind: Kind, context: &str) {
    let (mut websocket, stream) = (outcome.websocket, outcome.stream);
    let before = stream.written_before();
    let prepared = PreparedMessage::new(Opcode::Binary, &[7; 40]).unwrap();
    finish(&stream, async {
        let attempts = [
            (
                "write_message",
                websocket.write_message(Opcode::Text, b"x").await,
            ),
            (
                "write_message, long",
                websocket.write_message(Opcode::Binary, &[7; 400]).await,
            ),
            (
                "feed_message",
                websocket.feed_message(Opcode::Text, b"x").await,
            ),
            ("write_prepared", websocket.write_prepared(&prepared).await),
            (
                "stream_message",
                websocket
                    .stream_message(Opcode::Binary, 32, &b"x"[..])
                    .await
                    .map(drop),
            ),
            ("message_writer", finish_empty(&mut websocket).await),
            ("ping", websocket.ping(b"x").await),
            ("pong", websocket.pong(b"x").await),
            ("close", websocket.close(CloseCode::NORMAL, "").await),
            ("flush", websocket.flush().await),
        ];
        for (name, result) in attempts {
            assert_eq!(
                io_kind(&result),
                Some(kind),
                "{context}: then {name}: {result:?}"
            );
        }
        let _ = websocket.next_message().await;
    });
    assert_eq!(
        stream.written().len(),
        before,
        "{context}: something followed"
    );
}

async fn finish_empty(websocket: &mut WebSocket<ScriptedPeer>) -> Result<(), Error> {
    let writer = websocket.message_writer(Opcode::Binary)?;
    writer.finish().await.map(drop)
}

fn io_kind(result: &Result<(), Error>) -> Option<Kind> {
    match result.as_ref().err()?.kind() {
        ErrorKind::Io(error) => Some(error.kind()),
        _ => None,
    }
}
