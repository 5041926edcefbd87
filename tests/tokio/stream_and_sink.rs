//! A connection as a `Stream` of owned messages and a `Sink` for them.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{CloseCode, Config, ErrorKind, Fault, OwnedMessage, Side};
use futures_util::stream::FusedStream as _;
use futures_util::{FutureExt as _, Sink, SinkExt, Stream as _, StreamExt as _};
use support::frames::{BINARY, FIN, PING, PONG, TEXT, frame};
use support::peer::{Ending, ScriptedPeer, Taking};
use support::view::View;
use support::{each, pattern};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

type Socket = WebSocket<DuplexStream>;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn patiently<F: Future>(future: F) -> F::Output {
    let result = tokio::time::timeout(PATIENCE, future).await;
    result.expect("nothing has come of it for half a minute")
}

/// A server and a client, with room for so many bytes between them.
pub(super) fn connected(room: usize) -> (Socket, Socket) {
    let (server, client) = duplex(room);
    (
        WebSocket::server(server, Config::default()).unwrap(),
        WebSocket::client(client, Config::default()).unwrap(),
    )
}

fn messages() -> Vec<OwnedMessage> {
    let binary = [0, 1, 125, 126, 70_000].map(|len| OwnedMessage::from(pattern(len)));
    let text = ["", "text", "w\u{f6}rld"].map(OwnedMessage::from);
    binary.into_iter().chain(text).collect()
}

/// Everything that is sent comes back, and the Close as the end of the stream.
#[tokio::test]
async fn halves_forward_and_end_with_the_close() {
    let (server, client) = connected(1000);
    let echo = tokio::spawn(async move {
        let (reader, writer) = server.split();
        reader.forward(writer).await
    });
    let (mut reader, mut writer) = client.split();
    for message in messages() {
        patiently(SinkExt::feed(&mut writer, message))
            .await
            .unwrap();
        patiently(SinkExt::<OwnedMessage>::flush(&mut writer))
            .await
            .unwrap();
    }
    for message in messages() {
        let echoed = patiently(reader.next()).await.unwrap().unwrap();
        assert!(echoed == message);
    }
    patiently(SinkExt::<OwnedMessage>::close(&mut writer))
        .await
        .unwrap();
    assert!(
        patiently(reader.next()).await.is_none(),
        "a clean end is no error"
    );
    patiently(echo).await.unwrap().unwrap();
}

#[tokio::test]
async fn connection_is_a_stream_and_a_sink_at_once() {
    let (mut server, mut client) = connected(1 << 20);
    for message in messages() {
        patiently(SinkExt::feed(&mut client, message))
            .await
            .unwrap();
    }
    patiently(SinkExt::<OwnedMessage>::flush(&mut client))
        .await
        .unwrap();
    for message in messages() {
        let received = patiently(server.next()).await.unwrap().unwrap();
        assert!(received == message);
        patiently(server.send(received)).await.unwrap();
        let echoed = patiently(client.next()).await.unwrap().unwrap();
        assert!(echoed == message);
    }
}

#[tokio::test]
async fn close_of_the_sink_sends_1000_and_can_be_repeated() {
    let (mut server, mut client) = connected(1000);
    patiently(SinkExt::<OwnedMessage>::close(&mut client))
        .await
        .unwrap();
    patiently(SinkExt::<OwnedMessage>::close(&mut client))
        .await
        .unwrap();
    assert!(patiently(server.next_message()).await.unwrap().is_none());
    let closed = server.closed().unwrap();
    assert_eq!((closed.code(), closed.by), (CloseCode::NORMAL, Side::Peer));
    // Nothing comes after a Close frame (RFC 6455 5.5.1).
    let error = patiently(client.send("late".into())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Closed(_)), "{error:?}");
    assert!(patiently(client.next()).await.is_none());
}

/// What was fed before goes out first, though the stream takes next to nothing at a time.
#[tokio::test]
async fn close_of_the_sink_sends_all_that_waits() {
    let (mut server, mut client) = connected(3);
    let sending = tokio::spawn(async move {
        for number in 0..100 {
            let message = OwnedMessage::from(number.to_string());
            SinkExt::feed(&mut client, message).await.unwrap();
        }
        SinkExt::<OwnedMessage>::close(&mut client).await.unwrap();
        assert!(client.next().await.is_none());
    });
    for number in 0..100 {
        let message = patiently(server.next()).await.unwrap().unwrap();
        assert_eq!(message.text(), Some(&*number.to_string()));
    }
    assert!(patiently(server.next()).await.is_none());
    patiently(sending).await.unwrap();
}

