//! An axum application and clients over HTTP/1.1 and HTTP/2.

use std::net::SocketAddr;

use crate::client::{Http2, Http2Stream, answer, header, patiently, request, status};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use framewire::axum::{WebSocketUpgrade, WebSocketUpgradeRejection};
use framewire::handshake::{Acceptor, Connector, HandshakeErrorKind};
use framewire::tokio::WebSocket;
use framewire::{CloseCode, Config, Fault, Limits};
use http::Request;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// An application with what `configure` makes of the extractor, at `/ws`.
async fn serve_with(
    configure: impl Fn(WebSocketUpgrade) -> WebSocketUpgrade + Clone + Send + Sync + 'static,
) -> SocketAddr {
    let handler = move |upgrade: WebSocketUpgrade| {
        let response = configure(upgrade).on_upgrade(echo);
        async { response }
    };
    let page = get(|| async { "a page" });
    serve(Router::new().route("/", page).route("/ws", any(handler))).await
}

async fn echo(mut websocket: framewire::axum::WebSocket) {
    while let Ok(Some((message, writer))) = websocket.next_message_and_writer().await {
        if writer.feed(message).await.is_err() {
            break;
        }
    }
}

/// What is answered over HTTP/1.1.
async fn head(address: SocketAddr, lines: &[&str]) -> String {
    let sent = request(address, "/ws", lines);
    answer(address, sent.as_bytes()).await.0
}

async fn http2(address: SocketAddr, connector: &Connector) -> WebSocket<Http2Stream> {
    let mut http2 = Http2::connect(address).await;
    http2.websocket("/ws", connector).await.0
}

/// A connection over HTTP/1.1, and the answer to the request for it.
async fn http1(
    address: SocketAddr,
    connector: &Connector,
) -> (WebSocket<tokio::net::TcpStream>, http::Response<()>) {
    let request = connector.request(&format!("ws://{address}/ws")).unwrap();
    let sent = framewire::upgrade::encode_request(&request).unwrap();
    let (head, leftover, stream) = answer(address, &sent).await;
    let mut decoder =
        framewire::upgrade::ResponseDecoder::new(&framewire::upgrade::Limits::default());
    let response = decoder.decode(head.as_bytes()).unwrap().1.unwrap();
    framewire::handshake::check_response(&request, &response).unwrap();
    let role = framewire::protocol::Role::Client;
    let mut websocket =
        WebSocket::with_leftover(stream, &leftover, role, Config::default()).unwrap();
    if let Some(negotiated) = connector.negotiated(&response).unwrap() {
        websocket.set_extension(&*negotiated);
    }
    (websocket, response)
}

#[tokio::test]
async fn messages_are_echoed_over_both_versions_of_http() {
    let address = serve_with(|upgrade| upgrade).await;
    let (mut first, _) = http1(address, &Connector::new()).await;
    let mut second = http2(address, &Connector::new()).await;
    for len in [0, 125, 70_000] {
        let payload = vec![7; len];
        patiently(first.write(&payload)).await.unwrap();
        patiently(second.write(&payload)).await.unwrap();
        let message = patiently(first.next_message()).await.unwrap().unwrap();
        assert!(message.payload() == payload, "{len}");
        let message = patiently(second.next_message()).await.unwrap().unwrap();
        assert!(message.payload() == payload, "{len}");
    }
    let shutdown = patiently(first.shutdown(crate::client::PATIENCE))
        .await
        .unwrap();
    assert!(shutdown.clean);
    let shutdown = patiently(second.shutdown(crate::client::PATIENCE))
        .await
        .unwrap();
    assert!(shutdown.clean);
}

#[tokio::test]
async fn protocols_are_chosen_in_the_order_of_the_server() {
    let address = serve_with(|upgrade| {
        let offered: Vec<_> = upgrade.requested_protocols().collect();
        assert_eq!(offered, ["a", "b"]);
        let upgrade = upgrade.protocols(["c", "b", "a"]);
        assert_eq!(upgrade.selected_protocol(), Some("b"));
        upgrade
    })
    .await;
    let head = head(address, &["Sec-WebSocket-Protocol: a, b"]).await;
    assert_eq!(header(&head, "sec-websocket-protocol"), Some("b"));
}

