//! How requests and answers are written, and which are not.

use framewire::upgrade::{UpgradeErrorKind, encode_request, encode_response};
use http::{Request, Response};

#[test]
fn request_is_written_with_a_host_and_a_connection() {
    let request = Request::get("http://a.example:81?q")
        .header("upgrade", "echo/1")
        .body(());
    assert_eq!(
        String::from_utf8(encode_request(&request.unwrap()).unwrap()).unwrap(),
        "GET /?q HTTP/1.1\r\nHost: a.example:81\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
    );
}

/// RFC 9110 5.1 has case not count, but some peers compare what the RFCs show.
#[test]
fn names_are_written_as_the_rfcs_spell_them() {
    for name in [
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Extensions",
        "WWW-Authenticate",
        "ETag",
        "TE",
        "User-Agent",
        "X-Real-IP",
        "X-Mine",
        "X--Y",
    ] {
        let request = Request::get("http://a.example/").header("upgrade", "echo");
        let request = request.header(name, "v").body(()).unwrap();
        let bytes = String::from_utf8(encode_request(&request).unwrap()).unwrap();
        assert!(bytes.contains(&format!("\r\n{name}: v\r\n")), "{bytes}");
    }
}

#[test]
fn request_that_asks_for_nothing_or_has_a_body_is_not_written() {
    let base = || Request::get("http://a.example/").header("upgrade", "echo");
    for (what, request) in [
        ("no upgrade", Request::get("http://a.example/").body(())),
        (
            "no host",
            Request::get("/").header("upgrade", "echo").body(()),
        ),
        ("user information", base().uri("http://a:b@c/").body(())),
        ("post", base().method("POST").body(())),
        ("length", base().header("content-length", "0").body(())),
        (
            "chunked",
            base().header("transfer-encoding", "chunked").body(()),
        ),
    ] {
        let error = encode_request(&request.unwrap()).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument, "{what}");
    }
}

#[test]
fn answer_is_written_with_the_length_it_has() {
    let response = Response::builder()
        .status(403)
        .header("content-length", "99")
        .header("transfer-encoding", "chunked")
        .header("connection", "x")
        .body("no")
        .unwrap();
    assert_eq!(
        String::from_utf8(encode_response(&response).unwrap()).unwrap(),
        "HTTP/1.1 403 Forbidden\r\nConnection: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    );
}

#[test]
fn rfc9110_7_8_answer_that_names_protocols_has_the_connection_option_once() {
    for (connection, options) in [
        ("x", "x; close; Upgrade"),
        ("upgrade", "upgrade; close"),
        ("close, Upgrade", "close, Upgrade"),
    ] {
        let response = Response::builder().status(426).header("upgrade", "echo");
        let response = response.header("connection", connection).body("").unwrap();
        let answer = String::from_utf8(encode_response(&response).unwrap()).unwrap();
        let lines = answer.lines();
        let sent: Vec<_> = lines
            .filter_map(|line| line.strip_prefix("Connection: "))
            .collect();
        assert_eq!(sent.join("; "), options, "{answer}");
    }
}

#[test]
fn rfc9112_4_space_after_a_status_stands_without_words() {
    let response = Response::builder().status(499).body("").unwrap();
    let bytes = encode_response(&response).unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 499 \r\n"));
}

#[test]
fn answers_that_have_no_body_get_none() {
    for status in [101, 204, 304] {
        let empty = Response::builder().status(status).body("").unwrap();
        let bytes = String::from_utf8(encode_response(&empty).unwrap()).unwrap();
        assert!(!bytes.contains("Content-Length"), "{status}");
        let full = Response::builder().status(status).body("x").unwrap();
        assert_eq!(
            encode_response(&full).unwrap_err().kind(),
            UpgradeErrorKind::InvalidArgument
        );
    }
    for status in [100, 103] {
        let interim = Response::builder().status(status).body("").unwrap();
        assert_eq!(
            encode_response(&interim).unwrap_err().kind(),
            UpgradeErrorKind::InvalidArgument
        );
    }
}
