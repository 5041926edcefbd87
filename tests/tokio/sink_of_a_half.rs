//! A writing half as a `Sink`, beside the futures of others.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};

use framewire::tokio::{WebSocket, WriteHalf};
use framewire::{Config, Opcode, OwnedMessage};
use futures_util::{FutureExt as _, Sink, SinkExt, StreamExt as _};
use support::pattern;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::stream_and_sink::{connected, patiently};

/// What another task streams is not interrupted, and what was accepted meanwhile is not lost.
#[tokio::test]
async fn half_holds_its_message_while_another_streams() {
    let (mut server, client) = connected(1000);
    let (reader, mut sink) = client.split();
    let mut other = sink.clone();
    patiently(poll_fn(|cx| sink.poll_ready_unpin(cx)))
        .await
        .unwrap();
    let mut streaming = patiently(other.message_writer(Opcode::Text)).await.unwrap();
    sink.start_send_unpin("after".into()).unwrap();
    let mut flushing = SinkExt::<OwnedMessage>::flush(&mut sink);
    assert!((&mut flushing).now_or_never().is_none(), "it cannot go yet");
    patiently(streaming.write_all(b"before")).await.unwrap();
    assert!((&mut flushing).now_or_never().is_none(), "it cannot go yet");
    patiently(streaming.finish()).await.unwrap();
    patiently(flushing).await.unwrap();
    for expected in ["before", "after"] {
        let message = patiently(server.next()).await.unwrap().unwrap();
        assert_eq!(message.text(), Some(expected));
    }
    drop(other);
    assert!(reader.reunite(sink).is_ok());
}

#[tokio::test]
async fn close_of_a_half_sends_what_it_holds() {
    let (mut server, client) = connected(1000);
    let (_reader, mut sink) = client.split();
    let mut other = sink.clone();
    patiently(poll_fn(|cx| sink.poll_ready_unpin(cx)))
        .await
        .unwrap();
    let streaming = patiently(other.message_writer(Opcode::Text)).await.unwrap();
    sink.start_send_unpin("held".into()).unwrap();
    patiently(streaming.finish()).await.unwrap();
    patiently(SinkExt::<OwnedMessage>::close(&mut sink))
        .await
        .unwrap();
    for expected in ["", "held"] {
        let message = patiently(server.next()).await.unwrap().unwrap();
        assert_eq!(message.text(), Some(expected));
    }
    assert!(patiently(server.next()).await.is_none());
}

#[tokio::test]
async fn half_that_holds_a_message_is_not_reunited() {
    let (_server, client) = connected(1000);
    let (reader, mut sink) = client.split();
    let mut other = sink.clone();
    patiently(poll_fn(|cx| sink.poll_ready_unpin(cx)))
        .await
        .unwrap();
    let streaming = patiently(other.message_writer(Opcode::Text)).await.unwrap();
    sink.start_send_unpin("held".into()).unwrap();
    patiently(streaming.finish()).await.unwrap();
    drop(other);
    let (reader, mut sink) = *reader.reunite(sink).unwrap_err();
    patiently(SinkExt::<OwnedMessage>::flush(&mut sink))
        .await
        .unwrap();
    assert!(reader.reunite(sink).is_ok());
}

