//! Requests over a stream: time, lost answers, leftover bytes, failing I/O.

use super::shell::{self, Shelled, upgrade};
use framewire::Fault;
use framewire::handshake::Acceptor;
use framewire::protocol::Role;
use framewire::upgrade::{
    Limits, RequestDecoder, UpgradeError, UpgradeErrorKind, Upgraded, respond,
};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;
use support::each;
use support::frames::{FIN, TEXT, frame};
use support::http_text::{REQUEST, body_of, header_of, status_of};
use support::peer::{self, Direction, Ending, Plan, ScriptedPeer};

const ECHO: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo/1\r\nConnection: upgrade\r\n\r\n";
const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn short() -> Limits {
    Limits::default().time(Duration::from_millis(50))
}

fn accept<S: Shelled>(stream: S, limits: &Limits) -> Result<Upgraded<S::In>, UpgradeError> {
    upgrade::receive(stream, limits)?.accept(&["echo/1"], HeaderMap::new())
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn read_to_end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

// Time.

#[test]
fn half_a_head_and_silence_end_at_the_time_limit() {
    let (mut client, server) = tcp();
    client.write_all(&ECHO.as_bytes()[..30]).unwrap();
    let error = accept(server, &short()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TimedOut);
    assert_eq!(error.fault(), Fault::Peer);
    assert_eq!(status_of(&read_to_end(client)), 408);
}

#[test]
fn silence_alone_is_not_answered() {
    let (client, server) = tcp();
    let error = accept(server, &short()).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (UpgradeErrorKind::TimedOut, None)
    );
    assert_eq!(read_to_end(client), "");
}

/// A peer that always has more, some at a time, and so never lets a read time out.
fn endless(byte: u8, at_once: usize) -> ScriptedPeer {
    let peer = ScriptedPeer::saying([vec![byte; at_once]]);
    peer.say_again(usize::MAX);
    peer
}

#[test]
fn time_limit_is_for_the_whole_head_and_not_for_each_read() {
    let limits = short().head_bytes(usize::MAX);
    let error = accept(endless(b'a', 1), &limits).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::TimedOut);
}

#[test]
fn what_is_read_away_after_a_refusal_is_bounded() {
    const AT_ONCE: usize = 1024;
    let peer = endless(b'\n', AT_ONCE);
    let limits = Limits::default().time(Duration::MAX);
    let error = accept(peer.clone(), &limits).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::Malformed);
    // One shows that it is no request.
    assert_eq!(peer.calls().reads, 1 + 64 * 1024 / AT_ONCE);
}

#[test]
fn refused_peer_that_neither_sends_nor_closes_is_dropped() {
    let (mut client, server) = tcp();
    client.write_all(b"\n").unwrap();
    let error = accept(server, &short()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::Malformed);
    assert_eq!(status_of(&read_to_end(client)), 400);
}

#[test]
fn peer_that_does_not_read_its_answer_cannot_hold_the_server() {
    let (mut client, server) = tcp();
    client.write_all(PLAIN.as_bytes()).unwrap();
    let pending = upgrade::receive(server, &short()).unwrap();
    // More than any socket buffer.
    let page = Response::new(vec![b'x'; 64 << 20]);
    assert_eq!(
        pending.refuse(&page).unwrap_err().kind(),
        UpgradeErrorKind::TimedOut
    );
    drop(client);
}

#[test]
fn would_block_before_the_time_is_over_is_an_io_error() {
    let ending = Ending::Failure(io::ErrorKind::WouldBlock);
    let stream = ScriptedPeer::new(&ECHO[..20]).ending(ending);
    let error = accept(stream.clone(), &Limits::default()).unwrap_err();
    assert_eq!(
        (error.kind(), error.fault()),
        (UpgradeErrorKind::Read, Fault::Transport)
    );
    let cause = error.cause().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(stream.written_text(), "");
}

#[test]
fn interrupted_calls_are_repeated() {
    let stream = ScriptedPeer::saying([&ECHO[..20], &ECHO[20..]])
        .failing(Plan::BeforeAll(io::ErrorKind::Interrupted));
    accept(stream.clone(), &Limits::default()).unwrap();
    assert_eq!(status_of(&stream.written_text()), 101);
}

#[test]
fn calls_that_fail_once_are_not_repeated() {
    for direction in each([Direction::Read, Direction::Write, Direction::Flush]) {
        let reset = peer::Fault::Error(io::ErrorKind::ConnectionReset);
        let stream = ScriptedPeer::new(ECHO).failing(Plan::Nth(direction, 0, reset));
        let error = accept(stream, &Limits::default()).unwrap_err();
        assert_eq!(error.fault(), Fault::Transport);
    }
}

