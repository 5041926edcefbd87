//! A stream of tokio's, lent together with the task that it wakes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Outbound;
use crate::drive::{PollClose, PollRead, PollWrite, WriteSide};
use crate::error::lasting;

/// The sending side and the stream of a whole connection, while one task polls them.
#[derive(Debug)]
pub struct Polled<'a, S> {
    pub(super) outbound: &'a mut Outbound,
    pub(super) stream: PolledStream<'a, S>,
}

/// A stream of tokio's, and the task that it wakes when it is ready.
///
/// Reading and writing may be done by two tasks that take turns with the connection, as with
/// `tokio::io::split`. The reading task also writes replies, and a stream wakes only the task that wrote last.
/// So while one task is blocked on writing, the other registers both with the stream.
#[derive(Debug)]
pub struct PolledStream<'a, S> {
    pub(super) stream: &'a mut S,
    pub(super) waker: &'a Waker,
    pub(super) job: Job,
    /// The tasks that wait for the stream to take more. Allocated when the first one has to.
    pub(super) blocked: &'a mut Option<Box<Blocked>>,
}

/// Which of the two directions a task uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    Reading,
    Writing,
}

/// The tasks that wait for a stream to take more, one for each direction.
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

    /// Returns the task of the other direction, if it waits and is not `task` itself.
    fn other(&self, job: Job, task: &Waker) -> Option<&Waker> {
        let other = match job {
            Job::Reading => &self.writing,
            Job::Writing => &self.reading,
        };
        other.as_ref().filter(|other| !other.will_wake(task))
    }
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> WriteSide for Polled<'a, S> {
    type Stream = PolledStream<'a, S>;

    fn parts(&mut self) -> (&mut Outbound, &mut PolledStream<'a, S>) {
        (self.outbound, &mut self.stream)
    }
}

impl<S> PolledStream<'_, S> {
    /// Polls the stream to write or to flush.
    fn poll<R>(
        &mut self,
        poll: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let blocked = self.blocked.as_deref();
        let other = blocked.and_then(|blocked| blocked.other(self.job, self.waker));
        let result = if let Some(other) = other {
            let both = Waker::from(Arc::new(BothWakers([other.clone(), self.waker.clone()])));
            poll(self.stream, &mut Context::from_waker(&both))
        } else {
            poll(self.stream, &mut Context::from_waker(self.waker))
        };
        if result.is_pending() {
            let blocked = self.blocked.get_or_insert_default();
            *blocked.of(self.job) = Some(self.waker.clone());
        } else if let Some(blocked) = self.blocked {
            // After this the stream wakes no task that was blocked before.
            for task in [blocked.reading.take(), blocked.writing.take()] {
                if let Some(task) = task.filter(|task| !task.will_wake(self.waker)) {
                    task.wake();
                }
            }
        }
        result
    }
}

impl<S: AsyncRead + Unpin> PollRead for PolledStream<'_, S> {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut cx = Context::from_waker(self.waker);
        read(self.stream, &mut cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> PollWrite for PolledStream<'_, S> {
    fn poll_write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(|stream, cx| write(stream, cx, bytes))
    }

    fn poll_write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll(|stream, cx| write_vectored(stream, cx, bytes))
    }

    fn poll_flush(&mut self) -> Poll<io::Result<()>> {
        self.poll(flush)
    }
}

impl<S: AsyncWrite + Unpin> PollClose for PolledStream<'_, S> {
    fn poll_close(&mut self) -> Poll<io::Result<()>> {
        self.poll(close)
    }
}

/// A waker of two tasks.
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
) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(buf);
    ready!(Pin::new(stream).poll_read(cx, &mut buf)).map_err(failed)?;
    Poll::Ready(Ok(buf.filled().len()))
}

pub(super) fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_write(cx, bytes).map_err(failed)
}

pub(super) fn write_vectored(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    bytes: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let written = Pin::new(stream).poll_write_vectored(cx, bytes);
    written.map_err(failed)
}

pub(super) fn flush(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    Pin::new(stream).poll_flush(cx).map_err(failed)
}

pub(super) fn close(
    stream: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    Pin::new(stream).poll_shutdown(cx).map_err(failed)
}

/// Returns the error of a stream that failed, in a form that no call takes for a stream that is not ready.
///
/// A stream that itself fails with `WouldBlock` promises no wake-up, so that the task would wait for ever.
/// `TimedOut` is changed too: TCP fails with it when nothing is acknowledged, and no call goes on after that.
pub(super) fn failed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(error),
        io::ErrorKind::TimedOut => lasting(error),
        _ => error,
    }
}
