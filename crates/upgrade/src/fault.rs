//! Whose doing an error is.

/// Whose doing an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer did what the protocol, a limit or a policy forbids.
    Peer,
    /// The caller asked for what cannot be done.
    Caller,
    /// Nobody's: the connection ended, or the stream or the system beneath failed.
    Transport,
}
