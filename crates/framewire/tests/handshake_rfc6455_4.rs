//! RFC 6455 section 4, the opening handshake: one test per MUST, named for its clause.
#![cfg(feature = "handshake")]
#![allow(clippy::unwrap_used)]

mod upgrade_support;

use framewire::handshake::{
    Acceptor, Connector, Error, ErrorKind, Established, accept_key, check_response,
};
use framewire::upgrade::{self, Limits, RequestDecoder, encode_request};
use http::{HeaderValue, Method, Request, Response, Version};
use upgrade_support::{REQUEST, Script, header_of, request_replacing, request_with, status_of};

/// What a server with the default policy does with a request.
fn refused(request: &str) -> (ErrorKind, u16) {
    refused_by(&Acceptor::new(), request)
}

fn refused_by(acceptor: &Acceptor, request: &str) -> (ErrorKind, u16) {
    let error = acceptor.respond(&parse(request)).unwrap_err();
    (error.kind(), error.status().unwrap().as_u16())
}

fn accepted(acceptor: &Acceptor, request: &str) -> Response<()> {
    acceptor.respond(&parse(request)).unwrap()
}

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
fn check(connector: &Connector, change: impl FnOnce(&mut Response<()>)) -> Result<(), Error> {
    let request = connector.request("ws://server.example.com/chat").unwrap();
    let mut response = answer_to(&request);
    change(&mut response);
    check_response(&request, &response)
}

