//! The cost of a front end: binary messages of 20 bytes through a server's connection and back, over a stream
//! in memory that is always ready and gives a number of frames with each read. Blocking and tokio with their
//! usual loop, compared to a `Session`, which has no stream.
//!
//! `cargo bench -p framewire-bench --bench echo`; with `-- KIND FRAMES MESSAGES [BYTES [text]]` (`session`,
//! `blocking`, `tokio` or `halves`, frames with each read, bytes of each message, text instead of binary ones) it
//! echoes that many and times nothing, to count instructions under `valgrind --tool=callgrind`: the difference of
//! two counts is the cost.
#![allow(
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a benchmark that goes wrong should stop, and prints three digits"
)]

use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use framewire::frame::Opcode;
use framewire::protocol::{Event, Limits, MessageBuffer, Session};
use framewire::{Config, blocking, tokio};
use framewire_bench::{masked, medians};

const LEN: usize = 20;
const MESSAGES: usize = 64 * 50;
const ROUNDS: usize = 400;

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    if let [kind, frames, messages, rest @ ..] = &args[..] {
        let frames = frames.parse().expect("a number of frames");
        let messages = messages.parse().expect("a number of messages");
        let len = rest.first().map(|len| len.parse().expect("a length"));
        let opcode = match rest.get(1) {
            Some(kind) if kind == "text" => Opcode::Text,
            _ => Opcode::Binary,
        };
        let mut echo = Echo::new(opcode, frames, len.unwrap_or(LEN));
        match kind.as_str() {
            "blocking" => echo.blocking(messages),
            "tokio" => echo.tokio(messages),
            "halves" => echo.halves(messages),
            _ => echo.session(messages),
        }
        return;
    }
    println!(
        "ns for a message of {LEN} bytes  session  blocking  tokio (to blocking)  tokio halves"
    );
    for frames in [64, 1] {
        let mut echoes = [(); 4].map(|()| Echo::new(Opcode::Binary, frames, LEN));
        let [session, blocking, tokio, halves] = &mut echoes;
        let times = medians(
            ROUNDS,
            [
                &mut || session.session(MESSAGES),
                &mut || blocking.blocking(MESSAGES),
                &mut || tokio.tokio(MESSAGES),
                &mut || halves.halves(MESSAGES),
            ],
        );
        let [session, blocking, tokio, halves] =
            times.map(|time| time.as_nanos() as f64 / MESSAGES as f64);
        println!(
            "{frames:2} frames with each read   {session:11.1} {blocking:9.1} {tokio:6.1} ({:.2}) {halves:19.1}",
            tokio / blocking
        );
    }
}

/// One connection of each kind, whose peer never stops sending.
struct Echo {
    batch: Vec<u8>,
    session: Session,
    blocking: blocking::WebSocket<Ready>,
    tokio: tokio::WebSocket<Ready>,
    reader: tokio::ReadHalf<Ready>,
    writer: tokio::WriteHalf<Ready>,
}

impl Echo {
    fn new(opcode: Opcode, frames: usize, len: usize) -> Self {
        let message = masked((opcode, vec![b'x'; len])).expect("a legal message");
        let batch = message.repeat(frames);
        let stream = || Ready {
            batch: batch.clone(),
            read: 0,
        };
        let config = Config::default();
        let split = tokio::WebSocket::server(stream(), config).expect("a sound configuration");
        let (reader, writer) = split.split();
        Self {
            session: Session::server(Limits::default()),
            blocking: blocking::WebSocket::server(stream(), config).expect("a sound configuration"),
            tokio: tokio::WebSocket::server(stream(), config).expect("a sound configuration"),
            reader,
            writer,
            batch,
        }
    }

    fn session(&mut self, messages: usize) {
        let mut input = vec![0; self.batch.len()];
        let mut message = MessageBuffer::new();
        let mut output = Vec::new();
        let mut done = 0;
        while done < messages {
            input.copy_from_slice(&self.batch);
            output.clear();
            let mut used = 0;
            while used < input.len() {
                let received = self.session.receive(&mut input[used..], &mut message);
                let (taken, event) = received.expect("the frames are legal");
                used += taken;
                if let Some(Event::Message(message)) = event {
                    let sent = self.session.send(message, &mut output);
                    sent.expect("the echo is legal");
                    done += 1;
                }
                let replied = self.session.write_reply(&mut output);
                assert!(!replied.expect("a server needs no keys"));
            }
        }
    }

    fn blocking(&mut self, messages: usize) {
        for _ in 0..messages {
            let received = self.blocking.next_message_and_writer();
            let received = received.expect("the frames are legal");
            let (message, writer) = received.expect(NO_END);
            writer.feed(message).expect("the echo is legal");
        }
    }

    fn tokio(&mut self, messages: usize) {
        now(async {
            for _ in 0..messages {
                let received = self.tokio.next_message_and_writer().await;
                let received = received.expect("the frames are legal");
                let (message, writer) = received.expect(NO_END);
                let fed = writer.feed(message).await;
                fed.expect("the echo is legal");
            }
        });
    }

    fn halves(&mut self, messages: usize) {
        now(async {
            for _ in 0..messages {
                let received = self.reader.next_message().await;
                let message = received.expect("the frames are legal").expect(NO_END);
                let fed = self.writer.feed(message).await;
                fed.expect("the echo is legal");
            }
        });
    }
}

const NO_END: &str = "the peer never closes";

/// Runs a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the stream is always ready"),
    }
}

/// Says the same again and again, one batch at most with each read, and takes anything.
struct Ready {
    batch: Vec<u8>,
    read: usize,
}

impl Read for Ready {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.batch[self.read..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.read += len;
        if self.read == self.batch.len() {
            self.read = 0;
        }
        Ok(len)
    }
}

impl Write for Ready {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Ready {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.get_mut().read(buf.initialize_unfilled())?;
        buf.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ready {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
