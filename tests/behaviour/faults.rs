//! Every operation of every kind of connection over a stream that fails or waits at every point, and by calls
//! that are dropped there: what would block loses nothing and no wake-up, and what fails for good leaves
//! the connection sound.

use std::io::ErrorKind as Kind;

use framewire::protocol::Role;
use framewire::{CloseCode, Config, Error, ErrorKind};
use support::compression::{Compression, HELLO};
use support::connection::{Endpoint, all_endpoints_with, all_ends};
use support::faults::{Case, Conditions, Outcome};
use support::frames::{FIN, RSV1, TEXT, frame};
use support::operations::{Hands, SENDING};
use support::peer::{Direction, Fault, Plan, ScriptedPeer, Taking};
use support::wait::{Drops, Threads, in_turns};
use support::{Replay, again};

// The rules, by one connection, one fault, and the bytes.

fn plain(role: Role) -> impl Iterator<Item = Endpoint> {
    all_ends().filter(move |end| end.role == role)
}

#[test]
fn a_read_that_would_block_in_the_middle_of_a_compressed_message_is_gone_on_with_by_the_next() {
    let hello = frame(Role::Server, FIN | RSV1 | TEXT, &HELLO);
    let ends = all_endpoints_with(Compression::Takeover);
    for end in ends.filter(|end| end.role == Role::Client) {
        let peer = ScriptedPeer::saying([&hello[..5]]);
        let mut client = end.messaging(&peer, Config::default()).unwrap();
        assert!(client.next_message().unwrap_err().is_would_block());
        peer.say(&hello[5..]);
        assert_eq!(client.next_message().unwrap().unwrap().payload(), b"Hello");
    }
}

#[test]
fn a_read_that_would_block_in_the_middle_of_a_frame_is_gone_on_with_by_the_next() {
    for end in plain(Role::Client) {
        let peer = ScriptedPeer::saying([b"\x81\x05he"]);
        let mut client = end.messaging(&peer, Config::default()).unwrap();
        assert!(client.next_message().unwrap_err().is_would_block());
        peer.say(b"llo");
        assert_eq!(client.next_message().unwrap().unwrap().payload(), b"hello");
    }
}

#[test]
fn a_message_that_was_written_in_part_is_ended_by_the_next_flush() {
    for end in plain(Role::Server) {
        let peer = ScriptedPeer::default().taking(Taking::Room(3));
        let mut server = end.messaging(&peer, Config::default()).unwrap();
        let written = server.write("hello");
        // What does not wait has taken it, and so has what was dropped while it waits.
        assert_eq!(written.is_err(), end.kind.waits(), "{written:?}");
        assert_eq!(peer.written(), b"\x81\x05h");
        peer.set_taking(Taking::All);
        server.flush().unwrap();
        assert_eq!(peer.written(), b"\x81\x05hello");
    }
}

