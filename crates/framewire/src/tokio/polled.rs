//! A stream of tokio's, as one that says `WouldBlock`.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::{Error, ErrorKind};

/// A stream, and the task that it wakes when it would not block any more.
#[derive(Debug)]
pub struct Polled<S> {
    pub(super) stream: S,
    waker: Waker,
}

impl<S> Polled<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            waker: Waker::noop().clone(),
        }
    }

    pub(super) fn wake_by(&mut self, cx: &Context<'_>) {
        self.waker.clone_from(cx.waker());
    }
}

impl<S: AsyncRead + Unpin> Read for Polled<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        read(&mut self.stream, &mut cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> Write for Polled<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        write(&mut self.stream, &mut cx, buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        write_vectored(&mut self.stream, &mut cx, bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut cx = Context::from_waker(&self.waker);
        flush(&mut self.stream, &mut cx)
    }
}

pub(super) fn read(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> io::Result<usize> {
    let mut buf = ReadBuf::new(buf);
    or_would_block(Pin::new(stream).poll_read(cx, &mut buf))?;
    Ok(buf.filled().len())
}

pub(super) fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    buf: &[u8],
) -> io::Result<usize> {
    or_would_block(Pin::new(stream).poll_write(cx, buf))
}

pub(super) fn write_vectored(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    or_would_block(Pin::new(stream).poll_write_vectored(cx, bufs))
}

pub(super) fn flush(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
) -> io::Result<()> {
    or_would_block(Pin::new(stream).poll_flush(cx))
}

/// `WouldBlock` means that the task will be woken, and nothing else: a stream that is broken enough
/// to fail with it would never be asked again.
fn or_would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::other(error))
        }
        Poll::Ready(result) => result,
    }
}

/// Whether the task will be woken when there is more to do.
pub(super) fn is_pending(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Io(error) | ErrorKind::Source(error) => {
            error.kind() == io::ErrorKind::WouldBlock
        }
        _ => false,
    }
}
