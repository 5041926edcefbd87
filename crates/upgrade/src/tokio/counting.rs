//! A stream that counts flushes, for tests of streams that pass calls on.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that takes all and is at its end.
pub(super) struct Counting {
    is_vectored: bool,
    flushes: Rc<Cell<usize>>,
}

impl AsyncRead for Counting {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes.set(self.flushes.get() + 1);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Checks that a stream over another flushes that, and takes several buffers at once where that does.
pub(super) fn check_flushes_and_vectored_writes<S: AsyncWrite + Unpin>(
    wrap: impl Fn(Counting) -> S,
) {
    for is_vectored in [true, false] {
        let flushes = Rc::<Cell<usize>>::default();
        let mut stream = wrap(Counting {
            is_vectored,
            flushes: Rc::clone(&flushes),
        });
        assert_eq!(stream.is_write_vectored(), is_vectored);
        let context = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut stream).poll_flush(context).is_ready());
        assert_eq!(flushes.get(), 1);
    }
}
