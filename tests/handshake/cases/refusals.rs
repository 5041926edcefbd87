//! Every kind of request that is refused, with the exact status, over a stream and cut anywhere.

use super::shell;
use framewire::Fault;
use framewire::handshake::{Acceptor, HandshakeErrorKind};
use framewire::upgrade::UpgradeErrorKind;
use support::http_text::{REQUEST, body_of, header_of, request_replacing, request_with, status_of};
use support::peer::ScriptedPeer;

/// What is wrong, the request, the status.
#[allow(clippy::too_many_lines, reason = "a table")]
fn refused_requests() -> Vec<(&'static str, String, u16)> {
    let line = |start: &str, line: &str| request_replacing(start, line);
    let key = |value: &str| line("Sec-WebSocket-Key", &format!("Sec-WebSocket-Key: {value}"));
    let host = |value: &str| line("Host", &format!("Host: {value}"));
    vec![
        // The request line.
        ("not http", "hello\r\n\r\n".into(), 400),
        ("tls", "\u{16}\u{3}\u{1}\u{2}".into(), 400),
        (
            "http/2 preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
            505,
        ),
        ("http/1.0", line("GET", "GET /chat HTTP/1.0"), 505),
        ("http/1.2", line("GET", "GET /chat HTTP/1.2"), 505),
        ("http/3.0", line("GET", "GET /chat HTTP/3.0"), 505),
        ("no version", line("GET", "GET /chat"), 400),
        ("another protocol", line("GET", "GET /chat RTSP/1.0"), 400),
        ("lower-case version", line("GET", "GET /chat http/1.1"), 400),
        (
            "version with a letter",
            line("GET", "GET /chat HTTP/a.1"),
            400,
        ),
        (
            "version with a letter last",
            line("GET", "GET /chat HTTP/2.a"),
            400,
        ),
        ("two spaces", line("GET", "GET  /chat HTTP/1.1"), 400),
        ("tab for a space", line("GET", "GET\t/chat HTTP/1.1"), 400),
        (
            "space in the target",
            line("GET", "GET /ch at HTTP/1.1"),
            400,
        ),
        (
            "space after the version",
            line("GET", "GET /chat HTTP/1.1 "),
            400,
        ),
        ("fragment", line("GET", "GET /chat#there HTTP/1.1"), 400),
        (
            "ftp target",
            line("GET", "GET ftp://server.example.com/ HTTP/1.1"),
            400,
        ),
        ("asterisk", line("GET", "GET * HTTP/1.1"), 400),
        (
            "authority for a target",
            line("GET", "GET server.example.com:80 HTTP/1.1"),
            400,
        ),
        (
            "target without a slash",
            line("GET", "GET chat HTTP/1.1"),
            400,
        ),
        (
            "user information",
            line("GET", "GET http://a:b@server.example.com/ HTTP/1.1"),
            400,
        ),
        (
            "control character in the target",
            line("GET", "GET /ch\u{7}at HTTP/1.1"),
            400,
        ),
        ("post", line("GET", "POST /chat HTTP/1.1"), 405),
        ("lower-case get", line("GET", "get /chat HTTP/1.1"), 501),
        ("another method", line("GET", "BREW /chat HTTP/1.1"), 501),
        (
            "method longer than any",
            line("GET", "CONNECTING /chat HTTP/1.1"),
            501,
        ),
        (
            "connect",
            line("GET", "CONNECT server.example.com:80 HTTP/1.1"),
            405,
        ),
        ("options", line("GET", "OPTIONS * HTTP/1.1"), 405),
        // Line endings and header lines.
        ("bare line feeds", REQUEST.replace("\r\n", "\n"), 400),
        (
            "one bare line feed",
            REQUEST.replacen("\r\n", "\n", 3).replacen('\n', "\r\n", 2),
            400,
        ),
        ("carriage return alone", request_with("X: a\rb"), 400),
        ("carriage returns alone", REQUEST.replace("\r\n", "\r"), 400),
        ("folded line", request_with("X: a\r\n b"), 400),
        ("folded line with a tab", request_with("X: a\r\n\tb"), 400),
        ("space before the first header", request_with(" X: a"), 400),
        ("space before a colon", request_with("X : a"), 400),
        ("tab before a colon", request_with("X\t: a"), 400),
        (
            "space before the colon of host",
            line("Host", "Host : server.example.com"),
            400,
        ),
        ("no colon", request_with("X"), 400),
        ("no name", request_with(": a"), 400),
        ("delimiter in a name", request_with("X(y): a"), 400),
        (
            "letter of another script in a name",
            request_with("Xé: a"),
            400,
        ),
        ("nul in a value", request_with("X: a\0b"), 400),
        ("escape in a value", request_with("X: a\u{1b}b"), 400),
        ("delete in a value", request_with("X: a\u{7f}b"), 400),
        // Host.
        ("no host", line("Host", ""), 400),
        ("two hosts", request_with("Host: server.example.com"), 400),
        ("two hosts in one", host("a.example, b.example"), 400),
        ("empty host", host(""), 400),
        ("host with a path", host("a.example/b"), 400),
        ("host with user information", host("a@b.example"), 400),
        ("host with a port too large", host("a.example:65536"), 400),
        (
            "host with a port that is no number",
            host("a.example:b"),
            400,
        ),
        // A body.
        ("body by length", request_with("Content-Length: 5"), 400),
        (
            "length that is no number",
            request_with("Content-Length: x"),
            400,
        ),
        (
            "two lengths",
            request_with("Content-Length: 0\r\nContent-Length: 5"),
            400,
        ),
        (
            "chunked body",
            request_with("Transfer-Encoding: chunked"),
            400,
        ),
        (
            "body that is not in chunks",
            request_with("Transfer-Encoding: gzip"),
            400,
        ),
        (
            "body in an unknown coding",
            request_with("Transfer-Encoding: gzip, Chunked"),
            501,
        ),
        (
            "body in an unknown coding with a length",
            request_with("Content-Length: 5\r\nTransfer-Encoding: gzip, chunked"),
            400,
        ),
        (
            "body in chunks and an unknown coding",
            request_with("Transfer-Encoding: chunked, gzip"),
            400,
        ),
        (
            "chunks with a parameter",
            request_with("Transfer-Encoding: chunked;a=b"),
            400,
        ),
        (
            "chunked body with a length",
            request_with("Content-Length: 5\r\nTransfer-Encoding: chunked"),
            400,
        ),
        (
            "http/1.0 with a chunked body",
            request_with("Transfer-Encoding: chunked").replace("HTTP/1.1", "HTTP/1.0"),
            505,
        ),
        // Upgrade.
        ("no upgrade", line("Upgrade", ""), 400),
        ("empty upgrade", line("Upgrade", "Upgrade: ,"), 400),
        (
            "upgrade that is no list of protocols",
            line("Upgrade", "Upgrade: websocket, a b"),
            400,
        ),
        ("another protocol", line("Upgrade", "Upgrade: h2c"), 426),
        (
            "prefix of the protocol",
            line("Upgrade", "Upgrade: websockets"),
            426,
        ),
        ("no connection", line("Connection", ""), 400),
        (
            "connection without the token",
            line("Connection", "Connection: keep-alive"),
            400,
        ),
        (
            "connection with a longer token",
            line("Connection", "Connection: NotUpgradeX"),
            400,
        ),
        // WebSocket.
        ("no version", line("Sec-WebSocket-Version", ""), 426),
        (
            "version 8",
            line("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"),
            426,
        ),
        (
            "versions in a list",
            line("Sec-WebSocket-Version", "Sec-WebSocket-Version: 13, 8"),
            426,
        ),
        (
            "version 013",
            line("Sec-WebSocket-Version", "Sec-WebSocket-Version: 013"),
            426,
        ),
        (
            "two versions",
            request_with("Sec-WebSocket-Version: 13"),
            400,
        ),
        ("no key", line("Sec-WebSocket-Key", ""), 400),
        (
            "two keys",
            request_with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
            400,
        ),
        ("empty key", key(""), 400),
        ("key of 15 bytes", key("AAAAAAAAAAAAAAAAAAAA"), 400),
        ("key of 17 bytes", key("AAAAAAAAAAAAAAAAAAAAAAA="), 400),
        ("key of 18 bytes", key("AAAAAAAAAAAAAAAAAAAAAAAA"), 400),
        ("key without padding", key("dGhlIHNhbXBsZSBub25jZQ"), 400),
        (
            "key with half the padding",
            key("dGhlIHNhbXBsZSBub25jZQ="),
            400,
        ),
        ("key with a space", key("dGhlIHNhbXBsZSBub25j Q=="), 400),
        (
            "key in the alphabet for urls",
            key("dGhlIHNhbXBsZSBub25j_-=="),
            400,
        ),
        (
            "empty subprotocol list",
            request_with("Sec-WebSocket-Protocol:"),
            400,
        ),
        (
            "subprotocol with a space",
            request_with("Sec-WebSocket-Protocol: a b"),
            400,
        ),
        (
            "subprotocol with a slash",
            request_with("Sec-WebSocket-Protocol: a, b/c"),
            400,
        ),
        // Origin.
        (
            "another origin",
            request_with("Origin: http://evil.example.com"),
            403,
        ),
        (
            "origin with another port",
            request_with("Origin: http://server.example.com:81"),
            403,
        ),
        ("origin null", request_with("Origin: null"), 403),
        ("empty origin", request_with("Origin:"), 403),
        (
            "origin with a path",
            request_with("Origin: http://server.example.com/"),
            403,
        ),
        (
            "origin without a scheme",
            request_with("Origin: server.example.com"),
            403,
        ),
        (
            "origin with more in front",
            request_with("Origin: http://xserver.example.com"),
            403,
        ),
        (
            "origin with more behind",
            request_with("Origin: http://server.example.com.evil.example"),
            403,
        ),
        (
            "origin with user information",
            request_with("Origin: http://server.example.com@evil.example"),
            403,
        ),
        (
            "two origins",
            request_with("Origin: http://server.example.com\r\nOrigin: http://server.example.com"),
            403,
        ),
        (
            "two origins in one",
            request_with("Origin: http://server.example.com http://a"),
            403,
        ),
        // Limits.
        (
            "too many headers",
            request_with(&["X: a"; 96].join("\r\n")),
            431,
        ),
        (
            "too long a value",
            request_with(&format!("X: {}", "a".repeat(16 * 1024))),
            431,
        ),
        (
            "too long a target",
            format!("GET /{} HTTP/1.1\r\n", "a".repeat(16 * 1024)),
            414,
        ),
    ]
}

