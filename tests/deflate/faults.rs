//! Every operation of every kind of connection that compresses, over a stream that would block at every point, and
//! by calls that are dropped there: the application and the peer see the same as if it had not.

use std::io::{ErrorKind as Kind, Read as _, Write as _};
use std::time::Duration;

use framewire::frame::{Rsv, os_key};
use framewire::protocol::{Agreement as _, Encoder, Limits, Role, SendError, Sender};
use framewire::{CloseCode, Config, ErrorKind, Opcode};
use support::connection;
use support::deflate::ways::end;
use support::deflate::{Receiving, negotiated};
use support::operations::{Conditions, Operation, Outcome};
use support::oracle;
use support::peer;
use support::peer::{Direction, Fault, Plan, ScriptedPeer, Taking};
use support::view::View;
use support::{Replay, pattern};

/// RFC 7692 7.2.3.1: "Hello", compressed.
const HELLO: &[u8] = b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00";

/// The rule, by one message.
#[test]
fn a_read_that_would_block_in_the_middle_of_a_compressed_message_is_gone_on_with_by_the_next() {
    for kind in connection::Kind::ALL {
        let peer = ScriptedPeer::saying([&HELLO[..5]]);
        let agreed = negotiated(true);
        let opened = kind.open_with(&peer, Role::Client, Config::default(), Some(&agreed));
        let mut client = opened.unwrap();
        assert!(client.next_message().unwrap_err().is_would_block());
        peer.say(&HELLO[5..]);
        assert_eq!(client.next_message().unwrap().payload(), b"Hello");
    }
}

fn operations(takeover: bool) -> Vec<Operation> {
    let mut operations: Vec<_> = Operation::all().collect();
    for operation in &mut operations {
        if takeover {
            operation.agreed = Some(|| negotiated(true));
            operation.conversation = |role| conversation(role, true);
        } else {
            operation.agreed = Some(|| negotiated(false));
            operation.conversation = |role| conversation(role, false);
        }
    }
    operations
}

/// Messages that are compressed, one that is not, and a control frame in each of their gaps.
fn conversation(role: Role, takeover: bool) -> Vec<u8> {
    let encoder = match role {
        Role::Server => Encoder::server(),
        Role::Client => Encoder::client(os_key),
    };
    let mut sender = Sender::new(encoder);
    sender.set_message_encoder(negotiated(takeover).encoder(role));
    let mut bytes = Vec::new();
    for len in [300, 0, 1, 200, 200] {
        let text = &"twenty bytes of text".repeat(15)[..len];
        sender
            .message(Opcode::Text, text.as_bytes(), &mut bytes)
            .unwrap();
        let frame = sender.frame(true, Rsv::NONE, Opcode::Ping, b"between", &mut bytes);
        frame.unwrap();
    }
    let frames: [(bool, Opcode, &[u8]); 3] = [
        (false, Opcode::Binary, b"not "),
        (true, Opcode::Continuation, b"compressed"),
        (true, Opcode::Close, b"\x03\xE8bye"),
    ];
    for (fin, opcode, payload) in frames {
        sender
            .frame(fin, Rsv::NONE, opcode, payload, &mut bytes)
            .unwrap();
    }
    bytes
}

/// What was sent, decompressed and without what is the same as before. How messages are cut into frames
/// depends on when the stream would block.
fn sent(outcome: &Outcome, role: Role, takeover: bool) -> View {
    let written = outcome.peer.written();
    let mut view = View::of(role, &written);
    let mut peer = Receiving::new(peer(role), &negotiated(takeover), Limits::UNLIMITED);
    let messages = peer.receive(&written).unwrap();
    assert_eq!(messages.len(), view.messages.len());
    for (seen, message) in view.messages.iter_mut().zip(messages) {
        seen.1 = message;
    }
    view.messages.dedup();
    view.control.dedup();
    view
}

fn check(
    operation: &Operation,
    takeover: bool,
    expected: &Outcome,
    conditions: Conditions,
) -> Outcome {
    let _replay = Replay(|| format!("{operation}, takeover {takeover}, {conditions:?}"));
    let got = operation.run(conditions);
    assert!(got.result.is_ok(), "{:?}", got.result);
    assert_eq!(got.seen, expected.seen, "what was seen");
    let [sent, expected] = [&got, expected].map(|outcome| sent(outcome, operation.role, takeover));
    assert_eq!(sent, expected, "what was sent");
    got
}

#[test]
fn what_would_block_at_every_point_loses_nothing_and_no_wake_up() {
    for takeover in [false, true] {
        for operation in operations(takeover) {
            let expected = operation.without_fault();
            let in_turns = operation.kind.waits();
            let plans = Direction::ALL.map(|direction| Plan::Before(direction, Kind::WouldBlock));
            let kind = if in_turns {
                Kind::WouldBlock
            } else {
                Kind::TimedOut
            };
            for plan in plans.into_iter().chain([Plan::BeforeAll(kind)]) {
                for at_most in [0, 1, 5, 33, 47] {
                    let conditions = Conditions {
                        at_most,
                        plan,
                        in_turns,
                        ..Conditions::default()
                    };
                    check(&operation, takeover, &expected, conditions);
                }
            }
        }
    }
}