#[test]
fn a_task_that_waits_is_woken_and_goes_on() {
    for end in plain(Role::Client).filter(|end| end.kind.waits()) {
        let peer = ScriptedPeer::saying([b"\x81\x05hello"]).waiting();
        let mut client = end.with(&peer);
        let (message, dropped) = in_turns(&peer, Drops::Never, || {
            client.next_message().unwrap().unwrap().payload().to_vec()
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
    for end in plain(Role::Client).filter(|end| end.kind.waits()) {
        let peer = ScriptedPeer::saying([&b"\x81\x05he"[..], b"llo"]).waiting();
        let mut client = end.with(&peer);
        // A read of each piece waits, and the first wait of each call is where it is dropped.
        let (message, dropped) = in_turns(&peer, Drops::At(1), || {
            again(|| Ok(client.next_message()?.unwrap().payload().to_vec())).unwrap()
        });
        assert_eq!((&message[..], dropped), (&b"hello"[..], 2));
    }
}

#[test]
fn a_write_that_fails_is_an_error_and_the_next_one_writes_nothing() {
    for end in all_ends() {
        let fault = Fault::Error(Kind::BrokenPipe);
        let peer =
            ScriptedPeer::default()
                .in_pieces_of(1)
                .failing(Plan::Nth(Direction::Write, 1, fault));
        let mut end = end.messaging(&peer, Config::default()).unwrap();
        let written = end.write("hello");
        assert_eq!(io_kind(&written), Some(Kind::BrokenPipe));
        assert_eq!(peer.written(), b"\x81", "then the second write failed");
        let next = end.write("next");
        assert_eq!(io_kind(&next), Some(Kind::BrokenPipe));
        assert_eq!(peer.written(), b"\x81");
    }
}

// The same at every call of every operation, without compression and with it.

/// Without it, with contexts that go on, and with those that do not.
const COMPRESSIONS: [Compression; 3] = [
    Compression::None,
    Compression::Takeover,
    Compression::NoTakeover,
];

fn cases() -> impl Iterator<Item = Case> {
    COMPRESSIONS.into_iter().flat_map(Case::all)
}

/// Those in which nothing waits, and so nothing goes to another thread.
fn cases_on_one_thread() -> impl Iterator<Item = Case> {
    cases().filter(|case| case.end.kind.threads() == Threads::One)
}

/// Errors after which a call can be made again. A stream of tokio's has none but to be pending, and compression
/// knows of no other.
fn goes_on_after(case: &Case) -> &'static [Kind] {
    const ALL: &[Kind] = &[Kind::WouldBlock, Kind::TimedOut, Kind::Interrupted];
    match case.end.compression {
        Compression::None if !case.end.kind.waits() => ALL,
        _ => &ALL[..1],
    }
}

/// Errors after which none can, and what they are reported as.
fn fails_with(case: &Case) -> &'static [(Fault, Kind)] {
    const ALL: &[(Fault, Kind)] = &[
        (Fault::Error(Kind::BrokenPipe), Kind::BrokenPipe),
        // What is polled has no time-out, and no stream of tokio's is to say that it would block.
        (Fault::Error(Kind::TimedOut), Kind::TimedOut),
        (Fault::ReadyError(Kind::WouldBlock), Kind::Other),
    ];
    if case.end.kind.waits() && case.end.compression == Compression::None {
        ALL
    } else {
        &ALL[..1]
    }
}

/// The same conditions over a stream that takes one buffer at a time, for one plan or none of them all; and
/// where a task can wait, over one that wakes it by turns.
fn variants(case: &Case, conditions: Conditions) -> impl Iterator<Item = Conditions> {
    let not_vectored = matches!(conditions.plan, Plan::BeforeAll(_)).then_some(Conditions {
        not_vectored: true,
        ..conditions
    });
    let in_turns = case.end.kind.waits().then_some(Conditions {
        in_turns: true,
        ..conditions
    });
    [conditions].into_iter().chain(not_vectored).chain(in_turns)
}

#[test]
fn short_reads_and_writes_of_any_size_change_nothing() {
    let plain = |case: &Case| case.end.compression == Compression::None;
    for case in cases_on_one_thread().filter(plain) {
        let expected = case.without_fault();
        for (at_most, not_vectored) in (1..=60).flat_map(|size| [(size, false), (size, true)]) {
            let conditions = Conditions {
                at_most,
                not_vectored,
                ..Conditions::default()
            };
            let got = case.run(conditions);
            assert_same(&case, &expected, conditions, got);
        }
    }
}

#[test]
fn what_would_block_at_every_point_loses_nothing_and_no_wake_up() {
    for case in cases() {
        let expected = case.without_fault();
        for &kind in goes_on_after(&case) {
            let plans = Direction::ALL.map(|direction| Plan::Before(direction, kind));
            for plan in plans.into_iter().chain([Plan::BeforeAll(kind)]) {
                for &at_most in case.sizes(&[0, 1, 5, 33, 47]) {
                    let conditions = Conditions {
                        at_most,
                        plan,
                        ..Conditions::default()
                    };
                    for conditions in variants(&case, conditions) {
                        let got = case.run(conditions);
                        assert_same(&case, &expected, conditions, got);
                    }
                }
            }
        }
    }
}

#[test]
fn what_would_block_at_one_point_loses_nothing_and_no_wake_up() {
    for case in cases() {
        let expected = case.without_fault();
        let in_turns = case.end.kind.waits();
        for &kind in goes_on_after(&case) {
            let fault = Fault::Error(kind);
            each_failure(&case, in_turns, fault, |conditions, got| {
                assert_same(&case, &expected, conditions, got);
            });
        }
    }
}

#[test]
fn a_call_that_is_dropped_at_any_wait_and_made_again_loses_nothing() {
    for case in cases().filter(Case::can_be_dropped) {
        let expected = case.without_fault();
        for &at_most in case.sizes(&[0, 48, 13, 47, 49, 1]) {
            for n in 1..=most_waits(at_most) {
                let conditions = case.dropping(n, at_most);
                let got = case.run(conditions);
                let is_over = got.dropped == 0;
                assert_same(&case, &expected, conditions, got);
                if is_over {
                    break;
                }
            }
        }
    }
}

/// Up to which wait calls are dropped that have many, as the stream moves few bytes.
fn most_waits(at_most: usize) -> usize {
    match at_most {
        1..=5 => 3,
        _ => usize::MAX,
    }
}

#[test]
fn an_error_at_any_call_is_reported_and_nothing_is_written_after_it() {
    for case in cases_on_one_thread() {
        let expected = case.without_fault();
        for &(fault, reported) in fails_with(&case) {
            each_failure(&case, false, fault, |_, got| {
                assert_failed(&case, &expected, got, reported);
            });
        }
    }
}

fn assert_failed(case: &Case, expected: &Outcome, mut got: Outcome, reported: Kind) {
    let is_part = expected.sent().starts_with(&got.sent());
    assert!(is_part, "{:?} was sent", got.sent());
    let is_part = expected.seen.starts_with(&got.seen);
    if case.shuts_down() && (!is_part || got.seen == expected.seen) {
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
        if let Some(connection) = got.connection.with_stream() {
            let _ = connection.read_header();
        }
    } else {
        assert_nothing_follows(case, got, reported);
    }
}

#[test]
fn a_stream_that_takes_nothing_more_is_an_error_for_good() {
    for case in cases_on_one_thread() {
        let sent = case.without_fault().sent();
        each_failure(&case, false, Fault::Zero, |_, got| {
            assert!(sent.starts_with(&got.sent()), "{:?} was sent", got.sent());
            if got.peer.failed() == Some(Direction::Write) {
                assert_eq!(io_kind(&got.result), Some(Kind::WriteZero));
                assert_nothing_follows(&case, got, Kind::WriteZero);
            }
        });
    }
}

#[test]
fn the_end_of_the_stream_at_any_read_is_a_lost_connection_for_good() {
    for case in cases_on_one_thread().filter(|case| !case.shuts_down()) {
        let expected = case.without_fault();
        each_failure(&case, false, Fault::Zero, |_, mut got| {
            if got.peer.failed() != Some(Direction::Read) {
                return;
            }
            let is_part = expected.seen.starts_with(&got.seen);
            assert!(is_part, "{:?} was seen", got.seen);
            let error = got.result.unwrap_err();
            let is_lost = matches!(error.kind(), ErrorKind::ConnectionLost);
            assert!(is_lost, "{error:?}");
            // The script would go on; the connection does not.
            let next = got.connection.next_message().unwrap_err();
            assert!(matches!(next.kind(), ErrorKind::ConnectionLost), "{next:?}");
            assert_eq!(next.close_code(), Some(CloseCode::ABNORMAL));
        });
    }
}

/// Runs a case with its n-th call failing, n = 0, 1, 2 … until it makes no n-th call, in
/// each direction, and over streams that move any number of bytes or only a few.
fn each_failure(
    case: &Case,
    in_turns: bool,
    fault: Fault,
    mut check: impl FnMut(Conditions, Outcome),
) {
    for &at_most in case.sizes(&[0, 7]) {
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
                let _replay = Replay(|| format!("{case}, {conditions:?}"));
                let outcome = case.run(conditions);
                if outcome.peer.failed().is_none() {
                    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
                    break;
                }
                check(conditions, outcome);
            }
        }
    }
}

