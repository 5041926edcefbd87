//! Sending from a task that owns the writing side or shares it with others.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};

use crate::connection::{Fragment, NotStaged, Outbound, PieceStep, Unsent};
use crate::drive::WriteSide;
use crate::error::{Closed, Error, TryFeedError};
use crate::protocol::ToOutgoing;

/// What a [`Writer`](super::Writer) sends through: [`Whole`](super::Whole), a connection that is not split, or
/// [`Half`](super::Half), the part that halves share.
///
/// For functions that send by either. It cannot be implemented by others.
///
/// # Examples
/// ```
/// use framewire::{Error, tokio::{Sending, Writer}};
///
/// async fn greet<T: Sending>(writer: &mut Writer<T>) -> Result<(), Error> {
///     writer.write("hello").await
/// }
/// ```
pub trait Sending {
    /// The right to send a message.
    #[doc(hidden)]
    type Turn<'a>: Access
    where
        Self: 'a;
    /// The right to send a control frame, for which many tasks have it at once.
    #[doc(hidden)]
    type Frames<'a>: Access
    where
        Self: 'a;

    /// Takes the turn to send a message if no task has it and none waits.
    #[doc(hidden)]
    fn try_turn(&mut self) -> Option<Self::Turn<'_>>;

    /// Takes the turn to send a message. Waits while another task has it.
    #[doc(hidden)]
    fn turn(&mut self) -> impl Future<Output = Result<Self::Turn<'_>, Error>>;

    /// Returns the access for control frames. `close` is the payload of the Close frame to send; `None` for any other.
    #[doc(hidden)]
    fn frames(&mut self, close: Option<&[u8]>) -> Self::Frames<'_>;

    /// Returns whether a message that was staged may wait for later ones.
    #[doc(hidden)]
    fn may_coalesce(&self) -> bool {
        false
    }

    /// Feeds a message if the write buffer has room.
    #[doc(hidden)]
    fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>>;

    /// Calls `job` with the sending side.
    #[doc(hidden)]
    fn inspect<R>(&self, job: impl FnOnce(&Outbound) -> R) -> R;

    /// Calls `job` with the sending side, to change it.
    #[doc(hidden)]
    fn change<R>(&mut self, job: impl FnOnce(&mut Outbound) -> R) -> R;

    /// Returns how the connection was closed.
    #[doc(hidden)]
    fn closed(&self) -> Option<Closed>;
}

/// A task's access to the sending side, which it owns or shares with other tasks.
pub trait Access {
    /// The writing side, with its stream.
    type Side<'a>: WriteSide
    where
        Self: 'a;

    /// Returns the writing side, locked against other tasks until the value is dropped. A stream that is not ready
    /// wakes the task of `waker`, or all tasks that wait to write.
    fn side<'a>(&'a mut self, waker: &'a Waker) -> Self::Side<'a>;

    /// Fails where a frame is under way that nobody will end.
    fn check_no_frame(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Returns whether this task yields to others. If so, it has already been woken to be polled again.
    fn yields(&mut self, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// Registers the task to be woken when a job that has blocked can go on.
    ///
    /// Returns whether the caller must try the job once more: the wake-up may have come before the task was
    /// registered.
    fn park(&mut self, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// Wakes the tasks that wait for the end of a frame.
    fn end_frame(&mut self) {}

    /// Leaves what is staged to other tasks, to be written.
    fn leave_output(&mut self) {}
}

/// Runs a job, and registers the task where the job has to wait.
pub(super) fn poll_job<A: Access, R>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut job: impl FnMut(&mut A, &Waker) -> Poll<Result<R, Error>>,
) -> Poll<Result<R, Error>> {
    if access.yields(cx) {
        return Poll::Pending;
    }
    let done = job(access, cx.waker());
    if done.is_pending() && access.park(cx) {
        return job(access, cx.waker());
    }
    done
}

/// Stages something. Waits until there is room for it.
pub(super) fn poll_stage<A: Access, T>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut stage: impl FnMut(&mut Outbound) -> Result<T, NotStaged>,
) -> Poll<Result<T, Error>> {
    poll_job(access, cx, |access, waker| {
        access.side(waker).poll_stage(&mut stage)
    })
}

/// Stages a frame, and writes it unless it may wait in the buffer. Waits until there is room for it.
pub(super) fn poll_send<'p, A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| {
        access.side(waker).poll_send(&mut stage)
    })
}

