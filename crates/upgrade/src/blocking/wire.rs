//! A stream that blocks, with a deadline.

use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::exchange::{Deadline, Peek, Wire};
use crate::{Socket, Timeouts};
use std::io;
use std::net::TcpStream;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A [`Wire`] over a stream that blocks: never pending, and kept to its deadline by time-outs.
#[derive(Debug)]
pub struct BlockingWire<S> {
    stream: S,
    deadline: Deadline,
    /// The time-outs that the program has set.
    timeouts: Timeouts,
}

impl<S: Socket> Wire for BlockingWire<S> {
    type Stream = S;

    fn new(stream: S, deadline: Deadline) -> Self {
        Self {
            timeouts: Timeouts::of(&stream),
            stream,
            deadline,
        }
    }

    fn now() -> Instant {
        Instant::now()
    }

    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, UpgradeError>> {
        Poll::Ready(self.read(buf))
    }

    fn poll_write_all(
        &mut self,
        _: &mut Context<'_>,
        unsent: &mut &[u8],
    ) -> Poll<Result<(), UpgradeError>> {
        Poll::Ready(self.write_all(unsent))
    }

    fn end(&mut self) {
        let _ = self.stream.set_write_timeout(Some(END_TIME));
        let _ = self.stream.shutdown_write();
        let _ = self.stream.set_write_timeout(self.timeouts.write);
    }

    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Restores the time-outs. Without a deadline none were set.
    fn release(&self) -> Result<(), UpgradeError> {
        if self.deadline.end().is_none() {
            return Ok(());
        }
        let doing = "restoring the time-outs";
        let restored = self.timeouts.set_on(&self.stream);
        restored.map_err(|error| self.deadline.error(error, UpgradeErrorKind::Io, doing))
    }

    fn into_stream(self) -> S {
        self.stream
    }
}

impl Peek for BlockingWire<TcpStream> {
    fn poll_peek(
        &mut self,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, UpgradeError>> {
        Poll::Ready(self.read_by(|stream| stream.peek(buf)))
    }
}

impl<S: Socket> BlockingWire<S> {
    /// Reads once. Past the deadline, fails with [`UpgradeErrorKind::TimedOut`].
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<usize, UpgradeError> {
        self.read_by(|stream| stream.read(buf))
    }

    /// Writes all. Past the deadline, fails with [`UpgradeErrorKind::TimedOut`].
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<(), UpgradeError> {
        let deadline = self.deadline;
        let written = self.try_write_all(bytes);
        written.map_err(|error| deadline.error(error, UpgradeErrorKind::Write, "write"))
    }

    fn try_write_all(&mut self, mut unsent: &[u8]) -> io::Result<()> {
        while !unsent.is_empty() {
            self.arm_writes()?;
            match self.stream.write(unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => unsent = &unsent[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // A TLS stream may have buffered some of it.
        loop {
            self.arm_writes()?;
            match self.stream.flush() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn arm_writes(&self) -> io::Result<()> {
        match self.deadline.left()? {
            Some(left) => self.stream.set_write_timeout(Some(left)),
            None => Ok(()),
        }
    }

    fn read_by(
        &mut self,
        mut read_once: impl FnMut(&mut S) -> io::Result<usize>,
    ) -> Result<usize, UpgradeError> {
        let deadline = self.deadline;
        let mut read = || loop {
            if let Some(left) = deadline.left()? {
                self.stream.set_read_timeout(Some(left))?;
            }
            match read_once(&mut self.stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        };
        read().map_err(|error| deadline.error(error, UpgradeErrorKind::Read, "read"))
    }
}

/// How long the end of a stream that nothing else is written to waits for room.
const END_TIME: Duration = Duration::from_millis(10);
