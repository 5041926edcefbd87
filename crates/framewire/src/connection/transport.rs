//! What the reading side asks of the connection it reads from.

use std::io::{self, Read, Write};

use super::Writer;
use crate::error::{Close, Closed};
use crate::frame::{ControlPayload, Violation};

/// Bytes in, and the frames out that answer them. The stream is owned by the writing side, or
/// shared with it.
pub trait Transport {
    /// Reads once.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Takes an automatic reply, without blocking for longer than a write does.
    fn reply(&mut self, reply: Reply);

    /// Sends what waits, as far as the stream takes it: a read that may block is next.
    ///
    /// What fails here fails again with the next write, which reports it; what the peer has
    /// already sent can still be read.
    fn settle(&mut self);

    /// Notes a Pong.
    fn note_pong(&mut self, payload: &[u8]);

    /// Notes that nothing more will be read.
    fn note_end(&mut self);

    /// Whether this end has aborted the connection: what its stream then fails with is what is told.
    fn is_aborted(&self) -> bool {
        false
    }

    /// Says whether messages that are written may wait, as more is there to be read and answered.
    fn hold_back(&mut self, may: bool);

    /// What is known of the closing handshake.
    fn closed(&mut self) -> Option<Closed>;
}

/// An automatic reply.
#[derive(Debug)]
pub enum Reply {
    /// Answers a Ping.
    Pong(ControlPayload),
    /// Notes the peer's Close frame, and answers it, with nothing for now where there is no payload.
    Close(Option<ControlPayload>, Close),
    /// Answers a violation.
    Violation(Violation),
    /// Notes that the stream has ended without a Close frame: nothing more can be sent.
    Lost,
}

impl<S: Read + Write> Transport for Writer<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream_mut().read(buf)
    }

    fn reply(&mut self, reply: Reply) {
        Writer::reply(self, reply);
    }

    fn settle(&mut self) {
        if self.has_pending_output() {
            let _ = self.write_all_out();
        }
    }

    fn note_pong(&mut self, _payload: &[u8]) {}

    fn note_end(&mut self) {}

    fn hold_back(&mut self, may: bool) {
        self.holds_back = may;
    }

    fn closed(&mut self) -> Option<Closed> {
        Writer::closed(self).cloned()
    }
}