// Answers.

#[test]
fn answer_is_not_lost_to_a_reset_when_the_peer_sent_more_than_was_read() {
    let (mut client, server) = tcp();
    let writer = {
        let mut client = client.try_clone().unwrap();
        std::thread::spawn(move || {
            let head = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(60 * 1024));
            client.write_all(head.as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        })
    };
    let error = accept(server, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), UpgradeErrorKind::HeadTooLarge);
    writer.join().unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(status_of(&answer), 431);
    assert_eq!(body_of(&answer), "head exceeds the limit of 16384 bytes\n");
}

#[test]
fn refused_bodies_are_read_away() {
    for request in [
        format!("{PLAIN}leftover"),
        PLAIN.replace("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\n"),
        PLAIN.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ] {
        let stream = ScriptedPeer::saying([&request[..], "the body"]).ending(Ending::Eof);
        let pending = upgrade::receive(stream.clone(), &Limits::default()).unwrap();
        assert!(stream.has_more());
        pending.refuse(&Response::new("")).unwrap();
        assert!(!stream.has_more());
    }
}

#[test]
fn nothing_is_read_after_a_request_that_was_read_whole() {
    let stream = ScriptedPeer::saying([PLAIN, "next"]);
    let pending = upgrade::receive(stream.clone(), &Limits::default()).unwrap();
    pending.refuse(&Response::new("a page")).unwrap();
    assert!(stream.has_more());
    let stream = ScriptedPeer::saying([PLAIN, "next"]);
    accept(stream.clone(), &Limits::default()).unwrap_err();
    assert!(stream.has_more());
}

#[test]
fn end_of_stream_inside_a_head_is_not_answered() {
    for end in each([0, 1, ECHO.len() - 1]) {
        let stream = ScriptedPeer::new(&ECHO[..end]);
        let error = accept(stream.clone(), &Limits::default()).unwrap_err();
        assert_eq!(
            (error.kind(), error.status()),
            (UpgradeErrorKind::Closed, None)
        );
        assert_eq!(stream.written_text(), "");
    }
}

#[test]
fn page_is_served_where_no_upgrade_was_asked_for() {
    let acceptor = Acceptor::new();
    let pending = shell::receive(&acceptor, ScriptedPeer::new(PLAIN)).unwrap();
    assert!(!pending.is_websocket());
    assert_eq!(pending.request().uri().path(), "/");
    assert_eq!(pending.refusal().unwrap().status().unwrap(), 400);
    let page = Response::builder()
        .header("content-type", "text/html")
        .body("<p>hello")
        .unwrap();
    let output = pending.refuse(&page).unwrap().written_text();
    assert!(output.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(header_of(&output, "content-length"), ["8"]);
    assert_eq!(header_of(&output, "connection"), ["close"]);
    assert_eq!(body_of(&output), "<p>hello");
}

#[test]
fn request_for_a_websocket_is_told_from_any_other() {
    for (upgrade, is_websocket) in each([
        ("Upgrade: websocket", true),
        ("Upgrade: echo/1, WebSocket", true),
        ("Upgrade: echo/1\r\nUpgrade: websocket", true),
        ("Upgrade: websocket/2", false),
        ("Upgrade: echo/1", false),
        ("X: websocket", false),
    ]) {
        let request = ECHO.replace("Upgrade: echo/1", upgrade);
        let pending = shell::receive(&Acceptor::new(), ScriptedPeer::new(request)).unwrap();
        assert_eq!(pending.is_websocket(), is_websocket);
    }
}

#[test]
fn answer_to_head_has_no_body() {
    let request = PLAIN.replace("GET", "HEAD");
    let pending = upgrade::receive(ScriptedPeer::new(&request[..]), &Limits::default()).unwrap();
    let output = pending
        .refuse(&Response::new("<p>hello"))
        .unwrap()
        .written_text();
    assert_eq!(
        (header_of(&output, "content-length"), body_of(&output)),
        (vec!["8"], "")
    );

    let stream = ScriptedPeer::new(&request[..]);
    assert_eq!(
        accept(stream.clone(), &Limits::default())
            .unwrap_err()
            .status()
            .unwrap(),
        405
    );
    assert_eq!(body_of(&stream.written_text()), "");
}

#[test]
fn refusal_with_a_status_that_refuses_nothing_is_the_callers_fault() {
    for status in [100, 101, 103] {
        let stream = ScriptedPeer::new(ECHO);
        let pending = upgrade::receive(stream.clone(), &Limits::default()).unwrap();
        let response = Response::builder().status(status).body("").unwrap();
        assert_eq!(
            pending.refuse(&response).unwrap_err().fault(),
            Fault::Caller
        );
        assert_eq!(stream.written_text(), "");
    }
    let pending = upgrade::receive(ScriptedPeer::new(ECHO), &Limits::default()).unwrap();
    assert_eq!(
        pending.switch(Response::new(())).unwrap_err().fault(),
        Fault::Caller
    );
}

#[test]
fn first_accepted_protocol_that_is_offered_is_switched_to() {
    let request = ECHO.replace("echo/1", "other, ECHO/2, echo/1");
    let pending = upgrade::receive(ScriptedPeer::new(request), &Limits::default()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-node", HeaderValue::from(3));
    let upgraded = pending
        .accept(&["echo/3", "echo/2", "echo/1"], headers)
        .unwrap();
    assert_eq!(upgraded.response().headers()["upgrade"], "echo/2");
    assert_eq!(upgraded.protocol(), "echo/2");
    assert_eq!(
        upgraded.get_ref().written_text(),
        "HTTP/1.1 101 Switching Protocols\r\nX-Node: 3\r\nConnection: Upgrade\r\n\
         Upgrade: echo/2\r\n\r\n"
    );
}

#[test]
fn refusal_lists_every_protocol_that_is_accepted() {
    let stream = ScriptedPeer::new(ECHO.replace("echo/1", "echo/3"));
    let pending = upgrade::receive(stream.clone(), &Limits::default()).unwrap();
    let error = pending
        .accept(&["echo/2", "echo/1"], HeaderMap::new())
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.status().unwrap().as_u16()),
        (UpgradeErrorKind::NotUpgrade, 426)
    );
    assert_eq!(
        header_of(&stream.written_text(), "upgrade"),
        ["echo/2, echo/1"]
    );
}

