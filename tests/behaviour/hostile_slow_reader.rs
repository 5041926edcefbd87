//! A peer that sends for ever and reads, but always less than it is sent: what waits for it stays
//! bounded, whatever has gone through before.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use allocation_counter::measure;
use framewire::protocol::Role;
use framewire::{Config, Duplicate, Opcode, Socket};
use support::connection::Kind;
use support::frames::{BINARY, FIN, PING, to};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Says the same frames so many times over, and takes a few bytes after each read.
#[derive(Clone)]
struct SlowReader(Arc<Mutex<State>>);

struct State {
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
        Self(Arc::new(Mutex::new(State {
            frames: to(Role::Server, first, payload).bytes(),
            at: 0,
            reads_left: 2000,
            takes: true,
            taken: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn taken(&self) -> usize {
        self.state().taken
    }
}

impl Read for SlowReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.state();
        if state.reads_left == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.reads_left -= 1;
        let mut filled = 0;
        while filled < buf.len() {
            let frames = &state.frames[state.at..];
            let len = frames.len().min(buf.len() - filled);
            buf[filled..filled + len].copy_from_slice(&frames[..len]);
            filled += len;
            state.at = (state.at + len) % state.frames.len();
        }
        Ok(filled)
    }
}

impl Write for SlowReader {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let state = &mut *self.state();
        state.takes = !state.takes;
        if state.takes {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buf.len().min(SIP);
        state.taken += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for SlowReader {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

impl Duplicate for SlowReader {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        Ok(())
    }
}

/// What would block is pending, and nothing wakes the task: what it feeds is cancelled.
fn poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl AsyncRead for SlowReader {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.get_mut().read(buf.initialize_unfilled());
        poll(read.map(|len| buf.advance(len)))
    }
}

impl AsyncWrite for SlowReader {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll(self.get_mut().write(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Some write buffers, and far less than goes through.
fn bound() -> u64 {
    8 * Config::default().write_buffer as u64
}

#[test]
fn hostile_ping_flood_from_a_slow_reader() {
    for kind in Kind::ALL {
        let peer = SlowReader::new(FIN | PING, &[7; 125]);
        let mut socket = kind.with(&peer, Role::Server);
        let held = measure(|| {
            assert!(socket.next_message().unwrap_err().is_would_block());
        });
        let taken = peer.taken();
        assert!(taken > 4_000_000, "{kind:?}: {taken} bytes went through");
        let held = held.bytes_max;
        assert!(held < bound(), "{kind:?}: {held} bytes");
    }
}

#[test]
fn hostile_echo_to_a_slow_reader() {
    for kind in Kind::ALL {
        let peer = SlowReader::new(FIN | BINARY, &[7; 1000]);
        let mut socket = kind.with(&peer, Role::Server);
        let mut message = Vec::with_capacity(1000);
        let held = measure(|| {
            while socket.read_message(&mut message).is_ok() {
                // An application that drops what cannot be sent now.
                let _ = socket.feed_message(Opcode::Binary, &message);
                message.clear();
            }
        });
        let taken = peer.taken();
        assert!(taken > 4_000_000, "{kind:?}: {taken} bytes went through");
        let held = held.bytes_max;
        assert!(held < bound(), "{kind:?}: {held} bytes");
    }
}
