//! Answers over a stream: refusals with their bodies, vetoes, time, failing I/O.

use super::shell::{self, Shelled, upgrade};
use framewire::Fault;
use framewire::handshake::{Acceptor, Connector, Established};
use framewire::protocol::Role;
use framewire::upgrade::{
    IncompleteBody, Limits, Rewind, UpgradeError, UpgradeErrorKind, Upgraded,
};
use http::{Request, Response};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use support::each;
use support::peer::{Ending, Plan, ScriptedPeer};

const ANSWER: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n";

fn ask(stream: ScriptedPeer) -> Result<Upgraded<<ScriptedPeer as Shelled>::In>, UpgradeError> {
    ask_within(stream, &Limits::default())
}

fn ask_within(
    stream: ScriptedPeer,
    limits: &Limits,
) -> Result<Upgraded<<ScriptedPeer as Shelled>::In>, UpgradeError> {
    let request = Request::get("http://a.example/").header("upgrade", "echo/2, echo/1");
    upgrade::request(stream, request.body(()).unwrap(), limits, |_| {
        Ok::<_, UpgradeError>(())
    })
}

fn refusal(answer: impl AsRef<[u8]>) -> Response<Vec<u8>> {
    let error = ask(ScriptedPeer::new(answer.as_ref())).unwrap_err();
    assert_eq!(
        (error.kind(), error.fault()),
        (UpgradeErrorKind::Refused, Fault::Peer)
    );
    error.into_response().unwrap()
}

#[test]
fn answer_with_folded_lines_switches() {
    let answer = "HTTP/1.1 101 x\r\nConnection:\r\n upgrade\r\nUpgrade:\r\n\techo/1\r\n\r\n";
    for piece in [1, usize::MAX] {
        ask(ScriptedPeer::new(answer).in_pieces_of(piece)).unwrap();
    }
}

// Refusals.

#[test]
fn body_of_a_refusal_ends_where_its_length_says() {
    let response =
        refusal("HTTP/1.1 503 x\r\nContent-Length: 4\r\nRetry-After: 9\r\n\r\nbusy, more");
    assert_eq!(response.body(), b"busy");
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "9");
    assert_eq!(
        refusal("HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\nmore").body(),
        b""
    );
}

#[test]
fn body_of_a_refusal_that_was_cut_short_is_what_arrived() {
    assert_eq!(
        refusal("HTTP/1.1 503 x\r\nContent-Length: 40\r\n\r\nbu").body(),
        b"bu"
    );
    let failing = ScriptedPeer::new("HTTP/1.1 503 x\r\n\r\nbu")
        .ending(Ending::Failure(io::ErrorKind::ConnectionReset));
    assert_eq!(ask(failing).unwrap_err().response().unwrap().body(), b"bu");
}

#[test]
fn rfc9112_8_refusal_says_that_its_body_is_incomplete() {
    let is_incomplete = |stream: ScriptedPeer| {
        let error = ask(stream).unwrap_err();
        let refusal = error.response().unwrap();
        refusal.extensions().get::<IncompleteBody>().is_some()
    };
    let said =
        |head: &str, body: &str| ScriptedPeer::new(format!("HTTP/1.1 403 x\r\n{head}\r\n{body}"));
    let length = |length: usize, body: &str| said(&format!("Content-Length: {length}\r\n"), body);
    let chunked = |body: &str| said("Transfer-Encoding: chunked\r\n", body);
    let long = "a".repeat(64 * 1024 + 1);
    for whole in [
        length(2, "no"),
        length(0, ""),
        length(64 * 1024, &long[1..]),
        chunked("2\r\nno\r\n0\r\n\r\n"),
        said("", "no").ending(Ending::Eof),
    ] {
        assert!(!is_incomplete(whole));
    }
    let reset = Ending::Failure(io::ErrorKind::ConnectionReset);
    for cut in [
        length(3, "no").ending(Ending::Eof),
        length(3, "no").ending(reset),
        length(long.len(), &long),
        chunked("2\r\nno\r\n").ending(Ending::Eof),
        chunked("2\r\nno!"),
        said("Content-Length: x\r\n", "no"),
        said("", "no").ending(reset),
        said("", &long),
    ] {
        assert!(is_incomplete(cut));
    }
}

#[test]
fn body_of_a_refusal_without_a_length_ends_with_the_stream() {
    assert_eq!(refusal("HTTP/1.0 403 x\r\n\r\nno").body(), b"no");
    assert_eq!(refusal("HTTP/1.1 403 x\r\n\r\nno").body(), b"no");
}

