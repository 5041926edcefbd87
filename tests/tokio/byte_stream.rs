//! A stream of bytes, where only tokio's can be shut down, and be in two tasks. What any does is in `behaviour`.

use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use support::frames::{BINARY, CLOSE, FIN, PING, PONG, frame};
use support::operations::SMALL;
use support::peer;
use support::peer::{ScriptedPeer, Taking};
use support::tasks::{Tasks, attempt, finish};
use support::view::View;
use support::{each, pattern};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

#[test]
fn a_shutdown_sends_what_was_written_and_a_close_frame_however_often_it_is_dropped() {
    for role in each(ROLES) {
        for at_most in each([1, 7, 0]) {
            let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
            let websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
            let mut bytes = websocket.into_byte_stream();
            finish(&stream, bytes.write_all(&pattern(300))).unwrap();
            while attempt(&stream, 1, bytes.shutdown()).is_none() {
                stream.turn();
            }
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads().concat(), pattern(300));
            assert_eq!(view.control, [(FIN | CLOSE, b"\x03\xE8".to_vec())]);
        }
    }
}

#[test]
fn a_byte_stream_in_two_tasks_loses_no_wake_up() {
    for role in each(ROLES) {
        for (unseen, dropped) in each([(false, false), (true, false), (false, true)]) {
            let stream = ScriptedPeer::default();
            stream.set_taking(Taking::Room(5));
            let websocket = WebSocket::with_leftover(stream.clone(), &[], role, SMALL).unwrap();
            let (mut reader, mut writer) = tokio::io::split(websocket.into_byte_stream());
            let mut tasks = Tasks::new(&stream);
            let writing = tasks.begin(async move {
                writer.write_all(&pattern(50)).await.unwrap();
                writer.flush().await.unwrap();
            });
            let reading = tasks.begin(async move {
                let mut buf = [0; 2];
                reader.read_exact(&mut buf).await.unwrap();
                reader.read_exact(&mut buf).await.unwrap();
            });
            tasks.run();
            // What reads sends a Pong, and asks the stream whether it takes more.
            stream.say(frame(peer(role), FIN | PING, b"?"));
            stream.say(frame(peer(role), FIN | BINARY, b"ab"));
            tasks.run();
            assert!(!tasks.is_done(writing));
            if dropped {
                tasks.cancel(reading);
            }
            if unseen {
                stream.take_all_unseen();
                stream.say(frame(peer(role), FIN | BINARY, b"cd"));
            } else {
                stream.set_taking(Taking::All);
            }
            tasks.run();
            assert!(tasks.is_done(writing), "a wake-up was lost");
            assert_eq!(tasks.is_done(reading), unseen || dropped);
            let view = View::of(role, &stream.written());
            assert_eq!(view.payloads().concat(), pattern(50));
            assert_eq!(view.control, [(FIN | PONG, b"?".to_vec())]);
        }
    }
}
