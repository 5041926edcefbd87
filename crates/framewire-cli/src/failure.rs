//! Why the program ends with an exit code other than 0.

/// Why the program ends with an exit code other than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage: 2.
    Usage(clap::Error),
    /// No connection came about: 1.
    NoConnection(String),
    /// A server or a proxy refused the connection, with these lines of explanation: 1.
    Refused(String, Vec<String>),
    /// A connection ended as it should not: 2.
    Ended(String),
}