/// There is no telling where such a body ends: several lengths are one where they are equal.
#[test]
fn rfc9112_6_3_refusal_with_an_invalid_length_has_no_body() {
    let body = |lengths: &str| {
        let response = refusal(format!("HTTP/1.1 403 x\r\n{lengths}\r\n\r\nno"));
        assert_eq!(response.status(), 403);
        response.into_body()
    };
    for invalid in each([
        "Content-Length: x",
        "Content-Length:",
        "Content-Length: +2",
        "Content-Length: 2, 3",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 18446744073709551616",
    ]) {
        assert_eq!(body(invalid), b"");
    }
    for valid in each([
        "Content-Length: 2, 2",
        "Content-Length: 2\r\nContent-Length: 2",
    ]) {
        assert_eq!(body(valid), b"no");
    }
}

#[test]
fn statuses_without_a_body_have_none() {
    assert_eq!(refusal("HTTP/1.1 204 x\r\n\r\nmore").body(), b"");
    assert_eq!(
        refusal("HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\nmore").body(),
        b""
    );
}

#[test]
fn chunked_body_of_a_refusal_is_decoded_however_it_is_cut() {
    let head = "HTTP/1.1 403 x\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n";
    let body = "4\r\nnot \r\n00A;a=b\r\nfrom there\r\n0\r\nX: a\r\n\r\nmore";
    for piece in [1, 2, 3, 5, usize::MAX] {
        let stream = ScriptedPeer::new(format!("{head}{body}")).in_pieces_of(piece);
        let error = ask(stream).unwrap_err();
        assert_eq!(
            error.response().unwrap().body(),
            b"not from there",
            "{piece}"
        );
    }
}

#[test]
fn body_of_a_refusal_is_chunked_where_that_is_the_last_coding() {
    let body = "1\r\na\r\n0\r\n\r\n";
    for (codings, decoded) in [
        ("gzip, chunked", "a"),
        ("gzip\r\nTransfer-Encoding: chunked", "a"),
        ("chunked, gzip", body),
        ("chunked\r\nTransfer-Encoding: gzip", body),
        ("unchunked", body),
    ] {
        let head = format!("HTTP/1.1 403 x\r\nTransfer-Encoding: {codings}\r\n\r\n");
        let refused = refusal(format!("{head}{body}"));
        assert_eq!(refused.body(), decoded.as_bytes(), "{codings}");
    }
}

#[test]
fn rfc9112_7_1_refusal_with_a_parameter_of_chunked_has_no_body() {
    let body = "1\r\na\r\n0\r\n\r\n";
    for (codings, shown) in [
        ("chunked;a=b", ""),
        ("gzip, Chunked ; a", ""),
        ("chunked;", ""),
        ("chunked;a, chunked", "a"),
        ("gzip;a", body),
    ] {
        let head = format!("HTTP/1.1 403 x\r\nTransfer-Encoding: {codings}\r\n\r\n");
        let refused = refusal(format!("{head}{body}"));
        assert_eq!(refused.body(), shown.as_bytes(), "{codings}");
    }
}

#[test]
fn malformed_chunks_end_the_body() {
    let head = "HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, decoded) in [
        ("", ""),
        ("x", ""),
        ("\r\n", ""),
        ("-1\r\na", ""),
        ("fffffffffffffffff\r\na", ""),
        ("ffffffffffffffff\r\nab", "ab"),
        ("1\r\nab", "a"),
        ("1\r\na\r\nx", "a"),
        ("1\r\na\r\n2\r\nb", "ab"),
    ] {
        assert_eq!(
            refusal(format!("{head}{body}")).body(),
            decoded.as_bytes(),
            "{body:?}"
        );
    }
}

#[test]
fn body_of_a_refusal_is_kept_up_to_64_kib() {
    let long = "x".repeat(100_000);
    let chunked = "Transfer-Encoding: chunked\r\n\r\n186a0";
    for head in [
        format!("Content-Length: 100000\r\n\r\n{long}"),
        format!("\r\n{long}"),
        format!("{chunked}\r\n{long}"),
    ] {
        let stream = ScriptedPeer::new(format!("HTTP/1.1 500 x\r\n{head}"));
        let error = ask(stream.clone()).unwrap_err();
        assert_eq!(error.response().unwrap().body().len(), 64 * 1024);
        assert!(stream.has_more());
    }
}

#[test]
fn declared_length_is_not_trusted_for_an_allocation() {
    let declared = format!("HTTP/1.1 500 x\r\nContent-Length: {}\r\n\r\nab", u64::MAX);
    assert!(refusal(declared).body().capacity() < 1024);
}

