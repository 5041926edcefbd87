//! RFC 6455 sections 4.2 to 4.4, the server's handshake: one test per MUST, named for its clause.

use framewire::handshake::{
    Acceptor, Connector, Established, HandshakeError, HandshakeErrorKind, check_response,
};
use framewire::upgrade::{Limits, RequestDecoder, UpgradeErrorKind, encode_request};
use http::{HeaderValue, Request, Response, Version};
use support::http_text::{REQUEST, header_of, request_replacing, request_with, status_of};
use support::peer::ScriptedPeer;

/// What a server with the default policy does with a request.
fn refused(request: &str) -> (HandshakeErrorKind, u16) {
    refused_by(&Acceptor::new(), request)
}

fn refused_by(acceptor: &Acceptor, request: &str) -> (HandshakeErrorKind, u16) {
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

fn invalid_argument<T: std::fmt::Debug>(result: Result<T, HandshakeError>) {
    assert_eq!(
        result.unwrap_err().kind(),
        HandshakeErrorKind::InvalidArgument
    );
}

// 4.2.1: what a server reads.

#[test]
fn rfc6455_4_2_1_1_request_must_be_a_get() {
    let method = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Method);
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
    let version = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Version);
    assert_eq!(
        refused(&request_replacing("GET", "GET /chat HTTP/1.0")),
        (version, 505)
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
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Malformed)
    );
    assert_eq!(error.status().unwrap(), 400);
}

