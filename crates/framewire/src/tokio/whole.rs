//! The sending side of a connection that is not split, and how a task gets to the sending side of either.

use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::access::{Access, Sending};
use super::polled::{Blocked, Job, Polled, PolledStream};
use super::timed::Timed;
use crate::connection::{Inbound, Outbound};
use crate::error::{Closed, Error, TryFeedError};
use crate::protocol::ToOutgoing;

/// The sending side of a connection that is not split, with its stream.
#[derive(Debug)]
pub struct Whole<S> {
    pub(super) outbound: Outbound,
    pub(super) stream: S,
    blocked: Option<Box<Blocked>>,
    pub(super) keep_alive: Option<Box<Timed>>,
}

impl<S> Whole<S> {
    pub(super) fn new(outbound: Outbound, stream: S) -> Self {
        Self {
            outbound,
            stream,
            blocked: None,
            keep_alive: None,
        }
    }

    /// Returns the sending side with the task that the stream wakes.
    pub(super) fn polled<'a>(&'a mut self, waker: &'a Waker, job: Job) -> Polled<'a, S> {
        Polled {
            outbound: &mut self.outbound,
            stream: PolledStream {
                stream: &mut self.stream,
                waker,
                job,
                blocked: &mut self.blocked,
            },
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Whole<S> {
    /// Does what the keep-alive has to do while a read waits. Ready where a Pong is overdue.
    pub(super) fn poll_keep_alive(
        &mut self,
        inbound: &mut Inbound,
        cx: &mut Context<'_>,
    ) -> Poll<Error> {
        let Some(mut timed) = self.keep_alive.take() else {
            return Poll::Pending;
        };
        let polled = timed.poll(inbound, &mut self.polled(cx.waker(), Job::Reading), cx);
        self.keep_alive = Some(timed);
        polled
    }
}

/// The stream wakes the one task that owns the connection.
impl<S: AsyncRead + AsyncWrite + Unpin> Access for &mut Whole<S> {
    type Side<'a>
        = Polled<'a, S>
    where
        Self: 'a;

    fn side<'a>(&'a mut self, waker: &'a Waker) -> Polled<'a, S> {
        self.polled(waker, Job::Writing)
    }

    /// A future was forgotten and took the rest of its frame with it.
    fn check_no_frame(&mut self) -> Result<(), Error> {
        self.outbound.check_no_frame()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sending for Whole<S> {
    type Turn<'a>
        = &'a mut Self
    where
        S: 'a;
    type Frames<'a>
        = &'a mut Self
    where
        S: 'a;

    fn try_turn(&mut self) -> Option<&mut Self> {
        Some(self)
    }

    async fn turn(&mut self) -> Result<&mut Self, Error> {
        Ok(self)
    }

    fn frames(&mut self, _close: Option<&[u8]>) -> &mut Self {
        self
    }

    fn may_coalesce(&self) -> bool {
        self.outbound.may_coalesce()
    }

    fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>> {
        self.outbound.try_feed(message)
    }

    fn inspect<R>(&self, job: impl FnOnce(&Outbound) -> R) -> R {
        job(&self.outbound)
    }

    fn change<R>(&mut self, job: impl FnOnce(&mut Outbound) -> R) -> R {
        job(&mut self.outbound)
    }

    fn closed(&self) -> Option<Closed> {
        self.outbound.closed().cloned()
    }
}
