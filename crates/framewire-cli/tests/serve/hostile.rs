//! Peers that mean ill cost the server neither memory nor, beyond what they send, time.
#![cfg(target_os = "linux")]

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::server::{Engine, Server};

with_each_engine! {
    a_peer_that_pings_and_never_reads,
    a_peer_that_sends_messages_and_never_reads,
    a_peer_that_sends_large_messages_and_never_reads,
    a_peer_that_announces_more_than_anybody_has,
    a_peer_that_announces_the_limit_and_sends_ten_bytes,
    a_hundred_and_thirty_thousand_fragments_of_one_byte,
    three_hundred_thousand_empty_fragments,
}

const GROWTH: usize = 1 << 20;
const MASK: [u8; 4] = [0; 4];

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

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ ..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len => {
            frame.push(0xfe);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload);
    frame
}

fn a_peer_that_pings_and_never_reads(engine: Engine) {
    memory_stays(engine, |stream| {
        send_without_reading(stream, &frame(0x89, &[b'p'; 125]));
    });
}

fn a_peer_that_sends_messages_and_never_reads(engine: Engine) {
    memory_stays(engine, |stream| {
        send_without_reading(stream, &frame(0x82, &[b'm'; 8192]));
    });
}

fn a_peer_that_sends_large_messages_and_never_reads(engine: Engine) {
    const LARGE: usize = 16 << 20;
    let mut message = vec![0x82, 0xff];
    message.extend((LARGE as u64).to_be_bytes());
    message.extend(MASK);
    message.resize(message.len() + LARGE, b'm');
    // The first is held until the peer takes it, once.
    memory_stays_within(LARGE + GROWTH, engine, |stream| {
        send_without_reading(stream, &message);
    });
}

fn a_peer_that_announces_more_than_anybody_has(engine: Engine) {
    memory_stays(engine, |stream| {
        let mut head = vec![0x82, 0xff];
        head.extend((1_u64 << 62).to_be_bytes());
        head.extend(MASK);
        head.extend([0; 10]);
        stream.write_all(&head).unwrap();
        // A server that waits for the rest hears at once that there is none.
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(!answer.is_empty(), "it waits for 2^62 bytes");
        // A Close frame with 1009.
        assert_eq!(answer[0], 0x88);
        assert_eq!(answer[2..4], 1009_u16.to_be_bytes());
    });
}

fn a_peer_that_announces_the_limit_and_sends_ten_bytes(engine: Engine) {
    memory_stays(engine, |stream| {
        let mut head = vec![0x82, 0xff];
        head.extend((16_u64 << 20).to_be_bytes());
        head.extend(MASK);
        head.extend([0; 10]);
        stream.write_all(&head).unwrap();
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
    let mut bytes = frame(0x02, payload);
    bytes.extend(frame(0x00, payload).repeat(count - 2));
    bytes.extend(frame(0x80, payload));
    stream.write_all(&bytes).unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 0x82);
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