/// Writes what waits, and flushes the stream.
pub(super) fn poll_flush<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| access.side(waker).poll_flush())
}

/// Sends fragments of a message until `step` is done or the last fragment is sent.
pub(super) fn poll_fragments<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    fragment: &mut Fragment,
    step: impl Fn(&mut Fragment, &mut Outbound) -> Result<PieceStep, Error>,
) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| {
        send_fragments(access, waker, fragment, &step)
    })
}

/// Sends all of a message that was taken so far, and flushes the stream.
///
/// This is one job: a task that yields before each of two would never come to the second.
pub(super) fn poll_flush_fragments<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    fragment: &mut Fragment,
) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| {
        ready!(send_fragments(access, waker, fragment, &Fragment::flush))?;
        access.side(waker).poll_flush()
    })
}

fn send_fragments<A: Access>(
    access: &mut A,
    waker: &Waker,
    fragment: &mut Fragment,
    step: &impl Fn(&mut Fragment, &mut Outbound) -> Result<PieceStep, Error>,
) -> Poll<Result<(), Error>> {
    loop {
        let mut side = access.side(waker);
        match step(fragment, side.outbound())? {
            PieceStep::Done => return Poll::Ready(Ok(())),
            PieceStep::Send { fin } => {
                ready!(side.poll_send_fragment(fragment, fin))?;
                if fin {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

/// Copies part of `input` into the message, at least one byte unless it is empty.
pub(super) fn poll_push<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    fragment: &mut Fragment,
    input: &[u8],
) -> Poll<Result<usize, Error>> {
    loop {
        ready!(poll_fragments(access, cx, fragment, Fragment::make_room))?;
        let mut side = access.side(cx.waker());
        let taken = fragment.take(side.outbound(), input)?;
        if taken > 0 || input.is_empty() {
            return Poll::Ready(Ok(taken));
        }
    }
}

pub(super) async fn flush<A: Access>(access: &mut A) -> Result<(), Error> {
    poll_fn(|cx| poll_flush(access, cx)).await
}

/// Sends a frame, without a waker where there is room for it. Cancelled before the frame has begun, nothing of it is
/// sent; cancelled after that, the rest is buffered.
pub(super) async fn send<'p, A: Access>(
    access: &mut A,
    mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
) -> Result<(), Error> {
    let staged = stage(access.side(Waker::noop()).outbound());
    match staged {
        Ok(Unsent::Nothing) => Ok(()),
        Ok(unsent) => write_all(access, unsent).await,
        Err(NotStaged::Failed(error)) => Err(error),
        Err(NotStaged::Full | NotStaged::InFrame) => {
            access.check_no_frame()?;
            send_frame(access, stage).await
        }
    }
}

/// Sends a frame. Cancelled before the frame has begun, nothing of it is sent; cancelled after that, the rest
/// is buffered.
pub(super) async fn send_frame<'p, A: Access>(
    access: &mut A,
    mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
) -> Result<(), Error> {
    match poll_fn(|cx| poll_stage(access, cx, &mut stage)).await? {
        Unsent::Nothing => Ok(()),
        unsent => write_all(access, unsent).await,
    }
}

/// Writes the rest of a frame that has begun. Cancelled, the rest is buffered.
pub(super) async fn write_all<A: Access>(access: &mut A, unsent: Unsent<'_>) -> Result<(), Error> {
    let mut frame = BegunFrame { access, unsent };
    poll_fn(|cx| {
        let BegunFrame { access, unsent } = &mut frame;
        poll_job(*access, cx, |access, waker| {
            access.side(waker).poll_write(unsent)
        })
    })
    .await?;
    frame.access.end_frame();
    Ok(())
}

/// A frame that has begun, and must be sent to its end.
struct BegunFrame<'a, 'p, A: Access> {
    access: &'a mut A,
    unsent: Unsent<'p>,
}

impl<A: Access> Drop for BegunFrame<'_, '_, A> {
    fn drop(&mut self) {
        if self.unsent.is_nothing() {
            return;
        }
        let mut side = self.access.side(Waker::noop());
        // If the rest cannot be buffered now, the next call fails.
        let _ = side.outbound().buffer_rest(&mut self.unsent);
        drop(side);
        self.access.end_frame();
        self.access.leave_output();
    }
}
