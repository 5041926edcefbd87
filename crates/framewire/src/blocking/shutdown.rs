//! The closing handshake, with a deadline.

use std::io;
use std::time::{Duration, Instant};

use super::{WebSocket, Writer};
use crate::Socket;
use crate::connection::{Reply, Transport};
use crate::error::{Closed, Error, ErrorKind, Side, would_block};
use crate::frame::{CloseCode, ControlPayload};
use crate::protocol::Role;

/// How a connection was shut down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// The code of the peer's Close frame, or of the one that ended the connection; 1006 where the
    /// peer sent none.
    pub code: CloseCode,
    /// The reason of that Close frame.
    pub reason: String,
    /// Who sent the first Close frame.
    pub by: Side,
    /// Whether Close frames went both ways (RFC 6455 7.1.4).
    pub clean: bool,
}

impl<S: Socket> WebSocket<S> {
    /// Completes the closing handshake (RFC 6455 7.1.2): sends a Close frame with 1000 unless one
    /// was sent, reads and forgets what comes until the peer's is there, and as a client waits for
    /// the server to end the stream. Blocks for `deadline` at most.
    ///
    /// The stream's time-outs are used for that, and taken away at the end. On a non-blocking
    /// stream this fails with `WouldBlock`: call it again when the stream is ready.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the stream fails before the peer's Close frame is there.
    pub fn shutdown(&mut self, deadline: Duration) -> Result<Shutdown, Error> {
        let Self { reader, writer } = self;
        let mut timed = Timed::new(writer, deadline);
        let payload = ControlPayload::close(CloseCode::NORMAL, "");
        timed.writer.queue_close(
            payload.unwrap_or(ControlPayload::EMPTY),
            Box::new(Closed {
                code: CloseCode::NORMAL,
                reason: String::new(),
                by: Side::Local,
            }),
        );
        let by = timed.closed_by().unwrap_or(Side::Local);
        let mut closed = reader.discard(&mut timed);
        timed.settle();
        let sent = !timed.writer.has_pending_output() && timed.writer.failure().is_none();
        if must_wait_for_end(&closed, timed.writer.role())
            && let Err(error) = reader.wait_for_end(&mut timed)
            && would_block(&error)
            && timed.left().is_some()
        {
            closed = Err(error.into());
        }
        let expired = timed.left().is_none();
        // A stream that is gone has no time-outs to take away.
        let _ = timed.writer.stream().set_read_timeout(None);
        let _ = timed.writer.stream().set_write_timeout(None);
        match closed {
            Ok(_) if !sent && !expired && timed.writer.failure().is_none() => {
                Err(io::Error::from(io::ErrorKind::WouldBlock).into())
            }
            Ok(closed) => Ok(Shutdown {
                code: closed.code,
                reason: closed.reason,
                by: closed.by,
                clean: sent,
            }),
            Err(error) if error.is_would_block() && !expired => Err(error),
            Err(error) => match (timed.writer.failure(), error.kind()) {
                (Some(failure), _) => Err(io::Error::from(failure).into()),
                (None, ErrorKind::Io(_)) if !error.is_would_block() => Err(error),
                _ => Ok(Shutdown {
                    code: error.close_code().unwrap_or(CloseCode::ABNORMAL),
                    reason: String::new(),
                    by,
                    clean: false,
                }),
            },
        }
    }
}

/// A client waits for the server to close the TCP connection first (RFC 6455 7.1.1). After a
/// violation either waits: what the peer still sends would reset the connection, and could take the
/// Close frame from it.
fn must_wait_for_end(closed: &Result<Closed, Error>, role: Role) -> bool {
    match closed {
        Ok(_) => role == Role::Client,
        Err(error) => matches!(error.kind(), ErrorKind::Violation(_)),
    }
}

/// The writing side with a deadline for all that it does.
struct Timed<'a, S> {
    writer: &'a mut Writer<S>,
    deadline: Instant,
}

impl<'a, S: Socket> Timed<'a, S> {
    fn new(writer: &'a mut Writer<S>, deadline: Duration) -> Self {
        Self {
            writer,
            deadline: after(Instant::now(), deadline),
        }
    }

    /// What is left of the time; `None` where that is too little to wait for.
    fn left(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        (left >= RESOLUTION).then_some(left)
    }
}

impl<S: Socket> Transport for Timed<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left().ok_or(io::ErrorKind::TimedOut)?;
        self.writer.stream().set_read_timeout(Some(left))?;
        self.writer.stream_mut().read(buf)
    }

    fn reply(&mut self, reply: Reply) {
        self.writer.reply(reply);
    }

    /// Each write has what is left of the time; the first is tried in any case.
    fn settle(&mut self) {
        while self.writer.has_pending_output() {
            let left = self.left().unwrap_or(RESOLUTION);
            if let Err(error) = self.writer.stream().set_write_timeout(Some(left)) {
                self.writer.fail(error);
                return;
            }
            let waits = self.writer.write_some().unwrap_or(false);
            if !waits || self.left().is_none() {
                return;
            }
        }
    }

    fn note_pong(&mut self, payload: &[u8]) {
        self.writer.note_pong(payload);
    }

    fn hold_back(&mut self, _may: bool) {}

    fn note_end(&mut self) {
        self.writer.note_end();
    }

    fn closed_by(&mut self) -> Option<Side> {
        self.writer.closed_by()
    }
}

/// A time from now, or one that is as good as never.
pub(super) fn after(now: Instant, time: Duration) -> Instant {
    now + time.min(A_CENTURY)
}

/// Longer than any connection, and not too long to be added to the time.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Time-outs end this much too early at most.
const RESOLUTION: Duration = Duration::from_millis(5);
