//! How a `Stream` of messages ends; a shutdown that nothing holds up; halves that end, and are one again. What any call
//! that waits does before it reports an end is in `behaviour`.

use std::time::Duration;

use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{Config, ErrorKind, OwnedMessage, Side};
use futures_util::stream::FusedStream as _;
use futures_util::{SinkExt, StreamExt as _};
use support::each;
use support::frames::{BINARY, CLOSE, FIN, TEXT, close_payload, frame};
use support::oracle::frames_in;
use support::peer::{ScriptedPeer, Taking};
use support::tasks::Tasks;
use tokio::time::timeout;

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn rfc6455_5_5_1_a_stream_ends_when_what_was_fed_and_the_close_frame_were_sent() {
    let close = frame(Role::Client, FIN | CLOSE, &close_payload(1000, ""));
    let violation = frame(Role::Client, FIN | 0xF, b"");
    for (last, code, has_failed) in each([(close, 1000_u16, false), (violation, 1002, true)]) {
        let message = frame(Role::Client, FIN | BINARY, &[7; 1000]);
        let peer = ScriptedPeer::saying([message, last]).taking(Taking::Room(64));
        let mut server = WebSocket::server(peer.clone(), Config::default()).unwrap();
        let mut tasks = Tasks::new(&peer);
        let echo = tasks.begin(async move {
            let mut errors = 0;
            while let Some(message) = server.next().await {
                assert!(!server.is_terminated() || message.is_err());
                match message {
                    Ok(message) => SinkExt::<OwnedMessage>::feed(&mut server, message)
                        .await
                        .unwrap(),
                    Err(_) => errors += 1,
                }
            }
            assert!(server.is_terminated());
            assert_eq!(errors, usize::from(has_failed));
        });
        tasks.run();
        assert!(!tasks.is_done(echo), "the peer has not taken it");
        peer.set_taking(Taking::All);
        tasks.run();
        assert!(tasks.is_done(echo), "a wake-up was lost");
        let [echo, (first, payload)] = &frames_in(&peer.written())[..] else {
            panic!("a message and a Close frame");
        };
        assert!(*echo == (FIN | BINARY, vec![7; 1000]));
        assert_eq!(
            (*first, &payload[..2]),
            (FIN | CLOSE, &code.to_be_bytes()[..])
        );
    }
}

#[tokio::test]
async fn shutdown_ends_in_time_where_the_peer_always_has_more() {
    // Not a frame that counts, and no end of them: the wait for the end of the stream.
    let endless = tokio::io::join(tokio::io::repeat(0xFF), tokio::io::sink());
    let mut client = WebSocket::client(endless, Config::default()).unwrap();
    let ended = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        runtime.block_on(client.shutdown(Duration::from_millis(20)))
    });
    let waiting = tokio::task::spawn_blocking(move || ended.join().unwrap());
    assert!(
        !timeout(PATIENCE, waiting)
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .clean
    );
}

#[tokio::test]
async fn an_abort_holds_when_the_halves_are_one_again() {
    let peer = ScriptedPeer::saying([frame(Role::Client, FIN | TEXT, b"unread")]);
    let server = WebSocket::server(peer.clone(), Config::default()).unwrap();
    let (reader, writer) = server.split();
    writer.abort();
    let mut server = reader.reunite(writer).unwrap();
    let error = server.next_message().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionLost));
    let error = server.write("x").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error:?}");
    assert_eq!(peer.written(), b"");
}

#[tokio::test]
async fn both_halves_tell_how_the_connection_was_closed() {
    let close = frame(Role::Client, FIN | CLOSE, &close_payload(4000, "lunch"));
    let server = WebSocket::server(ScriptedPeer::saying([close]), Config::default());
    let (mut read, mut write) = server.unwrap().split();
    assert_eq!((read.closed(), write.closed()), (None, None));
    for _ in 0..2 {
        assert!(read.next_message().await.unwrap().is_none());
        assert!(read.append_message(&mut vec![]).await.unwrap().is_none());
        assert!(read.message_reader().await.unwrap().is_none());
        assert!(read.read_header().await.unwrap().is_none());
        assert!(read.read_frame(&mut []).await.unwrap().is_none());
        assert!(read.resume_message_reader().is_none());
    }
    let closed = read.closed().unwrap();
    let [local, peer] = [&closed.local, &closed.peer].map(|close| close.clone().unwrap());
    assert_eq!((local.code.get(), &*local.reason), (4000, ""));
    assert_eq!((peer.code.get(), &*peer.reason), (4000, "lunch"));
    assert_eq!((closed.by, closed.is_normal()), (Side::Peer, false));
    assert_eq!(write.closed().as_ref(), Some(&closed));
    let late = write.write("late").await.unwrap_err();
    assert_eq!(late.closed(), Some(&closed));
    // And so does the connection, whole again.
    let mut whole = read.reunite(write).unwrap();
    for _ in 0..2 {
        assert!(whole.next_message().await.unwrap().is_none());
        assert!(whole.next_message_and_writer().await.unwrap().is_none());
    }
    assert_eq!(whole.closed(), Some(closed));
}

#[test]
fn halves_are_reunited_once_there_is_no_clone() {
    let server = WebSocket::server(ScriptedPeer::default(), Config::default());
    let (reader, writer) = server.unwrap().split();
    let clone = writer.clone();
    let Err(both) = reader.reunite(writer) else {
        panic!("there is a clone")
    };
    drop(clone);
    assert!(both.0.reunite(both.1).is_ok());
}
