//! A keep-alive that the reads of a whole connection carry out, and a goodbye by the reading half, in virtual time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use framewire::tokio::{PingReply, WebSocket};
use framewire::{CloseCode, Config, ErrorKind, Opcode, Rsv, Side};
use futures_util::StreamExt as _;
use support::each;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

const INTERVAL: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(4);
/// How much later than at the time a timer of tokio's goes off.
const LATE: Duration = Duration::from_millis(20);

fn connected() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (server, client) = tokio::io::duplex(4096);
    (
        WebSocket::server(server, Config::default()).unwrap(),
        WebSocket::client(client, Config::default()).unwrap(),
    )
}

/// A peer that answers so many Pings, and how many it has seen.
fn answering(mut client: WebSocket<DuplexStream>, pings: usize) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    client.on_ping(move |_| {
        if count.fetch_add(1, Ordering::Relaxed) < pings {
            PingReply::Pong
        } else {
            PingReply::Nothing
        }
    });
    tokio::spawn(async move { while let Ok(Some(_)) = client.next_message().await {} });
    seen
}

/// Asserts how long a job takes.
async fn takes<T>(time: Duration, job: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = job.await;
    let taken = begun.elapsed();
    assert!(taken >= time && taken < time + LATE, "{taken:?}");
    result
}

