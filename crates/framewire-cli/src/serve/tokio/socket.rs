//! A connection's socket, beneath TLS or without it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use crate::serve::server::reset_on_close;
use crate::serve::stall::Stall;

/// A socket that fails when the peer has taken nothing for the write time-out.
#[derive(Debug)]
pub(super) struct Socket {
    socket: TcpStream,
    /// `None` while the peer takes what it is sent.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    stall: Stall,
    /// When to try again to write what waits.
    time: Pin<Box<Sleep>>,
    /// Whether the peer's time is over.
    is_over: bool,
}

/// Sets how long a peer may take nothing, for all sockets of the process.
///
/// A field in each socket would make the task of its connection larger.
pub(super) fn set_write_timeout(time: Duration) {
    // There is one server in a process.
    let _ = WRITE_TIMEOUT.set(time);
}

impl Socket {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            waiting: None,
        }
    }

    /// Small messages leave at once.
    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        self.socket.set_nodelay(true)
    }

    /// Returns whether the peer has taken nothing for the write time-out.
    pub(super) fn is_stalled(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.is_over)
    }

    /// Bounds how long a write may wait.
    fn in_time(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        again: impl Fn(SockRef<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let limit = WRITE_TIMEOUT.get().copied().unwrap_or(Duration::MAX);
        let begin = || Box::new(Waiting::begin(limit));
        let waiting = self.waiting.get_or_insert_with(begin);
        loop {
            ready!(waiting.time.as_mut().poll(cx));
            let written = again(SockRef::from(&self.socket));
            if !matches!(&written, Err(error) if error.kind() == ErrorKind::WouldBlock) {
                self.waiting = None;
                return Poll::Ready(written);
            }
            let now = Instant::now();
            if waiting.stall.is_over(now, limit) {
                waiting.is_over = true;
                reset_on_close(&self.socket);
                return Poll::Ready(Err(failed()));
            }
            waiting.stall.failed(now);
            let next = waiting.stall.next_try(limit);
            waiting.time.as_mut().reset(next.into());
        }
    }
}

impl Waiting {
    fn begin(limit: Duration) -> Self {
        let stall = Stall::begin(Instant::now());
        Self {
            time: Box::pin(sleep_until(stall.next_try(limit).into())),
            stall,
            is_over: false,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // While a peer takes nothing it is not read from, which bounds the replies. The task is woken for what
        // waits to be written.
        match &this.waiting {
            None => {}
            Some(waiting) if waiting.is_over => return Poll::Ready(Err(failed())),
            Some(_) => return Poll::Pending,
        }
        Pin::new(&mut this.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.in_time(cx, written, |socket| socket.send(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.in_time(cx, written, |socket| socket.send_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

fn failed() -> io::Error {
    ErrorKind::ConnectionAborted.into()
}

static WRITE_TIMEOUT: OnceLock<Duration> = OnceLock::new();
