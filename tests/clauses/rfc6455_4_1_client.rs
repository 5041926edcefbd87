//! RFC 6455 section 4.1, the client's handshake: one test per MUST, named for its clause.

use framewire::handshake::{
    Acceptor, Connector, HandshakeError, HandshakeErrorKind, accept_key, check_response,
};
use framewire::upgrade::{self, Limits, RequestDecoder, UpgradeErrorKind, encode_request};
use http::{HeaderValue, Method, Request, Response, Version};
use support::http_text::REQUEST;
use support::peer::ScriptedPeer;

fn parse(request: &str) -> Request<()> {
    RequestDecoder::new(&Limits::default())
        .decode(request.as_bytes())
        .unwrap()
        .1
        .unwrap()
}

/// What a client asks for, as a server reads it.
fn asked(connector: &Connector, uri: &str) -> Request<()> {
    let head = encode_request(&connector.request(uri).unwrap()).unwrap();
    parse(std::str::from_utf8(&head).unwrap())
}

fn answer_to(request: &Request<()>) -> Response<()> {
    let key = request.headers()["sec-websocket-key"].to_str().unwrap();
    Response::builder()
        .status(101)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-accept", accept_key(key))
        .body(())
        .unwrap()
}

/// What a client says to a sound answer after `change`.
fn check(
    connector: &Connector,
    change: impl FnOnce(&mut Response<()>),
) -> Result<(), HandshakeError> {
    let request = connector.request("ws://server.example.com/chat").unwrap();
    let mut response = answer_to(&request);
    change(&mut response);
    check_response(&request, &response)
}

fn check_kind(change: impl FnOnce(&mut Response<()>)) -> HandshakeErrorKind {
    check(&Connector::new(), change).unwrap_err().kind()
}

fn set(response: &mut Response<()>, name: &'static str, value: &'static str) {
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}

fn add(response: &mut Response<()>, name: &'static str, value: &'static str) {
    response
        .headers_mut()
        .append(name, HeaderValue::from_static(value));
}

fn invalid_argument<T: std::fmt::Debug>(result: Result<T, HandshakeError>) {
    assert_eq!(
        result.unwrap_err().kind(),
        HandshakeErrorKind::InvalidArgument
    );
}

// 4.1: what a client sends.

#[test]
fn rfc6455_4_1_uri_components_must_be_valid() {
    for uri in [
        "",
        "/chat",
        "server.example.com",
        "http://server.example.com/",
        "ws:///chat",
        "ws://:80/",
        "ws://server.example.com:65536/",
        "ws://user:secret@server.example.com/",
        "ws://server.example.com/a\r\nb",
        // RFC 6455 3: fragments must not be used.
        "ws://server.example.com/#here",
    ] {
        invalid_argument(Connector::new().request(uri));
    }
}

#[test]
fn rfc6455_4_1_1_request_is_valid_http() {
    let request = asked(&Connector::new(), "ws://server.example.com/chat");
    assert!(Acceptor::new().respond(&request).is_ok());
}

#[test]
fn rfc6455_4_1_2_method_is_get_and_version_1_1() {
    let request = asked(&Connector::new(), "ws://server.example.com/chat");
    assert_eq!(
        (request.method(), request.version()),
        (&Method::GET, Version::HTTP_11)
    );
}

/// RFC 3986 2.1, 2.5: as UTF-8, percent-encoded; the host by its name of RFC 3490.
#[test]
fn rfc6455_3_uris_that_are_not_ascii() {
    for (uri, target) in [
        ("ws://a.example/\u{fc}?q=\u{e9}", "/%C3%BC?q=%C3%A9"),
        ("ws://a.example/%C3%BC", "/%C3%BC"),
        ("ws://a.example?\u{e9}", "/?%C3%A9"),
        ("ws://a.example/a b", "/a%20b"),
    ] {
        let request = asked(&Connector::new(), uri);
        let sent = request.uri().path_and_query().unwrap().to_string();
        assert_eq!(sent, target);
        let bytes = upgrade::encode_request(&request).unwrap();
        assert!(bytes.starts_with(format!("GET {target} HTTP/1.1\r\n").as_bytes()));
    }
    let error = Connector::new()
        .request("ws://b\u{fc}cher.example/")
        .unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::InvalidArgument);
    assert!(error.to_string().contains("punycode (xn--"), "{error}");
    // An upgrade to any protocol sends no byte raw either.
    let request = Request::get("http://a.example/\u{fc}").header("upgrade", "echo");
    let bytes = upgrade::encode_request(&request.body(()).unwrap()).unwrap();
    assert!(bytes.starts_with(b"GET /%C3%BC HTTP/1.1\r\n"));
}