/// The application and the peer have seen the same, and nothing is left. When the stream would block decides how
/// a compressed message is cut into frames, and, where nothing bounds what waits, behind how many of them a Pong goes.
#[track_caller]
fn assert_same(case: &Case, expected: &Outcome, conditions: Conditions, mut got: Outcome) {
    let _replay = Replay(|| format!("{case}, {conditions:?}"));
    assert!(got.result.is_ok(), "{:?}", got.result);
    assert_eq!(got.seen, expected.seen, "what was seen");
    let is_twice = matches!(conditions.drops, Drops::OnceAt(_));
    let is_compressed = case.end.compression != Compression::None;
    if is_twice || is_compressed || !case.end.kind.has_stream() {
        let [got, expected] = [&got, expected].map(|outcome| outcome.sent_once(case.end));
        assert_eq!(got, expected, "what was sent");
    } else {
        assert_eq!(got.sent(), expected.sent(), "what was sent");
    }
    assert!(!got.connection.has_pending_output());
}

/// Every way to write fails as the first did, and the stream is left alone.
fn assert_nothing_follows(case: &Case, outcome: Outcome, kind: Kind) {
    let mut connection = outcome.connection;
    let before = outcome.peer.written_before();
    let mut hands = Hands::new(&[7; 40], 32);
    for attempt in SENDING.iter().filter(|one| one.is_of(case.end.kind)) {
        let result = attempt.call(connection.as_mut(), &mut hands);
        assert_eq!(
            io_kind(&result),
            Some(kind),
            "then {}: {result:?}",
            attempt.name
        );
    }
    let _ = connection.next_message();
    let after = outcome.peer.written().len();
    assert_eq!(after, before, "something followed");
}

fn io_kind(result: &Result<(), Error>) -> Option<Kind> {
    match result.as_ref().err()?.kind() {
        ErrorKind::Io(error) => Some(error.kind()),
        _ => None,
    }
}
