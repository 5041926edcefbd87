//! Counts of a connection's messages, for the log.

use std::fmt;

/// The messages of one connection, each of which was echoed.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    messages: u64,
    bytes: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len() as u64;
    }

    /// Describes how the connection ended, and what came before.
    pub(crate) fn until(&self, end: &dyn fmt::Display) -> String {
        let Self { messages, bytes } = self;
        let each = |count: u64| if count == 1 { "" } else { "s" };
        format!(
            "{end}; {messages} message{}, {bytes} byte{}",
            each(*messages),
            each(*bytes)
        )
    }
}