#[test]
fn what_the_caller_must_not_put_into_a_101_is_the_callers_fault() {
    let mut headers = HeaderMap::new();
    headers.insert("content-length", HeaderValue::from(3));
    for (accepted, headers) in [
        (&["echo/1"][..], headers),
        (&[], HeaderMap::new()),
        (&["echo 1"], HeaderMap::new()),
        (&["echo/"], HeaderMap::new()),
    ] {
        let stream = ScriptedPeer::new(ECHO);
        let pending = upgrade::receive(stream.clone(), &Limits::default()).unwrap();
        let error = pending.accept(accepted, headers).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument);
        assert_eq!(stream.written_text(), "");
    }
}

// Leftover bytes.

#[test]
fn bytes_after_the_head_are_read_first_wherever_they_were_cut() {
    let frames: Vec<u8> = (0..=255).collect();
    let input = [ECHO.as_bytes(), &frames].concat();
    for piece in [
        1,
        2,
        ECHO.len(),
        ECHO.len() + 1,
        ECHO.len() + 255,
        usize::MAX,
    ] {
        let stream = ScriptedPeer::saying([&input[..], b"and more"])
            .ending(Ending::Eof)
            .in_pieces_of(piece);
        let mut rewind = accept(stream, &Limits::default()).unwrap().into_rewind();
        let mut read = Vec::new();
        rewind.read_to_end(&mut read).unwrap();
        assert_eq!(
            read,
            [&frames[..], b"and more"].concat(),
            "in pieces of {piece}"
        );
    }
}

// Failing I/O.

#[test]
fn failure_of_any_call_is_an_error_and_never_half_a_handshake() {
    let mut calls = 0;
    loop {
        let stream = ScriptedPeer::new(REQUEST)
            .in_pieces_of(50)
            .failing(Plan::AllFrom(calls, io::ErrorKind::ConnectionAborted));
        let result = shell::accept(&Acceptor::new(), stream.clone());
        match result {
            Ok(_) => break,
            Err(error) => {
                assert_eq!(error.fault(), Fault::Transport, "call {calls}");
                assert_eq!(error.status(), None, "call {calls}");
            }
        }
        calls += 1;
    }
    assert!(calls > 7);
}