#[tokio::test]
async fn protocol_is_chosen_by_the_handler() {
    let address = serve_with(|upgrade| {
        let mut upgrade = upgrade.protocols(["a"]);
        let refused = upgrade.set_selected_protocol(Some("c")).unwrap_err();
        assert_eq!(refused.kind(), HandshakeErrorKind::InvalidArgument);
        assert_eq!(upgrade.selected_protocol(), Some("a"));
        upgrade.set_selected_protocol(Some("b")).unwrap();
        upgrade
    })
    .await;
    let offer = "Sec-WebSocket-Protocol: a, b";
    let chosen = head(address, &[offer]).await;
    assert_eq!(header(&chosen, "sec-websocket-protocol"), Some("b"));

    let address = serve_with(|upgrade| {
        let mut upgrade = upgrade.protocols(["a"]);
        upgrade.set_selected_protocol(None).unwrap();
        upgrade
    })
    .await;
    let none = head(address, &[offer]).await;
    assert_eq!(
        (status(&none), header(&none, "sec-websocket-protocol")),
        (101, None)
    );
}

#[tokio::test]
async fn requests_that_ask_for_no_websocket_are_rejected() {
    let address = serve_with(|upgrade| upgrade).await;
    for (line, expected) in [
        ("Upgrade:", 400),
        ("Upgrade: h2c", 426),
        ("Connection: keep-alive", 400),
        ("Sec-WebSocket-Version: 8", 426),
        ("Sec-WebSocket-Key:", 400),
        ("Sec-WebSocket-Protocol: a b", 400),
    ] {
        assert_eq!(status(&head(address, &[line]).await), expected, "{line}");
    }
    let post = request(address, "/ws", &[]).replace("GET", "POST");
    let (post, ..) = answer(address, post.as_bytes()).await;
    assert_eq!((status(&post), header(&post, "allow")), (405, Some("GET")));
}

