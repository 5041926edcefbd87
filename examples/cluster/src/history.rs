//! What a node needs of NATS: rooms whose messages are stored, come once they are stored, and are read again.

use anyhow::Result;
use futures_util::stream::BoxStream;

use crate::protocol::Entry;

/// The rooms of a cluster, as NATS has them; in tests they are a script.
///
/// Every call fails in time if there is no answer.
pub trait History: Clone + Send + Sync + 'static {
    type Replay: Replay;

    /// Returns whether there is a connection to NATS.
    fn is_connected(&self) -> bool;

    /// Returns the era of the numbers: it is another one once NATS has lost all messages and counts from 1 again.
    fn era(&self) -> impl Future<Output = Result<String>> + Send;

    /// Follows what is stored of a room, from before the next question is answered.
    fn live(&self, room: &str) -> impl Future<Output = Result<Live>> + Send;

    /// Returns a room's last message.
    fn last(&self, room: &str) -> impl Future<Output = Result<Option<Stored>>> + Send;

    /// Begins to read what a room has after a message.
    fn after(&self, room: &str, sequence: u64)
    -> impl Future<Output = Result<Self::Replay>> + Send;

    /// Stores what a client says, and returns its number.
    ///
    /// # Errors
    /// It may be stored or not. Where there is no connection to NATS, it is not, and not kept until there is one.
    fn publish(
        &self,
        entry: &Entry,
        number: u64,
        text: &str,
    ) -> impl Future<Output = Result<u64>> + Send;
}

/// What a room has after a message, page by page.
pub trait Replay: Send + 'static {
    /// Returns how many more messages there are, as far as NATS has said.
    fn pending(&self) -> u64;

    /// Returns the next messages: none at the end of what is stored by now.
    ///
    /// # Errors
    /// There is no answer in time, or a message was lost on the way. The replay then cannot go on: another one is to
    /// begin after the last message that was returned.
    fn page(&mut self) -> impl Future<Output = Result<Vec<Stored>>> + Send;
}

/// What is stored of a room, as it comes. Some of it may not come.
pub type Live = BoxStream<'static, Heard>;

/// A message that came live.
#[derive(Debug, Clone)]
pub struct Heard {
    pub stored: Stored,
    /// The number of the room's message before it; 0 may be none.
    pub previous: u64,
}

/// A message of a room as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub sequence: u64,
    pub from: String,
    pub number: u64,
    pub text: String,
}
