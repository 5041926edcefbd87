//! Messages in pieces of a compressed tokio connection whose calls are dropped while they wait. Those that take a
//! message whole or not at all are in `behaviour/cancel.rs`.

use framewire::Opcode;
use framewire::protocol::{Limits, Role};
use framewire::tokio::WebSocket;
use support::deflate::{Receiving, negotiated};
use support::frames::{FIN, PING, PONG, frame};
use support::operations::SMALL;
use support::pattern;
use support::peer;
use support::peer::{ScriptedPeer, Taking};
use support::tasks::{attempt, finish};
use support::view::View;
use tokio::io::AsyncWriteExt;

/// Both roles, without takeover and with.
const ENDS: [(Role, bool); 4] = [
    (Role::Server, false),
    (Role::Server, true),
    (Role::Client, false),
    (Role::Client, true),
];

fn end(role: Role, takeover: bool, stream: &ScriptedPeer) -> WebSocket<ScriptedPeer> {
    let mut end = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
    end.set_extension(&negotiated(takeover));
    end
}

/// The messages that the peer makes of what it was sent.
#[track_caller]
fn received(role: Role, takeover: bool, stream: &ScriptedPeer) -> Vec<Vec<u8>> {
    let output = stream.written();
    View::of(role, &output);
    let mut peer = Receiving::new(peer(role), &negotiated(takeover), Limits::default());
    peer.receive(&output).unwrap()
}

/// So much noise that what compresses it does not keep it all.
const MUCH: usize = 60_000;

#[test]
fn a_streamed_message_that_was_dropped_goes_on_by_hand_in_its_order() {
    for (role, takeover) in ENDS {
        for n in [0, 1, 2, 5, 10, 100, 1000] {
            let stream = ScriptedPeer::default().waiting();
            let mut end = end(role, takeover, &stream);
            let payload = pattern(2 * MUCH);
            let mut source = &payload[..MUCH];
            let streamed = end.stream_message(Opcode::Binary, 32, &mut source);
            assert!(attempt(&stream, n, streamed).is_none());
            let mut expected = payload[..MUCH - source.len()].to_vec();
            let mut message = end.resume_message_writer().unwrap();
            let mut rest = &payload[MUCH..];
            for n in (0..5).cycle() {
                if rest.is_empty() {
                    break;
                }
                if let Some(len) = attempt(&stream, n, message.write(rest)) {
                    let len = len.unwrap();
                    expected.extend_from_slice(&rest[..len]);
                    rest = &rest[len..];
                }
                stream.turn();
            }
            let len = finish(&stream, message.finish()).unwrap();
            assert_eq!(len, expected.len() as u64);
            let messages = received(role, takeover, &stream);
            assert!(messages == [expected], "{role:?}, {takeover} at {n}");
        }
    }
}

#[test]
fn a_flush_sends_what_was_read_of_a_source_before() {
    for (role, takeover) in ENDS {
        for n in [0, 1, 2, 10, 100] {
            let stream = ScriptedPeer::default().waiting();
            let mut end = end(role, takeover, &stream);
            let payload = pattern(MUCH);
            let mut source = &payload[..];
            let streamed = end.stream_message(Opcode::Binary, 32, &mut source);
            assert!(attempt(&stream, n, streamed).is_none());
            let read = payload.len() - source.len();
            let mut message = end.resume_message_writer().unwrap();
            while attempt(&stream, 3, message.flush()).is_none() {
                stream.turn();
            }
            drop(message);
            // What the peer can make of it so far, as the message does not end.
            let mut bytes = stream.written();
            bytes.extend(frame(role, FIN, b""));
            let mut peer = Receiving::new(peer(role), &negotiated(takeover), Limits::default());
            let messages = peer.receive(&bytes).unwrap();
            assert!(messages == [&payload[..read]], "{role:?} at {n}");
        }
    }
}

#[test]
fn a_ping_goes_between_the_fragments_of_a_compressed_message_that_waits() {
    for (role, takeover) in ENDS {
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Room(50));
        let (mut reader, writer) = end(role, takeover, &stream).split();
        let payload = pattern(1000);
        let mut tasks = support::tasks::Tasks::new(&stream);
        let (write, other) = (writer.clone(), writer.clone());
        let payload = &payload;
        tasks.begin(async move {
            write.write_message(Opcode::Binary, payload).await.unwrap();
        });
        tasks.begin(async move { other.ping(b"mine").await.unwrap() });
        tasks.begin(async move { drop(reader.next_message().await) });
        tasks.run();
        stream.say(frame(peer(role), FIN | PING, b"yours"));
        stream.set_taking(Taking::All);
        tasks.run();
        let messages = received(role, takeover, &stream);
        assert!(messages == [&payload[..]]);
        let control = View::of(role, &stream.written()).control;
        assert!(control.contains(&(FIN | PING, b"mine".to_vec())));
        assert!(control.contains(&(FIN | PONG, b"yours".to_vec())));
        assert_eq!(control.len(), 2);
    }
}
