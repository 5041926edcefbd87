//! What a message costs in reads and writes of the stream, and when it leaves.

use framewire::protocol::Role;
use framewire::tokio::{PreparedMessage, WebSocket};
use framewire::{Config, Error, Opcode};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame};
use support::peer;
use support::peer::ScriptedPeer;
use support::tasks::{attempt, finish};
use support::view::View;

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const BURST: usize = 64;

fn connect(role: Role, stream: &ScriptedPeer, config: Config) -> WebSocket<ScriptedPeer> {
    WebSocket::with_leftover(stream.clone(), &[], role, config).unwrap()
}

fn burst(role: Role) -> ScriptedPeer {
    ScriptedPeer::saying([frame(peer(role), FIN | TEXT, &[b'x'; 20]).repeat(BURST)])
}

/// A way to echo one message.
#[derive(Debug, Clone, Copy)]
enum Way {
    Feed,
    TryFeed,
    AndWriter,
    ReadMessage,
    Write,
    WriteFromWriter,
    Prepared,
    Frame,
}

async fn echo(websocket: &mut WebSocket<ScriptedPeer>, way: Way) -> Result<(), Error> {
    let mut payload = Vec::new();
    let opcode = match way {
        Way::ReadMessage => websocket.read_message(&mut payload).await?,
        Way::AndWriter => {
            let (message, writer) = websocket.next_message_and_writer().await?;
            return writer
                .feed_message(message.opcode(), message.payload())
                .await;
        }
        Way::WriteFromWriter => {
            let (message, writer) = websocket.next_message_and_writer().await?;
            return writer
                .write_message(message.opcode(), message.payload())
                .await;
        }
        _ => {
            let message = websocket.next_message().await?;
            payload.extend_from_slice(message.payload());
            message.opcode()
        }
    };
    match way {
        Way::Write => websocket.write_message(opcode, &payload).await,
        Way::Prepared => {
            let prepared = PreparedMessage::new(opcode, &payload)?;
            websocket.write_prepared(&prepared).await
        }
        Way::Frame => {
            let rsv = framewire::frame::Rsv::NONE;
            websocket.write_frame(true, rsv, opcode, &payload).await
        }
        Way::TryFeed => {
            websocket.try_feed_message(opcode, &payload[..]).unwrap();
            Ok(())
        }
        _ => websocket.feed_message(opcode, &payload).await,
    }
}

/// Echoes until there is nothing more to read, and gives the polls that read, those of them that
/// found something, and the writes.
fn echo_all(role: Role, stream: &ScriptedPeer, config: Config, way: Way) -> (usize, usize, usize) {
    let mut websocket = connect(role, stream, config);
    let waits = attempt(stream, usize::MAX, async {
        loop {
            echo(&mut websocket, way).await.unwrap();
        }
    });
    assert!(waits.is_none());
    assert!(
        !websocket.has_pending_output(),
        "{way:?}: it waits with something unsent"
    );
    let view = View::of(role, &stream.written());
    assert_eq!(
        view.messages,
        vec![(TEXT, vec![b'x'; 20]); BURST],
        "{way:?}"
    );
    let moved = stream.moved();
    (stream.calls().reads, moved.reads, moved.writes)
}

#[test]
fn an_echo_of_messages_that_arrive_together_is_one_read_and_one_write() {
    for role in ROLES {
        for way in [Way::Feed, Way::TryFeed, Way::AndWriter, Way::ReadMessage] {
            let costs = echo_all(role, &burst(role), Config::default(), way);
            // The read that finds nothing is what the write goes before.
            assert_eq!(costs, (2, 1, 1), "{way:?} as {role:?}");
        }
    }
}

#[test]
fn a_message_that_is_written_leaves_at_once_unless_that_was_asked_for() {
    for role in ROLES {
        for way in [Way::Write, Way::WriteFromWriter, Way::Prepared] {
            let costs = echo_all(role, &burst(role), Config::default(), way);
            assert_eq!(costs, (2, 1, BURST), "{way:?} as {role:?}");
            let coalescing = Config {
                coalesce_writes: true,
                ..Config::default()
            };
            let costs = echo_all(role, &burst(role), coalescing, way);
            assert_eq!(costs, (2, 1, 1), "{way:?} as {role:?}");
            if role == Role::Server {
                // Where each comes alone, each leaves alone.
                let len = frame(peer(role), FIN | TEXT, &[0; 20]).len();
                let costs = echo_all(role, &burst(role).in_pieces_of(len), coalescing, way);
                assert_eq!(costs, (BURST + 1, BURST, BURST), "{way:?}");
            }
        }
        let costs = echo_all(role, &burst(role), Config::default(), Way::Frame);
        assert_eq!(costs, (2, 1, BURST));
    }
}