#[test]
fn every_refusal_has_its_exact_status_however_the_request_is_cut() {
    for (what, request, status) in refused_requests() {
        for piece in [usize::MAX, 7, 1] {
            let stream = ScriptedPeer::new(&request[..]).in_pieces_of(piece);
            let error = shell::accept(&Acceptor::new(), stream.clone()).unwrap_err();
            let output = stream.written_text();
            assert_eq!(status_of(&output), status, "{what}, in pieces of {piece}");
            assert_eq!(error.status().unwrap().as_u16(), status, "{what}");
            assert_eq!(error.fault(), Fault::Peer, "{what}");
        }
    }
}

#[test]
fn every_refusal_says_how_long_it_is_and_that_it_is_the_last() {
    for (what, request, _) in refused_requests() {
        let stream = ScriptedPeer::new(&request[..]);
        let error = shell::accept(&Acceptor::new(), stream.clone()).unwrap_err();
        let output = stream.written_text();
        let body = body_of(&output);
        assert_eq!(
            header_of(&output, "content-length"),
            [body.len().to_string()],
            "{what}"
        );
        assert!(
            header_of(&output, "connection").contains(&"close"),
            "{what}"
        );
        assert_eq!(body, format!("{error}\n"), "{what}");
        assert!(
            !error.to_string().starts_with(char::is_uppercase),
            "{what}: {error}"
        );
    }
}

