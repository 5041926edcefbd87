//! Sending from a task that owns the writing side or shares it with others.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};

use super::polled::is_pending;
use crate::connection::{Drive, Fragment, Next, NotStaged, Outbound, Unsent};
use crate::error::{Error, ErrorKind};

/// A task's access to the writing side, which it owns or shares with other tasks.
pub trait Access {
    /// The writing side, with its stream.
    type Drive<'a>: Drive
    where
        Self: 'a;

    /// Returns the writing side, locked against other tasks until the value is dropped. Where the stream would
    /// block, it wakes the tasks that wait to write.
    fn drive<'a>(&'a mut self, waker: &'a Waker) -> Self::Drive<'a>;

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

/// Runs a job, and waits while it fails with `WouldBlock`.
pub(super) fn poll_job<A: Access, R>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut job: impl FnMut(&mut A, &Waker) -> Result<R, Error>,
) -> Poll<Result<R, Error>> {
    if access.yields(cx) {
        return Poll::Pending;
    }
    let mut parked = false;
    loop {
        match job(access, cx.waker()) {
            Err(error) if is_pending(&error) => {
                if parked || matches!(error.kind(), ErrorKind::Source(_)) || !access.park(cx) {
                    return Poll::Pending;
                }
                parked = true;
            }
            result => return Poll::Ready(result),
        }
    }
}

/// Stages something. Waits until there is room for it.
pub(super) fn poll_stage<A: Access, T>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut stage: impl FnMut(&mut Outbound) -> Result<T, NotStaged>,
) -> Poll<Result<T, Error>> {
    poll_job(access, cx, |access, waker| {
        access.drive(waker).stage(&mut stage)
    })
}

/// Stages a frame, and writes it unless it may wait in the buffer. Waits until there is room for it.
pub(super) fn poll_send<'p, A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| {
        access.drive(waker).send(&mut stage)
    })
}

/// Writes what waits, and flushes the stream.
pub(super) fn poll_flush<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| access.drive(waker).flush())
}

/// Sends fragments of a message until `step` is done or the last fragment is sent.
pub(super) fn poll_fragments<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    fragment: &mut Fragment,
    step: impl Fn(&mut Fragment, &mut Outbound) -> Result<Next, Error>,
) -> Poll<Result<(), Error>> {
    poll_job(access, cx, |access, waker| {
        loop {
            let mut drive = access.drive(waker);
            match step(fragment, drive.outbound())? {
                Next::Done => return Ok(()),
                Next::Send { fin } => {
                    drive.send_fragment(fragment, fin)?;
                    if fin {
                        return Ok(());
                    }
                }
            }
        }
    })
}

/// Copies part of `input` into the message, at least one byte unless it is empty.
pub(super) fn poll_take<A: Access>(
    access: &mut A,
    cx: &mut Context<'_>,
    fragment: &mut Fragment,
    input: &[u8],
) -> Poll<Result<usize, Error>> {
    loop {
        ready!(poll_fragments(access, cx, fragment, Fragment::make_room))?;
        let mut drive = access.drive(cx.waker());
        let taken = fragment.take(drive.outbound(), input)?;
        if taken > 0 || input.is_empty() {
            return Poll::Ready(Ok(taken));
        }
    }
}

pub(super) async fn flush<A: Access>(access: &mut A) -> Result<(), Error> {
    poll_fn(|cx| poll_flush(access, cx)).await
}

/// Sends a frame. Cancelled before the frame has begun, nothing of it is sent; cancelled after that, the rest
/// is buffered.
pub(super) async fn take<'p, A: Access>(
    access: &mut A,
    mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
) -> Result<(), Error> {
    let unsent = poll_fn(|cx| poll_stage(access, cx, &mut stage)).await?;
    write_all(access, unsent).await
}

/// Writes the rest of a frame that has begun. Cancelled, the rest is buffered.
pub(super) async fn write_all<A: Access>(access: &mut A, unsent: Unsent<'_>) -> Result<(), Error> {
    if unsent.is_nothing() {
        return Ok(());
    }
    let mut frame = BegunFrame { access, unsent };
    poll_fn(|cx| {
        let BegunFrame { access, unsent } = &mut frame;
        poll_job(*access, cx, |access, waker| {
            access.drive(waker).write(unsent)
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
        let mut drive = self.access.drive(Waker::noop());
        // If the rest cannot be buffered now, the next call fails.
        let _ = drive.outbound().buffer_rest(&mut self.unsent);
        drop(drive);
        self.access.end_frame();
        self.access.leave_output();
    }
}
