//! A stream of tokio's, with a deadline.

use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::exchange::{Deadline, Wire};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

/// A [`Wire`] over a stream of tokio's. It uses the timer only where there is a deadline to wait for.
#[derive(Debug)]
pub struct TokioWire<S> {
    stream: S,
    deadline: Deadline,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire for TokioWire<S> {
    type Stream = S;

    fn new(stream: S, deadline: Deadline) -> Self {
        Self {
            stream,
            deadline,
            alarm: None,
        }
    }

    fn now() -> std::time::Instant {
        Instant::now().into_std()
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, UpgradeError>> {
        self.poll_by_deadline(context, READ, |stream, context| {
            let mut buf = ReadBuf::new(buf);
            ready!(stream.poll_read(context, &mut buf))?;
            Poll::Ready(Ok(buf.filled().len()))
        })
    }

    fn poll_write_all(
        &mut self,
        context: &mut Context<'_>,
        unsent: &mut &[u8],
    ) -> Poll<Result<(), UpgradeError>> {
        while !unsent.is_empty() {
            let written = self.poll_by_deadline(context, WRITE, |stream, context| {
                match ready!(stream.poll_write(context, unsent)) {
                    Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    result => Poll::Ready(result),
                }
            });
            *unsent = &unsent[ready!(written)?..];
        }
        self.poll_by_deadline(context, WRITE, S::poll_flush)
    }

    fn end(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut context);
    }

    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.alarm = None;
    }

    fn release(&self) -> Result<(), UpgradeError> {
        Ok(())
    }

    fn into_stream(self) -> S {
        self.stream
    }
}

impl<S: Unpin> TokioWire<S> {
    pub(super) fn poll_by_deadline<T>(
        &mut self,
        context: &mut Context<'_>,
        (kind, doing): (UpgradeErrorKind, &str),
        mut poll: impl FnMut(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<Result<T, UpgradeError>> {
        let end = self.deadline.end().map(Instant::from_std);
        // A peer that always has more never lets the alarm go off.
        if end.is_some_and(|end| Instant::now() >= end) {
            return Poll::Ready(Err(self.deadline.error_for(doing)));
        }
        loop {
            match poll(Pin::new(&mut self.stream), context) {
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(result) => {
                    let result = result.map_err(|error| self.deadline.error(error, kind, doing));
                    return Poll::Ready(result);
                }
                Poll::Pending => break,
            }
        }
        let Some(end) = end else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Err(self.deadline.error_for(doing)))
    }
}

/// Returns the output of a future, or `None` where the deadline is over before.
pub async fn by<F: Future>(deadline: Deadline, future: F) -> Option<F::Output> {
    match deadline.end() {
        Some(end) => timeout_at(Instant::from_std(end), future).await.ok(),
        None => Some(future.await),
    }
}

/// Returns the deadline `time` from now, by tokio's clock.
#[must_use]
pub fn after(time: std::time::Duration) -> Deadline {
    Deadline::starting(Instant::now().into_std(), time)
}

pub(super) const READ: (UpgradeErrorKind, &str) = (UpgradeErrorKind::Read, "read");
const WRITE: (UpgradeErrorKind, &str) = (UpgradeErrorKind::Write, "write");