#[tokio::test]
async fn stream_ends_after_a_close_of_the_peer() {
    let (mut server, mut client) = connected(1000);
    assert!(!server.is_terminated());
    patiently(client.close(CloseCode::GOING_AWAY, "bye"))
        .await
        .unwrap();
    for _ in 0..3 {
        assert!(patiently(server.next()).await.is_none());
        assert!(server.is_terminated());
    }
}

#[tokio::test]
async fn stream_gives_one_error_and_ends() {
    // A reserved opcode: a violation.
    let (server, mut peer) = duplex(1000);
    let mut server = WebSocket::server(server, Config::default()).unwrap();
    let reserved = frame(Role::Client, FIN | 0x3, b"");
    peer.write_all(&reserved).await.unwrap();
    let error = patiently(server.next()).await.unwrap().unwrap_err();
    assert_eq!(
        (error.fault(), error.close_code()),
        (Fault::Peer, Some(CloseCode::PROTOCOL_ERROR))
    );
    assert!(server.is_terminated());
    assert!(patiently(server.next()).await.is_none());

    // The end without a Close frame.
    let (server, peer) = duplex(1000);
    let mut server = WebSocket::server(server, Config::default()).unwrap();
    drop(peer);
    let error = patiently(server.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ConnectionLost),
        "{error:?}"
    );
    assert!(patiently(server.next()).await.is_none());
}

/// A stream that fails may do so again and again.
#[tokio::test]
async fn stream_that_fails_ends_after_the_error() {
    let stream =
        ScriptedPeer::default().ending(Ending::Failure(std::io::ErrorKind::ConnectionReset));
    let mut server = WebSocket::server(stream, Config::default()).unwrap();
    let error = patiently(server.next()).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error:?}");
    assert!(patiently(server.next()).await.is_none());
    assert!(server.is_terminated());
}

#[tokio::test]
async fn close_of_the_sink_of_a_lost_connection_sends_nothing() {
    let peer = ScriptedPeer::new([]);
    let mut server = WebSocket::server(peer.clone(), Config::default()).unwrap();
    server.next_message().await.map(drop).unwrap_err();
    let lost = patiently(SinkExt::<OwnedMessage>::close(&mut server)).await;
    assert!(matches!(
        lost.unwrap_err().kind(),
        ErrorKind::ConnectionLost
    ));
    assert_eq!(server.writer().closed(), None);
    let (_reader, mut writer) = server.split();
    let lost = patiently(SinkExt::<OwnedMessage>::close(&mut writer)).await;
    assert!(matches!(
        lost.unwrap_err().kind(),
        ErrorKind::ConnectionLost
    ));
    assert_eq!(writer.closed(), None);
    assert_eq!(peer.written(), b"");
}

/// A sink that is always ready would hold all of what it is fed.
#[tokio::test]
async fn sink_waits_when_its_buffer_is_full() {
    let (stream, mut peer) = duplex(1000);
    let config = Config::default().write_buffer(5000);
    let mut server = WebSocket::server(stream, config).unwrap();
    let mut fed = 0;
    let message = OwnedMessage::from(vec![0; 100]);
    while let Some(result) = SinkExt::feed(&mut server, message.clone()).now_or_never() {
        result.unwrap();
        fed += 1;
        assert!(fed < 1000, "it never waits");
    }
    assert!(
        server.writer().buffered() <= 5000,
        "{}",
        server.writer().buffered()
    );
    assert!(fed > 10, "it waits though there is room");

    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        while received.len() < (fed + 1) * 102 {
            assert!(peer.read_buf(&mut received).await.unwrap() > 0);
        }
        received
    });
    patiently(server.send(vec![1; 100].into())).await.unwrap();
    let received = patiently(reading).await.unwrap();
    assert!(
        received
            .chunks(102)
            .all(|frame| frame[..2] == [FIN | BINARY, 100])
    );
    assert!(received.ends_with(&[1; 100]));
}

