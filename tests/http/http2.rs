//! A hyper server over HTTP/2 (RFC 8441) and a client by h2.

use std::convert::Infallible;
use std::net::SocketAddr;

use crate::client::hyper::{Ended, Page, respond};
use crate::client::{Http2, patiently};
use framewire::handshake::{Acceptor, Connector, HandshakeErrorKind};
use framewire::{CloseCode, Side};
use h2::Reason;
use http::Request;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::pattern;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A server that echoes on `/ws`, and gives the ends of its connections.
async fn serve(acceptor: Acceptor, takes_extended_connect: bool) -> (SocketAddr, Ended) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ends, ended) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, ends) = (acceptor.clone(), ends.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let response = if request.uri().path() == "/ws" {
                    respond(request, &acceptor, ends.clone())
                } else {
                    Page::new("a page".into())
                };
                async { Ok::<_, Infallible>(response) }
            });
            let mut builder = http2::Builder::new(TokioExecutor::new());
            if takes_extended_connect {
                builder.enable_connect_protocol();
            }
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, ended)
}

/// More than the flow control windows of HTTP/2 at once.
#[tokio::test]
async fn rfc8441_5_messages_of_all_sizes_are_echoed() {
    let (address, mut ended) = serve(Acceptor::new(), true).await;
    let mut http2 = Http2::connect(address).await;
    let (mut websocket, response) = http2.websocket("/ws", &Connector::new()).await;
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers().contains_key("upgrade")
        ),
        (200, false)
    );
    for len in [0, 1, 125, 126, 5000, 70_000, 1 << 20] {
        let payload = pattern(len);
        patiently(websocket.write(&payload)).await.unwrap();
        let message = patiently(websocket.next_message()).await.unwrap().unwrap();
        assert!(message.payload() == payload, "{len}");
    }
    let shutdown = patiently(websocket.shutdown(crate::client::PATIENCE))
        .await
        .unwrap();
    assert_eq!(
        (shutdown.clean, shutdown.by, shutdown.code),
        (true, Side::Local, CloseCode::NORMAL)
    );
    let end = patiently(ended.recv()).await.unwrap();
    assert_eq!(end.unwrap().by, Side::Peer);
}

#[tokio::test]
async fn connections_share_one_connection_of_http_2() {
    let (address, _ended) = serve(Acceptor::new(), true).await;
    let mut http2 = Http2::connect(address).await;
    let mut websockets = Vec::new();
    for _ in 0..20 {
        websockets.push(http2.websocket("/ws", &Connector::new()).await.0);
    }
    for (number, websocket) in websockets.iter_mut().enumerate() {
        let text = number.to_string();
        patiently(websocket.write(&text)).await.unwrap();
    }
    for (number, websocket) in websockets.iter_mut().enumerate().rev() {
        let message = patiently(websocket.next_message()).await.unwrap().unwrap();
        assert_eq!(message.text(), Some(number.to_string().as_str()));
    }
}

#[tokio::test]
async fn rfc8441_5_subprotocol_is_agreed_on() {
    let acceptor = Acceptor::new().subprotocols(["b", "a"]).unwrap();
    let (address, _ended) = serve(acceptor, true).await;
    let connector = Connector::new().subprotocols(["a", "b"]).unwrap();
    let (_, response) = Http2::connect(address)
        .await
        .websocket("/ws", &connector)
        .await;
    assert_eq!(response.headers()["sec-websocket-protocol"], "b");
}

#[tokio::test]
async fn rfc8441_5_compression_is_agreed_on_and_used() {
    use framewire::deflate::{Deflate, DeflateConfig};
    let deflate = || Deflate::new(DeflateConfig::default()).unwrap();
    let (address, _ended) = serve(Acceptor::new().deflate(deflate()), true).await;
    let connector = Connector::new().deflate(deflate());
    let mut http2 = Http2::connect(address).await;
    let (mut websocket, response) = http2.websocket("/ws", &connector).await;
    assert!(response.headers().contains_key("sec-websocket-extensions"));
    let text = "again and again ".repeat(1000);
    patiently(websocket.write(&text)).await.unwrap();
    let header = patiently(websocket.read_header()).await.unwrap().unwrap();
    assert!(header.payload_len() < 1000, "{header:?}");
    let message = patiently(websocket.next_message()).await.unwrap().unwrap();
    assert_eq!(message.text(), Some(&*text));
}

