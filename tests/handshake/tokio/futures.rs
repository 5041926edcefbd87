//! Handshakes over tokio: time that is tokio's, futures that are dropped, what one costs.

use framewire::handshake::{Acceptor, Connector, HandshakeError, HandshakeErrorKind};
use framewire::tokio::{handshake, upgrade};
use framewire::upgrade::{Limits, Rewind, UpgradeErrorKind as Upgrade};
use http::{HeaderMap, Request, Response};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::http_text::{REQUEST, header_of, status_of};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::io::{ReadBuf, duplex};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

const URI: &str = "ws://server.example.com/chat";

fn assert_timed_out(error: &HandshakeError) {
    assert_eq!(error.kind(), HandshakeErrorKind::Upgrade(Upgrade::TimedOut));
}

async fn read_to_end(mut stream: DuplexStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

// Time.

#[tokio::test(start_paused = true)]
async fn head_that_comes_slowly_ends_at_the_time_limit() {
    let (mut client, server) = duplex(4096);
    let start = Instant::now();
    let feed = async {
        for byte in REQUEST.bytes() {
            // Never silent for long.
            sleep(Duration::from_secs(1)).await;
            if client.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        client
    };
    let acceptor = Acceptor::new();
    let (result, client) = tokio::join!(handshake::accept(server, &acceptor), feed);
    assert_timed_out(&result.unwrap_err());
    assert_eq!(start.elapsed().as_secs(), 11);
    assert_eq!(status_of(&read_to_end(client).await), 408);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_the_time_limit_without_an_answer() {
    let (client, server) = duplex(4096);
    let start = Instant::now();
    let error = handshake::accept(server, &Acceptor::new())
        .await
        .unwrap_err();
    assert_timed_out(&error);
    assert_eq!(
        error.to_string(),
        "read was not done within the limit of 10s"
    );
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert_eq!(read_to_end(client).await, "");
}

#[tokio::test(start_paused = true)]
async fn answer_that_is_not_read_ends_at_the_time_limit() {
    let (mut client, server) = duplex(REQUEST.len());
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let pending = handshake::receive(server, &Acceptor::new()).await.unwrap();
    let start = Instant::now();
    let page = Response::new(vec![b'x'; 10_000]);
    assert_timed_out(&pending.refuse(&page).await.unwrap_err());
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn refused_peer_that_goes_on_sending_is_listened_to_for_half_a_second() {
    let (mut client, server) = duplex(4096);
    let start = Instant::now();
    let feed = async {
        sleep(Duration::from_secs(3)).await;
        client.write_all(b"\n").await.unwrap();
    };
    let acceptor = Acceptor::new();
    let (result, ()) = tokio::join!(handshake::accept(server, &acceptor), feed);
    let error = result.unwrap_err();
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(Upgrade::Malformed)
    );
    assert_eq!(start.elapsed(), Duration::from_millis(3500));
    assert_eq!(status_of(&read_to_end(client).await), 400);
}

#[tokio::test(start_paused = true)]
async fn answer_that_does_not_come_ends_at_the_time_limit() {
    let (_server, client) = duplex(4096);
    let start = Instant::now();
    let error = handshake::connect_stream(client, URI, &Connector::new()).await;
    assert_timed_out(&error.unwrap_err());
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn body_of_a_refusal_is_waited_for_for_half_a_second() {
    for time in [Limits::default().time, Duration::MAX] {
        let (mut server, client) = duplex(4096);
        server.write_all(b"HTTP/1.1 403 x\r\n\r\nno").await.unwrap();
        let limits = Limits::default().time(time);
        let start = Instant::now();
        let connector = Connector::new().limits(limits);
        let error = handshake::connect_stream(client, URI, &connector)
            .await
            .unwrap_err();
        assert_eq!(error.response().unwrap().body(), b"no");
        assert_eq!(start.elapsed(), Duration::from_millis(500));
    }
}

#[tokio::test(start_paused = true)]
async fn streams_of_the_callers_own_are_waited_for_as_long_as_the_limit_says() {
    let start = Instant::now();
    let connector = Connector::new();
    let dial = |_| std::future::pending::<io::Result<DuplexStream>>();
    let error = handshake::connect_over(URI, &connector, dial)
        .await
        .unwrap_err();
    assert_timed_out(&error);
    assert_eq!(
        error.to_string(),
        format!("connection for {URI} was not done within the limit of 10s")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[test]
fn timer_is_not_asked_for_without_a_limit_of_time() {
    let limits = Limits::default().time(Duration::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, server) = duplex(64);
        let (acceptor, connector) = (
            Acceptor::new().limits(limits),
            Connector::new().limits(limits),
        );
        let (accepted, connected) = tokio::join!(
            handshake::accept(server, &acceptor),
            handshake::connect_stream(client, URI, &connector),
        );
        accepted.unwrap();
        connected.unwrap();
    });
}

// Bytes after the head.

#[tokio::test]
async fn at_most_one_piece_is_read_past_the_head_and_none_is_lost() {
    let frames: Vec<u8> = (0..20_000_u16).map(|index| (index % 251) as u8).collect();
    let (mut client, server) = duplex(1 << 16);
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    client.write_all(&frames).await.unwrap();
    let established = handshake::accept(server, &Acceptor::new()).await.unwrap();
    assert_eq!(established.leftover().len(), 4096 - REQUEST.len());
    let parts = established.into_parts();
    let mut rewind = Rewind::new(parts.stream, parts.leftover);
    let mut read = vec![0; frames.len()];
    rewind.read_exact(&mut read).await.unwrap();
    assert!(read == frames);
}

#[tokio::test]
async fn rewind_gives_what_is_left_first_and_writes_through() {
    let (mut client, server) = duplex(64);
    client.write_all(b"world").await.unwrap();
    let mut rewind = Rewind::new(server, b"hello ".to_vec());
    assert_eq!(rewind.read(&mut []).await.unwrap(), 0);
    let mut buf = [0; 4];
    assert_eq!(rewind.read(&mut buf).await.unwrap(), 4);
    // The rest of it alone, without asking a stream that might not be ready.
    assert_eq!(rewind.read(&mut buf).await.unwrap(), 2);
    assert_eq!(rewind.read(&mut buf).await.unwrap(), 4);
    assert_eq!(&buf, b"worl");
    assert_eq!(rewind.is_write_vectored(), client.is_write_vectored());
    rewind.write_all(b"to ").await.unwrap();
    let parts = [IoSlice::new(b"and"), IoSlice::new(b" fro")];
    assert_eq!(rewind.write_vectored(&parts).await.unwrap(), 7);
    rewind.flush().await.unwrap();
    rewind.shutdown().await.unwrap();
    assert_eq!(read_to_end(client).await, "to and fro");
}

// Dropped at every await.

const CUT: &str = "HTTP/1.1 403 x\r\nContent-Length: 4\r\n\r\nno\r\n";

/// Drops the future that `begin` makes of a stream after 0, 1, 2, … polls, up to the one where it is
/// ready. Its peer says the script and takes what it hears, a byte for each poll, and then closes. Gives the number of
/// polls that it took.
async fn dropped_at_every_await<F: Future>(
    begin: impl Fn(DuplexStream) -> F,
    script: &str,
) -> usize {
    for polls in 0..10_000 {
        let (mut peer, stream) = duplex(1);
        let mut future = Box::pin(begin(stream));
        let mut unsent = script.as_bytes();
        let mut context = Context::from_waker(Waker::noop());
        let mut is_ready = false;
        for _ in 0..polls {
            // tokio's streams let a task do only so much without a pause.
            yield_now().await;
            is_ready = future.as_mut().poll(&mut context).is_ready();
            if is_ready {
                break;
            }
            if unsent.is_empty() {
                let _ = Pin::new(&mut peer).poll_shutdown(&mut context);
            } else if let Poll::Ready(sent) = Pin::new(&mut peer).poll_write(&mut context, unsent) {
                unsent = &unsent[sent.unwrap()..];
            }
            let mut byte = [0];
            let _ = Pin::new(&mut peer).poll_read(&mut context, &mut ReadBuf::new(&mut byte));
        }
        drop(future);
        // The stream went with it.
        if !unsent.is_empty() {
            let ended = peer.write_all(unsent).await.unwrap_err();
            assert_eq!(ended.kind(), io::ErrorKind::BrokenPipe);
        }
        read_to_end(peer).await;
        if is_ready {
            return polls;
        }
    }
    unreachable!("never ready");
}

#[tokio::test]
async fn handshake_that_is_dropped_takes_its_stream_along() {
    let acceptor = Acceptor::new();
    let accept = |stream| handshake::accept(stream, &acceptor);
    assert!(dropped_at_every_await(accept, REQUEST).await > REQUEST.len());
    // Refused, and read away.
    let refused = format!("GET / HTTP/1.0\r\n\r\n{}", "x".repeat(100));
    assert!(dropped_at_every_await(accept, &refused).await > refused.len());

    let connector = Connector::new();
    let client = |stream| handshake::connect_stream(stream, URI, &connector);
    assert!(dropped_at_every_await(client, CUT).await > CUT.len());
    let request = |stream| async {
        let request = Request::get("http://a/").header("upgrade", "echo/1");
        let request = request.body(()).unwrap();
        let (limits, any) = (Limits::default(), |_: &Response<()>| Ok(()));
        upgrade::request::<_, framewire::upgrade::UpgradeError>(stream, request, &limits, any).await
    };
    let answer = "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n";
    assert!(dropped_at_every_await(request, answer).await > answer.len());
}

#[tokio::test]
async fn wake_up_without_a_reason_changes_nothing() {
    let (mut client, server) = duplex(1);
    let acceptor = Acceptor::new();
    let mut accepting = pin!(handshake::accept(server, &acceptor));
    let mut heard = Vec::new();
    let mut unsent = REQUEST.as_bytes();
    let established = loop {
        yield_now().await;
        let mut context = Context::from_waker(Waker::noop());
        let polls = (0..3).map(|_| accepting.as_mut().poll(&mut context));
        if let Some(Poll::Ready(result)) = polls.into_iter().find(Poll::is_ready) {
            break result.unwrap();
        }
        if !unsent.is_empty() {
            client.write_all(&unsent[..1]).await.unwrap();
            unsent = &unsent[1..];
        } else if let Ok(byte) = client.read_u8().await {
            heard.push(byte);
        }
    };
    drop(established);
    client.read_to_end(&mut heard).await.unwrap();
    let answer = String::from_utf8(heard).unwrap();
    let accept = header_of(&answer, "sec-websocket-accept");
    assert_eq!(accept, ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
}

// What one costs.

#[tokio::test]
async fn handshake_that_waits_is_small() {
    let (mut client, server) = duplex(1 << 16);
    client.write_all(&REQUEST.as_bytes()[..100]).await.unwrap();
    let acceptor = Acceptor::new();
    let mut waiting = None;
    let held = allocation_counter::measure(|| {
        let mut accepting = Box::pin(handshake::accept(server, &acceptor));
        let mut context = Context::from_waker(Waker::noop());
        assert!(accepting.as_mut().poll(&mut context).is_pending());
        waiting = Some(accepting);
    });
    // The head's beginning is 100 of them.
    assert!(held.bytes_current <= 1124, "{}", held.bytes_current);
    let of_the_task = size_of_val(&*waiting.unwrap());
    assert!(of_the_task <= 64, "{of_the_task}");
}

#[test]
fn futures_can_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    fn over<S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static>(stream: fn() -> S) {
        let (acceptor, connector) = (Acceptor::new(), Connector::new());
        is_send(handshake::accept(stream(), &acceptor));
        is_send(handshake::connect_stream(stream(), URI, &connector));
        let dial = move |_| async move { Ok(stream()) };
        is_send(handshake::connect_over(URI, &connector, dial));
        let pending = |pending: handshake::PendingHandshake<S>| is_send(pending.accept());
        let _ = pending;
        let request = Request::new(());
        let limits = Limits::default();
        let pending = upgrade::PendingUpgrade::from_parts(stream(), Vec::new(), &request, &limits);
        is_send(pending.accept(&["echo/1"], HeaderMap::new()));
        is_send(handshake::connect(URI, &connector));
    }
    over(|| duplex(1).0);
}
