//! From nothing to messages over tokio, in one call at each end.

use crate::servers::{PATIENCE, pattern, serve};
use framewire::handshake::{Acceptor, Connector};
use framewire::tokio::{self as front, Stream, WebSocket};
use framewire::upgrade::{Dialer, Proxy};
use framewire::{Closed, Config, ErrorKind, Side};
use std::io::IoSlice;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

async fn assert_echoes<S: AsyncRead + AsyncWrite + Unpin>(mut websocket: WebSocket<S>) {
    for len in [0, 5, 126, 70_000] {
        let payload = pattern(len);
        websocket.write(&payload).await.unwrap();
        let echo = websocket.next_message().await.unwrap().unwrap();
        assert!(echo.payload() == payload, "{len}");
    }
    assert!(websocket.shutdown(PATIENCE).await.unwrap().clean);
}

async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Closed {
    let acceptor = Acceptor::new();
    let accepted = front::accept_with(stream, &acceptor, Config::default()).await;
    let mut websocket = accepted.unwrap();
    while let Some((message, writer)) = websocket.next_message_and_writer().await.unwrap() {
        writer.write(message).await.unwrap();
    }
    websocket.closed().unwrap()
}

#[tokio::test]
async fn client_and_server_meet_over_any_stream() {
    let (near, far) = duplex(100);
    let server = tokio::spawn(echo(far));
    let (connector, config) = (Connector::new(), Config::default());
    let websocket = front::connect_stream_with(near, "ws://a.example/", &connector, config).await;
    assert_echoes(websocket.unwrap()).await;
    assert_eq!(server.await.unwrap().by, Side::Peer);
}

#[tokio::test]
async fn many_connections_share_a_thread() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            tokio::spawn(echo(listener.accept().await.unwrap().0));
        }
    });
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let uri = uri.clone();
            tokio::spawn(async move { assert_echoes(front::connect(&uri).await.unwrap()).await })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    serving.abort();
}

#[tokio::test]
async fn configuration_that_cannot_be_used_is_told_before_anything_is_sent() {
    let config = Config::default().chunk_size(0);
    let (near, mut far) = duplex(100);
    let connected =
        front::connect_stream_with(near, "ws://a.example/", &Connector::new(), config).await;
    assert!(matches!(
        connected.unwrap_err().into_kind(),
        ErrorKind::Config(_)
    ));
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    let (near, _far) = duplex(100);
    let accepted = front::accept_with(near, &Acceptor::new(), config).await;
    assert!(matches!(
        accepted.unwrap_err().into_kind(),
        ErrorKind::Config(_)
    ));
    let uri = format!("ws://{}/", serve());
    let connected = front::connect_with(&uri, &Connector::new(), config).await;
    assert!(matches!(
        connected.unwrap_err().into_kind(),
        ErrorKind::Config(_)
    ));
}

#[tokio::test]
async fn refusal_is_in_the_error() {
    let (near, far) = duplex(4096);
    let acceptor = Acceptor::new();
    let connector = Connector::new().origin("http://elsewhere.example").unwrap();
    let config = Config::default();
    let (accepted, connected) = tokio::join!(
        front::accept_with(far, &acceptor, config),
        front::connect_stream_with(near, "ws://a.example/", &connector, config),
    );
    for result in [accepted.map(drop), connected.map(drop)] {
        let ErrorKind::Handshake(error) = result.unwrap_err().into_kind() else {
            unreachable!("not of the handshake");
        };
        assert_eq!(error.status().unwrap(), 403);
    }
}

/// Drops a connect once its peer has heard something and is expected to answer. The peer sees the
/// end.
async fn dropped_while_the_peer_is_waited_for(uri: &str, connector: &Connector, at: &TcpListener) {
    let mut connecting = Box::pin(front::connect_with(uri, connector, Config::default()));
    let hear = async {
        let (mut peer, _) = at.accept().await.unwrap();
        let heard = peer.read(&mut [0; 4096]).await.unwrap();
        assert!(heard > 0);
        peer
    };
    let mut peer = tokio::select! {
        _ = &mut connecting => unreachable!("nobody has answered"),
        peer = hear => peer,
    };
    drop(connecting);
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, peer.read_to_end(&mut rest)).await;
    assert_eq!(end.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn connect_that_is_dropped_closes_what_it_has() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let uri = format!("ws://{address}/");
    dropped_while_the_peer_is_waited_for(&uri, &Connector::new(), &listener).await;
    for scheme in ["http", "socks5h"] {
        let proxy = Proxy::parse(&format!("{scheme}://{address}")).unwrap();
        let connector = Connector::new().dialer(Dialer::new().proxy(proxy));
        dropped_while_the_peer_is_waited_for("ws://a.example/", &connector, &listener).await;
    }
    {
        let config = crate::servers::certificates::Authority::new().client();
        let connector = Connector::new().dialer(Dialer::new().tls(config));
        let uri = format!("wss://{address}/");
        dropped_while_the_peer_is_waited_for(&uri, &connector, &listener).await;
    }
}

async fn tcp() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let (dialer, uri) = (Dialer::new(), uri.parse().unwrap());
    let dialled = front::upgrade::dial(&dialer, &uri, PATIENCE);
    let (dialled, accepted) = tokio::join!(dialled, listener.accept());
    (dialled.unwrap(), accepted.unwrap().0)
}

#[tokio::test]
async fn stream_writes_what_is_scattered_in_one_call() {
    let (mut stream, mut peer) = tcp().await;
    assert!(stream.is_write_vectored());
    let parts = [IoSlice::new(b"one "), IoSlice::new(b"call")];
    assert_eq!(stream.write_vectored(&parts).await.unwrap(), 8);
    stream.shutdown().await.unwrap();
    let mut read = String::new();
    peer.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "one call");
}

mod tls {
    use super::*;
    use crate::servers::certificates::Authority;
    use crate::servers::serve_tls;

    #[tokio::test]
    async fn messages_go_over_tls() {
        let authority = Authority::new();
        let address = serve_tls(authority.server(&["localhost"]));
        let uri = format!("wss://localhost:{}/", address.port());
        let connector = Connector::new().dialer(Dialer::new().tls(authority.client()));
        let connected = front::connect_with(&uri, &connector, Config::default());
        let websocket = connected.await.unwrap();
        let Stream::Tls(stream) = websocket.stream() else {
            unreachable!("no tls");
        };
        assert!(stream.is_write_vectored());
        assert!(websocket.stream().get_ref().nodelay().unwrap());
        assert_echoes(websocket).await;
    }
}
