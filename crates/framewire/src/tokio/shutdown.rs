//! The closing handshake, with a deadline.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::polled::Job;
use super::receiving::Receiving as _;
use super::{ReadHalf, Reader, WebSocket};
use crate::connection::Replies;
use crate::deadline::after;
use crate::drive::{ClosingSide, ReadSide, Shutdown, UntilDeadline, poll_shutdown};
use crate::error::Error;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Completes the closing handshake (RFC 6455 7.1.2): sends a Close frame with 1000 unless one was sent,
    /// reads and drops what comes until the peer's Close frame is there, and as a client waits for the server
    /// to end the stream. Then ends the stream in this direction ([`AsyncWrite::poll_shutdown`]), over TLS with
    /// `close_notify`. Whether that works changes nothing in the result.
    ///
    /// Waits for `deadline` at most. [`Duration::MAX`] waits for ever, and needs no timer of tokio's. If the stream
    /// ends or the time is over, and the peer's Close frame has not come, that is no error: [`Shutdown::code`] is 1006.
    /// Once it has come, the code is the peer's, whether or not the stream ends in time.
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
        let Reader { inbound, side } = &mut self.reader;
        until(deadline, |cx, deadline| {
            let side = side.side.polled(cx.waker(), Job::Reading);
            poll_shutdown(inbound, &mut Until { side, deadline })
        })
        .await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReadHalf<S> {
    /// Completes the closing handshake, as [`WebSocket::shutdown`] does. A message that another task is sending then
    /// fails, as after [`close`](super::Writer::close).
    ///
    /// # Errors
    /// As [`WebSocket::shutdown`].
    ///
    /// # Panics
    /// As [`WebSocket::shutdown`].
    ///
    /// # Cancel safety
    /// As [`WebSocket::shutdown`].
    pub async fn shutdown(&mut self, deadline: Duration) -> Result<Shutdown, Error> {
        let Self { inbound, side } = self;
        until(deadline, |cx, deadline| {
            let side = side.side(cx.waker());
            poll_shutdown(inbound, &mut Until { side, deadline })
        })
        .await
    }
}

/// Polls a shutdown until it is done, and once more when the time is over.
async fn until(
    time: Duration,
    mut poll: impl FnMut(&mut Context<'_>, Option<Instant>) -> Poll<Result<Shutdown, Error>>,
) -> Result<Shutdown, Error> {
    let deadline =
        (time != Duration::MAX).then(|| Instant::from_std(after(Instant::now().into_std(), time)));
    let mut timer = pin!(async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => pending().await,
        }
    });
    poll_fn(|cx| {
        let closed = poll(cx, deadline);
        if closed.is_ready() || timer.as_mut().poll(cx).is_pending() {
            return closed;
        }
        poll(cx, deadline)
    })
    .await
}

/// A side of a connection that is read until a deadline.
struct Until<C> {
    side: C,
    deadline: Option<Instant>,
}

impl<C: ClosingSide> UntilDeadline for Until<C> {
    type Side = C;

    fn side(&mut self) -> &mut C {
        &mut self.side
    }

    fn is_time_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl<C: ClosingSide> ReadSide for Until<C> {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // While the peer sends without a pause, the timer is never polled.
        if self.is_time_over() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.side.poll_read(buf)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        self.side.replies()
    }

    fn send_waiting(&mut self) {
        self.side.send_waiting();
    }

    fn rest(&mut self) {
        self.side.rest();
    }

    fn end(&mut self) {
        self.side.end();
    }

    fn is_aborted(&self) -> bool {
        self.side.is_aborted()
    }
}
