//! Streams in memory: a peer that says the same again and again and takes whatever is sent.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use futures_util::io::{AsyncRead as FuturesRead, AsyncWrite as FuturesWrite};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that every peer can use. A clone is the same stream, for those that want a reader and a writer.
pub(crate) trait Io:
    Read + Write + AsyncRead + AsyncWrite + FuturesRead + FuturesWrite + Clone + Unpin + 'static
{
}

impl<S> Io for S where
    S: Read + Write + AsyncRead + AsyncWrite + FuturesRead + FuturesWrite + Clone + Unpin + 'static
{
}

/// A stream that is always ready. It gives one batch of frames at most with each read, and takes anything.
#[derive(Clone)]
pub(crate) struct Ready {
    /// What is said, behind some bytes that are not.
    batch: Vec<u8>,
    start: usize,
    read: usize,
}

impl Ready {
    pub(crate) fn new(batch: Vec<u8>) -> Self {
        let (start, read) = (0, 0);
        Self { batch, start, read }
    }

    /// Moves what is said to another address, so many bytes further on.
    pub(crate) fn shifted(mut self, len: usize) -> Self {
        self.batch.splice(..0, std::iter::repeat_n(0, len));
        self.start += len;
        self.read = self.start;
        self
    }

    /// Returns what the next read of a buffer of some length gives.
    fn next(&mut self, len: usize) -> &[u8] {
        let rest = &self.batch[self.read..];
        let next = &rest[..rest.len().min(len)];
        self.read += next.len();
        if self.read == self.batch.len() {
            self.read = self.start;
        }
        next
    }
}

impl Read for Ready {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let next = self.next(buf.len());
        buf[..next.len()].copy_from_slice(next);
        Ok(next.len())
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

/// Implements the traits of tokio and of futures for a stream whose blocking calls never block.
macro_rules! never_waits {
    ($stream:ty) => {
        impl AsyncRead for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                // As a socket does, it needs no memory to be initialized.
                buf.put_slice(self.get_mut().next(buf.remaining()));
                Poll::Ready(Ok(()))
            }
        }

        impl AsyncWrite for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(self.get_mut().write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(self.get_mut().write_vectored(bufs))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.get_mut().flush())
            }

            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }

        impl FuturesRead for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(self.get_mut().read(buf))
            }
        }

        impl FuturesWrite for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(self.get_mut().write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(self.get_mut().write_vectored(bufs))
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.get_mut().flush())
            }

            fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    };
}

never_waits!(Ready);
never_waits!(Recorded);

/// A [`Ready`] stream that keeps what is sent and counts the calls.
#[derive(Clone)]
pub(crate) struct Recorded {
    ready: Ready,
    record: Arc<Mutex<Record>>,
}

/// What reached a stream.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) output: Vec<u8>,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    pub(crate) flushes: usize,
}

impl Recorded {
    pub(crate) fn new(ready: Ready) -> (Self, Arc<Mutex<Record>>) {
        let record = Arc::default();
        let stream = Self {
            ready,
            record: Arc::clone(&record),
        };
        (stream, record)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect(NO_PANIC)
    }

    fn next(&mut self, len: usize) -> &[u8] {
        self.record().reads += 1;
        self.ready.next(len)
    }
}

/// Why the lock of a record is never poisoned.
pub(crate) const NO_PANIC: &str = "no holder panics";

impl Read for Recorded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let next = self.next(buf.len());
        buf[..next.len()].copy_from_slice(next);
        Ok(next.len())
    }
}

impl Write for Recorded {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut record = self.record();
        record.writes += 1;
        for buf in bufs {
            record.output.extend_from_slice(buf);
        }
        Ok(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.record().flushes += 1;
        Ok(())
    }
}
