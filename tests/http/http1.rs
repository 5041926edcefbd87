//! A hyper server over HTTP/1.1 and clients of all sorts.

use std::convert::Infallible;
use std::net::SocketAddr;

use crate::client::hyper::{Ended, respond};
use crate::client::{answer, header, patiently, request, status};
use framewire::handshake::{Acceptor, Connector, HandshakeErrorKind};
use framewire::hyper::{refusal, upgrade, upgrade_with};
use framewire::protocol::Role;
use framewire::upgrade::UpgradeErrorKind;
use framewire::{Config, ErrorKind, Fault, Side, connect_with};
use http::{Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use support::frames::{FIN, TEXT, frame};
use support::pattern;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the service does with requests for `/`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// Answers by `upgrade_with`.
    Upgrades,
    /// The same, but hyper was not told.
    WithoutUpgrades,
    /// Takes the upgrade and does not answer.
    NeverAnswers,
}

/// A server that echoes, and gives the ends of its connections.
async fn serve(acceptor: Acceptor, way: Way) -> (SocketAddr, Ended) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ends, ended) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, ends) = (acceptor.clone(), ends.clone());
            let service = service_fn(move |request| {
                let response = respond(request, &acceptor, ends.clone());
                async move {
                    if way == Way::NeverAnswers {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if way == Way::WithoutUpgrades {
                tokio::spawn(async move { drop(connection.await) });
            } else {
                tokio::spawn(async move { drop(connection.with_upgrades().await) });
            }
        }
    });
    (address, ended)
}

/// Talks to the server with the blocking client.
async fn with_client<T: Send + 'static>(
    address: SocketAddr,
    connector: Connector,
    talk: impl FnOnce(framewire::WebSocket<framewire::upgrade::Stream>) -> T + Send + 'static,
) -> T {
    let talk = tokio::task::spawn_blocking(move || {
        let uri = format!("ws://{address}/");
        let websocket = connect_with(&uri, &connector, Config::default()).unwrap();
        talk(websocket)
    });
    patiently(talk).await.unwrap()
}

#[tokio::test]
async fn messages_of_all_sizes_are_echoed() {
    let (address, mut ended) = serve(Acceptor::new(), Way::Upgrades).await;
    let clean = with_client(address, Connector::new(), |mut websocket| {
        for len in [0, 1, 125, 126, 5000, 70_000, 1 << 20] {
            let payload = pattern(len);
            websocket.write(&payload).unwrap();
            assert!(
                websocket.next_message().unwrap().unwrap().payload() == payload,
                "{len}"
            );
        }
        let shutdown = websocket.shutdown(crate::client::PATIENCE).unwrap();
        (shutdown.clean, shutdown.by)
    });
    assert_eq!(clean.await, (true, Side::Local));
    let end = patiently(ended.recv()).await.unwrap();
    assert_eq!(end.unwrap().by, Side::Peer);
}

#[tokio::test]
async fn subprotocol_is_agreed_on() {
    let acceptor = Acceptor::new().subprotocols(["b", "a"]).unwrap();
    let (address, _ended) = serve(acceptor, Way::Upgrades).await;
    let sent = request(address, "/", &["Sec-WebSocket-Protocol: a, b"]);
    let (head, ..) = answer(address, sent.as_bytes()).await;
    assert_eq!(status(&head), 101);
    assert_eq!(header(&head, "sec-websocket-protocol"), Some("b"));
    // RFC 6455 1.3: the answer to the key of its example.
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(header(&head, "sec-websocket-accept"), Some(accept));
}

#[tokio::test]
async fn compression_is_agreed_on_and_used() {
    use framewire::deflate::{Deflate, DeflateConfig};
    let deflate = || Deflate::new(DeflateConfig::default()).unwrap();
    let (address, _ended) = serve(Acceptor::new().deflate(deflate()), Way::Upgrades).await;
    let connector = Connector::new().deflate(deflate());
    let text = with_client(address, connector, |mut websocket| {
        let text = "again and again ".repeat(1000);
        websocket.write(&text).unwrap();
        let header = websocket.read_header().unwrap().unwrap();
        assert!(header.payload_len() < 1000, "{header:?}");
        websocket.next_message().unwrap().unwrap().text() == Some(&text)
    });
    assert!(text.await);
}