#[test]
fn rfc6455_4_1_3_request_uri_matches_the_resource_name() {
    for (uri, target) in [
        ("ws://server.example.com", "/"),
        ("ws://server.example.com?a=b", "/?a=b"),
        ("ws://server.example.com/chat", "/chat"),
        ("wss://server.example.com/chat?a=b%23", "/chat?a=b%23"),
    ] {
        assert_eq!(asked(&Connector::new(), uri).uri(), target, "{uri}");
    }
}

#[test]
fn rfc6455_4_1_4_host_has_the_port_only_where_it_is_not_the_default() {
    for (uri, host) in [
        ("ws://server.example.com/", "server.example.com"),
        ("ws://server.example.com:80/", "server.example.com"),
        ("ws://server.example.com:/", "server.example.com"),
        ("ws://server.example.com:443/", "server.example.com:443"),
        ("wss://server.example.com:443/", "server.example.com"),
        ("wss://server.example.com:80/", "server.example.com:80"),
        ("WSS://[::1]:9001/", "[::1]:9001"),
    ] {
        assert_eq!(
            asked(&Connector::new(), uri).headers()["host"],
            host,
            "{uri}"
        );
    }
}

#[test]
fn rfc6455_4_1_5_upgrade_includes_websocket() {
    assert_eq!(
        asked(&Connector::new(), "ws://a.example/").headers()["upgrade"],
        "websocket"
    );
}

#[test]
fn rfc6455_4_1_6_connection_includes_upgrade() {
    assert_eq!(
        asked(&Connector::new(), "ws://a.example/").headers()["connection"],
        "Upgrade"
    );
}

#[test]
fn rfc6455_4_1_7_key_is_one_of_16_bytes_in_base64() {
    let request = asked(&Connector::new(), "ws://a.example/");
    let keys: Vec<_> = request
        .headers()
        .get_all("sec-websocket-key")
        .iter()
        .collect();
    assert_eq!(keys.len(), 1);
    let key = keys[0].to_str().unwrap();
    // 24 characters with two of padding are 16 bytes.
    assert_eq!((key.len(), key.find('=')), (24, Some(22)));
}

#[test]
fn rfc6455_4_1_7_key_is_random_for_each_connection() {
    let connector = Connector::new();
    let key = || asked(&connector, "ws://a.example/").headers()["sec-websocket-key"].clone();
    let keys: std::collections::HashSet<_> = (0..64).map(|_| key()).collect();
    assert_eq!(keys.len(), 64);
}

#[test]
fn rfc6455_4_1_8_origin_is_sent_where_there_is_one() {
    assert!(
        !asked(&Connector::new(), "ws://a.example/")
            .headers()
            .contains_key("origin")
    );
    let connector = Connector::new().origin("https://page.example").unwrap();
    assert_eq!(
        asked(&connector, "ws://a.example/").headers()["origin"],
        "https://page.example"
    );
}

#[test]
fn rfc6455_4_1_9_version_is_13() {
    let request = asked(&Connector::new(), "ws://a.example/");
    assert_eq!(request.headers()["sec-websocket-version"], "13");
}

#[test]
fn rfc6455_4_1_10_subprotocols_are_unique_tokens() {
    for names in [&["a b"][..], &[""], &["a,b"], &["a", "b", "a"], &["é"]] {
        invalid_argument(Connector::new().subprotocols(names.iter().copied()));
        invalid_argument(Acceptor::new().subprotocols(names.iter().copied()));
    }
    let connector = Connector::new()
        .subprotocols(["chat", "superchat"])
        .unwrap();
    let request = asked(&connector, "ws://a.example/");
    assert_eq!(
        request.headers()["sec-websocket-protocol"],
        "chat, superchat"
    );
}

