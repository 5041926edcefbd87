//! The decoders: limits, strictness, and the same answer however the bytes are cut.

use framewire::upgrade::{
    Limits, RequestDecoder, ResponseDecoder, UpgradeError, UpgradeErrorKind, encode_request,
    encode_response,
};
use http::{Request, Response, StatusCode, Version};
use proptest::prelude::*;
use support::http_text::{REQUEST, request_replacing};

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n";

/// Feeds a request in pieces that end at `cuts`, and gives it with how many bytes its head used.
fn decode_cut(
    limits: &Limits,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Option<(usize, Request<()>)>, UpgradeError> {
    let mut decoder = RequestDecoder::new(limits);
    let mut start = 0;
    for end in cuts.into_iter().chain([input.len()]) {
        let (used, request) = decoder.decode(&input[start..end])?;
        match request {
            Some(request) => return Ok(Some((start + used, request))),
            None => assert_eq!(used, end - start),
        }
        start = end;
    }
    Ok(None)
}

fn decode(limits: &Limits, input: &[u8]) -> Result<Option<(usize, Request<()>)>, UpgradeError> {
    decode_cut(limits, input, [])
}

fn decode_answer(input: &str) -> Result<(usize, Option<Response<()>>), UpgradeError> {
    ResponseDecoder::new(&Limits::default()).decode(input.as_bytes())
}

/// What a test can compare: the request, how much was used, or the error.
fn outcome(result: Result<Option<(usize, Request<()>)>, UpgradeError>) -> String {
    match result {
        Ok(Some((used, request))) => format!("{used} {request:?}"),
        Ok(None) => "more".to_owned(),
        Err(error) => format!("{error:?} {:?}", error.response()),
    }
}

// Limits.

#[test]
fn head_of_exactly_the_limit_is_accepted() {
    let limits = Limits::default().head_bytes(REQUEST.len());
    assert!(decode(&limits, REQUEST.as_bytes()).unwrap().is_some());
    assert!(
        decode_cut(&limits, REQUEST.as_bytes(), 1..REQUEST.len())
            .unwrap()
            .is_some()
    );
}

#[test]
fn head_that_cannot_end_within_the_limit_is_refused_at_the_limit() {
    let limits = Limits::default().head_bytes(REQUEST.len() - 1);
    let head = &REQUEST.as_bytes()[..REQUEST.len() - 1];
    let error = decode(&limits, head).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
    assert_eq!(
        error.status(),
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
    assert_eq!(
        error.to_string(),
        format!("head exceeds the limit of {} bytes", head.len())
    );
    assert!(decode(&limits, &head[..head.len() - 1]).unwrap().is_none());
}

#[test]
fn default_limit_is_16_kib() {
    let head = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(16 * 1024));
    assert!(
        decode(&Limits::default(), &head.as_bytes()[..16 * 1024 - 1])
            .unwrap()
            .is_none()
    );
    assert!(decode(&Limits::default(), &head.as_bytes()[..16 * 1024]).is_err());
}

#[test]
fn bytes_after_the_head_do_not_count() {
    let limits = Limits::default().head_bytes(REQUEST.len());
    let input = [REQUEST.as_bytes(), &vec![0; 100_000]].concat();
    assert_eq!(decode(&limits, &input).unwrap().unwrap().0, REQUEST.len());
}

#[test]
fn request_line_over_the_limit_is_414() {
    let limits = Limits::default().head_bytes(100);
    let error = decode(&limits, "GET /".repeat(20).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
    assert_eq!(error.status(), Some(StatusCode::URI_TOO_LONG));
}

#[test]
fn target_longer_than_a_uri_can_be_is_an_error() {
    let limits = Limits::default().head_bytes(usize::MAX);
    let decode_target = |length: usize| {
        let target = format!("/{}", "a".repeat(length - 1));
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        decode(&limits, head.as_bytes())
    };
    let (_, longest) = decode_target(65_534).unwrap().unwrap();
    assert_eq!(longest.uri().path().len(), 65_534);
    let error = decode_target(65_535).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
    assert_eq!(error.status(), Some(StatusCode::URI_TOO_LONG));
}

#[test]
fn empty_lines_in_front_count_as_well() {
    let limits = Limits::default().head_bytes(100);
    let error = decode(&limits, "\r\n".repeat(50).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
}

#[test]
fn headers_are_counted_as_they_come() {
    let limits = Limits::default().headers(2);
    let two = "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n";
    assert!(
        decode(&limits, format!("{two}\r\n").as_bytes())
            .unwrap()
            .is_some()
    );
    // The first byte of a third is enough.
    let error = decode(&limits, format!("{two}Y").as_bytes()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TooManyHeaders);
    assert_eq!(
        error.status(),
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
    assert_eq!(
        error.to_string(),
        "head exceeds the limit of 2 header lines"
    );
}

#[test]
fn default_limit_is_100_headers() {
    let head = |count| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: a\r\n".repeat(count)
        )
    };
    assert!(
        decode(&Limits::default(), head(99).as_bytes())
            .unwrap()
            .is_some()
    );
    assert!(decode(&Limits::default(), head(100).as_bytes()).is_err());
}

#[test]
fn more_headers_than_a_map_can_hold_are_an_error_and_no_panic() {
    let limits = Limits::default().head_bytes(usize::MAX).headers(usize::MAX);
    for count in [24_575, 24_576, 24_577, 32_768, 40_000] {
        let lines: String = (0..count).fold(String::new(), |lines, line| {
            lines + &format!("x{line}: a\r\n")
        });
        for first in [
            "GET http://a/ HTTP/1.0\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n",
        ] {
            let head = format!("{first}{lines}\r\n");
            if let Err(error) = decode(&limits, head.as_bytes()) {
                assert_eq!(error.kind(), UpgradeErrorKind::TooManyHeaders);
                assert_eq!(error.status().unwrap(), 431);
            } else {
                assert!(count < 24_577);
            }
        }
    }
}

#[test]
fn many_headers_of_one_name_are_no_trouble() {
    let limits = Limits::default().head_bytes(usize::MAX).headers(usize::MAX);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: a\r\n".repeat(50_000)
    );
    let (_, request) = decode(&limits, head.as_bytes()).unwrap().unwrap();
    assert_eq!(request.headers().get_all("x").iter().count(), 50_000);
}

/// With a second look at every byte each time, this would be 2 million million steps.
#[test]
fn megabytes_fed_byte_by_byte_are_looked_at_once() {
    let limits = Limits::default().head_bytes(usize::MAX);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(2 << 20)
    );
    let (used, _) = decode_cut(&limits, head.as_bytes(), 1..head.len())
        .unwrap()
        .unwrap();
    assert_eq!(used, head.len());
}