#[test]
fn every_refusal_tells_the_client_what_would_do() {
    for (what, request, status) in refused_requests() {
        let stream = ScriptedPeer::new(&request[..]);
        shell::accept(&Acceptor::new(), stream.clone()).unwrap_err();
        let output = stream.written_text();
        let allowed: &[&str] = if status == 405 { &["GET"] } else { &[] };
        assert_eq!(header_of(&output, "allow"), allowed, "{what}");
        if status == 426 {
            assert_eq!(header_of(&output, "upgrade"), ["websocket"], "{what}");
            assert_eq!(
                header_of(&output, "sec-websocket-version"),
                ["13"],
                "{what}"
            );
            assert!(
                header_of(&output, "connection").contains(&"Upgrade"),
                "{what}"
            );
        }
    }
}

#[test]
fn a_request_repeated_in_a_refusal_would_be_a_hole() {
    for line in ["GET /script HTTP/1.1 <b>", "SCRIPT / HTTP/1.1"] {
        let stream = ScriptedPeer::new(request_replacing("GET", line));
        shell::accept(&Acceptor::new(), stream.clone()).unwrap_err();
        let answer = stream.written_text().to_lowercase();
        assert!(
            !answer.contains("script") && !answer.contains('<'),
            "{answer}"
        );
    }
}

