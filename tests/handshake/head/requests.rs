//! What the decoder of requests refuses, and what it gives. Which status answers a refusal is in `cases::refusals`.

use framewire::upgrade::{Limits, UpgradeErrorKind};
use http::Version;
use support::http_text::request_replacing;

use super::decode;

#[test]
fn what_is_no_request_is_refused_at_the_byte_that_shows_it() {
    let cr = "a carriage return without a line feed";
    let lf = "a line feed without a carriage return";
    for (input, what) in [
        ("\x16", "it begins as a record of TLS does"),
        ("\n", lf),
        ("\rX", cr),
        ("GET\rX", cr),
        ("GET / HTTP/1.1\n", lf),
        ("GET / HTTP/1.1\r\nX: a\0", "a control character"),
        ("GET / HTTP/1.1\r\nX: \x7f", "a control character"),
    ] {
        let before = &input.as_bytes()[..input.len() - 1];
        assert!(
            decode(&Limits::default(), before).unwrap().is_none(),
            "{input:?}"
        );
        let error = decode(&Limits::default(), input.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::Malformed, "{input:?}");
        assert_eq!(error.to_string(), format!("malformed head: {what}"));
    }
}

#[test]
fn absolute_target_gives_the_host() {
    let line = "GET https://Other.example:444/chat?a HTTP/1.1";
    let (_, request) = decode(
        &Limits::default(),
        request_replacing("GET", line).as_bytes(),
    )
    .unwrap()
    .unwrap();
    // RFC 9112 3.2.2.
    assert_eq!(request.headers()["host"], "Other.example:444");
    assert_eq!(request.headers().get_all("host").iter().count(), 1);
    assert_eq!(request.uri().path(), "/chat");
}

#[test]
fn http_1_0_is_read_so_that_it_can_be_answered() {
    let (_, request) = decode(&Limits::default(), b"GET / HTTP/1.0\r\n\r\n")
        .unwrap()
        .unwrap();
    assert_eq!(request.version(), Version::HTTP_10);
}

#[test]
fn values_keep_their_bytes_and_order_and_lose_the_space_around() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX: \t one  two\t \r\nx: \u{e9}\r\nX:\r\n\r\n";
    let (_, request) = decode(&Limits::default(), head.as_bytes())
        .unwrap()
        .unwrap();
    let values: Vec<_> = request
        .headers()
        .get_all("x")
        .iter()
        .map(http::HeaderValue::as_bytes)
        .collect();
    assert_eq!(values, [&b"one  two"[..], "\u{e9}".as_bytes(), b""]);
}
