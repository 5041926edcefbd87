//! Peers that mean ill cost the server neither memory nor, beyond what they send, time.
#![cfg(target_os = "linux")]

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use framewire::protocol::Role;
use support::frames::{self, BINARY, CLOSE, CONTINUATION, FIN, Length, PING, to};

use crate::server::{Engine, Server};

with_all_engines_at_once! {
    a_peer_that_pings_and_never_reads,
    a_peer_that_sends_messages_and_never_reads,
    a_peer_that_sends_large_messages_and_never_reads,
    a_peer_that_announces_more_than_anybody_has,
    a_peer_that_announces_the_limit_and_sends_ten_bytes,
    a_hundred_and_thirty_thousand_fragments_of_one_byte,
    three_hundred_thousand_empty_fragments,
}

const GROWTH: usize = 1 << 20;

/// Warms a server up, has `attack` on a new connection, and checks how much the server grew.
fn memory_stays(engine: Engine, attack: impl FnOnce(&mut TcpStream)) {
    memory_stays_within(GROWTH, engine, attack);
}

fn memory_stays_within(growth: usize, engine: Engine, attack: impl FnOnce(&mut TcpStream)) {
    let server = Server::start(engine, &[]);
    server.connect();
    let mut stream = server.connect_raw();
    let before = server.resident();
    attack(&mut stream);
    let grown = server.resident().saturating_sub(before);
    assert!(grown < growth, "resident memory grew by {grown} bytes");
    // The server is still well.
    server.connect();
}

/// Sends until the server takes no more: one that is not read from does not go on reading.
fn send_without_reading(stream: &mut TcpStream, frame: &[u8]) {
    stream
        .set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let burst = frame.repeat((65_536 / frame.len()).max(1));
    let mut sent = 0;
    loop {
        assert!(sent < 64 << 20, "it takes whatever comes");
        match stream.write(&burst) {
            Ok(len) => sent += len,
            Err(error) => {
                assert!(
                    matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ),
                    "{error}"
                );
                return;
            }
        }
    }
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    frames::frame(Role::Client, first, payload)
}

/// The first ten bytes of a message that announces another length.
fn announced(len: u64) -> Vec<u8> {
    let frame = to(Role::Server, FIN | BINARY, [0; 10]);
    frame.with_length(Length::Declared(len)).bytes()
}

fn a_peer_that_pings_and_never_reads(engine: Engine) {
    memory_stays(engine, |stream| {
        send_without_reading(stream, &frame(FIN | PING, &[b'p'; 125]));
    });
}

fn a_peer_that_sends_messages_and_never_reads(engine: Engine) {
    memory_stays(engine, |stream| {
        send_without_reading(stream, &frame(FIN | BINARY, &[b'm'; 8192]));
    });
}

fn a_peer_that_sends_large_messages_and_never_reads(engine: Engine) {
    const LARGE: usize = 16 << 20;
    let message = frame(FIN | BINARY, &vec![b'm'; LARGE]);
    // The first is held until the peer takes it, once.
    memory_stays_within(LARGE + GROWTH, engine, |stream| {
        send_without_reading(stream, &message);
    });
}

fn a_peer_that_announces_more_than_anybody_has(engine: Engine) {
    memory_stays(engine, |stream| {
        stream.write_all(&announced(1 << 62)).unwrap();
        // A server that waits for the rest hears at once that there is none.
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(!answer.is_empty(), "it waits for 2^62 bytes");
        assert_eq!(answer[0], FIN | CLOSE);
        assert_eq!(answer[2..4], 1009_u16.to_be_bytes());
    });
}

fn a_peer_that_announces_the_limit_and_sends_ten_bytes(engine: Engine) {
    memory_stays(engine, |stream| {
        stream.write_all(&announced(16 << 20)).unwrap();
        // Nothing is wrong yet, so that nothing is answered.
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        assert!(stream.read(&mut [0; 16]).is_err());
    });
}

fn a_hundred_and_thirty_thousand_fragments_of_one_byte(engine: Engine) {
    memory_stays(engine, |stream| fragments(stream, 130_000, b"x"));
}

fn three_hundred_thousand_empty_fragments(engine: Engine) {
    memory_stays(engine, |stream| fragments(stream, 300_000, b""));
}

/// One message in so many fragments; its echo is read.
fn fragments(stream: &mut TcpStream, count: usize, payload: &[u8]) {
    let mut bytes = frame(BINARY, payload);
    bytes.extend(frame(CONTINUATION, payload).repeat(count - 2));
    bytes.extend(frame(FIN | CONTINUATION, payload));
    stream.write_all(&bytes).unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], FIN | BINARY);
    let len = match head[1] {
        126 => u64::from(u16::from_be_bytes(read(stream))),
        127 => u64::from_be_bytes(read(stream)),
        len => u64::from(len),
    };
    assert_eq!(len, (count * payload.len()) as u64);
    io::copy(&mut stream.take(len), &mut io::sink()).unwrap();
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}
