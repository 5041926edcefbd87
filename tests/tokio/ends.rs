//! What has to be sent is sent before an end is reported, and no peer holds an end up for ever.

use std::time::Duration;

use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{CloseCode, Config, ErrorKind, Opcode};
use support::frames::{BINARY, CLOSE, FIN, TEXT, close_payload, frame};
use support::peer::ScriptedPeer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;

/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, and the other end of a stream that holds 64 bytes.
fn narrow() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(64);
    (WebSocket::server(near, Config::default()).unwrap(), far)
}

/// A peer that says a message and then this before it reads anything, and what it reads then.
async fn reads_at_the_end(mut peer: DuplexStream, last: &[u8]) -> Vec<u8> {
    let said = [&frame(Role::Client, FIN | BINARY, &[7; 1000])[..], last].concat();
    peer.write_all(&said).await.unwrap();
    let mut heard = vec![];
    peer.read_to_end(&mut heard).await.unwrap();
    heard
}

async fn echo_to_one_that_reads_at_the_end(last: &[u8]) -> (ErrorKind, Vec<u8>) {
    let (mut server, peer) = narrow();
    let echo = async move {
        loop {
            // As an application does that drops the connection where it has ended.
            let (message, writer) = match server.next_message_and_writer().await {
                Ok(next) => next,
                Err(error) => return error.into_kind(),
            };
            let (opcode, payload) = (message.opcode(), message.payload());
            writer.feed_message(opcode, payload).await.unwrap();
        }
    };
    let both = async { tokio::join!(echo, reads_at_the_end(peer, last)) };
    timeout(PATIENCE, both).await.unwrap()
}

#[tokio::test]
async fn rfc6455_5_5_1_a_close_is_reported_when_what_was_fed_and_its_echo_were_sent() {
    let close = frame(Role::Client, FIN | CLOSE, &close_payload(1000, ""));
    let (end, heard) = echo_to_one_that_reads_at_the_end(&close).await;
    assert!(matches!(end, ErrorKind::Closed(closed) if closed.code() == CloseCode::NORMAL));
    assert_eq!(heard.len(), 4 + 1000 + 4);
    assert_eq!(
        heard[1004..],
        frame(Role::Server, FIN | CLOSE, &close_payload(1000, ""))
    );
}

/// The same, with the messages as a `Stream`.
#[tokio::test]
async fn rfc6455_5_5_1_a_stream_ends_when_what_was_fed_and_the_echo_of_the_close_were_sent() {
    use framewire::tokio::Message;
    use futures_util::stream::FusedStream as _;
    use futures_util::{SinkExt, StreamExt as _};

    for (last, code) in [
        (frame(Role::Client, FIN | CLOSE, b""), None),
        (vec![0xFF], Some(1002_u16)),
    ] {
        let (mut server, peer) = narrow();
        let echo = async move {
            let mut errors = 0;
            while let Some(message) = server.next().await {
                assert!(!server.is_terminated() || message.is_err());
                let Ok(message) = message else {
                    errors += 1;
                    continue;
                };
                SinkExt::<Message>::feed(&mut server, message)
                    .await
                    .unwrap();
            }
            assert!(server.is_terminated());
            errors
        };
        let both = async { tokio::join!(echo, reads_at_the_end(peer, &last)) };
        let (errors, heard) = timeout(PATIENCE, both).await.unwrap();
        assert_eq!(errors, usize::from(code.is_some()));
        assert_eq!(heard[1004], FIN | CLOSE);
        if let Some(code) = code {
            assert_eq!(heard[1006..1008], code.to_be_bytes());
        }
    }
}

/// The same, with a byte stream.
#[tokio::test]
async fn rfc6455_5_5_1_a_byte_stream_ends_when_what_was_written_and_the_echo_of_the_close_were_sent()
 {
    let close = frame(Role::Client, FIN | CLOSE, b"");
    let (server, mut peer) = narrow();
    let mut server = server.into_byte_stream();
    let peer = async move {
        let mut heard = vec![0; 4];
        peer.read_exact(&mut heard).await.unwrap();
        peer.write_all(&close).await.unwrap();
        peer.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let ended = async move {
        server.write_all(&[7; 1000]).await.unwrap();
        let len = server.read(&mut [0; 10]).await.unwrap();
        assert_eq!(len, 0);
    };
    let ((), heard) = timeout(PATIENCE, async { tokio::join!(ended, peer) })
        .await
        .unwrap();
    assert_eq!(heard.len(), 4 + 1000 + 2);
    assert_eq!(heard[1004..], frame(Role::Server, FIN | CLOSE, b""));
}

#[tokio::test]
async fn rfc6455_7_1_7_a_violation_is_reported_when_its_close_was_sent() {
    let (end, heard) = echo_to_one_that_reads_at_the_end(&[0xFF]).await;
    assert!(matches!(end, ErrorKind::Violation(_)));
    assert_eq!(heard[1004], FIN | CLOSE);
    assert_eq!(heard[1006..1008], 1002_u16.to_be_bytes());
}

#[tokio::test]
async fn a_read_that_waits_to_report_an_end_can_be_dropped() {
    let (mut server, mut peer) = narrow();
    server
        .feed_message(Opcode::Binary, &[7; 500])
        .await
        .unwrap();
    let close = frame(Role::Client, FIN | CLOSE, b"");
    peer.write_all(&close).await.unwrap();
    for _ in 0..3 {
        let read = server.next_message();
        let dropped = timeout(Duration::from_millis(1), read).await;
        assert!(dropped.is_err(), "nothing was read");
    }
    let reading = async { server.next_message().await.map(drop).unwrap_err() };
    let peer = async {
        let mut heard = vec![0; 4 + 500 + 2];
        peer.read_exact(&mut heard).await.unwrap();
        heard
    };
    let (end, heard) = timeout(PATIENCE, async { tokio::join!(reading, peer) })
        .await
        .unwrap();
    assert!(matches!(end.kind(), ErrorKind::Closed(_)));
    assert_eq!(heard[504..], frame(Role::Server, FIN | CLOSE, b""));
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
    let error = server.write_message(Opcode::Text, b"x").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error:?}");
    assert_eq!(peer.written(), b"");
}
