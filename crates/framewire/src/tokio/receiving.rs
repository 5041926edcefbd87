//! Reading from a task: polling the stream, and sending replies on the way.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Writer;
use super::polled::{Job, Polled};
use super::whole::Whole;
use crate::connection::{Found, Inbound, Replies, Stop};
use crate::drive::{self, ReadSide, WriteSide as _, poll_read_frame, poll_step};
use crate::error::{Error, ErrorKind};
use crate::frame::Header;

/// What a [`Reader`](super::Reader) reads from, and sends its replies through: the [`Writer`] of a whole connection, or
/// [`ReadEnd`](super::ReadEnd) of a split one.
///
/// For functions that read from either. It cannot be implemented by others.
pub trait Receiving {
    /// The stream, with the task that it wakes.
    #[doc(hidden)]
    type Side<'a>: ReadSide
    where
        Self: 'a;

    /// Returns the stream. It wakes the task when there is more to read, or when waiting replies can be sent.
    #[doc(hidden)]
    fn side<'a>(&'a mut self, waker: &'a Waker) -> Self::Side<'a>;

    /// Returns where to stage replies when the stream is not at hand.
    #[doc(hidden)]
    fn replies(&mut self) -> &mut dyn Replies;

    /// Does what the keep-alive has to do while a read waits. Ready where a Pong is overdue.
    #[doc(hidden)]
    fn poll_keep_alive(&mut self, _inbound: &mut Inbound, _cx: &mut Context<'_>) -> Poll<Error> {
        Poll::Pending
    }

    /// Sends what waits. Returns `false` if the stream does not take all that this task has to send.
    #[doc(hidden)]
    fn send_all(&mut self, waker: &Waker) -> bool;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiving for Writer<Whole<S>> {
    type Side<'a>
        = Polled<'a, S>
    where
        S: 'a;

    fn side<'a>(&'a mut self, waker: &'a Waker) -> Polled<'a, S> {
        self.side.polled(waker, Job::Reading)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        &mut self.side.outbound
    }

    fn poll_keep_alive(&mut self, inbound: &mut Inbound, cx: &mut Context<'_>) -> Poll<Error> {
        self.side.poll_keep_alive(inbound, cx)
    }

    fn send_all(&mut self, waker: &Waker) -> bool {
        self.side
            .polled(waker, Job::Reading)
            .poll_flush()
            .is_ready()
    }
}

/// Returns an error that ends the connection only once the Close frame that answers it, and all that was staged
/// before that, has been sent. The caller can then drop the connection. While the read waits, the keep-alive goes on.
pub(super) fn or_unsent<T: Receiving, R>(
    inbound: &mut Inbound,
    source: &mut T,
    cx: &mut Context<'_>,
    read: Poll<Result<R, Error>>,
) -> Poll<Result<R, Error>> {
    match read {
        Poll::Ready(Err(error)) if has_answer(&error) && !source.send_all(cx.waker()) => {
            source.poll_keep_alive(inbound, cx).map(Err)
        }
        Poll::Pending => source.poll_keep_alive(inbound, cx).map(Err),
        read @ Poll::Ready(_) => read,
    }
}

fn poll_read<T: Receiving, R>(
    inbound: &mut Inbound,
    source: &mut T,
    cx: &mut Context<'_>,
    step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Poll<Result<R, Error>> {
    let read = poll_step(inbound, &mut source.side(cx.waker()), step);
    or_unsent(inbound, source, cx, read)
}

/// Returns whether this end sends a Close frame after the error. Reading again gives the same error again.
pub(super) fn has_answer(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Closed(_) | ErrorKind::Violation(_))
}

/// Takes a step, and reads whenever it needs bytes.
pub(super) fn read<T: Receiving, R>(
    inbound: &mut Inbound,
    source: &mut T,
    mut step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> impl Future<Output = Result<R, Error>> {
    poll_fn(move |cx| poll_read(inbound, source, cx, &mut step))
}

/// Returns the next message, and reads whenever it needs bytes.
#[inline]
pub(super) fn next_message(
    inbound: &mut Inbound,
    source: &mut impl Receiving,
) -> impl Future<Output = Result<Found, Error>> {
    poll_fn(move |cx| poll_message(inbound, source, cx))
}

/// As [`next_message`], polled.
#[inline]
pub(super) fn poll_message(
    inbound: &mut Inbound,
    source: &mut impl Receiving,
    cx: &mut Context<'_>,
) -> Poll<Result<Found, Error>> {
    if let Some(found) = inbound.buffered_message() {
        return Poll::Ready(Ok(found));
    }
    let read = drive::poll_message(inbound, &mut source.side(cx.waker()));
    or_unsent(inbound, source, cx, read)
}

pub(super) async fn read_frame(
    inbound: &mut Inbound,
    source: &mut impl Receiving,
    buf: &mut [u8],
) -> Result<Header, Error> {
    poll_fn(|cx| {
        let read = poll_read_frame(inbound, &mut source.side(cx.waker()), buf);
        or_unsent(inbound, source, cx, read)
    })
    .await
}
