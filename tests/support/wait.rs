//! A task of tokio's as long as there is something to do for it, and `WouldBlock` then: so that a
//! call that waits can be tested by the same text as one that does not block.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without sockets");
    /// Those of earlier polls, to be used again once nobody else has them: what a call allocates can
    /// be counted.
    static WAKERS: RefCell<Vec<Arc<Woken>>> = const { RefCell::new(Vec::new()) };
}

/// Awaits a future on the current thread for as long as it is woken. One that waits, and that
/// nothing wakes, would wait for ever: it is dropped.
///
/// # Errors
/// What the future fails with; `WouldBlock` where it was dropped.
pub fn wait<T, E: From<io::Error>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    // Pinned here, as the runtime has a long future in a box of its own.
    let until_stuck = pin!(until_stuck(future));
    RUNTIME.with(|runtime| runtime.block_on(until_stuck))
}

/// Each poll has a waker of its own, and that of an earlier poll wakes nobody, as when a future moves
/// from task to task. It is polled once more than it has to be.
async fn until_stuck<T, E: From<io::Error>>(
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut future = pin!(future);
    let mut is_last_try = false;
    poll_fn(|cx| {
        let woken = Woken::unused();
        let waker = Waker::from(Arc::clone(&woken));
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        if poll.is_ready() {
            return poll;
        }
        if !woken.0.load(Ordering::Acquire) {
            if is_last_try {
                return Poll::Ready(Err(E::from(io::ErrorKind::WouldBlock.into())));
            }
            is_last_try = true;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Woken {
    fn unused() -> Arc<Self> {
        WAKERS.with_borrow_mut(|wakers| {
            let mut all = wakers.iter_mut();
            let unused = all.position(|woken| Arc::get_mut(woken).is_some());
            let at = unused.unwrap_or(wakers.len());
            if at == wakers.len() {
                wakers.push(Arc::default());
            }
            wakers[at].0.store(false, Ordering::Release);
            Arc::clone(&wakers[at])
        })
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// A reader or writer of tokio's as one of the standard library's.
#[derive(Debug)]
pub struct Waiting<T>(pub T);

impl<T: AsyncRead + Unpin> Read for Waiting<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        wait(poll_fn(|cx| {
            let mut buf = ReadBuf::new(buf);
            let read = Pin::new(&mut self.0).poll_read(cx, &mut buf);
            read.map_ok(|()| buf.filled().len())
        }))
    }
}

impl<T: AsyncWrite + Unpin> Write for Waiting<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        wait(poll_fn(|cx| Pin::new(&mut self.0).poll_write(cx, buf)))
    }

    fn flush(&mut self) -> io::Result<()> {
        wait(poll_fn(|cx| Pin::new(&mut self.0).poll_flush(cx)))
    }
}

/// A reader of the standard library's as one of tokio's: where it would block, the task is woken to
/// ask again.
#[derive(Debug)]
pub struct Asking<R>(pub R);

impl<R: Read + Unpin> AsyncRead for Asking<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut().0.read(buf.initialize_unfilled()) {
            Ok(len) => {
                buf.advance(len);
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