#[test]
fn failure_of_any_call_while_refusing_leaves_the_reason() {
    let mut sent = Vec::new();
    for calls in each(0..20) {
        let stream = ScriptedPeer::new("hello\r\n\r\n")
            .in_pieces_of(50)
            .failing(Plan::AllFrom(calls, io::ErrorKind::ConnectionAborted));
        let error = accept(stream, &Limits::default()).unwrap_err();
        let expected = if calls < shell::CALLS_TO_READ {
            UpgradeErrorKind::Read
        } else {
            UpgradeErrorKind::Malformed
        };
        assert_eq!(error.kind(), expected, "call {calls}");
        sent.push(error.cause().is_none());
    }
    // Why the answer could not be sent is there, until it can be.
    let answered = sent
        .iter()
        .skip(shell::CALLS_TO_READ)
        .position(|sent| *sent)
        .unwrap();
    assert!(
        answered > 3
            && sent[shell::CALLS_TO_READ + answered..]
                .iter()
                .all(|sent| *sent)
    );
}

// Sockets of another HTTP server.

#[test]
fn a_socket_is_taken_over_from_another_http_server() {
    let mut request = Request::new("a body of that server's own type");
    *request.uri_mut() = "/chat".parse().unwrap();
    let fields = [
        ("host", "a.example"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "echo/1"),
    ];
    for (name, value) in fields {
        let value = HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
    let stream = ScriptedPeer::new("second");
    let leftover = b"first ".to_vec();
    let limits = Limits::default();
    let pending = upgrade::PendingUpgrade::from_parts(stream.clone(), leftover, &request, &limits);
    assert_eq!(pending.request().uri(), "/chat");
    let upgraded = pending.accept(&["echo/1"], HeaderMap::new()).unwrap();
    assert_eq!(status_of(&stream.written_text()), 101);
    let mut received = String::new();
    upgraded
        .into_rewind()
        .read_to_string(&mut received)
        .unwrap();
    assert_eq!(received, "first second");
}

#[test]
fn a_websocket_is_taken_over_from_another_http_server() {
    let (used, request) = RequestDecoder::new(&Limits::default())
        .decode(REQUEST.as_bytes())
        .unwrap();
    let request = request.unwrap();
    assert_eq!(used, REQUEST.len());
    let stream = ScriptedPeer::new("");
    let leftover = frame(Role::Client, FIN | TEXT, b"");
    let pending = shell::take_over(&Acceptor::new(), stream.clone(), leftover.clone(), &request);
    let established = pending.accept().unwrap();
    assert_eq!(status_of(&stream.written_text()), 101);
    assert_eq!(established.leftover(), leftover);

    let foreign = REQUEST.replace("13", "12");
    let (_, request) = RequestDecoder::new(&Limits::default())
        .decode(foreign.as_bytes())
        .unwrap();
    let stream = ScriptedPeer::new("");
    let pending = shell::take_over(
        &Acceptor::new(),
        stream.clone(),
        Vec::new(),
        &request.unwrap(),
    );
    assert_eq!(pending.accept().unwrap_err().status().unwrap(), 426);
    assert_eq!(status_of(&stream.written_text()), 426);
}

#[test]
fn a_101_that_no_client_would_take_is_the_callers_fault() {
    for fields in [
        &[("connection", "Upgrade")][..],
        &[("upgrade", "echo/1")],
        &[("connection", "Upgrade"), ("upgrade", "echo/2")],
    ] {
        let stream = ScriptedPeer::new(ECHO);
        let pending = upgrade::receive(stream.clone(), &Limits::default()).unwrap();
        let mut response = Response::builder().status(101);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let error = pending.switch(response.body(()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument);
        assert_eq!(stream.written_text(), "");
    }
}

#[test]
fn request_that_cannot_ask_for_an_upgrade_is_not_switched() {
    let sound = || {
        Request::get("/")
            .header("host", "a")
            .header("connection", "Upgrade")
            .header("upgrade", "echo/1")
    };
    for request in each([
        sound().version(Version::HTTP_2),
        sound().version(Version::HTTP_10),
        sound().method("POST"),
        sound().header("content-length", "1"),
    ]) {
        let stream = ScriptedPeer::new("");
        let request = request.body(()).unwrap();
        let limits = Limits::default();
        let pending =
            upgrade::PendingUpgrade::from_parts(stream.clone(), Vec::new(), &request, &limits);
        let response = respond(&sound().body(()).unwrap(), &["echo/1"], HeaderMap::new());
        let error = pending.switch(response.unwrap()).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument);
        assert_eq!(stream.written_text(), "");
    }
}
