//! `stream_message` over loopback TCP, in the role of a server and of a client, which masks, compared to bare loops
//! that read blocks of the same size from the same source and write them to the same kind of socket: without headers,
//! and with a header before each block in one vectored write.
//!
//! `cargo bench -p framewire-bench --bench stream`, with `-- --quick` without messages of 1 GiB, with `--json` all
//! times as JSON, one object for each line.
#![allow(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that goes wrong should stop, and prints three digits"
)]

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use framewire::{Config, Opcode, WebSocket};
use framewire_bench::{has_flag, median, nanoseconds, times};
use serde_json::json;

const CHUNKS: [usize; 3] = [4 << 10, 32 << 10, 64 << 10];
const LONG: u64 = 1 << 30;

fn main() -> io::Result<()> {
    let sizes: &[(u64, usize)] = if has_flag("--quick") {
        &[(1 << 20, 101)]
    } else {
        &[(1 << 20, 301), (LONG, 5)]
    };
    for &(bytes, rounds) in sizes {
        for chunk in CHUNKS {
            for role in [Role::Server, Role::Client] {
                compare(role, bytes, chunk, rounds)?;
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Role {
    Server,
    Client,
}

fn compare(role: Role, bytes: u64, chunk: usize, rounds: usize) -> io::Result<()> {
    let name = match role {
        Role::Server => "server",
        Role::Client => "client",
    };
    let config = Config::default().chunk_size(chunk);
    let mut websocket = open(role, config)?;
    let mut coalescing = open(role, config.coalesce_writes(true))?;
    let (mut plain, mut vectored) = (drained()?, drained()?);
    let (mut plain_block, mut vectored_block) = (vec![0; chunk], vec![0; chunk]);
    let memory = vec![0x5A; 1 << 20];
    let source = || Source {
        memory: &memory,
        read: 0,
        left: bytes,
    };
    let stream = |websocket: &mut WebSocket<TcpStream>| {
        let sent = websocket.stream_message(Opcode::Binary, chunk, source());
        assert_eq!(sent.expect("the socket is drained"), bytes);
    };
    let [streamed, coalesced, written, gathered] = times(
        rounds,
        [
            &mut || stream(&mut websocket),
            &mut || stream(&mut coalescing),
            &mut || write_blocks(&mut plain, &mut plain_block, source()),
            &mut || write_frames(&mut vectored, &mut vectored_block, source()),
        ],
    );
    if has_flag("--json") {
        let line = json!({
            "bench": "stream",
            "role": name,
            "bytes": bytes,
            "chunk": chunk,
            "ns": nanoseconds(&streamed, 1),
            "framewire-coalesced_ns": nanoseconds(&coalesced, 1),
            "write_ns": nanoseconds(&written, 1),
            "writev_ns": nanoseconds(&gathered, 1),
        });
        println!("{line}");
        return Ok(());
    }
    let rate = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e6;
    let [streamed, coalesced, written, gathered] =
        [streamed, coalesced, written, gathered].map(|times| rate(median(&times)));
    println!(
        "{name} {:4} MiB, {:2} KiB chunks: stream_message {streamed:6.0} MB/s, write {written:6.0} MB/s, ratio {:.2}, \
         writev {gathered:6.0} MB/s, ratio {:.2}, coalesced {coalesced:6.0} MB/s, to write {:.2}",
        bytes >> 20,
        chunk >> 10,
        streamed / written,
        streamed / gathered,
        coalesced / written,
    );
    Ok(())
}

fn open(role: Role, config: Config) -> io::Result<WebSocket<TcpStream>> {
    let stream = drained()?;
    let opened = match role {
        Role::Server => WebSocket::server(stream, config),
        Role::Client => WebSocket::client(stream, config),
    };
    opened.map_err(io::Error::other)
}

fn write_blocks(stream: &mut TcpStream, block: &mut [u8], mut source: impl Read) {
    loop {
        let len = source.read(block).expect("memory can be read");
        if len == 0 {
            return;
        }
        stream
            .write_all(&block[..len])
            .expect("the socket is drained");
    }
}

/// Writes each block behind a header of the length that a server's fragment has.
fn write_frames(stream: &mut TcpStream, block: &mut [u8], mut source: impl Read) {
    loop {
        let len = source.read(block).expect("memory can be read");
        if len == 0 {
            return;
        }
        let header = [0; 10];
        let header = match len {
            ..0x1_0000 => &header[..4],
            _ => &header[..],
        };
        let mut bufs = [IoSlice::new(header), IoSlice::new(&block[..len])];
        let mut bufs = &mut bufs[..];
        while !bufs.is_empty() {
            let written = stream.write_vectored(bufs).expect("the socket is drained");
            IoSlice::advance_slices(&mut bufs, written);
        }
    }
}

/// A file in the page cache: as many bytes as are left, from the same memory over and over.
struct Source<'a> {
    memory: &'a [u8],
    read: usize,
    left: u64,
}

impl Read for Source<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.memory[self.read..];
        let len = rest.len().min(buf.len());
        let len = usize::try_from(self.left).map_or(len, |left| left.min(len));
        buf[..len].copy_from_slice(&rest[..len]);
        self.read = (self.read + len) % self.memory.len();
        self.left -= len as u64;
        Ok(len)
    }
}

/// Returns a socket whose other end reads and drops everything until this end is closed.
fn drained() -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut other, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    thread::spawn(move || {
        let mut buf = vec![0; 256 << 10];
        while other.read(&mut buf).is_ok_and(|len| len > 0) {}
    });
    Ok(stream)
}
