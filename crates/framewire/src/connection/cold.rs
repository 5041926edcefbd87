//! State of the receiving side that decoding does not touch.

use std::ops::Range;

use super::handlers::{Slot, answer};
use super::replies::Replies;
use crate::frame::{Opcode, Rsv};
use crate::pool::Buffers;
use crate::protocol::{Event, Limits};

/// State that decoding does not touch. A runtime rounds up the size of a task; with this state in memory of its own,
/// the task of a connection is one step smaller.
#[derive(Debug)]
pub(crate) struct Cold {
    pub(super) handlers: Slot,
    pub(super) buffers: Buffers,
    pub(super) limits: Limits,
    pub(super) read_buffer: usize,
    pub(super) coalesce_writes: bool,
    /// Whether a reply was made since replies were last sent.
    pub(super) has_unsent_reply: bool,
    /// The message that a read into its own memory has completed.
    pub(super) arrived: Option<(Opcode, Rsv)>,
    #[cfg(feature = "futures")]
    pub(super) reported_end: bool,
    /// What few connections have.
    pub(super) rare: Option<Box<Rare>>,
    /// The piece of a transformed, streamed message that was read and not yet transformed back.
    pub(crate) encoded: Option<EncodedPiece>,
    /// How many bytes of that message in a row gave nothing.
    pub(crate) without_output: u64,
}

/// State that few connections have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) pongs: Pongs,
    /// What was agreed on, for the application.
    pub(super) subprotocol: Option<Box<str>>,
}

/// The numbers of the Pings of a keep-alive that is driven by reads.
#[derive(Debug, Default)]
pub(crate) struct Pongs {
    /// That of the last Ping.
    pub(crate) sent: u64,
    /// That of the last Ping that a Pong answered.
    pub(crate) answered: u64,
}

/// A piece of a transformed message, by its place in the read buffer.
#[derive(Debug)]
pub(crate) struct EncodedPiece {
    pub(crate) opcode: Opcode,
    pub(crate) place: Range<usize>,
    pub(crate) last: bool,
}

impl Pongs {
    /// Records a Pong that answers a Ping of ours.
    fn record(&mut self, payload: &[u8]) {
        if let Ok(number) = payload.try_into().map(u64::from_be_bytes)
            && number <= self.sent
        {
            self.answered = self.answered.max(number);
        }
    }
}

impl Cold {
    /// Answers a control frame. Returns whether it was a Close frame.
    pub(super) fn answer(&mut self, event: &Event<'_>, replies: &mut dyn Replies) -> bool {
        match event {
            Event::Ping(_) => self.has_unsent_reply = true,
            Event::Pong(payload) => {
                if let Some(rare) = &mut self.rare {
                    rare.pongs.record(payload);
                }
            }
            _ => {}
        }
        answer(&mut self.handlers, event, replies)
    }
}