#[test]
fn target_of_a_redirect_is_a_header() {
    let response = refusal("HTTP/1.1 302 x\r\nLocation: ws://b.example/\r\n\r\n");
    assert_eq!(response.headers()["location"], "ws://b.example/");
}

// Answers.

#[test]
fn answer_to_something_else_is_invalid() {
    let mismatch = UpgradeErrorKind::ProtocolMismatch;
    let connection = UpgradeErrorKind::MissingConnection;
    for (from, to, kind) in [
        ("echo/1", "echo/3", mismatch),
        ("echo/1", "echo", mismatch),
        ("echo/1", "echo/1, echo/2", mismatch),
        ("Upgrade: echo/1\r\n", "", mismatch),
        ("Connection: upgrade\r\n", "", connection),
        ("Connection: upgrade", "Connection: close", connection),
    ] {
        let answer = ANSWER.replace(from, to);
        let error = ask(ScriptedPeer::new(&answer[..])).unwrap_err();
        assert_eq!(error.kind(), kind, "{answer}");
        assert_eq!(error.fault(), Fault::Peer);
    }
}

#[test]
fn answer_of_http_1_0_does_not_switch() {
    let error = ask(ScriptedPeer::new(ANSWER.replace("HTTP/1.1", "HTTP/1.0"))).unwrap_err();
    assert_eq!(
        (error.kind(), error.fault()),
        (UpgradeErrorKind::Version, Fault::Peer)
    );
}

#[test]
fn validator_can_veto_with_an_error_of_its_own() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Library(UpgradeErrorKind),
        NotReady,
    }
    impl From<UpgradeError> for Mine {
        fn from(error: UpgradeError) -> Self {
            Self::Library(error.kind())
        }
    }
    let ask = |answer: &str| {
        let request = Request::get("http://a/")
            .header("upgrade", "echo/1")
            .body(())
            .unwrap();
        upgrade::request(
            ScriptedPeer::new(answer),
            request,
            &Limits::default(),
            |response| {
                let is_ready = response.headers().contains_key("ready");
                if is_ready {
                    Ok(())
                } else {
                    Err(Mine::NotReady)
                }
            },
        )
        .map(drop)
    };
    assert_eq!(ask(ANSWER), Err(Mine::NotReady));
    assert_eq!(
        ask("HTTP/1.1 403 x\r\n\r\n"),
        Err(Mine::Library(UpgradeErrorKind::Refused))
    );
    assert_eq!(
        ask(&ANSWER.replace("\r\n\r\n", "\r\nReady: yes\r\n\r\n")),
        Ok(())
    );
    assert_eq!(
        UpgradeError::veto("not ready").kind(),
        UpgradeErrorKind::Vetoed
    );
}

#[test]
fn bytes_after_the_answer_are_kept() {
    for piece in [1, ANSWER.len(), ANSWER.len() + 2, usize::MAX] {
        let stream = ScriptedPeer::new(format!("{ANSWER}hello")).in_pieces_of(piece);
        let mut text = String::new();
        ask(stream)
            .unwrap()
            .into_rewind()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "hello");
    }
}

#[test]
fn request_that_cannot_be_sent_sends_nothing() {
    let stream = ScriptedPeer::new(ANSWER);
    let request = Request::get("http://a.example/").body(()).unwrap();
    let result = upgrade::request(stream.clone(), request, &Limits::default(), |_| {
        Ok::<_, UpgradeError>(())
    });
    assert_eq!(result.unwrap_err().fault(), Fault::Caller);
    assert_eq!(stream.written_text(), "");
}

/// Only its first byte says whether a peer speaks TLS.
#[test]
fn answer_that_is_neither_http_nor_tls_is_not_taken_for_tls() {
    for (answer, piece) in each([
        ("HTTP/1.1 101\n\n", usize::MAX),
        ("HTTP/1.1 101 x\r\nX: \u{16}", 19),
        ("HTTP/1.1 101 x\r\nX: \u{16}", 1),
    ]) {
        let error = ask(ScriptedPeer::new(answer).in_pieces_of(piece)).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::Malformed);
        assert!(error.to_string().starts_with("malformed head: "), "{error}");
    }
}

// Time and failing I/O.

