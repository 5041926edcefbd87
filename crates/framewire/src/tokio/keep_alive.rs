//! Whether the peer is still there.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::WriteHalf;
use crate::connection::after;
use crate::halves::{KeepAliveEnd, Next};

impl<S: AsyncRead + AsyncWrite + Unpin> WriteHalf<S> {
    /// Sends a Ping each `interval`, the first after one, until there is a reason to stop: to be
    /// awaited in a task of its own, or beside what reads in `select!` or `join!`. The reading half
    /// has to be read from meanwhile, since it is what sees the Pongs.
    ///
    /// A Ping carries a number in eight bytes; a Pong answers it and those before it (RFC 6455
    /// 5.5.3), and is due `pong_deadline` after the Ping was taken. A Ping that finds the stream
    /// stalled, or another task in the middle of a frame, waits for that to end. A stream that takes
    /// nothing at all for `pong_deadline` meanwhile is a peer without a Pong, too.
    ///
    /// One at a time: a second call stops the first. Cancelled, no Ping is sent any more but one that
    /// waits. To let go of a peer that is gone, see [`abort`](Self::abort).
    ///
    /// # Panics
    /// Outside of a runtime with its timer enabled, as `tokio::time` does.
    #[must_use = "it says whether the peer is still there"]
    pub async fn keep_alive(&self, interval: Duration, pong_deadline: Duration) -> KeepAliveEnd {
        let writer = self.shared.writer();
        let heartbeat = &writer.heartbeat;
        let mut pulse = match heartbeat.begin(interval, pong_deadline) {
            Ok(pulse) => pulse,
            Err(end) => return end,
        };
        // Since when a Ping waits, and how much the stream had taken then.
        let mut held = None;
        let mut timer = pin!(sleep_until(Instant::now()));
        poll_fn(|cx| {
            loop {
                match heartbeat.next(&pulse, cx.waker()) {
                    Next::End(end) => return Poll::Ready(end),
                    Next::Ping => {
                        let number = heartbeat.next_number(&mut pulse);
                        match writer.queue_ping(number) {
                            Ok(()) => held = None,
                            Err(error) if error.is_would_block() => {
                                held.get_or_insert((Instant::now(), self.shared.taken()));
                            }
                            Err(error) => heartbeat.fail(error),
                        }
                    }
                    Next::Wait(mut until) => {
                        held = held.filter(|&(_, taken)| taken == self.shared.taken());
                        if let Some((since, _)) = held {
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

    /// Ends the [`keep_alive`](Self::keep_alive) that another task is in, and any later one.
    pub fn stop_keep_alive(&self) {
        self.shared.writer().heartbeat.stop();
    }
}
