//! A peer that sends for ever and reads, but always less than it is sent: what waits for it stays
//! bounded, whatever has gone through before.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{self, Read, Write};

use allocation_counter::measure;
use framewire::protocol::Role;
use framewire::{Config, Opcode, WebSocket};
use framewire_conformance::frames::{BINARY, FIN, PING, to};

/// Says the same frames so many times over, and takes a few bytes after each read.
struct SlowReader {
    frames: Vec<u8>,
    at: usize,
    reads_left: usize,
    takes: bool,
    taken: usize,
}

/// What the peer takes at a time.
const SIP: usize = 4000;

impl SlowReader {
    fn new(first: u8, payload: &[u8]) -> Self {
        Self {
            frames: to(Role::Server, first, payload).bytes(),
            at: 0,
            reads_left: 2000,
            takes: true,
            taken: 0,
        }
    }
}

impl Read for SlowReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.reads_left == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.reads_left -= 1;
        for byte in &mut *buf {
            *byte = self.frames[self.at];
            self.at = (self.at + 1) % self.frames.len();
        }
        Ok(buf.len())
    }
}

impl Write for SlowReader {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.takes = !self.takes;
        if self.takes {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buf.len().min(SIP);
        self.taken += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Some write buffers, and far less than goes through.
fn bound() -> u64 {
    8 * Config::default().write_buffer as u64
}

#[test]
fn hostile_ping_flood_from_a_slow_reader() {
    let peer = SlowReader::new(FIN | PING, &[7; 125]);
    let mut socket = WebSocket::server(peer, Config::default()).unwrap();
    let held = measure(|| {
        assert!(socket.next_message().unwrap_err().is_would_block());
    });
    let taken = socket.stream().taken;
    assert!(taken > 4_000_000, "{taken} bytes went through");
    assert!(held.bytes_max < bound(), "{} bytes", held.bytes_max);
}

#[test]
fn hostile_echo_to_a_slow_reader() {
    let peer = SlowReader::new(FIN | BINARY, &[7; 1000]);
    let mut socket = WebSocket::server(peer, Config::default()).unwrap();
    let mut message = Vec::with_capacity(1000);
    let held = measure(|| {
        while socket.read_message(&mut message).is_ok() {
            // An application that drops what cannot be sent now.
            let _ = socket.feed_message(Opcode::Binary, &message);
            message.clear();
        }
    });
    let taken = socket.stream().taken;
    assert!(taken > 4_000_000, "{taken} bytes went through");
    assert!(held.bytes_max < bound(), "{} bytes", held.bytes_max);
}
