//! A task of tokio's as long as there is something to do for it, and `WouldBlock` then: so that a
//! call that waits can be tested by the same text as one that does not block.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::{panic, thread};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Handle, Runtime};

use super::peer::ScriptedPeer;

thread_local! {
    static TURNS: RefCell<Option<Turns>> = const { RefCell::new(None) };
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
/// What the future fails with; `WouldBlock` where it was dropped. [In turns](in_turns) another error
/// where a wake-up was lost.
pub fn wait<T, E: From<io::Error>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    wait_by(future, |future, waker| {
        future.poll(&mut Context::from_waker(waker))
    })
}

/// On how many threads a future is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// All polls are on the current one.
    One,
    /// Each poll is on another than the one before.
    Several,
}

/// As [`wait`], on so many threads.
///
/// # Errors
/// As [`wait`] has.
pub fn wait_on<T: Send, E: From<io::Error> + Send>(
    threads: Threads,
    future: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E> {
    let mut is_here = false;
    wait_by(future, |future, waker| {
        let poll = || future.poll(&mut Context::from_waker(waker));
        is_here = !is_here || threads == Threads::One;
        if is_here { poll() } else { elsewhere(poll) }
    })
}

/// Does it on a thread of its own.
fn elsewhere<T: Send>(job: impl FnOnce() -> T + Send) -> T {
    let runtime = Handle::current();
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let _entered = runtime.enter();
            job()
        });
        let done = thread.join();
        done.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })
}

fn wait_by<T, E: From<io::Error>, F: Future<Output = Result<T, E>>>(
    future: F,
    poll: impl FnMut(Pin<&mut F>, &Waker) -> Poll<Result<T, E>>,
) -> Result<T, E> {
    // Pinned here, as the runtime has a long future in a box of its own.
    let until_stuck = pin!(until_stuck(future, poll));
    let dropped = with_turns(|turns| turns.dropped);
    let result = RUNTIME.with(|runtime| runtime.block_on(until_stuck));
    with_turns(|turns| turns.end_call(dropped.unwrap_or_default()));
    result
}

/// Runs `body`, in which each call of tokio's that waits has the peer [take a turn](ScriptedPeer::turn):
/// to wait without being woken by it is to wait for ever, which is an error. Calls are dropped as `drops`
/// says, and say `WouldBlock` then.
///
/// Gives how many were dropped, too.
pub fn in_turns<T>(peer: &ScriptedPeer, drops: Drops, body: impl FnOnce() -> T) -> (T, usize) {
    /// Ends the turns when the body panics, too.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            TURNS.take();
        }
    }
    TURNS.set(Some(Turns {
        peer: peer.clone(),
        drops,
        dropped: 0,
        is_spared: false,
    }));
    let _end = End;
    let result = body();
    let dropped = with_turns(|turns| turns.dropped);
    (result, dropped.unwrap_or_default())
}

/// Whether a call may have been dropped that says `WouldBlock`, and be done all the same.
#[must_use]
pub fn are_calls_dropped() -> bool {
    with_turns(|turns| turns.drops != Drops::Never) == Some(true)
}

/// Which calls are dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Drops {
    /// None.
    #[default]
    Never,
    /// Each where it waits for the n-th time, from 1.
    At(usize),
    /// As with [`At`](Self::At), but not the next one, which is the same again.
    OnceAt(usize),
}

/// How calls are waited for in turns.
#[derive(Debug)]
struct Turns {
    peer: ScriptedPeer,
    drops: Drops,
    dropped: usize,
    is_spared: bool,
}

impl Turns {
    /// Says whether a call is dropped that waits for the n-th time, and else takes a turn.
    fn drops(&mut self, n: usize) -> bool {
        let is_dropped = match self.drops {
            Drops::Never => false,
            Drops::At(at) => n == at,
            Drops::OnceAt(at) => n == at && !self.is_spared,
        };
        if is_dropped {
            self.dropped += 1;
        } else {
            self.peer.turn();
        }
        is_dropped
    }

    /// Spares the next call after one that was dropped, whose wake-up comes when it is gone.
    fn end_call(&mut self, dropped_before: usize) {
        self.is_spared = self.dropped > dropped_before;
        if self.is_spared {
            self.peer.turn();
        }
    }
}

fn with_turns<T>(with: impl FnOnce(&mut Turns) -> T) -> Option<T> {
    TURNS.with_borrow_mut(|turns| turns.as_mut().map(with))
}

/// Each poll has a waker of its own, and that of an earlier poll wakes nobody, as when a future moves
/// from task to task. It is polled once more than it has to be.
async fn until_stuck<T, E: From<io::Error>, F: Future<Output = Result<T, E>>>(
    future: F,
    mut poll: impl FnMut(Pin<&mut F>, &Waker) -> Poll<Result<T, E>>,
) -> Result<T, E> {
    let mut future = pin!(future);
    let (mut waits, mut is_last_try) = (0, false);
    poll_fn(|cx| {
        let woken = Woken::unused();
        let waker = Waker::from(Arc::clone(&woken));
        let polled = poll(future.as_mut(), &waker);
        if polled.is_ready() {
            return polled;
        }
        waits += 1;
        let would_block = || Poll::Ready(Err(E::from(io::ErrorKind::WouldBlock.into())));
        let is_dropped = with_turns(|turns| turns.drops(waits));
        if is_dropped == Some(true) {
            return would_block();
        }
        if !woken.0.load(Ordering::Acquire) {
            if is_dropped.is_some() {
                let lost = io::Error::other("a wake-up was lost: it waits for ever");
                return Poll::Ready(Err(E::from(lost)));
            }
            if is_last_try {
                return would_block();
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

/// A reader or writer of tokio's as one of the standard library's, polled on so many threads.
#[derive(Debug)]
pub struct Waiting<T>(pub Threads, pub T);

impl<T: AsyncRead + Unpin + Send> Read for Waiting<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Self(threads, reader) = self;
        wait_on(
            *threads,
            poll_fn(|cx| {
                let mut buf = ReadBuf::new(buf);
                let read = Pin::new(&mut *reader).poll_read(cx, &mut buf);
                read.map_ok(|()| buf.filled().len())
            }),
        )
    }
}

impl<T: AsyncWrite + Unpin + Send> Write for Waiting<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let Self(threads, writer) = self;
        let write = poll_fn(|cx| Pin::new(&mut *writer).poll_write(cx, buf));
        wait_on(*threads, write)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self(threads, writer) = self;
        let flush = poll_fn(|cx| Pin::new(&mut *writer).poll_flush(cx));
        wait_on(*threads, flush)
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
