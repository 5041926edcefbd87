//! `stream_message` of 1 MiB over loopback TCP, compared to a bare loop that reads blocks of the same size from
//! the same source and writes them to the same kind of socket.
//!
//! `cargo bench -p framewire-bench --bench stream`
#![allow(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that goes wrong should stop, and prints three digits"
)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use framewire::{Config, Opcode, WebSocket};
use framewire_bench::medians;

const MESSAGE: usize = 1 << 20;
const ROUNDS: usize = 300;

fn main() -> io::Result<()> {
    let message = vec![0x5A; MESSAGE];
    for chunk_size in [4 << 10, 64 << 10] {
        let config = Config::default().chunk_size(chunk_size);
        let mut websocket = WebSocket::server(drained()?, config).map_err(io::Error::other)?;
        let mut bare = drained()?;
        let mut block = vec![0; chunk_size];
        let [streamed, written] = medians(
            ROUNDS,
            [
                &mut || {
                    let sent = websocket.stream_message(Opcode::Binary, chunk_size, &message[..]);
                    assert_eq!(sent.expect("the socket is drained"), MESSAGE as u64);
                },
                &mut || write_blocks(&mut bare, &mut block, &message[..]),
            ],
        );
        let rate = |time: std::time::Duration| MESSAGE as f64 / time.as_secs_f64() / 1e6;
        println!(
            "{:3} KiB chunks: stream_message {:6.0} MB/s, bare write loop {:6.0} MB/s, ratio {:.2}",
            chunk_size >> 10,
            rate(streamed),
            rate(written),
            written.as_secs_f64() / streamed.as_secs_f64(),
        );
    }
    Ok(())
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
