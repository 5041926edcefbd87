//! A server's handshake without I/O: bytes in, an answer or a refusal out.

use framewire::connection::{BufferPool, Connection};
use framewire::deflate::Deflate;
use framewire::handshake::{Acceptor, HandshakeError, HandshakeErrorKind, PendingHandshake};
use framewire::protocol::Role;
use framewire::upgrade::{Limits, RequestDecoder};
use framewire::{Config, Opcode};
use http::{Response, StatusCode};
use support::frames::{FIN, TEXT, frame};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

fn decode(
    acceptor: &Acceptor,
    bytes: &[u8],
    at_a_time: usize,
) -> Result<PendingHandshake<()>, HandshakeError> {
    let mut decoder = RequestDecoder::new(&Limits::default());
    let mut pieces = bytes.chunks(at_a_time);
    loop {
        let piece = pieces.next().expect("it becomes whole");
        if let Some(pending) = acceptor.decode(&mut decoder, piece)? {
            return Ok(pending);
        }
    }
}

#[test]
fn rfc6455_1_3_a_request_becomes_an_answer_and_a_connection() {
    let acceptor = Acceptor::new().deflate(Deflate::default());
    let hello = frame(Role::Client, FIN | TEXT, b"hello");
    let bytes = [REQUEST.as_bytes(), &hello].concat();
    for at_a_time in [1, 7, bytes.len()] {
        let pending = decode(&acceptor, &bytes, at_a_time).unwrap();
        assert_eq!(pending.request().uri(), "/chat");
        let (answer, established) = pending.into_answer();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        // The key of RFC 6455 1.3.
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
        let established = established.unwrap();
        assert!(established.extension().is_some());
        assert_eq!(established.role(), Role::Server);
        let (config, pool) = (Config::default(), BufferPool::per_thread());
        let mut connection = Connection::from_established(established, &config, &pool).unwrap();
        if at_a_time == bytes.len() {
            let (message, _) = connection.next_message().unwrap().unwrap();
            assert_eq!(message.text(), Some("hello"));
        }
        // It compresses, as was agreed on.
        let outbound = connection.outbound();
        outbound.feed((Opcode::Text, &[b'a'; 1000])).unwrap();
        assert!(outbound.buffered() < 100, "{at_a_time}");
    }
}

#[test]
fn a_request_that_the_policy_refuses_is_answered_with_its_status() {
    let request = REQUEST.replace("Version: 13", "Version: 12");
    let pending = decode(&Acceptor::new(), request.as_bytes(), 100).unwrap();
    assert_eq!(
        pending.refusal().unwrap().kind(),
        HandshakeErrorKind::Version
    );
    let (answer, established) = pending.into_answer();
    assert!(answer.starts_with(b"HTTP/1.1 426 "));
    assert_eq!(established.unwrap_err().kind(), HandshakeErrorKind::Version);
}

#[test]
fn bytes_that_are_no_request_are_answered_too() {
    let error = decode(&Acceptor::new(), b"GET / HTTP/1.1\nHost: a\n\n", 100).unwrap_err();
    assert!(
        error.encode_response().starts_with(b"HTTP/1.1 400 "),
        "{error}"
    );
}

#[test]
fn a_program_refuses_with_a_response_of_its_own_without_its_body_for_a_head() {
    let page = Response::builder().status(StatusCode::NOT_FOUND);
    let page = page.body("nothing here").unwrap();
    for (method, has_body) in [("GET", true), ("HEAD", false)] {
        let request = REQUEST.replace("GET", method);
        let pending = decode(&Acceptor::new(), request.as_bytes(), 100).unwrap();
        let answer = String::from_utf8(pending.encode_refusal(&page).unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(
            answer.to_lowercase().contains("content-length: 12"),
            "{answer}"
        );
        assert_eq!(answer.ends_with("nothing here"), has_body, "{method}");
    }
    let pending = decode(&Acceptor::new(), REQUEST.as_bytes(), 100).unwrap();
    let switching = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let error = pending.encode_refusal(&switching.body("").unwrap());
    assert_eq!(
        error.unwrap_err().kind(),
        HandshakeErrorKind::InvalidArgument
    );
}
