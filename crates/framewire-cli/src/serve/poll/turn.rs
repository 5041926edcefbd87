//! What comes of a turn of a connection in the loop.

/// What a connection needs after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing until an event comes.
    Wait,
    /// Another turn, after those of the other connections.
    Again,
    /// To be removed.
    Gone,
}
