//! Why the program ends with an exit code other than 0.

use std::fmt;

/// Why the program ends with an exit code other than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage: 2.
    Usage(clap::Error),
    /// The job could not begin, as where no connection came about: 1.
    NoConnection(String),
    /// A server or a proxy refused the connection: 1.
    Refused {
        message: String,
        /// What it says to explain that.
        lines: Vec<String>,
        /// Whether the same request would be refused later, too.
        lasts: bool,
    },
    /// A connection ended as it should not: 2.
    Ended(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(f),
            Self::Refused { message, .. } | Self::NoConnection(message) | Self::Ended(message) => {
                f.write_str(message)
            }
        }
    }
}
