//! Who is at fault for an error.

/// Who is at fault for an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer did what the protocol, a limit or a policy forbids.
    Peer,
    /// The caller asked for something that cannot be done.
    Caller,
    /// Neither: the connection ended, or the stream or the system beneath failed.
    Transport,
}