#[test]
fn every_kind_of_refusal_can_be_told_apart() {
    let kind_of = |request: &str| {
        let stream = ScriptedPeer::new(request);
        shell::accept(&Acceptor::new(), stream).unwrap_err().kind()
    };
    let replaced = |start, line| kind_of(&request_replacing(start, line));
    let added = |line: &str| kind_of(&request_with(line));
    let upgrade = HandshakeErrorKind::Upgrade;

    assert_eq!(
        kind_of("hello\r\n\r\n"),
        upgrade(UpgradeErrorKind::Malformed)
    );
    assert_eq!(replaced("Host", ""), upgrade(UpgradeErrorKind::Malformed));
    assert_eq!(
        replaced("GET", "GET / HTTP/1.0"),
        upgrade(UpgradeErrorKind::Version)
    );
    assert_eq!(
        replaced("GET", "PUT / HTTP/1.1"),
        upgrade(UpgradeErrorKind::Method)
    );
    assert_eq!(
        replaced("Upgrade", ""),
        upgrade(UpgradeErrorKind::NotUpgrade)
    );
    assert_eq!(
        added(&["X: a"; 96].join("\r\n")),
        upgrade(UpgradeErrorKind::TooManyHeaders)
    );
    assert_eq!(
        added(&"a".repeat(16384)),
        upgrade(UpgradeErrorKind::HeadTooLarge)
    );
    assert_eq!(kind_of("GET / HT"), upgrade(UpgradeErrorKind::Closed));
    assert_eq!(
        replaced("Sec-WebSocket-Version", ""),
        HandshakeErrorKind::Version
    );
    assert_eq!(replaced("Sec-WebSocket-Key", ""), HandshakeErrorKind::Key);
    assert_eq!(added("Origin: null"), HandshakeErrorKind::Origin);
    assert_eq!(
        added("Sec-WebSocket-Protocol: ("),
        HandshakeErrorKind::Subprotocol
    );
}

/// What is unusual, and the request.
fn accepted_requests() -> Vec<(&'static str, String)> {
    let line = |start: &str, line: &str| request_replacing(start, line);
    vec![
        ("nothing", REQUEST.into()),
        ("empty lines before it", format!("\r\n\r\n{REQUEST}")),
        ("query", line("GET", "GET /chat?a=b%20c HTTP/1.1")),
        (
            "absolute target",
            line("GET", "GET http://server.example.com/chat HTTP/1.1"),
        ),
        (
            "names in another case",
            REQUEST.replace("Sec-WebSocket", "sEC-wEBSOCKET"),
        ),
        (
            "upgrade in another case",
            line("Upgrade", "Upgrade: WebSocket"),
        ),
        (
            "upgrade in a list",
            line("Upgrade", "Upgrade: h2c, websocket"),
        ),
        ("upgrade in two lines", request_with("Upgrade: h2c")),
        (
            "connection in another case",
            line("Connection", "Connection: UPGRADE"),
        ),
        (
            "connection in a list",
            line("Connection", "Connection: keep-alive , Upgrade"),
        ),
        (
            "connection with empty elements",
            line("Connection", "Connection: ,, upgrade,"),
        ),
        (
            "connection in two lines",
            request_with("Connection: keep-alive"),
        ),
        (
            "no space after a colon",
            line("Host", "Host:server.example.com"),
        ),
        (
            "space around a value",
            line("Host", "Host: \t server.example.com \t "),
        ),
        ("empty value", request_with("X:")),
        ("tab in a value", request_with("X: a\tb")),
        ("bytes over 127 in a value", request_with("X: é")),
        ("length of zero", request_with("Content-Length: 0")),
        (
            "port of the host",
            line("Host", "Host: server.example.com:8080"),
        ),
        ("literal address", line("Host", "Host: [::1]:8080")),
        // RFC 6455 4.1 gives this key as its example; the last character has bits to spare.
        (
            "key of the rfc",
            line(
                "Sec-WebSocket-Key",
                "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==",
            ),
        ),
        (
            "as many headers as the limit",
            request_with(&["X: a"; 95].join("\r\n")),
        ),
        (
            "subprotocols nobody speaks",
            request_with("Sec-WebSocket-Protocol: a, b"),
        ),
        (
            "extensions nobody speaks",
            request_with("Sec-WebSocket-Extensions: x; y=\"ab\""),
        ),
        (
            "same origin",
            request_with("Origin: http://server.example.com"),
        ),
        (
            "same origin behind tls",
            request_with("Origin: https://server.example.com"),
        ),
        (
            "same origin in capitals",
            request_with("Origin: HTTP://Server.EXAMPLE.com:80"),
        ),
    ]
}

#[test]
fn what_is_unusual_but_sound_is_accepted_however_it_is_cut() {
    for (what, request) in accepted_requests() {
        for piece in [usize::MAX, 7, 1] {
            let stream = ScriptedPeer::new(&request[..]).in_pieces_of(piece);
            let result = shell::accept(&Acceptor::new(), stream.clone());
            assert!(result.is_ok(), "{what}: {:?}", result.err());
            assert_eq!(status_of(&stream.written_text()), 101, "{what}");
        }
    }
}
