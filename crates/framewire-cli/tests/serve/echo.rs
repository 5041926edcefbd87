//! Whatever comes back, in whatever pieces it was sent.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Connector;
use framewire::protocol::Role;
use framewire::{Config, Limits, WebSocket};
use support::frames::{BINARY, FIN, PONG, frame};

use crate::server::{DEADLINE, Engine, Server, until_it_rests};

with_each_engine! {
    frames_that_come_with_the_request_are_echoed,
    a_peer_that_has_said_all_still_gets_its_echo,
    a_message_larger_than_any_buffer_comes_back,
    compressed_messages_come_back,
    a_peer_that_reads_late_gets_everything,
    a_peer_that_floods_starves_nobody,
}

fn frames_that_come_with_the_request_are_echoed(engine: Engine) {
    let server = Server::start(engine, &[]);
    let mut stream = server.tcp();
    let mut bytes = REQUEST.to_vec();
    bytes.extend(MESSAGE);
    bytes.extend(&MESSAGE[..3]);
    stream.write_all(&bytes).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(ECHO) {
        answer.extend(read_one(&mut stream));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    stream.write_all(&MESSAGE[3..]).unwrap();
    for byte in ECHO {
        assert_eq!(read_one(&mut stream), Some(*byte));
    }
}

fn a_peer_that_has_said_all_still_gets_its_echo(engine: Engine) {
    let server = Server::start(engine, &[]);
    for _ in 0..20 {
        let mut stream = server.connect_raw();
        stream.write_all(MESSAGE).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, ECHO);
    }
}

fn a_message_larger_than_any_buffer_comes_back(engine: Engine) {
    let server = Server::start(engine, &[]);
    let mut websocket = websocket(&server, &Connector::new());
    let payload: Vec<u8> = (0..5_000_000_u32).map(|i| (i / 7) as u8).collect();
    for _ in 0..3 {
        websocket.write(&payload).unwrap();
        let echo = websocket.next_message().unwrap().unwrap();
        assert!(echo.payload() == payload);
    }
}

fn compressed_messages_come_back(engine: Engine) {
    for options in [&["--deflate"][..], &["--deflate", "--no-context-takeover"]] {
        let server = Server::start(engine, options);
        let deflate = Deflate::new(DeflateConfig::default()).unwrap();
        let connector = Connector::new().deflate(deflate);
        let mut websocket = websocket(&server, &connector);
        for len in [0, 10, 1000, 100_000, 1_000_000, 5] {
            let text = "framewire ".repeat(len / 10);
            websocket.write(&text).unwrap();
            let echo = websocket.next_message().unwrap().unwrap();
            assert_eq!(echo.text(), Some(&text[..]));
        }
    }
}

fn a_peer_that_reads_late_gets_everything(engine: Engine) {
    const MESSAGES: usize = 4000;
    let server = Server::start(engine, &[]);
    let mut stream = server.connect_raw();
    let mut sending = stream.try_clone().unwrap();
    let message = frame(Role::Client, FIN | BINARY, &[7; 8192]);
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let sender = thread::spawn(move || {
        for _ in 0..MESSAGES {
            sending.write_all(&message).unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    // Nobody reads until the sender waits for the server, which waits for a reader.
    until_it_rests(&sent);
    let echo = frame(Role::Server, FIN | BINARY, &[7; 8192]);
    let mut received = vec![0; echo.len()];
    for _ in 0..MESSAGES {
        stream.read_exact(&mut received).unwrap();
        assert!(received == echo);
    }
    sender.join().unwrap();
}

fn a_peer_that_floods_starves_nobody(engine: Engine) {
    let server = Server::start(engine, &[]);
    let (started, done) = (Instant::now(), AtomicBool::new(false));
    let flooding: Vec<TcpStream> = (0..3).map(|_| server.connect_raw()).collect();
    thread::scope(|scope| {
        for stream in &flooding {
            // Pongs that nobody asked for: nothing has to be read for more to be sent, and they
            // are more work to take than to send.
            let burst = frame(Role::Client, FIN | PONG, b"").repeat(100_000);
            let (mut writing, done) = (stream, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) && started.elapsed() < DEADLINE {
                    writing.write_all(&burst).unwrap();
                }
            });
        }
        let mut websocket = server.connect();
        for _ in 0..50 {
            websocket.write("me too").unwrap();
            let echo = websocket.next_message().unwrap().unwrap();
            assert_eq!(echo.text(), Some("me too"));
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// A client that takes large messages.
fn websocket(server: &Server, connector: &Connector) -> WebSocket<TcpStream> {
    let config = Config::default().limits(Limits::default().message(16 << 20));
    let uri = format!("ws://{}/", server.address);
    let websocket = framewire::connect_stream_with(server.tcp(), &uri, connector, config).unwrap();
    websocket.stream().set_read_timeout(Some(DEADLINE)).unwrap();
    websocket
        .stream()
        .set_write_timeout(Some(DEADLINE))
        .unwrap();
    websocket
}

fn read_one(stream: &mut TcpStream) -> Option<u8> {
    let mut byte = [0];
    (stream.read(&mut byte).unwrap() == 1).then_some(byte[0])
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// RFC 6455 5.7: a masked text message, "Hello", and the same unmasked.
const MESSAGE: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const ECHO: &[u8] = b"\x81\x05Hello";