fn check_kind(change: impl FnOnce(&mut Response<()>)) -> ErrorKind {
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

fn invalid_argument<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidArgument);
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
        "ws://server.example.com/a b",
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
    let connector = Connector::new().origin(HeaderValue::from_static("https://page.example"));
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
        let mut pending = Acceptor::new().receive(Script::new(REQUEST)).unwrap();
        invalid_argument(pending.add_header(name.clone(), value.clone()));
        let mut refused = Acceptor::new().receive(Script::new("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
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

// 4.1: what a client makes of the answer.

#[test]
fn rfc6455_4_1_answer_1_another_status_is_left_to_http() {
    for status in [
        "200 OK",
        "301 Moved Permanently",
        "401 Unauthorized",
        "503 Unavailable",
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nLocation: /x\r\nContent-Length: 4\r\n\r\nbody");
        let error = Connector::new()
            .handshake(Script::new(answer), "ws://a/")
            .unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Upgrade(upgrade::ErrorKind::Refused)
        );
        let response = error.into_response().unwrap();
        assert_eq!(response.status().as_str(), &status[..3]);
        assert_eq!(response.headers()["location"], "/x");
        assert_eq!(response.body(), b"body");
    }
}

#[test]
fn rfc6455_4_1_answer_2_upgrade_must_be_websocket() {
    let invalid = ErrorKind::Upgrade(upgrade::ErrorKind::InvalidResponse);
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
    let invalid = ErrorKind::Upgrade(upgrade::ErrorKind::InvalidResponse);
    assert_eq!(
        check_kind(|answer| drop(answer.headers_mut().remove("connection"))),
        invalid
    );
    assert_eq!(
        check_kind(|answer| set(answer, "connection", "close")),
        invalid
    );
    let listed = check(&Connector::new(), |answer| {
        set(answer, "connection", "x, UPGRADE")
    });
    assert!(listed.is_ok());
}

#[test]
fn rfc6455_4_1_answer_4_accept_must_fit_the_key() {
    let name = "sec-websocket-accept";
    assert_eq!(
        check_kind(|answer| drop(answer.headers_mut().remove(name))),
        ErrorKind::Accept
    );
    assert_eq!(
        check_kind(|answer| set(answer, name, "")),
        ErrorKind::Accept
    );
    let other = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(
        check_kind(|answer| set(answer, name, other)),
        ErrorKind::Accept
    );
    assert_eq!(
        check_kind(|answer| add(answer, name, other)),
        ErrorKind::Accept
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
    assert_eq!(extension, ErrorKind::Extension);

    let mut request = Connector::new().request("ws://a/").unwrap();
    let offer = HeaderValue::from_static("x; a=1, y");
    request.headers_mut().insert(name, offer);
    let mut response = answer_to(&request);
    set(&mut response, name, "y; b=2");
    assert!(check_response(&request, &response).is_ok());
    set(&mut response, name, "y, z");
    assert_eq!(
        check_response(&request, &response).unwrap_err().kind(),
        ErrorKind::Extension
    );
}

#[test]
fn rfc6455_4_1_answer_6_subprotocol_must_have_been_offered() {
    let name = "sec-websocket-protocol";
    assert_eq!(
        check_kind(|answer| set(answer, name, "chat")),
        ErrorKind::Subprotocol
    );

    let connector = Connector::new()
        .subprotocols(["chat", "superchat"])
        .unwrap();
    for wrong in ["", "Chat", "chat2", "chat, superchat"] {
        let error = check(&connector, |answer| set(answer, name, wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Subprotocol, "{wrong}");
    }
    let doubled = check(&connector, |answer| {
        add(answer, name, "chat");
        add(answer, name, "chat");
    });
    assert_eq!(doubled.unwrap_err().kind(), ErrorKind::Subprotocol);
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
        ErrorKind::Extension
    );
}

// 4.2.1: what a server reads.

#[test]
fn rfc6455_4_2_1_1_request_must_be_a_get() {
    let method = ErrorKind::Upgrade(upgrade::ErrorKind::Method);
    assert_eq!(
        refused(&request_replacing("GET", "POST /chat HTTP/1.1")),
        (method, 405)
    );
    assert_eq!(
        refused(&request_replacing("GET", "HEAD /chat HTTP/1.1")),
        (method, 405)
    );
}

#[test]
fn rfc6455_4_2_1_1_version_must_be_1_1_or_higher() {
    let version = ErrorKind::Upgrade(upgrade::ErrorKind::Version);
    assert_eq!(
        refused(&request_replacing("GET", "GET /chat HTTP/1.0")),
        (version, 400)
    );
    let mut request = parse(REQUEST);
    *request.version_mut() = Version::HTTP_2;
    let error = Acceptor::new().respond(&request).unwrap_err();
    assert_eq!(
        (error.kind(), error.status().unwrap().as_u16()),
        (version, 505)
    );
}

#[test]
fn rfc6455_4_2_1_2_host_must_be_there() {
    let mut request = parse(REQUEST);
    request.headers_mut().remove("host");
    let error = Acceptor::new().respond(&request).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Upgrade(upgrade::ErrorKind::Malformed)
    );
    assert_eq!(error.status().unwrap(), 400);
}

#[test]
fn rfc6455_4_2_1_3_upgrade_must_contain_websocket_in_any_case() {
    let not_upgrade = ErrorKind::Upgrade(upgrade::ErrorKind::NotUpgrade);
    assert_eq!(
        refused(&request_replacing("Upgrade", "")),
        (not_upgrade, 426)
    );
    assert_eq!(
        refused(&request_replacing("Upgrade", "Upgrade: h2c")),
        (not_upgrade, 426)
    );
    accepted(
        &Acceptor::new(),
        &request_replacing("Upgrade", "Upgrade: h2c, WEBSOCKET"),
    );
}

#[test]
fn rfc6455_4_2_1_4_connection_must_include_upgrade_in_any_case() {
    let not_upgrade = ErrorKind::Upgrade(upgrade::ErrorKind::NotUpgrade);
    assert_eq!(
        refused(&request_replacing("Connection", "")),
        (not_upgrade, 426)
    );
    let other = request_replacing("Connection", "Connection: close, x-upgrade");
    assert_eq!(refused(&other), (not_upgrade, 426));
    accepted(
        &Acceptor::new(),
        &request_replacing("Connection", "Connection: x,uPGRADE"),
    );
}

#[test]
fn rfc6455_4_2_1_5_key_must_be_16_bytes_when_decoded() {
    assert_eq!(
        refused(&request_replacing("Sec-WebSocket-Key", "")),
        (ErrorKind::Key, 400)
    );
    for key in [
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA=",
        "!AAAAAAAAAAAAAAAAAAAAA==",
    ] {
        let line = format!("Sec-WebSocket-Key: {key}");
        let request = request_replacing("Sec-WebSocket-Key", &line);
        assert_eq!(refused(&request), (ErrorKind::Key, 400), "{key}");
    }
}

#[test]
fn rfc6455_4_2_1_6_version_must_be_13() {
    let version = "Sec-WebSocket-Version";
    assert_eq!(
        refused(&request_replacing(version, "")),
        (ErrorKind::Version, 426)
    );
    for other in ["0", "8", "12", "14", "013", "+13", "13.0", ""] {
        let request = request_replacing(version, &format!("{version}: {other}"));
        assert_eq!(refused(&request), (ErrorKind::Version, 426), "{other}");
    }
}

#[test]
fn rfc6455_4_2_1_7_request_without_origin_is_not_from_a_browser() {
    accepted(&Acceptor::new(), REQUEST);
    accepted(
        &Acceptor::new()
            .allow_origins(["https://page.example"])
            .unwrap(),
        REQUEST,
    );
}

#[test]
fn rfc6455_4_2_1_8_subprotocols_may_come_in_several_headers() {
    let acceptor = Acceptor::new().subprotocols(["c"]).unwrap();
    let lines = "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c";
    let response = accepted(&acceptor, &request_with(lines));
    assert_eq!(response.headers()["sec-websocket-protocol"], "c");
}

#[test]
fn rfc6455_4_2_1_9_extensions_nobody_speaks_are_ignored() {
    let request = request_with("Sec-WebSocket-Extensions: permessage-deflate; x=\"1,2\"");
    let response = accepted(&Acceptor::new(), &request);
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    let pending = Acceptor::new().receive(Script::new(&request)).unwrap();
    let offered = &pending.request().headers()["sec-websocket-extensions"];
    assert_eq!(offered, "permessage-deflate; x=\"1,2\"");
}

// 4.2.2: what a server sends.

#[test]
fn rfc6455_4_2_2_2_server_may_ask_for_credentials_or_redirect() {
    let pending = Acceptor::new().receive(Script::new(REQUEST)).unwrap();
    let response = Response::builder()
        .status(401)
        .header("www-authenticate", "Basic");
    let output = pending
        .refuse(&response.body("who are you?\n").unwrap())
        .unwrap()
        .output();
    assert_eq!(status_of(&output), 401);
    assert_eq!(header_of(&output, "www-authenticate"), ["Basic"]);
    assert_eq!(header_of(&output, "content-length"), ["13"]);
    assert!(output.ends_with("\r\n\r\nwho are you?\n"));
}

#[test]
fn rfc6455_4_2_2_4_origin_that_is_not_allowed_is_403() {
    let evil = request_with("Origin: https://evil.example");
    let forbidden = (ErrorKind::Origin, 403);
    assert_eq!(refused(&evil), forbidden);
    assert_eq!(refused(&request_with("Origin: null")), forbidden);
    accepted(&Acceptor::new().allow_any_origin(), &evil);
    accepted(
        &Acceptor::new().allow_any_origin(),
        &request_with("Origin: null"),
    );

    let acceptor = Acceptor::new()
        .allow_origins(["https://page.example", "app://x"])
        .unwrap();
    accepted(&acceptor, &request_with("Origin: https://page.example"));
    accepted(&acceptor, &request_with("Origin: HTTPS://Page.Example:443"));
    accepted(&acceptor, &request_with("Origin: app://x"));
    for other in [
        "http://page.example",
        "https://page.example:444",
        "https://sub.page.example",
        "app://y",
        // Same origin, but not named: a name that an attacker points here is this server's too.
        "http://server.example.com",
        "null",
    ] {
        let request = request_with(&format!("Origin: {other}"));
        assert_eq!(refused_by(&acceptor, &request), forbidden, "{other}");
    }
}

#[test]
fn rfc6455_4_2_2_4_same_origin_is_host_and_port_of_the_request() {
    for (host, origin, is_same) in [
        ("a.example", "http://a.example", true),
        ("a.example", "https://a.example", true),
        ("A.Example", "https://a.EXAMPLE", true),
        ("a.example:80", "http://a.example", true),
        ("a.example:443", "https://a.example", true),
        ("a.example", "http://a.example:80", true),
        ("a.example:8080", "http://a.example:8080", true),
        ("127.0.0.1:9001", "http://127.0.0.1:9001", true),
        ("[::1]:9001", "http://[::1]:9001", true),
        ("a.example:80", "https://a.example", false),
        ("a.example", "http://a.example:8080", false),
        ("a.example:8080", "http://a.example", false),
        ("a.example", "http://b.example", false),
        ("a.example", "http://a.example.", false),
        ("localhost", "http://127.0.0.1", false),
    ] {
        let request = request_replacing("Host", &format!("Host: {host}\r\nOrigin: {origin}"));
        let answer = Acceptor::new().respond(&parse(&request));
        assert_eq!(answer.is_ok(), is_same, "{host} {origin}");
    }
}

#[test]
fn rfc6455_4_2_2_4_origins_of_a_policy_are_origins() {
    for origin in [
        "",
        "null",
        "*",
        "page.example",
        "https://page.example/",
        "https://",
        "://x",
    ] {
        invalid_argument(Acceptor::new().allow_origins([origin]));
    }
}

#[test]
fn rfc6455_4_2_2_4_resource_that_is_not_there_is_404() {
    let pending = Acceptor::new().receive(Script::new(REQUEST)).unwrap();
    assert_eq!(pending.request().uri().path(), "/chat");
    let response = Response::builder().status(404).body("").unwrap();
    assert_eq!(status_of(&pending.refuse(&response).unwrap().output()), 404);
}

#[test]
fn rfc6455_4_2_2_4_subprotocol_must_be_one_of_the_clients() {
    let mut pending = Acceptor::new()
        .receive(Script::new(request_with(
            "Sec-WebSocket-Protocol: chat, superchat",
        )))
        .unwrap();
    assert!(pending.offered_subprotocols().eq(["chat", "superchat"]));
    invalid_argument(pending.set_subprotocol(Some("other")));
    invalid_argument(pending.set_subprotocol(Some("Chat")));
    assert_eq!(pending.subprotocol(), None);
    pending.set_subprotocol(Some("superchat")).unwrap();
    let established = pending.accept().unwrap();
    assert_eq!(established.subprotocol(), Some("superchat"));
    let output = established.get_ref().output();
    assert_eq!(header_of(&output, "sec-websocket-protocol"), ["superchat"]);
}

#[test]
fn rfc6455_4_2_2_4_subprotocol_is_the_servers_first_that_is_offered() {
    let acceptor = Acceptor::new().subprotocols(["v3", "v2", "v1"]).unwrap();
    let response = accepted(&acceptor, &request_with("Sec-WebSocket-Protocol: v1, v2"));
    assert_eq!(response.headers()["sec-websocket-protocol"], "v2");
}

#[test]
fn rfc6455_4_2_2_4_no_agreement_is_no_header() {
    let acceptor = Acceptor::new().subprotocols(["chat"]).unwrap();
    for request in [
        REQUEST.to_owned(),
        request_with("Sec-WebSocket-Protocol: CHAT, other"),
    ] {
        let response = accepted(&acceptor, &request);
        assert!(!response.headers().contains_key("sec-websocket-protocol"));
    }
    let offer = request_with("Sec-WebSocket-Protocol: chat");
    let mut pending = acceptor.receive(Script::new(offer)).unwrap();
    assert_eq!(pending.subprotocol(), Some("chat"));
    pending.set_subprotocol(None).unwrap();
    let output = pending.accept().unwrap().get_ref().output();
    assert!(header_of(&output, "sec-websocket-protocol").is_empty());
}

#[test]
fn rfc6455_4_2_2_5_answer_is_101_with_upgrade_connection_and_accept() {
    let established = Acceptor::new().accept(Script::new(REQUEST)).unwrap();
    let output = established.get_ref().output();
    assert!(output.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    assert_eq!(header_of(&output, "upgrade"), ["websocket"]);
    assert_eq!(header_of(&output, "connection"), ["Upgrade"]);
    // The example of RFC 6455 1.3.
    assert_eq!(
        header_of(&output, "sec-websocket-accept"),
        ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    );
    assert!(output.ends_with("\r\n\r\n"));
}

#[test]
fn rfc6455_4_2_2_5_other_headers_may_be_added() {
    let cookie = HeaderValue::from_static("a=b");
    let acceptor = Acceptor::new()
        .header(http::header::SET_COOKIE, cookie)
        .unwrap();
    let mut pending = acceptor.receive(Script::new(REQUEST)).unwrap();
    pending
        .add_header("x-node".parse().unwrap(), HeaderValue::from(3))
        .unwrap();
    let output = pending.accept().unwrap().get_ref().output();
    assert_eq!(header_of(&output, "set-cookie"), ["a=b"]);
    assert_eq!(header_of(&output, "x-node"), ["3"]);
}

// 4.3: the grammar.

#[test]
fn rfc6455_4_3_subprotocols_are_one_or_more_tokens() {
    for value in ["", ",", "a b", "a;b", "\"a\"", "a, b/c", "a, é"] {
        let request = request_with(&format!("Sec-WebSocket-Protocol: {value}"));
        assert_eq!(refused(&request), (ErrorKind::Subprotocol, 400), "{value}");
    }
}

#[test]
fn rfc6455_11_3_1_key_must_not_come_twice() {
    let request = request_with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(refused(&request), (ErrorKind::Key, 400));
}

#[test]
fn rfc6455_11_3_5_version_must_not_come_twice() {
    let request = request_with("Sec-WebSocket-Version: 13");
    assert_eq!(refused(&request), (ErrorKind::Version, 400));
}

// 4.4: other versions.

#[test]
fn rfc6455_4_4_another_version_is_told_which_one_is_spoken() {
    let request = request_replacing("Sec-WebSocket-Version", "Sec-WebSocket-Version: 25");
    let stream = Script::new(request);
    Acceptor::new().accept(stream.clone()).unwrap_err();
    let output = stream.output();
    assert_eq!(status_of(&output), 426);
    assert_eq!(header_of(&output, "sec-websocket-version"), ["13"]);
    assert_eq!(header_of(&output, "upgrade"), ["websocket"]);
}

// Both ends.

#[test]
fn rfc6455_4_client_and_server_agree() {
    let connector = Connector::new().subprotocols(["b", "a"]).unwrap();
    let acceptor = Acceptor::new().subprotocols(["a", "b"]).unwrap();
    let request = connector.request("ws://server.example.com/chat").unwrap();
    let server = Script::new(encode_request(&request).unwrap());
    let established: Established<_> = acceptor.accept(server).unwrap();
    assert_eq!(established.subprotocol(), Some("a"));
    assert!(check_response(&request, established.response()).is_ok());
}