#[tokio::test]
async fn rfc8441_requests_that_ask_for_no_websocket_are_rejected() {
    let address = serve_with(|upgrade| upgrade).await;
    let mut http2 = Http2::connect(address).await;
    let sound = Connector::new()
        .extended_connect_request(&http2.uri("/ws"))
        .unwrap();
    assert_eq!(http2.status(sound.clone(), Some("websocket")).await, 200);
    assert_eq!(http2.status(sound.clone(), Some("connect-udp")).await, 501);
    let mut old = sound.clone();
    old.headers_mut()
        .insert("sec-websocket-version", "8".parse().unwrap());
    assert_eq!(http2.status(old, Some("websocket")).await, 400);
    let page = Request::get(sound.uri()).body(()).unwrap();
    assert_eq!(http2.status(page, None).await, 405);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_the_acceptor_lets_them_in() {
    let (failed, mut failures) = mpsc::unbounded_channel();
    let address = serve_with(move |upgrade| {
        let failed = failed.clone();
        upgrade.on_failed_upgrade(move |error| failed.send(error).unwrap())
    })
    .await;
    let other = "Origin: https://a.example";
    assert_eq!(status(&head(address, &[other]).await), 403);
    let error = patiently(failures.recv()).await.unwrap();
    assert_eq!(error.fault(), Fault::Peer);
    assert!(error.to_string().contains("origin"), "{error}");

    let same = format!("Origin: http://{address}");
    assert_eq!(status(&head(address, &[&same]).await), 101);
    let mut client = Http2::connect(address).await;
    let page = Connector::new().origin("https://a.example").unwrap();
    let asked = page.extended_connect_request(&client.uri("/ws")).unwrap();
    assert_eq!(client.status(asked, Some("websocket")).await, 403);

    let address = serve_with(|upgrade| upgrade.acceptor(Acceptor::new().allow_any_origin())).await;
    assert_eq!(status(&head(address, &[other]).await), 101);
    http2(address, &page).await;
}

#[tokio::test]
async fn limits_are_those_of_the_handler() {
    let address = serve_with(|upgrade| upgrade.max_message_size(100)).await;
    assert_eq!(close_code(address, 100).await, None);
    assert_eq!(
        close_code(address, 101).await,
        Some(CloseCode::MESSAGE_TOO_BIG)
    );
    let address = serve_with(|upgrade| upgrade.max_frame_size(100)).await;
    assert_eq!(close_code(address, 100).await, None);
    assert_eq!(
        close_code(address, 101).await,
        Some(CloseCode::MESSAGE_TOO_BIG)
    );
    let config = |upgrade: WebSocketUpgrade| {
        let config = Config::default().limits(Limits::default().message(100));
        upgrade
            .config(config)
            .read_buffer_size(10)
            .write_buffer_size(10)
    };
    let address = serve_with(config).await;
    assert_eq!(close_code(address, 100).await, None);
    assert_eq!(
        close_code(address, 101).await,
        Some(CloseCode::MESSAGE_TOO_BIG)
    );
}

/// How a connection ends on which a message of `len` bytes is sent, if it does.
async fn close_code(address: SocketAddr, len: usize) -> Option<CloseCode> {
    let (mut websocket, _) = http1(address, &Connector::new()).await;
    patiently(websocket.write(vec![0; len])).await.unwrap();
    match patiently(websocket.next_message()).await.unwrap() {
        Some(_) => None,
        None => Some(websocket.closed().unwrap().code()),
    }
}

#[tokio::test]
async fn what_the_program_gets_wrong_is_answered_500() {
    let (failed, mut failures) = mpsc::unbounded_channel();
    let told = |failed: mpsc::UnboundedSender<framewire::Error>| {
        move |upgrade: WebSocketUpgrade| {
            let failed = failed.clone();
            upgrade.on_failed_upgrade(move |error| failed.send(error).unwrap())
        }
    };
    let tell = told(failed.clone());
    let address = serve_with(move |upgrade| tell(upgrade.protocols(["a b"]))).await;
    assert_eq!(status(&head(address, &[]).await), 500);
    assert_eq!(
        patiently(failures.recv()).await.unwrap().fault(),
        Fault::Caller
    );
    let tell = told(failed);
    let address = serve_with(move |upgrade| tell(upgrade.read_buffer_size(0))).await;
    assert_eq!(status(&head(address, &[]).await), 500);
    assert_eq!(
        patiently(failures.recv()).await.unwrap().fault(),
        Fault::Caller
    );
}

#[tokio::test]
async fn compression_is_the_acceptors_to_agree_on() {
    use framewire::deflate::{Deflate, DeflateConfig};
    let deflate = || Deflate::new(DeflateConfig::default()).unwrap();
    let address =
        serve_with(move |upgrade| upgrade.acceptor(Acceptor::new().deflate(deflate()))).await;
    let connector = Connector::new().deflate(deflate());
    let (mut websocket, response) = http1(address, &connector).await;
    assert!(response.headers().contains_key("sec-websocket-extensions"));
    let text = "again and again ".repeat(1000);
    patiently(websocket.write(&text)).await.unwrap();
    let header = patiently(websocket.read_header()).await.unwrap().unwrap();
    assert!(header.payload_len() < 1000, "{header:?}");
    let mut websocket = http2(address, &connector).await;
    patiently(websocket.write(&text)).await.unwrap();
    let message = patiently(websocket.next_message()).await.unwrap().unwrap();
    assert_eq!(message.text(), Some(&*text));
}

/// Nested routers change the path of a request, and not whom it was sent to.
#[tokio::test]
async fn nested_router_keeps_the_origin() {
    let route = any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) });
    let page = get(|| async { "a page" });
    let nested = Router::new().nest("/api", Router::new().route("/ws", route));
    let address = serve(nested.route("/", page)).await;
    let mut http2 = Http2::connect(address).await;
    let page = Connector::new()
        .origin(format!("http://{address}"))
        .unwrap();
    http2.websocket("/api/ws", &page).await;
}

/// Without a rejection of its own, the handler answers.
#[tokio::test]
async fn handler_may_look_at_the_rejection() {
    async fn handler(upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
        match upgrade {
            Ok(upgrade) => upgrade.on_upgrade(echo),
            Err(rejection) => {
                let kind = rejection.error().kind();
                assert!(
                    matches!(kind, HandshakeErrorKind::Upgrade(_)),
                    "{rejection}"
                );
                assert!(rejection.error().cause().is_none());
                "a page for browsers".into_response()
            }
        }
    }
    let address = serve(Router::new().route("/ws", any(handler))).await;
    assert_eq!(
        status(&head(address, &["Upgrade:", "Connection:"]).await),
        200
    );
    assert_eq!(status(&head(address, &[]).await), 101);
}

#[tokio::test]
async fn request_that_is_not_of_hyper_is_the_fault_of_the_program() {
    use axum::extract::FromRequestParts as _;
    let request = Connector::new().request("ws://a.example/").unwrap();
    let (mut parts, ()) = request.into_parts();
    let rejection = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let rejection = rejection.unwrap_err();
    assert_eq!(rejection.error().fault(), Fault::Caller);
    assert_eq!(rejection.into_response().status().as_u16(), 500);
}
