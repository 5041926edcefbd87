//! Sending from a task, alone or as one of several.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};

use super::polled::is_pending;
use crate::connection::{Drive, Fragment, Next, NotStaged, Outbound, Unsent};
use crate::error::{Error, ErrorKind};

/// Access to the writing side from a task: it is owned, or shared with other tasks.
pub trait Access {
    /// The writing side with its stream.
    type Drive<'a>: Drive
    where
        Self: 'a;

    /// Returns the writing side, which no other task has until this is dropped. Where its stream would block, it
    /// wakes the tasks that wait to write.
    fn drive<'a>(&'a mut self, waker: &'a Waker) -> Self::Drive<'a>;

    /// Whether other tasks are to go first: then the task is woken at once.
    fn yields(&mut self, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// Has the task woken when what has blocked may not do so any more. Says whether it is only known from
    /// now on, so that what it waits for can have come about before.
    fn park(&mut self, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// Has others go on that wait for the end of a frame.
    fn end_frame(&mut self) {}

    /// Leaves what was staged to others to be sent.
    fn leave(&mut self) {}
}

/// Does a job that may block.
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

/// Stages something, once there is room for it.
pub(super) fn poll_stage<A: Access, T>(
    access: &mut A,
    cx: &mut Context<'_>,
    mut stage: impl FnMut(&mut Outbound) -> Result<T, NotStaged>,
) -> Poll<Result<T, Error>> {
    poll_job(access, cx, |access, waker| {
        access.drive(waker).stage(&mut stage)
    })
}

/// Stages a frame once there is room for it, and writes it or keeps it.
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

/// Sends fragments of a message until the step is done, or the last one is sent.
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

/// Takes some of what comes next of a message, and something of anything.
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

/// Takes a frame: until it has begun nothing of it, and from then on all of it, cancelled or not.
pub(super) async fn take<'p, A: Access>(
    access: &mut A,
    mut stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
) -> Result<(), Error> {
    let unsent = poll_fn(|cx| poll_stage(access, cx, &mut stage)).await?;
    write_all(access, unsent).await
}

/// Writes what is left of a frame that was begun, and keeps that where this is cancelled.
pub(super) async fn write_all<A: Access>(access: &mut A, unsent: Unsent<'_>) -> Result<(), Error> {
    if unsent.is_nothing() {
        return Ok(());
    }
    let mut frame = Begun { access, unsent };
    poll_fn(|cx| {
        let Begun { access, unsent } = &mut frame;
        poll_job(*access, cx, |access, waker| {
            access.drive(waker).write(unsent)
        })
    })
    .await?;
    frame.access.end_frame();
    Ok(())
}

/// A frame that was begun, and has to get to its end.
struct Begun<'a, 'p, A: Access> {
    access: &'a mut A,
    unsent: Unsent<'p>,
}

impl<A: Access> Drop for Begun<'_, '_, A> {
    fn drop(&mut self) {
        if self.unsent.is_nothing() {
            return;
        }
        let mut drive = self.access.drive(Waker::noop());
        // What cannot be made of it now fails whatever comes next.
        let _ = drive.outbound().buffer_rest(&mut self.unsent);
        drop(drive);
        self.access.end_frame();
        self.access.leave();
    }
}
