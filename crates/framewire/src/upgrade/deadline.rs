//! Reads and writes that are over by a given time.

use crate::Socket;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// A point in time by which something is done; `None` is never.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Reads once. Past the deadline, fails with [`ErrorKind::TimedOut`].
    pub(super) fn read<S: Socket>(self, stream: &mut S, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(left) = self.left()? {
                stream.set_read_timeout(Some(left))?;
            }
            match stream.read(buf) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result.map_err(|error| self.name(error)),
            }
        }
    }

    /// Writes all. Past the deadline, fails with [`ErrorKind::TimedOut`].
    pub(super) fn write_all<S: Socket>(self, stream: &mut S, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if let Some(left) = self.left()? {
                stream.set_write_timeout(Some(left))?;
            }
            match stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.name(error)),
            }
        }
        stream.flush().map_err(|error| self.name(error))
    }

    /// Takes back the time-outs that the other calls set; without a deadline they set none.
    pub(super) fn clear<S: Socket>(self, stream: &S) -> io::Result<()> {
        if self.0.is_some() {
            stream.set_read_timeout(None)?;
            stream.set_write_timeout(None)?;
        }
        Ok(())
    }

    fn left(self) -> io::Result<Option<Duration>> {
        let Some(end) = self.0 else {
            return Ok(None);
        };
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// `WouldBlock` is how Unix reports a time-out, and how a non-blocking stream says "not yet":
    /// what tells them apart is whether the time is over.
    fn name(self, error: io::Error) -> io::Error {
        let over = self.0.is_some_and(|end| Instant::now() + TICK >= end);
        if error.kind() == ErrorKind::WouldBlock && over {
            return ErrorKind::TimedOut.into();
        }
        error
    }
}

/// A kernel that counts time-outs in ticks may end one this much early.
const TICK: Duration = Duration::from_millis(10);
