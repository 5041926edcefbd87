//! The cost of compression compared to the engine alone: messages into a sink in memory, and the same bytes
//! through a bare zlib-rs loop with the same flushes.
//!
//! `cargo bench -p framewire-bench --bench deflate`, with `-- --json` all times as JSON, one object for each line.
#![allow(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that goes wrong should stop, and prints three digits"
)]

use std::io::{self, Read, Write};
use std::time::Duration;

use framewire::deflate::{BEST_SPEED, Deflate, DeflateConfig, Negotiated, Parameters};
use framewire::{Config, Opcode, WebSocket};
use framewire_bench::{has_flag, median, nanoseconds, times};
use serde_json::json;

const CHUNK: usize = 4 << 10;
const MESSAGE: usize = 1 << 20;
const ROUNDS: usize = 200;

fn main() {
    let repeated =
        br#"{"status":"success","message":"lowbit-performance-payload-validation-string"}"#;
    let repeated: Vec<u8> = repeated.iter().copied().cycle().take(MESSAGE).collect();
    title("stream_message of 1 MiB, 4 KiB chunks, level 1:");
    stream("the same JSON object", &repeated);
    stream("JSON objects that differ", &records(MESSAGE));
    title("write of 300 bytes of JSON, level 1:");
    for takeover in [true, false] {
        short(takeover, &records(300 * SHORT_MESSAGES));
    }
}

fn title(title: &str) {
    if !has_flag("--json") {
        println!("{title}");
    }
}

/// Prints the times of a case as JSON, if that is asked for, and returns whether it is.
fn print_json(case: &str, ours: &[Duration], bare: &[Duration], messages: usize) -> bool {
    let is_asked = has_flag("--json");
    if is_asked {
        let line = json!({
            "bench": "deflate",
            "case": case,
            "ours_ns": nanoseconds(ours, messages),
            "bare_ns": nanoseconds(bare, messages),
        });
        println!("{line}");
    }
    is_asked
}

/// Generates JSON objects with a number, a name and a time that change, as an API answers.
fn records(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let objects = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        let (id, price) = (state >> 40, state >> 20 & 0xF_FFFF);
        format!(
            r#"{{"id":{id},"symbol":"S{:03}","price":{}.{:02},"side":"{}"}},"#,
            id % 500,
            price / 100,
            price % 100,
            if id % 2 == 0 { "buy" } else { "sell" },
        )
    });
    objects.flat_map(String::into_bytes).take(len).collect()
}

fn stream(name: &str, message: &[u8]) {
    let mut websocket = websocket(true);
    let mut bare = Bare::new();
    let [ours, engine] = times(
        ROUNDS,
        [
            &mut || {
                let sent = websocket.stream_message(Opcode::Binary, CHUNK, message);
                assert_eq!(sent.expect("a sink takes all"), message.len() as u64);
            },
            &mut || bare.stream(message),
        ],
    );
    if print_json(&format!("stream {name}"), &ours, &engine, 1) {
        return;
    }
    let (ours, engine) = (median(&ours), median(&engine));
    let rate = |time: Duration| message.len() as f64 / time.as_secs_f64() / 1e6;
    println!(
        "  {name:24}: {:5.0} MB/s, bare zlib-rs {:5.0} MB/s, ratio {:.2}",
        rate(ours),
        rate(engine),
        rate(ours) / rate(engine),
    );
}

const SHORT_MESSAGES: usize = 1000;

fn short(takeover: bool, messages: &[u8]) {
    let mut websocket = websocket(takeover);
    let mut bare = Bare::new();
    let [ours, engine] = times(
        ROUNDS,
        [
            &mut || {
                for message in messages.chunks(300) {
                    let sent = websocket.write(message);
                    sent.expect("a sink takes all");
                }
            },
            &mut || {
                for message in messages.chunks(300) {
                    if !takeover {
                        bare.deflate.reset();
                    }
                    bare.message(message);
                }
            },
        ],
    );
    let name = if takeover {
        "context takeover"
    } else {
        "no context takeover"
    };
    if print_json(&format!("message {name}"), &ours, &engine, SHORT_MESSAGES) {
        return;
    }
    let (ours, engine) = (median(&ours), median(&engine));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / SHORT_MESSAGES as f64;
    println!(
        "  {name:24}: {:5.2} µs, bare zlib-rs {:5.2} µs, ratio {:.2}",
        each(ours),
        each(engine),
        each(engine) / each(ours),
    );
}

/// Creates a server that compresses into a sink.
fn websocket(takeover: bool) -> WebSocket<Sink> {
    let config = DeflateConfig::default().level(BEST_SPEED);
    let negotiated: Negotiated = Deflate::new(config)
        .expect("the defaults are allowed")
        .negotiated(
            Parameters::default()
                .server_no_context_takeover(!takeover)
                .client_no_context_takeover(!takeover),
        );
    let mut websocket =
        WebSocket::server(Sink::default(), Config::default()).expect("the defaults are allowed");
    websocket.set_extension(&negotiated);
    websocket
}

/// The engine alone, with a buffer for its output and a sink behind it.
struct Bare {
    deflate: zlib_rs::Deflate,
    input: Vec<u8>,
    output: Vec<u8>,
    sink: Sink,
}

impl Bare {
    fn new() -> Self {
        Self {
            deflate: zlib_rs::Deflate::new(i32::from(BEST_SPEED), false, 15),
            input: vec![0; CHUNK],
            output: vec![0; CHUNK],
            sink: Sink::default(),
        }
    }

    /// Compresses all that a reader gives, a chunk at a time, and flushes at its end.
    fn stream(&mut self, mut reader: impl Read) {
        loop {
            let mut input = std::mem::take(&mut self.input);
            let len = reader.read(&mut input).expect("memory can be read");
            let flush = if len == 0 {
                zlib_rs::DeflateFlush::SyncFlush
            } else {
                zlib_rs::DeflateFlush::NoFlush
            };
            self.compress(&input[..len], flush);
            self.input = input;
            if len == 0 {
                return;
            }
        }
    }

    fn message(&mut self, message: &[u8]) {
        self.compress(message, zlib_rs::DeflateFlush::SyncFlush);
    }

    fn compress(&mut self, mut input: &[u8], flush: zlib_rs::DeflateFlush) {
        loop {
            let (taken, put) = (self.deflate.total_in(), self.deflate.total_out());
            self.deflate
                .compress(input, &mut self.output, flush)
                .expect("a fresh engine works");
            input = &input[length(self.deflate.total_in() - taken)..];
            let put = length(self.deflate.total_out() - put);
            if put > 0 {
                let output = &self.output[..put];
                self.sink.write_all(output).expect("a sink takes all");
            }
            if input.is_empty() && put < self.output.len() {
                return;
            }
        }
    }
}

fn length(len: u64) -> usize {
    usize::try_from(len).expect("it is no longer than its buffer")
}

/// A stream that writes everything into the same memory over and over.
struct Sink {
    memory: Vec<u8>,
}

impl Default for Sink {
    fn default() -> Self {
        let memory = vec![0; 128 << 10];
        Self { memory }
    }
}

impl Read for Sink {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = buf.len().min(self.memory.len());
        self.memory[..len].copy_from_slice(&buf[..len]);
        std::hint::black_box(&self.memory);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