/// A task that lets the right to send go while it waits must not be woken by that.
#[tokio::test]
async fn half_that_waits_for_the_stream_is_woken_by_the_stream_alone() {
    let (stream, mut peer) = duplex(10);
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (_reader, mut sink) = server.split();
    let long = SinkExt::<OwnedMessage>::feed(&mut sink, pattern(100_000).into());
    patiently(long).await.unwrap();
    let count = Arc::new(Wakes::default());
    let waker = count.clone().into();
    let mut cx = Context::from_waker(&waker);
    for _ in 0..3 {
        assert!(sink.poll_ready_unpin(&mut cx).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
    }
    patiently(peer.read(&mut [0; 10])).await.unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn half_that_is_dropped_while_it_waits_leaves_nothing() {
    let (stream, _peer) = duplex(10);
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (_reader, mut stuck) = server.split();
    let long = SinkExt::<OwnedMessage>::feed(&mut stuck, pattern(100_000).into());
    patiently(long).await.unwrap();
    let waits = |half: &mut WriteHalf<DuplexStream>| {
        let task = Arc::new(Wakes::default());
        let waker = task.clone().into();
        let mut cx = Context::from_waker(&waker);
        assert!(half.poll_ready_unpin(&mut cx).is_pending());
        assert!(Sink::<OwnedMessage>::poll_flush(Pin::new(half), &mut cx).is_pending());
        task
    };
    // For the stream.
    let mut half = stuck.clone();
    let task = waits(&mut half);
    assert!(Arc::strong_count(&task) > 1);
    drop(half);
    assert_eq!(Arc::strong_count(&task), 1);
    // For a message of another.
    let mut half = stuck.clone();
    let long = stuck.message_writer(Opcode::Text).now_or_never();
    let long = long.unwrap().unwrap();
    let task = waits(&mut half);
    drop(half);
    assert_eq!(Arc::strong_count(&task), 1);
    drop(long);
}

#[tokio::test]
async fn half_that_is_flushed_while_it_waits_for_a_message_is_woken_by_its_end() {
    let (_server, client) = connected(1000);
    let (_reader, mut writer) = client.split();
    let mut sink = writer.clone();
    let message = patiently(writer.message_writer(Opcode::Text))
        .await
        .unwrap();
    let count = Arc::new(Wakes::default());
    let waker = count.clone().into();
    let mut cx = Context::from_waker(&waker);
    assert!(sink.poll_ready_unpin(&mut cx).is_pending());
    assert!(Sink::<OwnedMessage>::poll_flush(Pin::new(&mut sink), &mut cx).is_ready());
    patiently(message.finish()).await.unwrap();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(sink.poll_ready_unpin(&mut cx).is_ready());
}

/// A half that nobody polls any more keeps nobody waiting.
#[tokio::test]
async fn half_that_never_comes_back_holds_up_no_future() {
    let (_server, client) = connected(1000);
    let (_reader, mut writer) = client.split();
    let [mut sink, mut waiting] = [writer.clone(), writer.clone()];
    let message = patiently(writer.message_writer(Opcode::Text))
        .await
        .unwrap();
    let ready = poll_fn(|cx| sink.poll_ready_unpin(cx)).now_or_never();
    assert!(ready.is_none());
    let waiting = tokio::spawn(async move { waiting.write("").await });
    tokio::task::yield_now().await;
    patiently(message.finish()).await.unwrap();
    patiently(waiting).await.unwrap().unwrap();
}

#[tokio::test]
async fn half_that_waited_for_the_stream_and_never_comes_back_holds_up_nobody() {
    let (stream, mut peer) = duplex(10);
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (_reader, mut first) = server.split();
    let [mut second, mut third] = [first.clone(), first.clone()];
    let long = SinkExt::<OwnedMessage>::feed(&mut first, pattern(100_000).into());
    patiently(long).await.unwrap();
    for half in [&mut first, &mut second] {
        let ready = poll_fn(|cx| half.poll_ready_unpin(cx)).now_or_never();
        assert!(ready.is_none());
    }
    let sending = async {
        third.send(OwnedMessage::from("third")).await.unwrap();
        third.write("after").await.unwrap();
    };
    let mut received = vec![0; 10 + 100_000 + 7 + 7];
    let both = async { tokio::join!(sending, peer.read_exact(&mut received)) };
    patiently(both).await.1.unwrap();
    assert!(received.ends_with(b"\x81\x05third\x81\x05after"));
}

#[tokio::test]
async fn close_of_a_half_waits_for_the_frame_of_another() {
    // The header of this frame is a byte longer than what the stream takes.
    let (stream, mut peer) = duplex(9);
    let server = WebSocket::server(stream, Config::default()).unwrap();
    let (_reader, mut writer) = server.split();
    let mut sink = writer.clone();
    let payload = pattern(100_000);
    let mut sending = std::pin::pin!(writer.write(&payload));
    assert!(sending.as_mut().now_or_never().is_none());
    let mut received = vec![0; 10];
    patiently(peer.read_exact(&mut received[..9]))
        .await
        .unwrap();
    let mut closing = SinkExt::<OwnedMessage>::close(&mut sink);
    let closed = (&mut closing).now_or_never();
    assert!(closed.is_none(), "nothing goes into another's frame");
    patiently(peer.read_exact(&mut received[9..]))
        .await
        .unwrap();
    let mut rest = vec![0; payload.len() + 4];
    let receiving = peer.read_exact(&mut rest);
    let (sent, closed, _) = patiently(async { tokio::join!(sending, closing, receiving) }).await;
    sent.unwrap();
    closed.unwrap();
    assert_eq!(received, b"\x82\x7f\0\0\0\0\0\x01\x86\xa0");
    let (message, close) = rest.split_at(payload.len());
    assert!(message == payload);
    assert_eq!(close, b"\x88\x02\x03\xe8");
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tasks that share a connection each wait for the other's messages, and none is lost or mixed up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_of_many_tasks_send_whole_messages() {
    let (mut server, client) = connected(64);
    let (_reader, sink) = client.split();
    let senders: Vec<_> = (0..4_u8)
        .map(|sender| {
            let mut sink = sink.clone();
            tokio::spawn(async move {
                for number in 0..50_u8 {
                    let len = usize::from(number) * 200;
                    let mut message = vec![sender; 2 + len];
                    message[1] = number;
                    let message = OwnedMessage::from(message);
                    SinkExt::feed(&mut sink, message).await.unwrap();
                }
                SinkExt::<OwnedMessage>::flush(&mut sink).await.unwrap();
            })
        })
        .collect();
    let mut next = [0; 4];
    for _ in 0..200 {
        let message = patiently(server.next()).await.unwrap().unwrap();
        let [sender, number, rest @ ..] = message.payload() else {
            panic!("{message:?}");
        };
        let expected = &mut next[usize::from(*sender)];
        assert_eq!(*number, *expected);
        assert!(rest.len() == usize::from(*number) * 200 && rest.iter().all(|byte| byte == sender));
        *expected += 1;
    }
    for sender in senders {
        patiently(sender).await.unwrap();
    }
}