/// RFC 6455 4.1: a client may send once it has the answer; a hostile one does not wait.
#[tokio::test]
async fn frames_that_came_with_the_head_are_not_lost() {
    let (address, _ended) = serve(Acceptor::new(), Way::Upgrades).await;
    let mut sent = request(address, "/", &[]).into_bytes();
    sent.extend(frame(Role::Client, FIN | TEXT, b"hi"));
    let (_, mut received, mut stream) = answer(address, &sent).await;
    while received.len() < 4 {
        assert!(patiently(stream.read_buf(&mut received)).await.unwrap() > 0);
    }
    assert_eq!(received, [FIN | TEXT, 2, b'h', b'i']);
}

#[tokio::test]
async fn refusals_have_their_status_and_a_line_of_text() {
    let (address, mut ended) = serve(Acceptor::new(), Way::Upgrades).await;
    for (line, expected, text) in [
        ("Upgrade:", 400, "upgrade header"),
        ("Upgrade: h2c", 426, "websocket"),
        ("Connection: keep-alive", 400, "connection"),
        ("Sec-WebSocket-Version: 8", 426, "sec-websocket-version"),
        ("Sec-WebSocket-Version:", 426, "sec-websocket-version"),
        ("Sec-WebSocket-Key:", 400, "sec-websocket-key"),
        ("Sec-WebSocket-Key: short", 400, "sec-websocket-key"),
        ("Sec-WebSocket-Protocol: a b", 400, "sec-websocket-protocol"),
        ("Origin: https://a.example", 403, "origin"),
        ("GET / HTTP/1.0", 505, "version"),
        ("Content-Length: 1", 400, "body"),
    ] {
        let sent = request(address, "/", &[line]);
        let (head, mut body, mut stream) = answer(address, sent.as_bytes()).await;
        assert_eq!(status(&head), expected, "{line}");
        let len: usize = header(&head, "content-length").unwrap().parse().unwrap();
        while body.len() < len {
            assert!(patiently(stream.read_buf(&mut body)).await.unwrap() > 0);
        }
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains(text), "{line}: {body}");
        if expected == 426 {
            assert_eq!(header(&head, "sec-websocket-version"), Some("13"));
            assert_eq!(header(&head, "upgrade"), Some("websocket"));
        }
    }
    let post = request(address, "/", &[]).replace("GET", "POST");
    let (head, ..) = answer(address, post.as_bytes()).await;
    assert_eq!((status(&head), header(&head, "allow")), (405, Some("GET")));
    assert!(ended.try_recv().is_err(), "no connection came of it");
}

#[tokio::test]
async fn hyper_that_was_not_told_is_the_fault_of_the_program() {
    let (address, mut ended) = serve(Acceptor::new(), Way::WithoutUpgrades).await;
    let sent = request(address, "/", &[]);
    let _answer = answer(address, sent.as_bytes()).await;
    let error = patiently(ended.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.fault(), Fault::Caller);
    assert!(error.cause().is_some());
}

#[tokio::test]
async fn client_that_left_before_the_answer_is_the_fault_of_the_stream() {
    let (address, mut ended) = serve(Acceptor::new(), Way::NeverAnswers).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let sent = request(address, "/", &[]);
    stream.write_all(sent.as_bytes()).await.unwrap();
    drop(stream);
    let error = patiently(ended.recv()).await.unwrap().unwrap_err();
    let ErrorKind::Handshake(error) = error.kind() else {
        panic!("{error}");
    };
    let write = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Write);
    assert_eq!((error.kind(), error.fault()), (write, Fault::Transport));
}

/// A request that is in order, as if it came from hyper.
fn sound_request() -> Request<()> {
    Request::get("/")
        .header("host", "a.example")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

#[test]
fn request_that_is_not_of_hyper_is_the_fault_of_the_program() {
    let error = upgrade::<_, Vec<u8>>(&mut sound_request()).unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::InvalidArgument);
    assert_eq!(error.fault(), Fault::Caller);
    let response: Response<Vec<u8>> = refusal(&error);
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(response.body().is_empty(), "that is for a log");
}

#[test]
fn size_of_0_is_the_fault_of_the_program() {
    let config = Config::default().read_buffer(0);
    let acceptor = Acceptor::new();
    let upgraded = upgrade_with::<_, Vec<u8>>(&mut sound_request(), &acceptor, config);
    let error = upgraded.unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::InvalidArgument);
    assert!(error.to_string().contains("read buffer"), "{error}");
}