#[test]
fn rfc6455_4_1_12_other_headers_may_be_sent_but_not_the_handshakes() {
    for name in [
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "sec-websocket-future",
        "connection",
        "upgrade",
        "host",
        "origin",
        "content-length",
        "transfer-encoding",
    ] {
        let (name, value) = (
            name.parse::<http::HeaderName>().unwrap(),
            HeaderValue::from(1),
        );
        invalid_argument(Connector::new().header(name.clone(), value.clone()));
        invalid_argument(Acceptor::new().header(name.clone(), value.clone()));
        let mut pending = Acceptor::new().receive(ScriptedPeer::new(REQUEST)).unwrap();
        invalid_argument(pending.add_header(name.clone(), value.clone()));
        let mut refused =
            Acceptor::new().receive(ScriptedPeer::new("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        invalid_argument(refused.as_mut().unwrap().add_header(name, value));
    }
    let cookie = HeaderValue::from_static("a=b");
    let connector = Connector::new()
        .header(http::header::COOKIE, cookie)
        .unwrap();
    assert_eq!(
        asked(&connector, "ws://a.example/").headers()["cookie"],
        "a=b"
    );
}

#[test]
fn rfc6455_4_1_12_credentials_are_not_shown() {
    for name in [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
    ] {
        let name: http::HeaderName = name.parse().unwrap();
        let secret = HeaderValue::from_static("secret");
        let connector = Connector::new()
            .header(name.clone(), secret.clone())
            .unwrap();
        let acceptor = Acceptor::new().header(name.clone(), secret).unwrap();
        let shown = format!("{connector:?} {acceptor:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert_eq!(
            asked(&connector, "ws://a.example/").headers()[&name],
            "secret"
        );
    }
}

#[test]
fn rfc6455_4_1_nothing_follows_the_request_before_the_answer() {
    // An answer that does not come, one that comes in part, and one that refuses.
    for said in [
        "",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "HTTP/1.1 403 No\r\n\r\n",
    ] {
        let stream = ScriptedPeer::new(said);
        let connected = Connector::new().connect_stream(stream.clone(), "ws://a.example/chat");
        assert!(connected.is_err());
        let written = stream.written_text();
        assert!(written.starts_with("GET /chat HTTP/1.1\r\n"), "{written}");
        assert_eq!(
            written.find("\r\n\r\n"),
            Some(written.len() - 4),
            "{written}"
        );
    }
}

// 4.1: what a client makes of the answer.

#[test]
fn rfc6455_4_1_answer_1_another_status_is_left_to_http() {
    let refused = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Refused);
    for (status, kind) in [
        ("200 OK", refused),
        ("301 Moved Permanently", HandshakeErrorKind::Redirect),
        ("401 Unauthorized", refused),
        ("503 Unavailable", refused),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nLocation: /x\r\nContent-Length: 4\r\n\r\nbody");
        let error = Connector::new()
            .connect_stream(ScriptedPeer::new(answer), "ws://a/")
            .unwrap_err();
        assert_eq!(error.kind(), kind);
        let response = error.into_response().unwrap();
        assert_eq!(response.status().as_str(), &status[..3]);
        assert_eq!(response.headers()["location"], "/x");
        assert_eq!(response.body(), b"body");
    }
}

#[test]
fn rfc6455_4_1_answer_2_upgrade_must_be_websocket() {
    let invalid = HandshakeErrorKind::Upgrade(UpgradeErrorKind::ProtocolMismatch);
    assert_eq!(
        check_kind(|answer| drop(answer.headers_mut().remove("upgrade"))),
        invalid
    );
    assert_eq!(check_kind(|answer| set(answer, "upgrade", "h2c")), invalid);
    assert_eq!(
        check_kind(|answer| set(answer, "upgrade", "websockets")),
        invalid
    );
    assert_eq!(
        check_kind(|answer| set(answer, "upgrade", "websocket, h2c")),
        invalid
    );
    assert_eq!(
        check_kind(|answer| add(answer, "upgrade", "websocket")),
        invalid
    );
    assert!(
        check(&Connector::new(), |answer| set(
            answer,
            "upgrade",
            "WebSocket"
        ))
        .is_ok()
    );
}

#[test]
fn rfc6455_4_1_answer_3_connection_must_include_upgrade() {
    let invalid = HandshakeErrorKind::Upgrade(UpgradeErrorKind::MissingConnection);
    assert_eq!(
        check_kind(|answer| drop(answer.headers_mut().remove("connection"))),
        invalid
    );
    assert_eq!(
        check_kind(|answer| set(answer, "connection", "close")),
        invalid
    );
    let listed = check(&Connector::new(), |answer| {
        set(answer, "connection", "x, UPGRADE");
    });
    assert!(listed.is_ok());
}

#[test]
fn rfc6455_4_1_answer_4_accept_must_fit_the_key() {
    let name = "sec-websocket-accept";
    assert_eq!(
        check_kind(|answer| drop(answer.headers_mut().remove(name))),
        HandshakeErrorKind::Accept
    );
    assert_eq!(
        check_kind(|answer| set(answer, name, "")),
        HandshakeErrorKind::Accept
    );
    let other = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(
        check_kind(|answer| set(answer, name, other)),
        HandshakeErrorKind::Accept
    );
    assert_eq!(
        check_kind(|answer| add(answer, name, other)),
        HandshakeErrorKind::Accept
    );
}

#[test]
fn rfc6455_4_1_answer_4_whitespace_around_the_accept_is_ignored() {
    let request = Connector::new().request("ws://a/").unwrap();
    let accept = answer_to(&request).headers()["sec-websocket-accept"].clone();
    let head = format!(
        "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: \t{}\t \r\n\r\n",
        accept.to_str().unwrap()
    );
    let (_, response) = upgrade::ResponseDecoder::new(&Limits::default())
        .decode(head.as_bytes())
        .unwrap();
    assert!(check_response(&request, &response.unwrap()).is_ok());
}

#[test]
fn rfc6455_4_1_answer_5_extension_must_have_been_offered() {
    let name = "sec-websocket-extensions";
    let extension = check_kind(|answer| set(answer, name, "permessage-deflate"));
    assert_eq!(extension, HandshakeErrorKind::Extension);

    let mut request = Connector::new().request("ws://a/").unwrap();
    let offer = HeaderValue::from_static("x; a=1, y");
    request.headers_mut().insert(name, offer);
    let mut response = answer_to(&request);
    set(&mut response, name, "y; b=2");
    assert!(check_response(&request, &response).is_ok());
    set(&mut response, name, "y, z");
    assert_eq!(
        check_response(&request, &response).unwrap_err().kind(),
        HandshakeErrorKind::Extension
    );
}

#[test]
fn rfc6455_4_1_answer_6_subprotocol_must_have_been_offered() {
    let name = "sec-websocket-protocol";
    assert_eq!(
        check_kind(|answer| set(answer, name, "chat")),
        HandshakeErrorKind::Subprotocol
    );

    let connector = Connector::new()
        .subprotocols(["chat", "superchat"])
        .unwrap();
    let other = "server chose a subprotocol that was not offered";
    let none = "sec-websocket-protocol of the server is not a token";
    for (wrong, what) in [
        ("", none),
        ("Chat", other),
        ("chat2", other),
        ("chat, superchat", none),
    ] {
        let error = check(&connector, |answer| set(answer, name, wrong)).unwrap_err();
        assert_eq!(error.kind(), HandshakeErrorKind::Subprotocol, "{wrong}");
        assert_eq!(error.to_string(), what, "{wrong}");
    }
    let doubled = check(&connector, |answer| {
        add(answer, name, "chat");
        add(answer, name, "chat");
    });
    assert_eq!(doubled.unwrap_err().kind(), HandshakeErrorKind::Subprotocol);
    assert!(check(&connector, |answer| set(answer, name, "superchat")).is_ok());
    assert!(check(&connector, |_| ()).is_ok());
}

#[test]
fn rfc6455_11_3_2_extensions_come_in_one_header_of_an_answer() {
    let name = "sec-websocket-extensions";
    let mut request = Connector::new().request("ws://a/").unwrap();
    request
        .headers_mut()
        .insert(name, HeaderValue::from_static("x, y"));
    let mut response = answer_to(&request);
    add(&mut response, name, "x");
    add(&mut response, name, "y");
    assert_eq!(
        check_response(&request, &response).unwrap_err().kind(),
        HandshakeErrorKind::Extension
    );
}

#[test]
fn rfc6455_9_1_malformed_extensions_of_an_answer_fail() {
    let name = "sec-websocket-extensions";
    let mut request = Connector::new().request("ws://a/").unwrap();
    request
        .headers_mut()
        .insert(name, HeaderValue::from_static("x; a=b"));
    for malformed in [
        "",
        ",",
        "x;",
        "x; a=",
        "x; a=\"b",
        "x; a=\"b c\"",
        "x; a=b c",
        "x; =b",
    ] {
        let mut response = answer_to(&request);
        set(&mut response, name, malformed);
        let error = check_response(&request, &response).unwrap_err();
        assert_eq!(error.kind(), HandshakeErrorKind::Extension, "{malformed:?}");
    }
    for sound in ["x", "x; a=b", "x; a=\"b\"", ",x ,"] {
        let mut response = answer_to(&request);
        set(&mut response, name, sound);
        assert!(check_response(&request, &response).is_ok(), "{sound:?}");
    }
}
