//! Reads and writes that are over by a given time.

use super::{Error, ErrorKind};
use crate::{Socket, Timeouts};
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A point in time by which something is done, and how long that was from the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// `None` is never.
    end: Option<Instant>,
    time: Duration,
}

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        Self::starting(Instant::now(), time)
    }

    /// So long from a point in time, which a front end may take from another clock.
    pub(crate) fn starting(now: Instant, time: Duration) -> Self {
        Self {
            end: now.checked_add(time),
            time,
        }
    }

    /// `None` is never.
    #[cfg(feature = "tokio")]
    pub(crate) fn end(self) -> Option<Instant> {
        self.end
    }

    /// The sooner of the two.
    pub(super) fn or_sooner(self, other: Self) -> Self {
        match (self.end, other.end) {
            (Some(end), Some(other)) if end <= other => self,
            _ => other,
        }
    }

    /// Reads once. Past the deadline, fails with [`ErrorKind::TimedOut`].
    pub(super) fn read<S: Socket>(self, stream: &mut S, buf: &mut [u8]) -> Result<usize, Error> {
        self.read_by(stream, |stream| stream.read(buf))
    }

    /// Reads without taking what is read.
    pub(super) fn peek(self, stream: &mut TcpStream, buf: &mut [u8]) -> Result<usize, Error> {
        self.read_by(stream, |stream| stream.peek(buf))
    }

    fn read_by<S: Socket>(
        self,
        stream: &mut S,
        mut read_once: impl FnMut(&mut S) -> io::Result<usize>,
    ) -> Result<usize, Error> {
        let mut read = || loop {
            if let Some(left) = self.left()? {
                stream.set_read_timeout(Some(left))?;
            }
            match read_once(stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        };
        read().map_err(|error| self.error(error, ErrorKind::Read, "read"))
    }

    /// Writes all. Past the deadline, fails with [`ErrorKind::TimedOut`].
    pub(super) fn write_all<S: Socket>(self, stream: &mut S, bytes: &[u8]) -> Result<(), Error> {
        let mut unsent = bytes;
        let mut write = || {
            while !unsent.is_empty() {
                if let Some(left) = self.left()? {
                    stream.set_write_timeout(Some(left))?;
                }
                match stream.write(unsent) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => unsent = &unsent[written..],
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            // A TLS stream writes what it has kept.
            if let Some(left) = self.left()? {
                stream.set_write_timeout(Some(left))?;
            }
            stream.flush()
        };
        write().map_err(|error| self.error(error, ErrorKind::Write, "write"))
    }

    /// Puts back the time-outs that were set before the other calls; without a deadline they set none.
    pub(super) fn restore<S: Socket>(self, before: Timeouts, stream: &S) -> Result<(), Error> {
        if self.end.is_none() {
            return Ok(());
        }
        let doing = "restoring the time-outs";
        before
            .set_on(stream)
            .map_err(|error| self.error(error, ErrorKind::Io, doing))
    }

    /// An equal part of what is left, for one of `count` attempts; `None` without a deadline.
    pub(super) fn share(self, count: usize) -> io::Result<Option<Duration>> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(self.left()?.map(|left| left / count.max(1)))
    }

    pub(super) fn is_over(self) -> bool {
        self.left().is_err()
    }

    /// The error for something that the time was too short for.
    pub(crate) fn error_for(self, what: &str) -> Error {
        let message = format!("{what} was not done within the limit of {:?}", self.time);
        Error::new(ErrorKind::TimedOut, message)
    }

    fn left(self) -> io::Result<Option<Duration>> {
        let Some(end) = self.end else {
            return Ok(None);
        };
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The error for something that the stream failed at.
    pub(crate) fn error(self, error: io::Error, kind: ErrorKind, doing: &str) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            // How a TLS stream says that it was cut.
            return Error::new(ErrorKind::Closed, "stream ended").with_cause(error);
        }
        if !self.is_time_out(&error) {
            return Error::new(kind, format!("{doing} failed")).with_cause(error);
        }
        self.error_for(doing)
    }

    /// `WouldBlock` is how Unix reports a time-out, and how a non-blocking stream says "not yet":
    /// what tells them apart is whether the time is over.
    fn is_time_out(self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::TimedOut => true,
            io::ErrorKind::WouldBlock => self.end.is_some_and(|end| Instant::now() + TICK >= end),
            _ => false,
        }
    }
}

/// How much is read at once, and so the most that can be left over after a head.
pub(crate) const PIECE: usize = 4096;
/// A kernel that counts time-outs in ticks may end one this much early.
const TICK: Duration = Duration::from_millis(10);