#[test]
fn what_may_wait_leaves_when_something_else_is_awaited() {
    // The second message is cut off, so that it is not there whole.
    for role in ROLES {
        let message = frame(peer(role), FIN | TEXT, b"message");
        let stream = ScriptedPeer::saying([[&message[..], &message[..], &message[..5]].concat()]);
        let config = Config {
            coalesce_writes: true,
            ..Config::default()
        };
        let mut websocket = connect(role, &stream, config);
        for (unsent, writes) in [(true, 0), (false, 1)] {
            finish(&stream, echo(&mut websocket, Way::Write)).unwrap();
            assert_eq!(websocket.has_pending_output(), unsent);
            assert_eq!(stream.moved().writes, writes);
        }
    }
}

#[test]
fn a_message_of_a_half_leaves_at_once_though_one_of_the_whole_connection_may_wait() {
    for role in ROLES {
        let stream = burst(role);
        let config = Config {
            coalesce_writes: true,
            ..Config::default()
        };
        let mut whole = connect(role, &stream, config);
        finish(&stream, whole.next_message()).unwrap();
        let (reader, writer) = whole.split();
        finish(&stream, writer.write_message(Opcode::Text, b"!")).unwrap();
        assert_eq!(stream.moved().writes, 1);

        let mut whole = reader.reunite(writer).unwrap();
        finish(&stream, whole.write_message(Opcode::Text, b"!")).unwrap();
        assert_eq!(stream.moved().writes, 2);
        finish(&stream, echo(&mut whole, Way::Write)).unwrap();
        assert_eq!(stream.moved().writes, 2, "another is there");
        finish(&stream, whole.flush()).unwrap();
        assert_eq!(View::of(role, &stream.written()).messages.len(), 3);
    }
}

#[test]
fn what_was_fed_leaves_before_a_read_that_is_dropped() {
    for role in ROLES {
        let stream = ScriptedPeer::default();
        let mut websocket = connect(role, &stream, Config::default());
        finish(&stream, websocket.feed_message(Opcode::Text, b"fed")).unwrap();
        assert_eq!(stream.moved().writes, 0);
        assert!(attempt(&stream, 0, websocket.next_message()).is_none());
        assert_eq!(View::of(role, &stream.written()).payloads(), [b"fed"]);
    }
}

#[test]
fn replies_leave_together_while_the_application_only_reads() {
    for role in ROLES {
        for split in [false, true] {
            let pings = [
                frame(peer(role), FIN | PING, b"?").repeat(50),
                frame(peer(role), BINARY, b"begun"),
                frame(peer(role), FIN | PING, b"?").repeat(50),
                frame(peer(role), FIN | CONTINUATION, b""),
            ];
            let stream = ScriptedPeer::saying([pings.concat()]);
            let websocket = connect(role, &stream, Config::default());
            let read = async {
                if split {
                    let (mut reader, _writer) = websocket.split();
                    while reader.next_message().await.is_ok() {}
                } else {
                    let mut websocket = websocket;
                    while websocket.next_message().await.is_ok() {}
                }
            };
            let mut tasks = support::tasks::Tasks::new(&stream);
            let reading = tasks.begin(read);
            tasks.run();
            let moved = stream.moved();
            assert_eq!((moved.reads, moved.writes), (1, 1));
            stream.say(frame(peer(role), FIN | PING, b"?").repeat(3));
            stream.say(frame(peer(role), FIN | CLOSE, b"\x03\xE8"));
            tasks.run();
            assert!(tasks.is_done(reading));
            let view = View::of(role, &stream.written());
            let pong = (FIN | PONG, b"?".to_vec());
            let answers = view.control.iter().filter(|control| **control == pong);
            assert_eq!(answers.count(), 103, "{role:?}, split: {split}");
            assert!(view.is_closed());
            assert!(stream.moved().writes <= 3);
        }
    }
}

#[test]
fn an_echo_by_halves_in_one_task_is_one_read_and_one_write() {
    for role in ROLES {
        let stream = burst(role);
        let (mut reader, writer) = connect(role, &stream, Config::default()).split();
        let waits = attempt(&stream, usize::MAX, async {
            loop {
                let message = reader.next_message().await.unwrap();
                let (opcode, payload) = (message.opcode(), message.payload());
                writer.feed_message(opcode, payload).await.unwrap();
            }
        });
        assert!(waits.is_none());
        let moved = stream.moved();
        assert_eq!((stream.calls().reads, moved.reads, moved.writes), (2, 1, 1));
    }
}