#[tokio::test]
async fn rfc8441_refusals_have_their_status() {
    let (address, mut ended) = serve(Acceptor::new(), true).await;
    let mut http2 = Http2::connect(address).await;
    let sound = Connector::new()
        .extended_connect_request(&http2.uri("/ws"))
        .unwrap();
    let replacing = |name: &'static str, value: &'static str| {
        let mut request = sound.clone();
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let websocket = Some("websocket");
    assert_eq!(http2.status(sound.clone(), websocket).await, 200);
    for (request, expected) in [
        (replacing("sec-websocket-version", "8"), 400),
        (replacing("sec-websocket-protocol", "a b"), 400),
        (replacing("origin", "http://a.example"), 403),
        (replacing("host", "a.example"), 400),
    ] {
        assert_eq!(
            http2.status(request.clone(), websocket).await,
            expected,
            "{request:?}"
        );
    }
    assert_eq!(http2.status(sound.clone(), Some("connect-udp")).await, 501);
    let page = Request::get(sound.uri()).body(()).unwrap();
    assert_eq!(http2.status(page, None).await, 405);
    // Only the first was accepted.
    drop(http2);
    patiently(ended.recv()).await.unwrap().unwrap_err();
    assert!(ended.try_recv().is_err());
}

#[tokio::test]
async fn rfc8441_3_server_that_was_not_told_takes_no_extended_connect() {
    let (address, mut ended) = serve(Acceptor::new(), false).await;
    let mut http2 = Http2::connect(address).await;
    assert!(!http2.requests.is_extended_connect_protocol_enabled());
    let request = Connector::new()
        .extended_connect_request(&http2.uri("/ws"))
        .unwrap();
    let error = http2.ask(request, Some("websocket")).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR), "{error}");
    assert!(ended.try_recv().is_err());
}

#[tokio::test]
async fn rfc8441_3_server_that_was_told_says_so() {
    let (address, _ended) = serve(Acceptor::new(), true).await;
    let http2 = Http2::connect(address).await;
    assert!(http2.requests.is_extended_connect_protocol_enabled());
}

/// RFC 8441 5: `RST_STREAM` with CANCEL is what a reset is to TCP.
#[tokio::test]
async fn rfc8441_5_reset_stream_is_a_lost_connection_and_the_others_stay() {
    let (address, mut ended) = serve(Acceptor::new(), true).await;
    let mut http2 = Http2::connect(address).await;
    let (mut lost, _) = http2.websocket("/ws", &Connector::new()).await;
    let (mut other, _) = http2.websocket("/ws", &Connector::new()).await;
    lost.stream_mut().send.send_reset(Reason::CANCEL);
    let end = patiently(ended.recv()).await.unwrap().unwrap_err();
    assert_eq!(end.close_code(), Some(CloseCode::ABNORMAL), "{end:?}");
    patiently(other.write("still here")).await.unwrap();
    let message = patiently(other.next_message()).await.unwrap().unwrap();
    assert_eq!(message.text(), Some("still here"));
}

/// RFC 8441 5: `END_STREAM` is what the end of the stream is to TCP.
#[tokio::test]
async fn rfc8441_5_end_of_stream_without_a_close_frame_is_a_lost_connection() {
    let (address, mut ended) = serve(Acceptor::new(), true).await;
    let mut http2 = Http2::connect(address).await;
    let (mut websocket, _) = http2.websocket("/ws", &Connector::new()).await;
    websocket
        .stream_mut()
        .send
        .send_data(Bytes::new(), true)
        .unwrap();
    let end = patiently(ended.recv()).await.unwrap().unwrap_err();
    assert!(
        matches!(end.kind(), framewire::ErrorKind::ConnectionLost),
        "{end:?}"
    );
}

/// Over HTTP/2 the scheme says what the page's has to be.
#[tokio::test]
async fn rfc8441_5_page_of_the_same_origin_is_let_in() {
    let (address, _ended) = serve(Acceptor::new(), true).await;
    let mut http2 = Http2::connect(address).await;
    let page = |scheme: &str| {
        let origin = format!("{scheme}://{address}");
        Connector::new().origin(origin).unwrap()
    };
    http2.websocket("/ws", &page("http")).await;
    let request = page("https")
        .extended_connect_request(&http2.uri("/ws"))
        .unwrap();
    let (response, _) = http2.ask(request.clone(), Some("websocket")).await.unwrap();
    let refused = framewire::handshake::check_extended_connect_response(&request, &response);
    let refused = refused.unwrap_err();
    assert_eq!(refused.status().unwrap(), 403);
    let kind = HandshakeErrorKind::Upgrade(framewire::upgrade::UpgradeErrorKind::Refused);
    assert_eq!(refused.kind(), kind);
}
