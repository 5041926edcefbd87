//! A peer that costs nothing itself, so that what a connection costs can be counted.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

/// Says the same over and over, takes anything, and counts the calls.
#[derive(Debug)]
pub struct Meter {
    batch: Vec<u8>,
    read: usize,
    /// How many batches are still to come; then reads would block.
    pub batches: usize,
    pub reads: usize,
    pub writes: usize,
    pub written: usize,
}

impl Meter {
    /// A peer that says `batch` whenever it is asked to.
    pub fn new(batch: impl Into<Vec<u8>>) -> Self {
        Self {
            batch: batch.into(),
            read: 0,
            batches: 0,
            reads: 0,
            writes: 0,
            written: 0,
        }
    }
}

impl Read for Meter {
    /// Gives no bytes of two batches at once.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.batches == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = (&self.batch[self.read..]).read(buf)?;
        self.read += len;
        if self.read == self.batch.len() {
            self.read = 0;
            self.batches -= 1;
        }
        Ok(len)
    }
}

impl Write for Meter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writes += 1;
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.written += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

mod polled {
    use std::io::{self, ErrorKind, IoSlice, Read, Write};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Meter;

    /// Wakes nobody: what would block has nothing to wait for.
    impl AsyncRead for Meter {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match self.get_mut().read(buf.initialize_unfilled()) {
                Ok(len) => {
                    buf.advance(len);
                    Poll::Ready(Ok(()))
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        }
    }

    impl AsyncWrite for Meter {
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
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}
