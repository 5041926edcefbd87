//! `wss` over tokio: what is agreed on, halves of two tasks, and servers that are refused.

use crate::servers::certificates::Authority;
use crate::servers::{PATIENCE, pattern};
use framewire::handshake::{Acceptor, Connector};
use framewire::tokio::{self as front, ReadHalf, Stream, WebSocket, WriteHalf};
use framewire::upgrade::Dialer;
use framewire::{CloseCode, Config, Opcode, Side};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How often either end sends a message that is longer than the sockets hold.
const ROUNDS: usize = 3;
const LEN: usize = 6 << 20;
const CHUNK: usize = 4 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_of_two_tasks_go_on_while_the_other_direction_stalls() {
    let all = async {
        let (client, peer) = both_ends().await;
        let (read_half, write_half) = client.split();
        let was_read = Arc::new(Notify::new());
        let peer = tokio::spawn(talk(peer, Arc::clone(&was_read)));
        let reading = tokio::spawn(read_all(read_half, was_read));
        let writing = tokio::spawn(write_all(write_half));
        tokio::try_join!(peer, reading, writing).unwrap()
    };
    let done = timeout(PATIENCE, all).await;
    done.expect("somebody waits for ever");
}

/// A client over TLS, and its peer, whose socket takes little that is not read.
async fn both_ends() -> (WebSocket<Stream>, WebSocket<TlsStream<TcpStream>>) {
    let authority = Authority::new();
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(authority.server(&["localhost"]));
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        front::accept_with(stream, &Acceptor::new(), Config::default()).await
    });
    let uri = format!("wss://localhost:{port}/");
    let connector = Connector::new().dialer(Dialer::new().tls(authority.client()));
    let connected = front::connect_with(&uri, &connector, Config::default());
    let client = connected.await.unwrap();
    assert!(matches!(client.stream(), Stream::Tls(_)));
    (client, serving.await.unwrap().unwrap())
}

/// What it accepts has buffers of the same size.
fn listener() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.set_send_buffer_size(64 << 10).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(1).unwrap()
}

async fn read_all(mut half: ReadHalf<Stream>, was_read: Arc<Notify>) {
    let payload = pattern(LEN);
    for _ in 0..ROUNDS {
        let mut message = Vec::new();
        let mut reader = half.message_reader().await.unwrap().unwrap();
        reader.read_to_end(&mut message).await.unwrap();
        assert!(message == payload);
        was_read.notify_one();
    }
    assert!(half.next_message().await.unwrap().is_none());
    assert_eq!(half.closed().unwrap().by, Side::Local);
}

async fn write_all(mut half: WriteHalf<Stream>) {
    let payload = pattern(LEN);
    for _ in 0..ROUNDS {
        let streamed = half.stream_message(Opcode::Binary, CHUNK, &payload[..]);
        assert_eq!(streamed.await.unwrap(), LEN as u64);
    }
    half.close(CloseCode::NORMAL, "").await.unwrap();
}

/// Reads nothing until the client has read a message, so that one of the client's stalls meanwhile.
async fn talk(mut peer: WebSocket<TlsStream<TcpStream>>, was_read: Arc<Notify>) {
    let payload = pattern(LEN);
    for round in 0..ROUNDS {
        peer.read_header().await.unwrap().unwrap();
        peer.ping(&[round as u8]).await.unwrap();
        peer.write(&payload).await.unwrap();
        was_read.notified().await;
        assert_pong_is_inside_of_a_message(&mut peer, &payload, round as u8).await;
    }
    assert!(peer.next_message().await.unwrap().is_none());
    assert_eq!(peer.closed().unwrap().by, Side::Peer);
}

/// Reads a message, whose header was looked at before the Ping was sent.
async fn assert_pong_is_inside_of_a_message(
    peer: &mut WebSocket<TlsStream<TcpStream>>,
    payload: &[u8],
    number: u8,
) {
    let (mut buf, mut message, mut pongs) = (vec![0; CHUNK], Vec::new(), Vec::new());
    loop {
        let frame = peer.read_frame(&mut buf).await.unwrap().unwrap();
        if frame.header().opcode() == Opcode::Pong {
            pongs.extend_from_slice(frame.payload());
            continue;
        }
        message.extend_from_slice(frame.payload());
        if frame.header().fin() {
            break;
        }
    }
    assert_eq!(pongs, [number]);
    assert!(message == payload);
}
