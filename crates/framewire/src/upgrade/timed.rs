//! A stream that blocks, by a deadline.

use super::Error;
use super::deadline::Deadline;
use super::wire::{Peek, Wire};
use crate::{Socket, Timeouts};
use std::net::TcpStream;
use std::task::{Context, Poll};
use std::time::Instant;

/// A stream that blocks as a [`Wire`]: never pending, and kept to its deadline by time-outs.
pub(crate) struct Timed<S> {
    stream: S,
    deadline: Deadline,
    /// Those that the program has set.
    timeouts: Timeouts,
}

impl<S: Socket> Wire for Timed<S> {
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

    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, Error>> {
        Poll::Ready(self.deadline.read(&mut self.stream, buf))
    }

    fn poll_write_all(
        &mut self,
        _: &mut Context<'_>,
        unsent: &mut &[u8],
    ) -> Poll<Result<(), Error>> {
        Poll::Ready(self.deadline.write_all(&mut self.stream, unsent))
    }

    fn deadline(&self) -> Deadline {
        self.deadline
    }

    fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    fn release(&self) -> Result<(), Error> {
        self.deadline.restore(self.timeouts, &self.stream)
    }

    fn into_stream(self) -> S {
        self.stream
    }
}

impl Peek for Timed<TcpStream> {
    fn poll_peek(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, Error>> {
        Poll::Ready(self.deadline.peek(&mut self.stream, buf))
    }
}
