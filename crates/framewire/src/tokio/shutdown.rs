//! The closing handshake, with a deadline.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::WebSocket;
use super::polled::{Job, Polled};
use crate::connection::Replies;
use crate::deadline::after;
use crate::drive::{ClosingSide, ReadSide, Shutdown, poll_shutdown};
use crate::error::Error;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Completes the closing handshake (RFC 6455 7.1.2): sends a Close frame with 1000 unless one was sent,
    /// reads and drops what comes until the peer's Close frame is there, and as a client waits for the server
    /// to end the stream.
    ///
    /// Waits for `deadline` at most. [`Duration::MAX`] waits for ever, and needs no timer of tokio's. If the
    /// stream ends without a Close frame, had ended before, or the time is over, that is no error:
    /// [`Shutdown::code`] is 1006.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the stream fails before the peer's Close frame is there.
    ///
    /// # Panics
    /// Outside of a runtime with its timer enabled, as `tokio::time` does.
    ///
    /// # Cancel safety
    /// Cancelled, it can be called again.
    pub async fn shutdown(&mut self, deadline: Duration) -> Result<Shutdown, Error> {
        let deadline = (deadline != Duration::MAX)
            .then(|| Instant::from_std(after(Instant::now().into_std(), deadline)));
        let mut timer = pin!(async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        });
        let Self { inbound, writer } = self;
        poll_fn(|cx| {
            let mut side = UntilDeadline {
                polled: writer.polled(cx.waker(), Job::Reading),
                deadline,
            };
            let closed = poll_shutdown(inbound, &mut side);
            if closed.is_ready() || timer.as_mut().poll(cx).is_pending() {
                return closed;
            }
            poll_shutdown(inbound, &mut side)
        })
        .await
    }
}

/// A connection that is read until a deadline.
struct UntilDeadline<'a, S> {
    polled: Polled<'a, S>,
    deadline: Option<Instant>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> ClosingSide for UntilDeadline<'a, S> {
    type Writer = Polled<'a, S>;

    fn writer(&mut self) -> &mut Polled<'a, S> {
        &mut self.polled
    }

    fn is_time_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReadSide for UntilDeadline<'_, S> {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // While the peer sends without a pause, the timer is never polled.
        if self.is_time_over() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.polled.poll_read(buf)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        self.polled.replies()
    }

    fn send_waiting(&mut self) {
        self.polled.send_waiting();
    }

    fn rest(&mut self) {
        self.polled.rest();
    }
}