#[test]
fn silent_server_ends_at_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = Limits::default().time(Duration::from_millis(50));
    let connector = Connector::new().limits(limits);
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let error = shell::connect_stream(&connector, stream, "ws://a.example/").unwrap_err();
    assert_eq!(
        error.to_string(),
        "read was not done within the limit of 50ms"
    );

    // The body of a refusal as well; what came of it is kept.
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _first = listener.accept().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server
        .write_all(b"HTTP/1.1 403 x\r\nContent-Length: 9\r\n\r\nno")
        .unwrap();
    let error = shell::connect_stream(&connector, stream, "ws://a.example/").unwrap_err();
    assert_eq!(error.response().unwrap().body(), b"no");
}

#[test]
fn body_of_a_refusal_that_does_not_end_is_not_waited_for() {
    for time in [Limits::default().time, Duration::MAX] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"HTTP/1.1 403 x\r\n\r\nno").unwrap();
        let limits = Limits::default().time(time);
        let started = Instant::now();
        let connector = Connector::new().limits(limits);
        let error = shell::connect_stream(&connector, stream, "ws://a.example/").unwrap_err();
        assert_eq!(error.response().unwrap().body(), b"no");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn end_of_stream_before_the_answer_is_closed() {
    for end in each([0, 1, ANSWER.len() - 1]) {
        let error = ask(ScriptedPeer::new(&ANSWER[..end])).unwrap_err();
        assert_eq!(
            (error.kind(), error.fault()),
            (UpgradeErrorKind::Closed, Fault::Peer)
        );
    }
}

#[test]
fn limits_are_for_the_answer_too() {
    let head = Limits::default().head_bytes(ANSWER.len() - 1);
    let error = ask_within(ScriptedPeer::new(ANSWER), &head).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (UpgradeErrorKind::HeadTooLarge, None)
    );
    let headers = Limits::default().headers(1);
    let error = ask_within(ScriptedPeer::new(ANSWER), &headers).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TooManyHeaders);
}

#[test]
fn failure_of_any_call_is_an_error() {
    let (mut calls, mut kinds) = (0, Vec::new());
    let failing = |calls| {
        let plan = Plan::AllFrom(calls, io::ErrorKind::ConnectionAborted);
        ScriptedPeer::new(ANSWER).in_pieces_of(20).failing(plan)
    };
    while let Err(error) = ask(failing(calls)) {
        assert_eq!(error.fault(), Fault::Transport, "call {calls}");
        kinds.push(error.kind());
        calls += 1;
    }
    assert!(calls >= 10);
    kinds.dedup();
    assert_eq!(kinds, shell::FAILURES_OF_A_REQUEST);
}

#[test]
fn each_end_keeps_what_was_asked_for_and_what_was_answered() {
    fn check<S>(established: Established<S>, role: Role) {
        assert_eq!(established.role(), role);
        assert_eq!(established.subprotocol(), Some("chat"));
        check_heads(established.request(), established.response());
        // As after a handshake without I/O.
        let parts = established.map_stream(|_| ()).into_parts();
        assert_eq!(parts.role, role);
        assert_eq!(parts.subprotocol.as_deref(), Some("chat"));
        check_heads(&parts.request, &parts.response);
    }
    fn check_heads(request: &Request<()>, response: &Response<()>) {
        assert_eq!(request.uri().path(), "/room");
        assert_eq!(request.uri().query(), Some("id=7"));
        assert_eq!(request.headers()["cookie"], "a=b");
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["x-node"], "eu-3");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let acceptor = Acceptor::new().subprotocols(["chat"]).unwrap();
        let acceptor = acceptor.header("x-node", "eu-3").unwrap();
        let (stream, _) = listener.accept().unwrap();
        check(shell::accept(&acceptor, stream).unwrap(), Role::Server);
    });
    let connector = Connector::new().subprotocols(["news", "chat"]).unwrap();
    let connector = connector.header("cookie", "a=b").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let uri = format!("ws://{address}/room?id=7");
    let established = shell::connect_stream(&connector, stream, &uri).unwrap();
    check(established, Role::Client);
    server.join().unwrap();
}

#[test]
fn client_and_server_meet_over_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let acceptor = Acceptor::new().subprotocols(["chat"]).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let parts = shell::accept(&acceptor, stream).unwrap().into_parts();
        let mut stream = Rewind::new(parts.stream, parts.leftover);
        let mut text = [0; 5];
        stream.read_exact(&mut text).unwrap();
        stream.write_all(&text).unwrap();
    });
    let connector = Connector::new().subprotocols(["chat"]).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let uri = format!("ws://{address}/");
    let established = shell::connect_stream(&connector, stream, &uri).unwrap();
    assert_eq!(established.subprotocol(), Some("chat"));
    let parts = established.into_parts();
    let mut stream = Rewind::new(parts.stream, parts.leftover);
    stream.write_all(b"hello").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    server.join().unwrap();
}
