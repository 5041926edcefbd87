//! The keep-alive: Pings at an interval, to find out whether the peer is still there.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::WriteHalf;
use crate::deadline::after;
use crate::halves::{KeepAliveEnd, NextBeat};

impl<S: AsyncRead + AsyncWrite + Unpin> WriteHalf<S> {
    /// Sends a Ping each `interval`, the first after one interval, until there is a reason to stop. Await it in
    /// a task of its own, or in `select!` or `join!` beside the code that reads. The reading half must be read
    /// from meanwhile, since it receives the Pongs.
    ///
    /// A Ping carries a number in eight bytes. A Pong answers that Ping and those before it (RFC 6455 5.5.3),
    /// and is due `pong_deadline` after the Ping was taken. A Ping waits while the stream is stalled or another
    /// task is in the middle of a frame. If the stream takes nothing at all for `pong_deadline` meanwhile, that
    /// counts as a missing Pong.
    ///
    /// Only one keep-alive runs at a time: a second call stops the first. To end the connection to a peer that
    /// is gone, see [`abort`](Self::abort).
    ///
    /// # Panics
    /// Outside of a runtime with its timer enabled, as `tokio::time` does.
    ///
    /// # Cancel safety
    /// Cancelled, no Ping is sent any more, except one that already waits.
    #[must_use = "it says whether the peer is still there"]
    pub async fn keep_alive(&self, interval: Duration, pong_deadline: Duration) -> KeepAliveEnd {
        let writer = self.shared.writer();
        let heartbeat = &writer.heartbeat;
        let mut pulse = match heartbeat.begin(interval, pong_deadline) {
            Ok(pulse) => pulse,
            Err(end) => return end,
        };
        // When a Ping began to wait, and how many writes the stream had accepted by then.
        let mut waiting = None;
        let mut timer = pin!(sleep_until(Instant::now()));
        poll_fn(|cx| {
            loop {
                match heartbeat.next(&pulse, cx.waker()) {
                    NextBeat::End(end) => return Poll::Ready(end),
                    NextBeat::Ping => {
                        let number = heartbeat.next_number(&mut pulse);
                        match writer.queue_ping(number) {
                            Ok(()) => waiting = None,
                            Err(error) if error.is_would_block() => {
                                waiting
                                    .get_or_insert((Instant::now(), self.shared.accepted_writes()));
                            }
                            Err(error) => heartbeat.fail(error),
                        }
                    }
                    NextBeat::Wait(mut until) => {
                        waiting =
                            waiting.filter(|&(_, writes)| writes == self.shared.accepted_writes());
                        if let Some((since, _)) = waiting {
                            let deadline = after(since.into_std(), pong_deadline);
                            if Instant::now().into_std() >= deadline {
                                return Poll::Ready(KeepAliveEnd::NoPong);
                            }
                            until = until.min(deadline);
                        }
                        timer.as_mut().reset(Instant::from_std(until));
                        if timer.as_mut().poll(cx).is_pending() {
                            return Poll::Pending;
                        }
                    }
                }
            }
        })
        .await
    }

    /// Ends the [`keep_alive`](Self::keep_alive) that another task runs, and any later one.
    pub fn stop_keep_alive(&self) {
        self.shared.writer().heartbeat.stop();
    }
}
