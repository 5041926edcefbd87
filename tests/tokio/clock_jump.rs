//! A clock that jumps by a year, as after a long sleep of the machine: one Ping stands for all that were missed, and no
//! deadline fails in any other way than one that is over.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use framewire::tokio::{PingReply, WebSocket};
use framewire::{CloseCode, Config, ErrorKind, KeepAliveEnd};
use support::each;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep, timeout};

const INTERVAL: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(4);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How much later than at the time a timer of tokio's goes off.
const LATE: Duration = Duration::from_millis(20);

/// A server with a keep-alive that runs, whole or split: whether it has ended, and with a missing Pong.
async fn kept_alive(is_split: bool, server: WebSocket<DuplexStream>) -> JoinHandle<bool> {
    let mut server = server;
    if !is_split {
        server.set_keep_alive(INTERVAL, DEADLINE).unwrap();
        return started(async move {
            let error = server.next_message().await.unwrap_err();
            matches!(error.kind(), ErrorKind::NoPong)
        })
        .await;
    }
    let (mut reading, writing) = server.split();
    let beat = writing.keep_alive(INTERVAL, DEADLINE);
    let end = started(async move { matches!(beat.await, KeepAliveEnd::NoPong) }).await;
    started(async move { while let Ok(Some(_)) = reading.next_message().await {} }).await;
    end
}

/// Starts a task, and lets it run until it waits.
async fn started<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let task = tokio::spawn(task);
    sleep(LATE).await;
    task
}

/// Both ends of a connection, and how many Pings the client has seen; it answers them or not.
fn connected(answers: bool) -> (WebSocket<DuplexStream>, Arc<AtomicUsize>) {
    let (server, client) = tokio::io::duplex(4096);
    let mut client = WebSocket::client(client, Config::default()).unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    client.on_ping(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        if answers {
            PingReply::Pong
        } else {
            PingReply::Nothing
        }
    });
    tokio::spawn(async move { while let Ok(Some(_)) = client.next_message().await {} });
    let server = WebSocket::server(server, Config::default()).unwrap();
    (server, seen)
}

#[tokio::test(start_paused = true)]
async fn one_ping_stands_for_all_that_were_missed() {
    for is_split in each([false, true]) {
        let (server, seen) = connected(true);
        let end = kept_alive(is_split, server).await;
        for jumps in 1..=3 {
            advance(YEAR).await;
            sleep(LATE).await;
            assert_eq!(seen.load(Ordering::Relaxed), 2 * jumps - 1);
            sleep(INTERVAL).await;
            assert_eq!(seen.load(Ordering::Relaxed), 2 * jumps);
            assert!(!end.is_finished());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_owed_a_pong_is_dead_after_it() {
    for is_split in each([false, true]) {
        let (server, seen) = connected(false);
        let end = kept_alive(is_split, server).await;
        sleep(INTERVAL).await;
        assert_eq!(seen.load(Ordering::Relaxed), 1);
        advance(YEAR).await;
        let end = timeout(LATE, end).await;
        assert!(end.unwrap().unwrap(), "it ended in another way");
        assert_eq!(seen.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_has_begun_is_over_and_one_without_a_deadline_still_waits() {
    for (time, is_over) in each([(DEADLINE, true), (Duration::MAX, false)]) {
        let (server, _client) = tokio::io::duplex(4096);
        let mut server = WebSocket::server(server, Config::default()).unwrap();
        let shutdown = started(async move { server.shutdown(time).await.unwrap() }).await;
        advance(YEAR).await;
        sleep(LATE).await;
        assert_eq!(shutdown.is_finished(), is_over);
        if is_over {
            let shutdown = shutdown.await.unwrap();
            assert!(!shutdown.clean && shutdown.code == CloseCode::ABNORMAL);
        }
    }
}
