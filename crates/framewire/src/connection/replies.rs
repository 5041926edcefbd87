//! What the receiving side tells the sending side.

use crate::error::{Close, Error};
use crate::frame::{ControlPayload, Violation};

/// Takes the automatic replies of the receiving side: the sending side, or a way to it.
pub trait Replies {
    /// Takes an automatic reply. Never waits for the stream.
    fn reply(&mut self, reply: Reply);

    /// Takes the payload of a Pong.
    fn pong(&mut self, _payload: &[u8]) {}

    /// Sets whether written messages may wait, because more has been read and will be answered.
    fn expect_more(&mut self, _may: bool) {}

    /// Returns why nothing more is read, once that is so.
    fn read_error(&self) -> Error;
}

/// An automatic reply.
#[derive(Debug)]
pub enum Reply {
    /// Answers a Ping.
    Pong(ControlPayload),
    /// Records the peer's Close frame and answers it. Without a payload nothing answers it for now.
    Close(Option<ControlPayload>, Close),
    /// Answers a violation.
    Violation(Violation),
    /// Records that the stream has ended without a Close frame: nothing more can be sent.
    Lost,
}