#[tokio::test(start_paused = true)]
async fn a_read_that_waits_sends_pings_and_fails_where_a_pong_is_overdue() {
    let (mut server, client) = connected();
    let seen = answering(client, 3);
    server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
    // The fourth Ping is the first without an answer.
    let overdue = 4 * INTERVAL + DEADLINE;
    let error = takes(overdue, server.next_message()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
    assert_eq!(error.close_code(), Some(CloseCode::ABNORMAL));
    assert_eq!(seen.load(Ordering::Relaxed), 4);
    let error = takes(Duration::ZERO, server.next_message()).await;
    assert!(matches!(error.unwrap_err().kind(), ErrorKind::NoPong));
}

#[tokio::test(start_paused = true)]
async fn reads_that_are_dropped_all_the_time_send_the_same_pings() {
    let (mut server, client) = connected();
    let seen = answering(client, usize::MAX);
    server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
    for _ in 0..100 {
        let read = timeout(INTERVAL / 4, server.next_message()).await;
        assert!(read.is_err(), "{read:?}");
    }
    let seen = seen.load(Ordering::Relaxed);
    assert!((24..=25).contains(&seen), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn without_a_read_nothing_is_sent_and_a_pong_that_waits_to_be_read_is_in_time() {
    let (mut server, client) = connected();
    let seen = answering(client, usize::MAX);
    server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
    sleep(10 * INTERVAL).await;
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    let read = timeout(INTERVAL / 2, server.next_message()).await;
    assert!(read.is_err());
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    // A Ping goes out, and its Pong is read long after its deadline.
    let read = timeout(INTERVAL / 2 + LATE, server.next_message()).await;
    assert!(read.is_err());
    sleep(10 * DEADLINE).await;
    let read = timeout(INTERVAL / 2, server.next_message()).await;
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_can_be_stopped_and_set_again() {
    let (mut server, client) = connected();
    let seen = answering(client, usize::MAX);
    for (round, stops) in each([false, true, false]).enumerate() {
        server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
        if stops {
            server.stop_keep_alive();
        }
        let before = seen.load(Ordering::Relaxed);
        let read = timeout(5 * INTERVAL + LATE, server.next_message()).await;
        assert!(read.is_err(), "{round}: {read:?}");
        let pings = seen.load(Ordering::Relaxed) - before;
        assert_eq!(pings, if stops { 0 } else { 5 }, "{round}");
    }
    let error = server.set_keep_alive(Duration::ZERO, DEADLINE).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Config(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn each_way_to_read_carries_it_out() {
    for way in each(0..6) {
        let (mut server, mut client) = connected();
        client.on_ping(|_| PingReply::Nothing);
        if way == 3 {
            // In the middle of a message.
            let begun = client.write_frame(false, Rsv::NONE, Opcode::Binary, b"begun");
            begun.await.unwrap();
        }
        let _client = tokio::spawn(async move { client.next_message().await.map(drop) });
        server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
        takes(INTERVAL + DEADLINE, async {
            let error = match way {
                0 => server.append_message(&mut Vec::new()).await.unwrap_err(),
                1 => server.read_header().await.unwrap_err(),
                2 => server.read_frame(&mut [0; 9]).await.unwrap_err(),
                3 => {
                    let mut message = server.message_reader().await.unwrap().unwrap();
                    let mut begun = Vec::new();
                    let error = message.read_to_end(&mut begun).await.unwrap_err();
                    assert_eq!(begun, b"begun");
                    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                    return;
                }
                4 => server.next().await.unwrap().unwrap_err(),
                _ => {
                    let mut bytes = server.into_byte_stream();
                    let error = bytes.read_u8().await.unwrap_err();
                    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                    return;
                }
            };
            assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_noticed_and_one_that_takes_slowly_is_not() {
    for takes_some in each([false, true]) {
        let (mut server, client) = connected();
        let (mut stream, _) = client.into_inner();
        server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
        let long = vec![7; 1 << 14];
        // Cancelled in the middle: the rest waits in the write buffer.
        assert!(timeout(LATE, server.write(&long)).await.is_err());
        let peer = tokio::spawn(async move {
            let mut some = [0; 100];
            while takes_some && stream.read(&mut some).await.is_ok() {
                sleep(DEADLINE / 4).await;
            }
            stream
        });
        let time = 3 * INTERVAL;
        let read = timeout(time, server.next_message()).await;
        if takes_some {
            assert!(read.is_err(), "{read:?}");
        } else {
            let error = read.unwrap().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
        }
        peer.abort();
    }
}

/// Nothing can be written, and what is read says nothing of that.
#[tokio::test(start_paused = true)]
async fn a_ping_that_cannot_be_written_is_a_missing_pong() {
    let (silent, _peer) = tokio::io::duplex(100);
    let (broken, gone) = tokio::io::duplex(100);
    drop(gone);
    let stream = tokio::io::join(silent, broken);
    let mut server = WebSocket::server(stream, Config::default()).unwrap();
    server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
    let read = takes(INTERVAL + DEADLINE, server.next_message());
    let error = read.await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_connection_and_with_a_split() {
    let (mut server, mut client) = connected();
    server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(server.next_message().await.unwrap().is_none());
    assert!(server.next_message().await.unwrap().is_none());

    let (mut server, client) = connected();
    let seen = answering(client, 0);
    server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
    let (mut reading, _writing) = server.split();
    let read = timeout(5 * INTERVAL, reading.next_message()).await;
    assert!(read.is_err(), "{read:?}");
    assert_eq!(seen.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_of_halves_owns_what_it_needs_and_another_follows_one_that_was_stopped() {
    let (server, client) = connected();
    let _seen = answering(client, usize::MAX);
    let (mut reading, writing) = server.split();
    let reading = tokio::spawn(async move { reading.next_message().await.map(drop) });
    for _ in 0..3 {
        let beat = tokio::spawn(writing.keep_alive(INTERVAL, DEADLINE));
        sleep(5 * INTERVAL).await;
        assert!(!beat.is_finished());
        writing.stop_keep_alive();
        let end = beat.await.unwrap();
        assert!(matches!(end, framewire::KeepAliveEnd::Stopped), "{end:?}");
    }
    // One that is stopped before it is polled does nothing.
    let beat = writing.keep_alive(INTERVAL, DEADLINE);
    writing.stop_keep_alive();
    let end = takes(Duration::ZERO, beat).await;
    assert!(matches!(end, framewire::KeepAliveEnd::Stopped), "{end:?}");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_reading_half_shuts_down() {
    let (server, mut client) = connected();
    let (mut reading, mut writing) = server.split();
    writing.feed("last words").await.unwrap();
    let peer = tokio::spawn(async move {
        let last = client.next_message().await.unwrap().unwrap();
        assert_eq!(last.text(), Some("last words"));
        assert!(client.next_message().await.unwrap().is_none());
        client.closed().unwrap()
    });
    let shutdown = reading.shutdown(DEADLINE).await.unwrap();
    assert!(shutdown.clean);
    assert_eq!(
        (shutdown.code, shutdown.by),
        (CloseCode::NORMAL, Side::Local)
    );
    let closed = peer.await.unwrap();
    assert_eq!((closed.code(), closed.by), (CloseCode::NORMAL, Side::Peer));
    let error = writing.write("too late").await.unwrap_err();
    assert!(error.closed().is_some(), "{error:?}");
    assert_eq!(reading.closed(), writing.closed());
}

#[tokio::test(start_paused = true)]
async fn a_reading_half_does_not_wait_longer_than_the_deadline() {
    for writes in each([false, true]) {
        let (server, _silent) = connected();
        let (mut reading, mut writing) = server.split();
        // Another task is in the middle of a long frame that nobody takes.
        let writer = tokio::spawn(async move {
            if writes {
                let _ = writing.write(vec![7; 1 << 16]).await;
            }
            writing
        });
        sleep(LATE).await;
        let shutdown = takes(DEADLINE, reading.shutdown(DEADLINE)).await.unwrap();
        assert!(!shutdown.clean);
        assert_eq!(
            (shutdown.code, shutdown.by),
            (CloseCode::ABNORMAL, Side::Local)
        );
        writer.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_dies_after_this_end_has_closed_is_noticed() {
    let (mut server, mut client) = connected();
    client.on_ping(|_| PingReply::Nothing);
    let peer = tokio::spawn(async move {
        let read = timeout(INTERVAL + LATE, client.next_message()).await;
        assert!(read.is_err());
        client.write("only this").await.unwrap();
        client
    });
    // Another Ping falls due before the first has its deadline.
    let deadline = 3 * INTERVAL;
    server.set_keep_alive(INTERVAL, deadline).unwrap();
    assert!(server.next_message().await.unwrap().is_some());
    // A Ping is out, and no other can follow this.
    server.close(CloseCode::NORMAL, "").await.unwrap();
    // In a task of its own, since a time-out that is over polls what it waits for once more.
    let reading = tokio::spawn(async move { server.next_message().await.map(drop) });
    let read = timeout(2 * deadline, reading).await;
    let error = read.unwrap().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
    drop(peer.await);
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_found_no_room_leaves_when_there_is_some() {
    let (server, mut peer) = tokio::io::duplex(64);
    let mut server = WebSocket::server(server, Config::default()).unwrap();
    assert!(timeout(LATE, server.write(&[7; 100])).await.is_err());
    server.set_keep_alive(INTERVAL, 10 * INTERVAL).unwrap();
    let begun = Instant::now();
    let reading = tokio::spawn(async move { server.next_message().await.map(drop) });
    sleep(INTERVAL + INTERVAL / 2).await;
    let mut taken = vec![0; 102 + 10];
    peer.read_exact(&mut taken).await.unwrap();
    assert_eq!(taken[102..], *b"\x89\x08\0\0\0\0\0\0\0\x01");
    assert!(begun.elapsed() < 2 * INTERVAL, "{:?}", begun.elapsed());
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_is_out_has_its_deadline_while_an_answer_cannot_leave() {
    let (server, mut peer) = tokio::io::duplex(64);
    let mut server = WebSocket::server(server, Config::default()).unwrap();
    server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
    let read = timeout(INTERVAL + LATE, server.next_message()).await;
    assert!(read.is_err());
    assert!(timeout(LATE, server.write(&[7; 100])).await.is_err());
    // A masked Close with 1000, under the key 0.
    peer.write_all(b"\x88\x82\0\0\0\0\x03\xE8").await.unwrap();
    let read = timeout(DEADLINE, server.next_message()).await;
    let error = read.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoPong), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reading_half_that_shuts_down_while_another_task_writes_is_clean() {
    for round in 0..1000 {
        let (server, mut client) = connected();
        let (mut reading, mut writing) = server.split();
        let writer =
            tokio::spawn(async move { while writing.write(vec![7; 500]).await.is_ok() {} });
        let peer = tokio::spawn(async move {
            while client.next_message().await.unwrap().is_some() {}
            client.closed().unwrap()
        });
        // In a task of its own, since a time-out that is over polls what it waits for once more.
        let shutting = tokio::spawn(async move { reading.shutdown(Duration::MAX).await });
        let shutdown = timeout(Duration::from_secs(30), shutting).await;
        let shutdown = shutdown.unwrap().unwrap().unwrap();
        assert!(shutdown.clean, "{round}: {shutdown:?}");
        assert_eq!(peer.await.unwrap().code(), CloseCode::NORMAL, "{round}");
        writer.await.unwrap();
    }
}
