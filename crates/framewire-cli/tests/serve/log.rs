//! What operators read: the same of every engine.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use framewire::CloseCode;
use framewire::handshake::Connector;
use framewire::protocol::Role;
use socket2::SockRef;
use support::frames::{BINARY, CLOSE, FIN, TEXT, frame};

use crate::server::{Engine, Log, Server};

with_each_engine! {
    connections_are_logged_when_they_open_and_when_they_end,
    requests_that_are_refused_are_logged,
    handshakes_that_make_room_are_logged_once,
    the_end_of_the_server_is_logged_for_each_connection,
}

fn connections_are_logged_when_they_open_and_when_they_end(engine: Engine) {
    let (server, log) = Server::start_logging(engine, &["--write-timeout", "0.5"]);
    let mut websocket = server.connect();
    let peer = websocket.stream().local_addr().unwrap();
    log.expect(peer, "open");
    websocket.write("hi").unwrap();
    websocket.next_message().unwrap().unwrap();
    websocket.close(CloseCode::NORMAL, "a\nb").unwrap();
    log.expect(
        peer,
        "closed by the peer with 1000: a b; 1 message, 2 bytes",
    );

    let lost = "connection ended without a close frame; 0 messages, 0 bytes";
    for (bytes, end) in [
        (vec![], lost),
        (frame(Role::Client, FIN | BINARY, b"")[..4].to_vec(), lost),
        (
            frame(Role::Client, FIN | CLOSE, b""),
            "closed by the peer with 1005; 0 messages, 0 bytes",
        ),
        (
            frame(Role::Server, FIN | TEXT, b""),
            "unmasked frame from a client; 0 messages, 0 bytes",
        ),
    ] {
        let (mut stream, peer) = open(&server, &log);
        stream.write_all(&bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        log.expect(peer, end);
    }

    let (stream, peer) = open(&server, &log);
    reset(stream);
    let end = "stream failed: Connection reset by peer (os error 104); 0 messages, 0 bytes";
    log.expect(peer, end);

    let (mut stream, peer) = open(&server, &log);
    let message = frame(Role::Client, FIN | BINARY, &vec![7; 16 << 20]);
    stream.write_all(&message).unwrap();
    let end = "stream failed: peer took nothing for 500ms; 1 message, 16777216 bytes";
    log.expect(peer, end);
}

fn requests_that_are_refused_are_logged(engine: Engine) {
    let (server, log) = Server::start_logging(engine, &["--max-connections", "1"]);
    for (request, line) in [
        ("", "no request: stream ended before the request"),
        ("GET /", "no request: stream ended before the request"),
        (
            "nonsense\r\n\r\n",
            "no request: malformed head: invalid token",
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /: 200 OK"),
        (
            "HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD /b: 404 Not Found",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n",
            "handshake: no sec-websocket-key header",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Origin: http://b\r\n\r\n",
            "handshake: origin is not allowed",
        ),
    ] {
        let mut stream = server.tcp();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        log.expect(stream.local_addr().unwrap(), line);
    }

    let stream = server.tcp();
    let peer = stream.local_addr().unwrap();
    reset(stream);
    let line = "no request: read failed: Connection reset by peer (os error 104)";
    log.expect(peer, line);

    let _only = open(&server, &log);
    server.try_connect(&Connector::new()).unwrap_err();
    let line = log.line();
    assert!(
        line.ends_with(" handshake: 503 Service Unavailable"),
        "{line}"
    );
}

/// A 129th handshake ends the oldest.
fn handshakes_that_make_room_are_logged_once(engine: Engine) {
    let (server, log) = Server::start_logging(engine, &[]);
    let mut refused = server.tcp();
    let request = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    refused.write_all(request).unwrap();
    log.expect(refused.local_addr().unwrap(), "GET /a: 404 Not Found");
    let oldest = server.tcp();
    let _others: Vec<TcpStream> = (0..128).map(|_| server.tcp()).collect();
    // Before it the refused one made room, of which all is told.
    let line = "no request: later connections took its place";
    log.expect(oldest.local_addr().unwrap(), line);
    server.signal("TERM");
    server.end();
    let rest = log.rest();
    assert_eq!(rest.len(), 128, "{rest:?}");
    for line in rest {
        assert!(
            line.ends_with(" no request: server is shutting down"),
            "{line}"
        );
    }
}

fn the_end_of_the_server_is_logged_for_each_connection(engine: Engine) {
    let (server, log) = Server::start_logging(engine, &[]);
    let half_a_handshake = server.tcp();
    // It is taken before this.
    let mut websocket = server.connect();
    let peer = websocket.stream().local_addr().unwrap();
    log.expect(peer, "open");
    server.signal("TERM");
    assert!(websocket.next_message().unwrap().is_none());
    drop(websocket);
    server.end();
    let mut rest = log.rest();
    rest.sort();
    let mut expected = [
        format!(
            "{peer} closed by this end with 1001: server is shutting down; 0 messages, 0 bytes"
        ),
        format!(
            "{} no request: server is shutting down",
            half_a_handshake.local_addr().unwrap()
        ),
    ];
    expected.sort();
    assert_eq!(rest, expected);
}

/// A connection past its handshake, and where it is from.
fn open(server: &Server, log: &Log) -> (TcpStream, SocketAddr) {
    let stream = server.connect_raw();
    let peer = stream.local_addr().unwrap();
    log.expect(peer, "open");
    (stream, peer)
}

fn reset(stream: TcpStream) {
    let linger = Some(Duration::ZERO);
    SockRef::from(&stream).set_linger(linger).unwrap();
    drop(stream);
}