/// The reply takes the room of the message that was promised some.
#[test]
fn sink_that_was_ready_takes_a_message_after_a_reply() {
    for is_read_between in each([false, true]) {
        let ping = frame(Role::Client, FIN | PING, &pattern(125));
        let stream = ScriptedPeer::default();
        stream.set_taking(Taking::Nothing);
        let config = Config::default().write_buffer(100).chunk_size(64);
        let mut server = WebSocket::server(stream.clone(), config).unwrap();
        let mut server = Pin::new(&mut server);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Sink::<OwnedMessage>::poll_ready(server.as_mut(), &mut cx).is_ready());
        server.as_mut().start_send(pattern(60).into()).unwrap();
        if !is_read_between {
            stream.say(ping.clone());
            assert!(server.as_mut().poll_next(&mut cx).is_pending());
        }
        stream.set_taking(Taking::All);
        let ready = Sink::<OwnedMessage>::poll_ready(server.as_mut(), &mut cx);
        assert!(ready.is_ready());
        stream.set_taking(Taking::Nothing);
        if is_read_between {
            stream.say(ping);
            assert!(server.as_mut().poll_next(&mut cx).is_pending());
        }
        server.as_mut().start_send(pattern(61).into()).unwrap();
        stream.set_taking(Taking::All);
        let flushed = Sink::<OwnedMessage>::poll_flush(server.as_mut(), &mut cx);
        assert!(flushed.is_ready());
        let view = View::of(Role::Server, &stream.written());
        assert_eq!(view.payloads(), [pattern(60), pattern(61)]);
        assert_eq!(view.control, [(FIN | PONG, pattern(125))]);
    }
}

/// `poll_ready` has said yes, so that the message has to be taken whole, however long it is.
#[tokio::test]
async fn long_message_is_taken_though_the_stream_is_stuck() {
    let (stream, mut peer) = duplex(10);
    let mut server = WebSocket::server(stream, Config::default()).unwrap();
    let long = pattern(300_000);
    let first = SinkExt::<OwnedMessage>::feed(&mut server, "first".into());
    patiently(first).await.unwrap();
    let taken = SinkExt::<OwnedMessage>::feed(&mut server, long.clone().into()).now_or_never();
    taken.expect("it was ready").unwrap();
    let third = SinkExt::<OwnedMessage>::feed(&mut server, "third".into());
    let mut third = std::pin::pin!(third);
    assert!(
        third.as_mut().now_or_never().is_none(),
        "there is no end to it"
    );
    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        while !received.ends_with(b"third") {
            assert!(peer.read_buf(&mut received).await.unwrap() > 0);
        }
        received
    });
    patiently(third).await.unwrap();
    patiently(SinkExt::<OwnedMessage>::flush(&mut server))
        .await
        .unwrap();
    let received = patiently(reading).await.unwrap();
    assert_eq!(received.len(), 2 + 5 + 10 + long.len() + 2 + 5);
    assert!(received[17..].starts_with(&long));
}

/// A future that is dropped in the middle loses nothing and repeats nothing.
#[tokio::test]
async fn dropped_next_loses_nothing() {
    let (server, mut peer) = duplex(1000);
    let mut server = WebSocket::server(server, Config::default()).unwrap();
    for byte in frame(Role::Client, FIN | TEXT, b"hello") {
        assert!(server.next().now_or_never().is_none());
        peer.write_all(&[byte]).await.unwrap();
    }
    let message = patiently(server.next()).await.unwrap().unwrap();
    assert_eq!(message, OwnedMessage::from("hello"));
}

/// An assembled message changes hands, and is not copied.
#[tokio::test]
async fn long_message_is_not_copied() {
    let (mut server, mut client) = connected(1 << 20);
    patiently(client.write(pattern(500_000))).await.unwrap();
    let message = patiently(server.next()).await.unwrap().unwrap();
    let bytes = message.into_payload();
    assert!(bytes == pattern(500_000));
    assert!(bytes.is_unique());
}

/// A message over the chunk size leaves at once, from where it lies.
#[tokio::test]
async fn long_message_that_a_sink_is_fed_is_one_write_and_a_short_one_waits() {
    let peer = ScriptedPeer::default();
    let mut server = WebSocket::server(peer.clone(), Config::default()).unwrap();
    for (len, writes) in [(20, 0), (4096, 0), (4097, 1), (20, 1)] {
        let message = OwnedMessage::from(pattern(len));
        SinkExt::feed(&mut server, message).await.unwrap();
        assert_eq!(peer.calls().writes, writes, "{len} bytes");
    }
}

#[tokio::test]
async fn control_frames_are_answered_and_are_no_items() {
    let (mut server, mut client) = connected(1000);
    patiently(client.ping(b"?")).await.unwrap();
    patiently(client.write("text")).await.unwrap();
    let message = patiently(server.next()).await.unwrap().unwrap();
    assert_eq!(message.text(), Some("text"));
    // The Pong leaves while the server only reads.
    assert!(server.next().now_or_never().is_none());
    let (stream, _) = client.into_inner();
    let mut stream = stream;
    let mut pong = [0; 3];
    patiently(stream.read_exact(&mut pong)).await.unwrap();
    assert_eq!(pong, frame(Role::Server, FIN | PONG, b"?")[..]);
}
