//! A stream of tokio's, lent with the task that it wakes.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Drive, Outbound};
use crate::error::{Error, ErrorKind, lasting, would_block};

/// A whole connection's sending side and stream, for as long as a task polls them.
#[derive(Debug)]
pub struct Polled<'a, S> {
    pub(super) outbound: &'a mut Outbound,
    pub(super) stream: PolledStream<'a, S>,
}

/// A stream, and the task that it wakes when it would not block any more. `WouldBlock` means that it will.
///
/// What reads and what writes may be two tasks, which have the connection by turns: as
/// `tokio::io::split` has it. The one that reads also writes, and must not leave the other waiting.
#[derive(Debug)]
pub struct PolledStream<'a, S> {
    pub(super) stream: &'a mut S,
    pub(super) waker: &'a Waker,
    pub(super) job: Job,
    /// The tasks that wait for the stream to take more, once one had to.
    pub(super) blocked: &'a mut Option<Box<Blocked>>,
}

/// What a task does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    Reading,
    Writing,
}

/// The tasks that wait for a stream to take more.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    reading: Option<Waker>,
    writing: Option<Waker>,
}

impl Blocked {
    fn of(&mut self, job: Job) -> &mut Option<Waker> {
        match job {
            Job::Reading => &mut self.reading,
            Job::Writing => &mut self.writing,
        }
    }

    /// The task that does the other, if it waits and is another than this.
    fn other(&self, job: Job, task: &Waker) -> Option<&Waker> {
        let other = match job {
            Job::Reading => &self.writing,
            Job::Writing => &self.reading,
        };
        other.as_ref().filter(|other| !other.will_wake(task))
    }
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Drive for Polled<'a, S> {
    type Stream = PolledStream<'a, S>;

    fn parts(&mut self) -> (&mut Outbound, &mut PolledStream<'a, S>) {
        (self.outbound, &mut self.stream)
    }
}

impl<S> PolledStream<'_, S> {
    /// Writes or flushes.
    fn poll<R>(
        &mut self,
        poll: impl FnOnce(&mut S, &mut Context<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        let blocked = self.blocked.as_deref();
        let other = blocked.and_then(|blocked| blocked.other(self.job, self.waker));
        let result = if let Some(other) = other {
            let both = Waker::from(Arc::new(BothWakers([other.clone(), self.waker.clone()])));
            poll(self.stream, &mut Context::from_waker(&both))
        } else {
            poll(self.stream, &mut Context::from_waker(self.waker))
        };
        if matches!(&result, Err(error) if would_block(error)) {
            let blocked = self.blocked.get_or_insert_default();
            *blocked.of(self.job) = Some(self.waker.clone());
        } else if let Some(blocked) = self.blocked {
            // The stream owes no wake-up to one that waited before.
            for task in [blocked.reading.take(), blocked.writing.take()] {
                if let Some(task) = task.filter(|task| !task.will_wake(self.waker)) {
                    task.wake();
                }
            }
        }
        result
    }
}

impl<S: AsyncRead + Unpin> Read for PolledStream<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(self.waker);
        read(self.stream, &mut cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> Write for PolledStream<'_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.poll(|stream, cx| write(stream, cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.poll(|stream, cx| write_vectored(stream, cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.poll(flush)
    }
}

/// Two tasks as one.
struct BothWakers([Waker; 2]);

impl Wake for BothWakers {
    fn wake(self: Arc<Self>) {
        self.0.iter().for_each(Waker::wake_by_ref);
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
/// to fail with it would never be asked again. Nor would one that fails with `TimedOut`, as TCP does where
/// nothing is acknowledged: no call of a task goes on after that.
fn or_would_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        Poll::Ready(result) => result.map_err(failed),
    }
}

/// What a stream failed with, which is not that it would block.
pub(super) fn failed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(error),
        io::ErrorKind::TimedOut => lasting(error),
        _ => error,
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
