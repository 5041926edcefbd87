//! Reading from a task.

use std::future::poll_fn;
use std::mem;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Writer;
use super::polled::{Job, Polled, is_pending};
use crate::connection::{self, Drive, Frame, Inbound, Replies, Stop, Transport};
use crate::error::{Error, ErrorKind};

/// What the reading side reads from, and sends its replies by.
pub trait Source {
    /// The stream with its task.
    type Transport<'a>: Transport
    where
        Self: 'a;

    /// Has the stream wake the task when there is more to read, or when replies that wait can be sent.
    fn transport<'a>(&'a mut self, waker: &'a Waker) -> Self::Transport<'a>;

    /// Where replies go for as long as no stream is needed.
    fn replies(&mut self) -> &mut dyn Replies;

    /// Whether nothing waits any more that this task would have to send.
    fn send_all(&mut self, waker: &Waker) -> bool;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Source for Writer<S> {
    type Transport<'a>
        = Polled<'a, S>
    where
        S: 'a;

    fn transport<'a>(&'a mut self, waker: &'a Waker) -> Polled<'a, S> {
        self.polled(waker, Job::Reading)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        &mut self.outbound
    }

    fn send_all(&mut self, waker: &Waker) -> bool {
        let flushed = self.transport(waker).flush();
        !matches!(flushed, Err(error) if is_pending(&error))
    }
}

/// A result, unless the task will be woken for more.
pub(super) fn or_pending<R>(result: Result<R, Error>) -> Poll<Result<R, Error>> {
    match result {
        Err(error) if is_pending(&error) => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// Says that the connection has ended only when what answers that, and what
/// was to be sent before, has been sent: the caller may drop the connection then.
pub(super) fn or_unsent<T: Source, R>(
    source: &mut T,
    cx: &mut Context<'_>,
    result: Result<R, Error>,
) -> Poll<Result<R, Error>> {
    match or_pending(result) {
        Poll::Ready(Err(error)) if has_answer(&error) && !source.send_all(cx.waker()) => {
            Poll::Pending
        }
        result => result,
    }
}

pub(super) fn poll_read<T: Source, R>(
    inbound: &mut Inbound,
    source: &mut T,
    cx: &mut Context<'_>,
    step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Poll<Result<R, Error>> {
    let result = connection::read(inbound, &mut source.transport(cx.waker()), step);
    or_unsent(source, cx, result)
}

/// Whether it is an end that a Close frame of this end answers. It is said again when asked again.
pub(super) fn has_answer(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Closed(_) | ErrorKind::Violation(_))
}

/// Why a step did not give its result at once.
#[derive(Debug)]
pub(super) enum Halt<R> {
    /// Something is to be sent first.
    Reply(R),
    Stopped(Stop),
}

/// Does what the step says, where that needs neither bytes nor the stream: without a future and a waker.
#[inline]
pub(super) fn try_read<R>(
    inbound: &mut Inbound,
    source: &mut impl Source,
    step: impl FnOnce(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Result<R, Halt<R>> {
    match step(inbound, source.replies()) {
        Ok(result) if inbound.take_unsent_reply() => Err(Halt::Reply(result)),
        Ok(result) => Ok(result),
        Err(why) => Err(Halt::Stopped(why)),
    }
}

/// Does what the step says, after it was tried.
pub(super) async fn read_on<T: Source, R>(
    inbound: &mut Inbound,
    source: &mut T,
    halt: Halt<R>,
    mut step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Result<R, Error> {
    match halt {
        Halt::Reply(result) => {
            poll_fn(|cx| {
                source.transport(cx.waker()).send_waiting();
                Poll::Ready(())
            })
            .await;
            Ok(result)
        }
        Halt::Stopped(stopped) => {
            // The first time; what failed says so again.
            let mut needs_bytes = matches!(stopped, Stop::Bytes);
            poll_fn(|cx| {
                if mem::take(&mut needs_bytes) {
                    let read =
                        connection::read_on(inbound, &mut source.transport(cx.waker()), &mut step);
                    return or_unsent(source, cx, read);
                }
                poll_read(inbound, source, cx, &mut step)
            })
            .await
        }
    }
}

pub(super) async fn read<T: Source, R>(
    inbound: &mut Inbound,
    source: &mut T,
    mut step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Result<R, Error> {
    match try_read(inbound, source, &mut step) {
        Ok(result) => Ok(result),
        Err(halt) => read_on(inbound, source, halt, step).await,
    }
}

pub(super) async fn read_frame<'b>(
    inbound: &mut Inbound,
    source: &mut impl Source,
    buf: &'b mut [u8],
) -> Result<Frame<'b>, Error> {
    let header = poll_fn(|cx| {
        let read = connection::read_frame(inbound, &mut source.transport(cx.waker()), buf);
        or_unsent(source, cx, read)
    });
    let header = header.await?;
    Ok(Frame::read(header, buf))
}
