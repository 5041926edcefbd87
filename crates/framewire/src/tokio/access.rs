//! Sending from a task, alone or as one of several.

use std::future::poll_fn;
use std::task::{Context, Poll};

use super::polled::is_pending;
use crate::connection::{self, Rest, Writer};
use crate::error::{Error, ErrorKind};

/// Access to the writing side from a task: it is owned, or shared with other tasks.
pub trait Access: connection::Access {
    /// Whether other tasks are to go first: then the task is woken at once.
    fn gives_way(&mut self, cx: &mut Context<'_>) -> bool;

    /// Begins to poll. Says whether the task is known already to whatever would block.
    fn prepare(&mut self, cx: &mut Context<'_>) -> bool;

    /// Has the task woken when what has blocked may not do so any more.
    fn park(&mut self, cx: &mut Context<'_>);

    /// Has others go on that wait for the end of a frame.
    fn end_frame(&mut self);

    /// Leaves what was taken to others to be sent.
    fn leave(&mut self);
}

/// Does a job that may block.
pub(super) fn poll_job<T: ?Sized, A: Access, R>(
    target: &mut T,
    access: impl Fn(&mut T) -> &mut A,
    cx: &mut Context<'_>,
    mut job: impl FnMut(&mut T) -> Result<R, Error>,
) -> Poll<Result<R, Error>> {
    if access(target).gives_way(cx) {
        return Poll::Pending;
    }
    let mut parked = access(target).prepare(cx);
    loop {
        match job(target) {
            Err(error) if is_pending(&error) => {
                if parked || matches!(error.kind(), ErrorKind::Source(_)) {
                    return Poll::Pending;
                }
                // What it waits for can come about before it is known that it waits.
                access(target).park(cx);
                parked = true;
            }
            result => return Poll::Ready(result),
        }
    }
}

/// Does a job with the writer that may block.
pub(super) async fn with_writer<A: Access, R>(
    access: &mut A,
    mut job: impl FnMut(&mut Writer<A::Stream>) -> Result<R, Error>,
) -> Result<R, Error> {
    poll_fn(|cx| poll_job(access, |access| access, cx, |access| access.with(&mut job))).await
}

/// Takes a frame: until it has begun nothing of it, and from then on all of it, cancelled or not.
pub(super) async fn take<'p, A: Access>(
    access: A,
    begin: impl FnMut(&mut Writer<A::Stream>) -> Result<Rest<'p>, Error>,
) -> Result<(), Error> {
    let mut frame = Begun {
        access,
        rest: Rest::Nothing,
    };
    frame.rest = with_writer(&mut frame.access, begin).await?;
    if frame.rest.is_nothing() {
        return Ok(());
    }
    poll_fn(|cx| {
        poll_job(
            &mut frame,
            |frame| &mut frame.access,
            cx,
            |begun| {
                begun
                    .access
                    .with(|writer| writer.send_rest(&mut begun.rest))
            },
        )
    })
    .await?;
    frame.access.end_frame();
    Ok(())
}

/// A frame that was begun, and has to get to its end.
struct Begun<'p, A: Access> {
    access: A,
    rest: Rest<'p>,
}

impl<A: Access> Drop for Begun<'_, A> {
    fn drop(&mut self) {
        if !self.rest.is_nothing() {
            // What cannot be made of it now fails whatever comes next.
            let _ = self.access.with(|writer| writer.keep_rest(&mut self.rest));
            self.access.end_frame();
            self.access.leave();
        }
    }
}