// Strictness. The statuses are in handshake_refusals.rs; here is when they are found.

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

// Responses.

#[test]
fn credentials_are_not_shown() {
    let credentials = "Authorization: secret\r\nProxy-Authorization: secret\r\nCookie: secret\r\n\
                       Set-Cookie: secret\r\nX-Mine: open\r\n\r\n";
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{credentials}");
    let (_, request) = decode(&Limits::default(), request.as_bytes())
        .unwrap()
        .unwrap();
    let answer = ANSWER.replace("\r\n\r\n", &format!("\r\n{credentials}"));
    let (_, answer) = decode_answer(&answer).unwrap();
    for (shown, headers) in [
        (format!("{request:?}"), request.headers()),
        (format!("{answer:?}"), answer.as_ref().unwrap().headers()),
    ] {
        assert!(
            !shown.contains("secret") && shown.contains("open"),
            "{shown}"
        );
        assert_eq!(headers["cookie"], "secret");
    }
}

#[test]
fn malformed_answers_are_errors_without_an_answer() {
    for (input, kind) in [
        ("HTTP/1.1 101\n\n", UpgradeErrorKind::Malformed),
        ("HTTP/1.1 10 x\r\n\r\n", UpgradeErrorKind::Malformed),
        ("HTTP/1.1 1010 x\r\n\r\n", UpgradeErrorKind::Malformed),
        ("HTTP/1.1 099 x\r\n\r\n", UpgradeErrorKind::Malformed),
        ("HTTP/2.0 101 x\r\n\r\n", UpgradeErrorKind::Version),
        ("SSH-2.0-OpenSSH\r\n\r\n", UpgradeErrorKind::Version),
        (
            "HTTP/1.1 101 x\r\nX : a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\n X: a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "\r\nHTTP/1.1 101 x\r\n X: a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "\r\n\r\nHTTP/1.1 101 x\r\n\tX: a\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\nX: a\r\n \0\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\nX: a\0\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
        (
            "HTTP/1.1 101 x\r\nX: a\rb\r\n\r\n",
            UpgradeErrorKind::Malformed,
        ),
    ] {
        let error = decode_answer(input).unwrap_err();
        assert_eq!(error.kind(), kind, "{input:?}");
        assert!(error.response().is_none());
    }
    let error = decode_answer(&format!("HTTP/1.1 101 {}", "a".repeat(20_000))).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (UpgradeErrorKind::HeadTooLarge, None)
    );
}

