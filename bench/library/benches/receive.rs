//! A message of 1 MiB that is read in chunks of 4 KiB into a sink, from a stream in memory: `message_reader`, compared
//! to a bare loop that reads, unmasks and writes.
//!
//! `cargo bench -p framewire-bench --bench receive`, with `-- --json` all times as JSON, one object for each line.
#![allow(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that goes wrong should stop, and prints three digits"
)]

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Duration;

use framewire::frame::mask;
use framewire::{Config, Opcode, WebSocket};
use framewire_bench::{has_flag, masked, median, nanoseconds, times};
use serde_json::json;

const MESSAGE: usize = 1 << 20;
const CHUNK: usize = 4 << 10;
const HEADER: usize = 14;
const ROUNDS: usize = 201;

fn main() {
    let frame = masked((Opcode::Binary, vec![0x5A; MESSAGE])).expect("a legal message");
    let mut websocket = WebSocket::server(Repeating::new(&frame), Config::default())
        .expect("the defaults are allowed");
    let mut bare = Repeating::new(&frame);
    let (mut chunk, mut bare_chunk) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut sink, mut bare_sink) = (Sink::default(), Sink::default());
    let [ours, read] = times(
        ROUNDS,
        [
            &mut || {
                let message = websocket.message_reader().expect("the frames are legal");
                let mut message = message.expect("the peer never closes");
                loop {
                    let len = message.read(&mut chunk).expect("the frames are legal");
                    if len == 0 {
                        break;
                    }
                    sink.write_all(&chunk[..len]).expect("a sink takes all");
                }
            },
            &mut || receive(&mut bare, &mut bare_chunk, &mut bare_sink),
        ],
    );
    if has_flag("--json") {
        let line = json!({
            "bench": "receive",
            "bytes": MESSAGE,
            "chunk": CHUNK,
            "ns": nanoseconds(&ours, 1),
            "bare_ns": nanoseconds(&read, 1),
        });
        println!("{line}");
        return;
    }
    let rate = |time: Duration| MESSAGE as f64 / time.as_secs_f64() / 1e6;
    let (ours, read) = (rate(median(&ours)), rate(median(&read)));
    println!(
        "1 MiB in chunks of 4 KiB: message_reader {ours:6.0} MB/s, bare loop {read:6.0} MB/s, ratio {:.2}",
        ours / read
    );
}

/// Reads one frame of a known shape.
fn receive(stream: &mut Repeating<'_>, chunk: &mut [u8], sink: &mut Sink) {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).expect("it never ends");
    let [.., a, b, c, d] = header;
    let mut offset = 0;
    while offset < MESSAGE {
        let room = chunk.len().min(MESSAGE - offset);
        let len = stream.read(&mut chunk[..room]).expect("it never ends");
        mask::apply(&mut chunk[..len], [a, b, c, d], offset as u64);
        sink.write_all(&chunk[..len]).expect("a sink takes all");
        offset += len;
    }
}

/// A stream that says the same again and again, and is told nothing.
struct Repeating<'a> {
    bytes: &'a [u8],
    read: usize,
}

impl<'a> Repeating<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: 0 }
    }
}

impl Read for Repeating<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.read..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.read = (self.read + len) % self.bytes.len();
        Ok(len)
    }
}

impl Write for Repeating<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes everything into the same memory over and over.
struct Sink {
    memory: Vec<u8>,
}

impl Default for Sink {
    fn default() -> Self {
        let memory = vec![0; CHUNK];
        Self { memory }
    }
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = buf.len().min(self.memory.len());
        self.memory[..len].copy_from_slice(&buf[..len]);
        black_box(&self.memory);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
