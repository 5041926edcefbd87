//! Deadlines of a tokio connection, in virtual time: `keep_alive` and `shutdown`.

use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use framewire::protocol::Role;
use framewire::tokio::{KeepAliveEnd, PingReply, ReadHalf, WebSocket, WriteHalf};
use framewire::{CloseCode, Closed, Config, Error, ErrorKind, Side};
use support::frames::{FIN, PING, TEXT, frame};
use support::peer::{Direction, Fault, Plan, ScriptedPeer, Taking};
use support::{each, peer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, sleep, timeout};

const INTERVAL: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(25);
static LONG: [u8; 100_000] = [7; 100_000];

fn connected() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (server, client) = tokio::io::duplex(4096);
    (
        WebSocket::server(server, Config::default()).unwrap(),
        WebSocket::client(client, Config::default()).unwrap(),
    )
}

async fn read(mut half: ReadHalf<DuplexStream>) -> Result<Closed, Error> {
    while half.next_message().await?.is_some() {}
    Ok(half.closed().expect("it says how it ended"))
}

/// A peer that answers Pings until it is told otherwise.
fn answering(mut client: WebSocket<DuplexStream>, pings: usize) -> tokio::task::JoinHandle<()> {
    let mut seen = 0;
    client.on_ping(move |_| {
        seen += 1;
        if seen <= pings {
            PingReply::Pong
        } else {
            PingReply::Nothing
        }
    });
    tokio::spawn(async move { while let Ok(Some(_)) = client.next_message().await {} })
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_does_not_come_is_noticed_at_its_deadline() {
    let (server, client) = connected();
    let _peer = answering(client, 3);
    let (half, write) = server.split();
    let reading = tokio::spawn(read(half));
    let begun = Instant::now();
    let end = write.keep_alive(INTERVAL, DEADLINE).await;
    assert!(matches!(end, KeepAliveEnd::NoPong), "{end:?}");
    // The fourth Ping is the first without an answer.
    let expected = 4 * INTERVAL + DEADLINE;
    let taken = begun.elapsed();
    assert!(
        taken >= expected && taken < expected + Duration::from_millis(20),
        "{taken:?}"
    );
    write.abort();
    let error = reading.await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_stops_when_told_to_and_when_another_begins() {
    let (server, client) = connected();
    let _peer = answering(client, usize::MAX);
    let (half, write) = server.split();
    let _reading = tokio::spawn(read(half));
    let begin = || tokio::spawn(write.keep_alive(INTERVAL, DEADLINE));
    let first = begin();
    sleep(100 * INTERVAL).await;
    assert!(!first.is_finished());
    let second = begin();
    assert!(matches!(first.await.unwrap(), KeepAliveEnd::Stopped));
    sleep(100 * INTERVAL).await;
    assert!(!second.is_finished());
    write.stop_keep_alive();
    assert!(matches!(second.await.unwrap(), KeepAliveEnd::Stopped));
    let third = begin();
    sleep(100 * INTERVAL).await;
    assert!(!third.is_finished(), "another is begun after it");
    write.stop_keep_alive();
    assert!(matches!(third.await.unwrap(), KeepAliveEnd::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_ends_with_the_connection() {
    let (server, mut client) = connected();
    let (half, write) = server.split();
    let reading = tokio::spawn(read(half));
    let keeping = tokio::spawn(write.keep_alive(Duration::MAX, Duration::MAX));
    sleep(INTERVAL).await;
    assert!(!keeping.is_finished());
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(matches!(keeping.await.unwrap(), KeepAliveEnd::Ended));
    assert_eq!(reading.await.unwrap().unwrap().by, Side::Peer);
    let later = write.keep_alive(INTERVAL, DEADLINE).await;
    assert!(matches!(later, KeepAliveEnd::Ended));
    // A reading half that is dropped ends it too, and so does one that was at its end before.
    let (server, _client) = connected();
    let (half, write) = server.split();
    let dropped = async {
        sleep(INTERVAL / 2).await;
        drop(half);
    };
    let (end, ()) = tokio::join!(write.keep_alive(INTERVAL, DEADLINE), dropped);
    assert!(matches!(end, KeepAliveEnd::Ended));
    let none = write.keep_alive(Duration::ZERO, DEADLINE).await;
    assert!(matches!(none, KeepAliveEnd::WriteFailed(_)), "{none:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_fails_ends_it_with_the_error() {
    for stalled in [false, true] {
        let fault = Fault::Error(std::io::ErrorKind::BrokenPipe);
        let stream = ScriptedPeer::default();
        if stalled {
            stream.set_taking(Taking::Nothing);
        } else {
            stream.fail(Plan::Nth(Direction::Write, 0, fault));
        }
        let (_half, write) = WebSocket::server(stream, Config::default())
            .unwrap()
            .split();
        let end = write.keep_alive(INTERVAL, DEADLINE).await;
        match end {
            KeepAliveEnd::WriteFailed(error) => {
                assert!(!stalled && matches!(error.kind(), ErrorKind::Io(_)));
            }
            // The first was taken, and those after it are left out.
            end => assert!(stalled && matches!(end, KeepAliveEnd::NoPong), "{end:?}"),
        }
    }
}

/// A server that is in the middle of a message to a peer that has taken none of it.
fn in_the_middle_of(
    message: &'static [u8],
) -> (
    ReadHalf<DuplexStream>,
    WriteHalf<DuplexStream>,
    DuplexStream,
) {
    let (server, peer) = tokio::io::duplex(64);
    let server = WebSocket::server(server, Config::default()).unwrap();
    let (reader, writer) = server.split();
    let mut sending = writer.clone();
    tokio::spawn(async move { sending.write(message).await });
    (reader, writer, peer)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_noticed_at_the_deadline_of_the_first_ping() {
    for len in each([1000, LONG.len()]) {
        let message = &LONG[..len];
        let (reader, writer, _peer) = in_the_middle_of(message);
        tokio::spawn(read(reader));
        tokio::task::yield_now().await;
        let begun = Instant::now();
        let end = timeout(20 * DEADLINE, writer.keep_alive(INTERVAL, DEADLINE)).await;
        assert!(matches!(end, Ok(KeepAliveEnd::NoPong)), "{end:?}");
        let (expected, taken) = (INTERVAL + DEADLINE, begun.elapsed());
        assert!(
            taken >= expected && taken < expected + Duration::from_millis(20),
            "{taken:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_message_slowly_is_sent_its_ping_after_it() {
    for len in each([1000, LONG.len()]) {
        let message = &LONG[..len];
        let (reader, writer, mut peer) = in_the_middle_of(message);
        tokio::spawn(read(reader));
        let pinging = tokio::spawn(writer.keep_alive(INTERVAL, DEADLINE));
        let mut received = vec![];
        while received.len() < message.len() {
            sleep(2 * INTERVAL).await;
            peer.read_buf(&mut received).await.unwrap();
        }
        assert!(!pinging.is_finished());
        // The peer reads on, and answers nothing.
        while !pinging.is_finished() {
            let _ = timeout(INTERVAL, peer.read_buf(&mut received)).await;
        }
        assert!(matches!(pinging.await.unwrap(), KeepAliveEnd::NoPong));
        let ping = received
            .windows(2)
            .position(|bytes| bytes == [FIN | PING, 8]);
        assert!(ping.is_some_and(|at| at > message.len()), "{ping:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_found_no_room_goes_when_there_is_some() {
    for len in each([1000, LONG.len()]) {
        let message = &LONG[..len];
        let (reader, writer, mut peer) = in_the_middle_of(message);
        tokio::spawn(read(reader));
        tokio::spawn(writer.keep_alive(INTERVAL, DEADLINE));
        sleep(INTERVAL).await;
        let mut received = vec![];
        while !received.ends_with(&frame(Role::Server, FIN | PING, &1_u64.to_be_bytes())) {
            let reading = timeout(INTERVAL / 2, peer.read_buf(&mut received));
            assert!(reading.await.unwrap().unwrap() > 0);
        }
        assert!(received.len() > message.len());
    }
}

/// RFC 6455 5.5.3: a Pong may answer the last of several Pings alone, which is then the newest.
#[tokio::test(start_paused = true)]
async fn pings_that_found_no_room_are_one_and_none_comes_after_a_newer_one() {
    let (server, mut peer) = tokio::io::duplex(64);
    let server = WebSocket::server(server, Config::default()).unwrap();
    let (reader, writer) = server.split();
    let mut stuck = writer.clone();
    let _ = timeout(Duration::ZERO, stuck.write(&LONG[..100])).await;
    tokio::spawn(read(reader));
    tokio::spawn(writer.keep_alive(INTERVAL, 9 * DEADLINE));
    sleep(3 * INTERVAL + INTERVAL / 2).await;
    let mut received = vec![];
    while let Ok(read) = timeout(INTERVAL / 4, peer.read_buf(&mut received)).await {
        assert!(read.unwrap() > 0);
    }
    let pings = |bytes: &[u8]| -> Vec<u8> { bytes[102..].chunks(10).map(|ping| ping[9]).collect() };
    assert_eq!(pings(&received), [3], "it goes when the stream takes more");
    while let Ok(read) = timeout(2 * INTERVAL, peer.read_buf(&mut received)).await {
        assert!(read.unwrap() > 0);
        if received.len() >= 102 + 30 {
            break;
        }
    }
    assert_eq!(pings(&received), [3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn one_task_can_keep_alive_beside_reading_and_be_dropped() {
    let (server, mut client) = connected();
    client.on_ping(|_| PingReply::Nothing);
    let talking = tokio::spawn(async move {
        for _ in 0..5 {
            let _ = timeout(3 * INTERVAL, client.next_message()).await;
            client.write("still here").await.unwrap();
        }
        let _ = client.next_message().await;
    });
    let (mut half, write) = server.split();
    let mut messages = 0;
    let mut ends = 0;
    while messages < 5 {
        // Begun anew with each message, so that no Pong is due for long enough.
        tokio::select! {
            message = half.next_message() => {
                assert_eq!(message.unwrap().unwrap().payload(), b"still here");
                messages += 1;
            }
            end = write.keep_alive(INTERVAL, 4 * INTERVAL) => {
                assert!(matches!(end, KeepAliveEnd::NoPong), "{end:?}");
                ends += 1;
            }
        }
    }
    assert_eq!(ends, 0);
    let begun = Instant::now();
    let end = tokio::select! {
        message = half.next_message() => panic!("{message:?}"),
        end = write.keep_alive(INTERVAL, DEADLINE) => end,
    };
    assert!(matches!(end, KeepAliveEnd::NoPong));
    assert!(begun.elapsed() < INTERVAL + DEADLINE + Duration::from_secs(1));
    talking.abort();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_costs_the_deadline_of_a_shutdown() {
    for role in each([Role::Server, Role::Client]) {
        for takes in each([Taking::Nothing, Taking::All]) {
            for deadline in each([Duration::ZERO, Duration::from_millis(1), DEADLINE]) {
                let stream = ScriptedPeer::saying([frame(peer(role), FIN | TEXT, b"not a close")]);
                stream.set_taking(takes);
                let config = Config::default();
                let mut end = WebSocket::with_leftover(stream.clone(), &[], role, config).unwrap();
                let begun = Instant::now();
                let shutdown = end.shutdown(deadline).await.unwrap();
                let taken = begun.elapsed();
                assert!(taken >= deadline && taken <= deadline + Duration::from_millis(2));
                assert_eq!(
                    (shutdown.code, shutdown.by),
                    (CloseCode::ABNORMAL, Side::Local)
                );
                assert!(!shutdown.clean);
            }
        }
    }
}

/// A server that closes, and then lets time go on under a read that waits.
struct Slow {
    closes: bool,
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if mem::take(&mut self.closes) {
            buf.put_slice(b"\x88\x02\x03\xE8");
            return Poll::Ready(Ok(()));
        }
        let _ = pin!(tokio::time::advance(DEADLINE)).poll(cx);
        Poll::Pending
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_clean_though_its_time_ends_while_it_waits_for_the_end_of_the_stream() {
    let slow = Slow { closes: true };
    let mut client = WebSocket::client(slow, Config::default()).unwrap();
    let shutdown = client.shutdown(INTERVAL).await.unwrap();
    assert_eq!((shutdown.code, shutdown.clean), (CloseCode::NORMAL, true));
}