#[test]
fn rfc9112_4_words_after_a_status_may_be_any_or_none() {
    for words in ["", " ", " Not Found", " \u{e9}\t!"] {
        let head = format!("HTTP/1.1 101{words}\r\nX: a\r\n\r\n");
        let (used, response) = decode_answer(&head).unwrap();
        assert_eq!(used, head.len(), "{words:?}");
        assert_eq!(response.unwrap().status(), 101, "{words:?}");
    }
}

/// RFC 9112 5.2: a user agent replaces each fold with spaces before it looks at the value.
#[test]
fn rfc9112_5_2_folded_lines_of_an_answer_are_put_together() {
    for (lines, value) in [
        ("X: a\r\n b", "a   b"),
        ("X: a\r\n\tb", "a  \tb"),
        ("X: a\r\n b\r\n c", "a   b   c"),
        ("X:\r\n a", "a"),
        ("X: a\r\n ", "a"),
        ("Y: b\r\nX: a\r\n \t ", "a"),
    ] {
        let input = format!("HTTP/1.1 101 x\r\n{lines}\r\n\r\n");
        let (used, response) = decode_answer(&input).unwrap();
        assert_eq!(used, input.len());
        assert_eq!(response.unwrap().headers()["x"], value, "{lines:?}");

        let mut decoder = ResponseDecoder::new(&Limits::default());
        let mut bytes = input.as_bytes().chunks(1);
        let response = bytes.find_map(|byte| decoder.decode(byte).unwrap().1);
        assert_eq!(response.unwrap().headers()["x"], value, "{lines:?}");
    }
}

#[test]
fn folded_lines_count_as_lines_and_bytes() {
    let limits = Limits::default().headers(3);
    let decode = |lines: &str| {
        let input = format!("HTTP/1.1 101 x\r\n{lines}\r\n");
        ResponseDecoder::new(&limits).decode(input.as_bytes())
    };
    assert!(decode("X: a\r\n b\r\n c\r\n").unwrap().1.is_some());
    let error = decode("X: a\r\n b\r\n c\r\n d\r\n").unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TooManyHeaders);
}

#[test]
fn interim_answers_are_passed_over() {
    let hint = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let input = format!("{hint}{ANSWER}rest");
    let (used, response) = decode_answer(&input).unwrap();
    assert_eq!(used, input.len() - 4);
    assert_eq!(response.unwrap().status(), 101);

    let mut decoder = ResponseDecoder::new(&Limits::default());
    let answers = input.as_bytes().iter().filter_map(|byte| {
        let (used, response) = decoder.decode(&[*byte]).unwrap();
        assert_eq!(used, 1);
        response
    });
    let answer = answers.take(1).next().unwrap();
    assert_eq!(answer.headers()["upgrade"], "echo");
    assert!(!answer.headers().contains_key("link"));
}

#[test]
fn endless_interim_answers_end_at_the_limit() {
    let mut decoder = ResponseDecoder::new(&Limits::default());
    let hint = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    let error = (0..1000).find_map(|_| decoder.decode(hint).err()).unwrap();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
}

// Encoding.

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

// Any bytes, any cut.

fn any_head() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "GET",
        " ",
        "/",
        "HTTP/1.1",
        "HTTP/1.0",
        "\r\n",
        "\r",
        "\n",
        ":",
        "Host",
        "a",
        "X",
        "\t",
        "http://",
        "é",
        "\0",
        "#",
        "@",
        "Upgrade",
        ",",
        "Content-Length",
        "5",
        "\r\n\r\n",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat().into_bytes())
}

/// A sound request in which a few bytes were changed.
fn nearly_a_request() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((0..REQUEST.len(), any::<u8>()), 0..4).prop_map(|changes| {
        let mut request = REQUEST.as_bytes().to_vec();
        for (index, byte) in changes {
            request[index] = byte;
        }
        request.extend_from_slice(b"leftover");
        request
    })
}

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any_head(),
        nearly_a_request()
    ]
}

proptest! {
    #[test]
    fn any_bytes_cut_anywhere_give_the_same(
        input in any_input(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let limits = Limits::default().head_bytes(300).headers(6);
        let whole = outcome(decode(&limits, &input));
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&whole, &outcome(decode_cut(&limits, &input, cuts)));
        prop_assert_eq!(&whole, &outcome(decode_cut(&limits, &input, 1..input.len())));
    }

    #[test]
    fn any_answer_is_an_answer_or_an_error(input in any_input()) {
        let answer = [b"HTTP/1.1 101 x\r\n", &input[..], b"\r\n\r\n"].concat();
        let mut decoder = ResponseDecoder::new(&Limits::default());
        let result = decoder.decode(&answer);
        prop_assert!(result.is_err() || result.unwrap().1.is_some());
    }
}
