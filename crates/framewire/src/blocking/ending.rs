//! What a thread closes with a deadline.

use std::io;
use std::task::Poll;
use std::time::Instant;

use super::whole::Whole;
use crate::Socket;
use crate::connection::{Replies as _, Reply};
use crate::drive::{ClosingSide, WriteSide as _};
use crate::error::Error;

/// What a thread closes: a whole connection, or one by its reading half.
pub(super) trait Ending: ClosingSide {
    type Stream: Socket;

    fn stream(&self) -> &Self::Stream;

    /// Writes some of what waits, with one call. Returns whether anything still waits. Pending while another thread
    /// holds the sending side.
    fn write_some(&mut self) -> Poll<Result<bool, Error>>;

    /// Returns why nothing more is read.
    fn read_error(&self) -> Error;

    /// Takes an automatic reply, which leaves with what waits.
    fn queue_reply(&mut self, reply: Reply);

    /// Waits until no other thread holds the sending side, or `until`.
    fn wait_for_release(&self, until: Instant);

    /// Records that the stream has failed.
    fn fail(&mut self, error: io::Error);
}

impl<S: Socket> Ending for Whole<S> {
    type Stream = S;

    fn stream(&self) -> &S {
        &self.stream
    }

    fn write_some(&mut self) -> Poll<Result<bool, Error>> {
        self.poll_write_some()
    }

    fn read_error(&self) -> Error {
        self.outbound.read_error()
    }

    fn queue_reply(&mut self, reply: Reply) {
        self.outbound.reply(reply);
    }

    fn wait_for_release(&self, _until: Instant) {}

    fn fail(&mut self, error: io::Error) {
        self.outbound.fail(error);
    }
}
