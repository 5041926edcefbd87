//! A keep-alive that the reads of a connection carry out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::connection::Inbound;
use crate::drive::{KeepAlivePlan, WriteSide};
use crate::error::Error;

/// A keep-alive that is driven by reads, with the timer that wakes them.
#[derive(Debug)]
pub(super) struct Timed {
    plan: KeepAlivePlan,
    /// Made when a read waits first: it needs the runtime.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    pub(super) fn new(plan: KeepAlivePlan) -> Self {
        Self { plan, timer: None }
    }

    /// Does what is due while a read waits. Ready where a Pong is overdue.
    pub(super) fn poll(
        &mut self,
        inbound: &mut Inbound,
        side: &mut impl WriteSide,
        cx: &mut Context<'_>,
    ) -> Poll<Error> {
        let Self { plan, timer } = self;
        let first = plan.first();
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::from_std(first))));
        loop {
            // A Ping that waits leaves when the stream takes it.
            if !plan.waits() {
                ready!(timer.as_mut().poll(cx));
            }
            let next = match plan.beat(inbound, side, Instant::now().into_std()) {
                Ok(Some(next)) => next,
                Ok(None) => return Poll::Pending,
                Err(error) => return Poll::Ready(error),
            };
            timer.as_mut().reset(Instant::from_std(next));
            if plan.waits() {
                ready!(timer.as_mut().poll(cx));
            }
        }
    }
}
