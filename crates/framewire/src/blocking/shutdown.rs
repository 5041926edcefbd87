//! The closing handshake, with a deadline.

use std::io;
use std::time::{Duration, Instant};

use super::transport::{Reply, Transport};
use super::{WebSocket, Writer};
use crate::Socket;
use crate::error::{Error, ErrorKind, Side, would_block};
use crate::frame::CloseCode;
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
        let mut timed = Timed {
            writer,
            deadline: Instant::now() + deadline,
        };
        let sent = timed.close();
        let by = timed.closed_by().unwrap_or(Side::Local);
        let closed = sent.and_then(|()| reader.discard(&mut timed));
        let closed = closed.and_then(|closed| {
            if timed.writer.role() == Role::Client {
                // RFC 6455 7.1.1: the server closes the TCP connection first.
                match reader.wait_for_end(&mut timed) {
                    Err(error) if would_block(&error) && timed.left().is_some() => {
                        return Err(error.into());
                    }
                    // However it ends, and whether it does in time: the Close frames are through.
                    _ => {}
                }
            }
            Ok(closed)
        });
        let expired = timed.left().is_none();
        timed.writer.stream().set_read_timeout(None)?;
        timed.writer.stream().set_write_timeout(None)?;
        match closed {
            Ok(closed) => Ok(Shutdown {
                code: closed.code,
                reason: closed.reason,
                by: closed.by,
                clean: true,
            }),
            Err(error) if error.is_would_block() && !expired => Err(error),
            Err(error) => match error.kind() {
                ErrorKind::Io(_) if !error.is_would_block() => Err(error),
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

/// The writing side with a deadline for all that it does.
struct Timed<'a, S> {
    writer: &'a mut Writer<S>,
    deadline: Instant,
}

impl<S: Socket> Timed<'_, S> {
    /// What is left of the time; `None` where that is too little to wait for.
    fn left(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        (left >= RESOLUTION).then_some(left)
    }

    /// Gives each write what is left of the time: no time-out at all would be for ever.
    fn limit_writes(&self) -> io::Result<()> {
        let left = self.left().unwrap_or(RESOLUTION);
        self.writer.stream().set_write_timeout(Some(left))
    }

    fn close(&mut self) -> Result<(), Error> {
        if self.writer.is_closing() {
            return Ok(());
        }
        self.limit_writes()?;
        self.writer.close(CloseCode::NORMAL, "")
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

    fn settle(&mut self) {
        if self.limit_writes().is_ok() {
            self.writer.settle();
        }
    }

    fn note_pong(&mut self, payload: &[u8]) {
        self.writer.note_pong(payload);
    }

    fn note_end(&mut self) {
        self.writer.note_end();
    }

    fn closed_by(&mut self) -> Option<Side> {
        self.writer.closed_by()
    }
}

/// Time-outs end this much too early at most.
const RESOLUTION: Duration = Duration::from_millis(5);