#[test]
fn what_would_block_at_one_point_loses_nothing() {
    for takeover in [false, true] {
        for operation in operations(takeover) {
            let expected = operation.without_fault();
            for at_most in [0, 5, 33, 47] {
                for direction in [Direction::Read, Direction::Write] {
                    each_failure(direction, |plan| {
                        let conditions = Conditions {
                            at_most,
                            plan,
                            ..Conditions::default()
                        };
                        check(&operation, takeover, &expected, conditions)
                    });
                }
            }
        }
    }
}

/// Has the n-th call find nothing, n = 0, 1, 2 … until there is none.
fn each_failure(direction: Direction, mut run: impl FnMut(Plan) -> Outcome) {
    for n in 0.. {
        let plan = Plan::Nth(direction, n, Fault::Error(Kind::WouldBlock));
        if run(plan).peer.failed().is_none() {
            break;
        }
    }
}

#[test]
fn a_call_that_is_dropped_at_any_wait_and_made_again_loses_nothing() {
    for takeover in [false, true] {
        let operations = operations(takeover).into_iter();
        for operation in operations.filter(Operation::can_be_dropped) {
            let expected = operation.without_fault();
            for at_most in [0, 1, 30] {
                for n in 1..=3 {
                    let conditions = operation.dropping(n, at_most);
                    check(&operation, takeover, &expected, conditions);
                }
            }
        }
    }
}

/// What would block in the middle of its end is open still, for whatever comes.
#[test]
fn a_message_that_could_not_be_finished_goes_on() {
    for takeover in [false, true] {
        let negotiated = negotiated(takeover);
        for len in 0..150 {
            let start = pattern(len);
            let wire = ScriptedPeer::new([]).taking(Taking::Room(0));
            let mut server = end(Role::Server, wire, 64, &negotiated);
            let mut writer = server.message_writer(Opcode::Binary).unwrap();
            let mut taken = 0;
            while let Ok(count @ 1..) = writer.write(&start[taken..]) {
                taken += count;
            }
            let mut expected = start[..taken].to_vec();
            let finished = writer.finish();
            server.stream().set_taking(Taking::All);
            if let Err(error) = finished {
                assert!(error.is_would_block(), "{error}");
                let mut writer = server.resume_message_writer().unwrap();
                writer.write_all(b" and more").unwrap();
                expected.extend_from_slice(b" and more");
                assert_eq!(writer.finish().unwrap(), expected.len() as u64);
            }
            server.write_message(Opcode::Binary, b"next").unwrap();
            let written = server.into_inner().0.written();
            let mut client = end(
                Role::Client,
                ScriptedPeer::new(written).in_pieces_of(700),
                64,
                &negotiated,
            );
            assert_eq!(client.next_message().unwrap().payload(), expected, "{len}");
            assert_eq!(client.next_message().unwrap().payload(), b"next", "{len}");
        }
    }
}

#[test]
fn a_text_that_was_not_utf_8_is_never_finished() {
    let negotiated = negotiated(true);
    let mut server = end(Role::Server, ScriptedPeer::new([]), 64, &negotiated);
    let mut writer = server.message_writer(Opcode::Text).unwrap();
    writer.write_all(b"text").unwrap();
    writer.write_all(b"\xFF").unwrap_err();
    writer.write_all(b"text").unwrap_err();
    writer.flush().unwrap_err();
    writer.finish().unwrap_err();
    assert!(server.into_inner().0.written().is_empty());
}

#[test]
fn the_message_of_a_forgotten_writer_stays_open_and_nothing_of_it_is_sent() {
    let negotiated = negotiated(true);
    let mut server = end(Role::Server, ScriptedPeer::new([]), 64, &negotiated);
    let mut writer = server.message_writer(Opcode::Binary).unwrap();
    writer.write_all(b"secret").unwrap();
    std::mem::forget(writer);
    let refused = server.write_message(Opcode::Binary, b"hello").unwrap_err();
    let open = SendError::MessageOpen(Opcode::Binary);
    assert!(matches!(refused.kind(), ErrorKind::Send(error) if *error == open));
    assert!(server.resume_message_writer().is_none());
    server.close(CloseCode::NORMAL, "").unwrap();
    let sent = oracle::frames(&server.into_inner().0.written());
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].opcode, Opcode::Close);
}

#[test]
fn shutdown_is_clean_after_a_part_of_a_compressed_message() {
    for takeover in [false, true] {
        let mut server = support::connect(
            Role::Server,
            ScriptedPeer::new(conversation(Role::Client, takeover)),
            support::operations::SMALL,
        );
        server.set_extension(&negotiated(takeover));
        let mut reader = server.message_reader().unwrap();
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 10);
        let end = server.shutdown(Duration::from_secs(600)).unwrap();
        assert!(end.clean && end.code == CloseCode::NORMAL, "{end:?}");
    }
}
