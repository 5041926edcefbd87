//! The closing handshake, with a deadline.

use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::ending::Ending;
use super::{ReadHalf, Reader, Shutdown, WebSocket};
use crate::connection::{Inbound, Replies, Reply};
use crate::deadline::after;
use crate::drive::{ReadSide, UntilDeadline, now, poll_shutdown};
use crate::error::Error;
use crate::{Duplicate, Socket, Timeouts};

impl<S: Socket> WebSocket<S> {
    /// Completes the closing handshake (RFC 6455 7.1.2): sends a Close frame with 1000 unless one was sent,
    /// reads and drops what comes until the peer's Close frame is there, and as a client waits for the server
    /// to end the stream. Then ends the stream in this direction ([`Socket::shutdown_write`]), over TLS with
    /// `close_notify`. Whether that works changes nothing in the result.
    ///
    /// Blocks for `deadline` at most, or a little longer where a time-out of the stream ends late. It sets the stream's
    /// time-outs for that, and restores them at the end. On a non-blocking stream it fails with `WouldBlock`: call it
    /// again when the stream is ready.
    ///
    /// If the stream ends or the time is over, and the peer's Close frame has not come, that is no error:
    /// [`Shutdown::code`] is 1006. Once it has come, the code is the peer's, whether or not the stream ends in time.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the stream fails before the peer's Close frame is there.
    pub fn shutdown(&mut self, deadline: Duration) -> Result<Shutdown, Error> {
        let Reader { inbound, side } = &mut self.reader;
        side.side.stop_keep_alive();
        shut_down(inbound, &mut side.side, deadline)
    }
}

impl<S: Duplicate> ReadHalf<S> {
    /// Completes the closing handshake, as [`WebSocket::shutdown`] does. A message that another thread is sending then
    /// fails, as after [`close`](super::Writer::close). Its writes have the same time-out meanwhile.
    ///
    /// # Errors
    /// As [`WebSocket::shutdown`].
    pub fn shutdown(&mut self, deadline: Duration) -> Result<Shutdown, Error> {
        shut_down(&mut self.inbound, &mut self.side, deadline)
    }
}

fn shut_down<C: Ending>(
    inbound: &mut Inbound,
    side: &mut C,
    deadline: Duration,
) -> Result<Shutdown, Error> {
    let before = Timeouts::of(side.stream());
    let deadline = after(Instant::now(), deadline);
    let result = loop {
        let mut until = Until {
            side,
            deadline,
            is_blocked: false,
        };
        match poll_shutdown(inbound, &mut until) {
            // Another thread is sending, or has been a moment ago.
            Poll::Pending if !until.is_blocked => side.wait_for_release(deadline),
            shut_down => break now(shut_down),
        }
    };
    // A stream that is gone has no time-outs to restore.
    let _ = before.set_on(side.stream());
    result
}

/// A connection that is read and written until a deadline.
struct Until<'a, C> {
    side: &'a mut C,
    deadline: Instant,
    /// Whether the stream did not take what waits.
    is_blocked: bool,
}

impl<C> Until<'_, C> {
    /// Returns the time left; `None` if that is too short to wait for.
    fn left(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        (left >= RESOLUTION).then_some(left)
    }
}

impl<C: Ending> UntilDeadline for Until<'_, C> {
    type Side = C;

    fn side(&mut self) -> &mut C {
        self.side
    }

    fn is_time_over(&self) -> bool {
        self.left().is_none()
    }

    fn poll_close(&mut self) -> Poll<io::Result<()>> {
        let left = self.left().unwrap_or(RESOLUTION);
        self.side.stream().set_write_timeout(Some(left))?;
        self.side.poll_close()
    }
}

impl<C: Ending> ReadSide for Until<'_, C> {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let left = self.left().ok_or(io::ErrorKind::TimedOut)?;
        self.side.stream().set_read_timeout(Some(left))?;
        self.side.poll_read(buf)
    }

    /// Replies leave with what waits, within the time that is left.
    fn replies(&mut self) -> &mut dyn Replies {
        self
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

    /// Gives each write the time left. The first is tried in any case.
    fn send_waiting(&mut self) {
        while self.side.has_pending_output() {
            let left = self.left().unwrap_or(RESOLUTION);
            if let Err(error) = self.side.stream().set_write_timeout(Some(left)) {
                self.side.fail(error);
                return;
            }
            match self.side.write_some() {
                Poll::Ready(Ok(true)) if self.left().is_some() => {}
                Poll::Ready(Err(error)) => {
                    self.is_blocked = error.is_would_block();
                    return;
                }
                _ => return,
            }
        }
    }
}

impl<C: Ending> Replies for Until<'_, C> {
    fn reply(&mut self, reply: Reply) {
        self.side.queue_reply(reply);
    }

    fn pong(&mut self, payload: &[u8]) {
        self.side.replies().pong(payload);
    }

    fn read_error(&self) -> Error {
        self.side.read_error()
    }
}

/// How much too early a time-out may end. Less time left than this counts as none.
const RESOLUTION: Duration = Duration::from_millis(5);
