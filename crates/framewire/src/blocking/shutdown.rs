//! The closing handshake, with a deadline.

use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::{Shutdown, WebSocket, Writer};
use crate::connection::Replies;
use crate::deadline::after;
use crate::drive::{ClosingSide, ReadSide, WriteSide as _, now, poll_shutdown};
use crate::error::Error;
use crate::{Socket, Timeouts};

impl<S: Socket> WebSocket<S> {
    /// Completes the closing handshake (RFC 6455 7.1.2): sends a Close frame with 1000 unless one was sent,
    /// reads and drops what comes until the peer's Close frame is there, and as a client waits for the server
    /// to end the stream.
    ///
    /// Blocks for `deadline` at most. It sets the stream's time-outs for that, and restores them at the end. On
    /// a non-blocking stream it fails with `WouldBlock`: call it again when the stream is ready.
    ///
    /// If the stream ends without a Close frame, had ended before, or the time is over, that is no error:
    /// [`Shutdown::code`] is 1006.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the stream fails before the peer's Close frame is there.
    pub fn shutdown(&mut self, deadline: Duration) -> Result<Shutdown, Error> {
        let Self { inbound, writer } = self;
        let before = Timeouts::of(writer.stream());
        let result = now(poll_shutdown(
            inbound,
            &mut UntilDeadline::new(writer, deadline),
        ));
        // A stream that is gone has no time-outs to restore.
        let _ = before.set_on(writer.stream());
        result
    }
}

/// A connection that is read and written until a deadline.
struct UntilDeadline<'a, S> {
    writer: &'a mut Writer<S>,
    deadline: Instant,
}

impl<'a, S: Socket> UntilDeadline<'a, S> {
    fn new(writer: &'a mut Writer<S>, deadline: Duration) -> Self {
        Self {
            writer,
            deadline: after(Instant::now(), deadline),
        }
    }

    /// Returns the time left; `None` if that is too short to wait for.
    fn left(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        (left >= RESOLUTION).then_some(left)
    }
}

impl<S: Socket> ClosingSide for UntilDeadline<'_, S> {
    type Writer = Writer<S>;

    fn writer(&mut self) -> &mut Writer<S> {
        self.writer
    }

    fn is_time_over(&self) -> bool {
        self.left().is_none()
    }
}

impl<S: Socket> ReadSide for UntilDeadline<'_, S> {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let left = self.left().ok_or(io::ErrorKind::TimedOut)?;
        self.writer.stream().set_read_timeout(Some(left))?;
        Poll::Ready(self.writer.stream_mut().read(buf))
    }

    fn replies(&mut self) -> &mut dyn Replies {
        &mut self.writer.outbound
    }

    fn rest(&mut self) {
        self.writer.rest();
    }

    /// Gives each write the time left. The first is tried in any case.
    fn send_waiting(&mut self) {
        while self.writer.has_pending_output() {
            let left = self.left().unwrap_or(RESOLUTION);
            if let Err(error) = self.writer.stream().set_write_timeout(Some(left)) {
                self.writer.outbound.fail(error);
                return;
            }
            let waits = matches!(self.writer.poll_write_some(), Poll::Ready(Ok(true)));
            if !waits || self.left().is_none() {
                return;
            }
        }
    }
}

/// How much too early a time-out may end. Less time left than this counts as none.
const RESOLUTION: Duration = Duration::from_millis(5);
