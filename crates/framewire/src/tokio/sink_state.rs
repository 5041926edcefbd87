//! The state of a writing half that is used as a `Sink`.

use super::OwnedMessage;
use crate::halves::Ticket;

/// What a half that is used as a `Sink` remembers between two polls.
#[derive(Debug, Default)]
pub(super) struct SinkState {
    /// A message that was accepted and is not staged yet.
    pub(super) message: Option<OwnedMessage>,
    pub(super) ticket: Ticket,
}

impl SinkState {
    pub(super) fn has_message(&self) -> bool {
        self.message.is_some()
    }
}