#[test]
fn rfc6455_4_2_1_3_upgrade_must_contain_websocket_in_any_case() {
    let not_upgrade = HandshakeErrorKind::Upgrade(UpgradeErrorKind::NotUpgrade);
    assert_eq!(
        refused(&request_replacing("Upgrade", "")),
        (not_upgrade, 400)
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
    let not_upgrade = HandshakeErrorKind::Upgrade(UpgradeErrorKind::NotUpgrade);
    assert_eq!(
        refused(&request_replacing("Connection", "")),
        (not_upgrade, 400)
    );
    let other = request_replacing("Connection", "Connection: close, x-upgrade");
    assert_eq!(refused(&other), (not_upgrade, 400));
    accepted(
        &Acceptor::new(),
        &request_replacing("Connection", "Connection: x,uPGRADE"),
    );
}

#[test]
fn rfc6455_4_2_1_5_key_must_be_16_bytes_when_decoded() {
    assert_eq!(
        refused(&request_replacing("Sec-WebSocket-Key", "")),
        (HandshakeErrorKind::Key, 400)
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
        assert_eq!(refused(&request), (HandshakeErrorKind::Key, 400), "{key}");
    }
}

#[test]
fn rfc6455_4_2_1_6_version_must_be_13() {
    let version = "Sec-WebSocket-Version";
    assert_eq!(
        refused(&request_replacing(version, "")),
        (HandshakeErrorKind::Version, 426)
    );
    for other in ["0", "8", "12", "14", "013", "+13", "13.0", ""] {
        let request = request_replacing(version, &format!("{version}: {other}"));
        assert_eq!(
            refused(&request),
            (HandshakeErrorKind::Version, 426),
            "{other}"
        );
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
    let request = request_with("Sec-WebSocket-Extensions: permessage-deflate; x=\"12\"");
    let response = accepted(&Acceptor::new(), &request);
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    let pending = Acceptor::new()
        .receive(ScriptedPeer::new(&request[..]))
        .unwrap();
    let offered = &pending.request().headers()["sec-websocket-extensions"];
    assert_eq!(offered, "permessage-deflate; x=\"12\"");
}

// 4.2.2: what a server sends.

#[test]
fn rfc6455_4_2_2_2_server_may_ask_for_credentials_or_redirect() {
    let pending = Acceptor::new().receive(ScriptedPeer::new(REQUEST)).unwrap();
    let response = Response::builder()
        .status(401)
        .header("www-authenticate", "Basic");
    let output = pending
        .refuse(&response.body("who are you?\n").unwrap())
        .unwrap()
        .written_text();
    assert_eq!(status_of(&output), 401);
    assert_eq!(header_of(&output, "www-authenticate"), ["Basic"]);
    assert_eq!(header_of(&output, "content-length"), ["13"]);
    assert!(output.ends_with("\r\n\r\nwho are you?\n"));
}

#[test]
fn rfc6455_4_2_2_4_origin_that_is_not_allowed_is_403() {
    let evil = request_with("Origin: https://evil.example");
    let forbidden = (HandshakeErrorKind::Origin, 403);
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

/// Pages send `http`, clients that are no browsers what they connect to: either way of writing lists both.
#[test]
fn rfc6455_4_2_2_4_a_listed_origin_of_ws_is_one_of_http() {
    for [one, other] in [
        ["ws://a.example", "http://a.example:80"],
        ["wss://a.example", "https://a.example"],
    ] {
        for (listed, sent) in [(one, other), (other, one)] {
            let acceptor = Acceptor::new().allow_origins([listed]).unwrap();
            accepted(&acceptor, &request_with(&format!("Origin: {sent}")));
        }
    }
}

#[test]
fn rfc6455_4_2_2_4_origins_without_a_host_can_be_listed() {
    for (listed, other) in [("null", "file://"), ("file://", "null")] {
        let acceptor = Acceptor::new().allow_origins([listed]).unwrap();
        accepted(&acceptor, &request_with(&format!("Origin: {listed}")));
        let other = request_with(&format!("Origin: {other}"));
        assert_eq!(
            refused_by(&acceptor, &other),
            (HandshakeErrorKind::Origin, 403)
        );
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
        ("localhost", "capacitor://localhost", false),
        ("localhost:8080", "ftp://localhost:8080", false),
        // What some clients send that are no browsers: the URL that they connect to.
        ("localhost", "ws://localhost", true),
        ("localhost", "wss://localhost", true),
        ("localhost:9001", "ws://localhost:9001", true),
        ("localhost", "wss://localhost:80", false),
        ("localhost", "ws://other", false),
        ("localhost", "null", false),
        ("localhost", "file://", false),
    ] {
        let request = request_replacing("Host", &format!("Host: {host}\r\nOrigin: {origin}"));
        let answer = Acceptor::new().respond(&parse(&request));
        assert_eq!(answer.is_ok(), is_same, "{host} {origin}");
    }
}

#[test]
fn rfc6455_4_2_2_4_same_origin_includes_the_scheme_where_it_is_known() {
    for (host, origin, by_http, by_https) in [
        ("a.example", "http://a.example", true, false),
        ("a.example", "https://a.example", false, true),
        ("a.example", "http://a.example:443", false, false),
        ("a.example:80", "http://a.example", true, false),
        ("a.example:443", "https://a.example", false, true),
        ("a.example:8080", "http://a.example:8080", true, false),
        ("a.example:8080", "https://a.example:8080", false, true),
        ("a.example", "https://b.example", false, false),
        ("a.example", "ws://a.example", true, false),
        ("a.example", "wss://a.example", false, true),
    ] {
        let request = request_replacing("Host", &format!("Host: {host}\r\nOrigin: {origin}"));
        let is_let_in = |secure| {
            let acceptor = Acceptor::new().secure(secure);
            acceptor.respond(&parse(&request)).is_ok()
        };
        assert_eq!(
            (is_let_in(false), is_let_in(true)),
            (by_http, by_https),
            "{host} {origin}"
        );
    }
    // It says nothing of clients that are no browsers, and nothing where origins are named.
    let acceptor = Acceptor::new().secure(true);
    accepted(&acceptor, &request_with("X: y"));
    let acceptor = acceptor.allow_origins(["http://page.example"]).unwrap();
    accepted(&acceptor, &request_with("Origin: http://page.example"));
}

#[test]
fn rfc6455_4_2_2_4_origins_of_a_policy_are_origins() {
    for origin in [
        "",
        "NULL",
        "file:///",
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
    let pending = Acceptor::new().receive(ScriptedPeer::new(REQUEST)).unwrap();
    assert_eq!(pending.request().uri().path(), "/chat");
    let response = Response::builder().status(404).body("").unwrap();
    assert_eq!(
        status_of(&pending.refuse(&response).unwrap().written_text()),
        404
    );
}

#[test]
fn rfc6455_4_2_2_4_subprotocol_must_be_one_of_the_clients() {
    let mut pending = Acceptor::new()
        .receive(ScriptedPeer::new(request_with(
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
    let output = established.get_ref().written_text();
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
    let mut pending = acceptor.receive(ScriptedPeer::new(offer)).unwrap();
    assert_eq!(pending.subprotocol(), Some("chat"));
    pending.set_subprotocol(None).unwrap();
    let output = pending.accept().unwrap().get_ref().written_text();
    assert!(header_of(&output, "sec-websocket-protocol").is_empty());
}

#[test]
fn rfc6455_4_2_2_5_answer_is_101_with_upgrade_connection_and_accept() {
    let established = Acceptor::new().accept(ScriptedPeer::new(REQUEST)).unwrap();
    let output = established.get_ref().written_text();
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
    let mut pending = acceptor.receive(ScriptedPeer::new(REQUEST)).unwrap();
    pending.add_header("x-node", HeaderValue::from(3)).unwrap();
    let output = pending.accept().unwrap().get_ref().written_text();
    assert_eq!(header_of(&output, "set-cookie"), ["a=b"]);
    assert_eq!(header_of(&output, "x-node"), ["3"]);
}

// 4.3: the grammar.

#[test]
fn rfc6455_4_3_subprotocols_are_one_or_more_tokens() {
    for value in ["", ",", "a b", "a;b", "\"a\"", "a, b/c", "a, é"] {
        let request = request_with(&format!("Sec-WebSocket-Protocol: {value}"));
        assert_eq!(
            refused(&request),
            (HandshakeErrorKind::Subprotocol, 400),
            "{value}"
        );
    }
}

#[test]
fn rfc6455_11_3_1_key_must_not_come_twice() {
    let request = request_with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(refused(&request), (HandshakeErrorKind::Key, 400));
}

#[test]
fn rfc6455_11_3_5_version_must_not_come_twice() {
    let request = request_with("Sec-WebSocket-Version: 13");
    assert_eq!(refused(&request), (HandshakeErrorKind::Version, 400));
}

/// What 9.1 does not let a header of extensions be.
#[test]
fn rfc6455_9_1_malformed_extensions_are_refused() {
    for malformed in [
        "",
        " , ",
        "=",
        "a b",
        "a;",
        "a; =1",
        "a; b=",
        "a; b=c d",
        "a; b==c",
        "a; b=\"c",
        "a; b=\"\"",
        "a; b=\"c d\"",
        "a; b=\"c\"d",
        "a; b=\u{e9}",
        "permessage-deflate, a/b",
        "permessage-deflate\r\nSec-WebSocket-Extensions: a b",
    ] {
        let request = request_with(&format!("Sec-WebSocket-Extensions: {malformed}"));
        let expected = (HandshakeErrorKind::Extension, 400);
        assert_eq!(refused(&request), expected, "{malformed:?}");
    }
    for sound in [
        "a",
        ", a ,,",
        "a; b; c=d; e=\"f\"; g=\"\\h\" , i",
        "\r\nSec-WebSocket-Extensions: a",
    ] {
        let request = request_with(&format!("Sec-WebSocket-Extensions: {sound}"));
        accepted(&Acceptor::new(), &request);
    }
}

// 4.4: other versions.

#[test]
fn rfc6455_4_4_another_version_is_told_which_one_is_spoken() {
    let request = request_replacing("Sec-WebSocket-Version", "Sec-WebSocket-Version: 25");
    let stream = ScriptedPeer::new(request);
    Acceptor::new().accept(stream.clone()).unwrap_err();
    let output = stream.written_text();
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
    let server = ScriptedPeer::new(encode_request(&request).unwrap());
    let established: Established<_> = acceptor.accept(server).unwrap();
    assert_eq!(established.subprotocol(), Some("a"));
    assert!(check_response(&request, established.response()).is_ok());
}
