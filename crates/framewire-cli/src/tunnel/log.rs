//! The log of a tunnel's end, on standard error.

use std::fmt;

use crate::terminal;

/// Whether anything is logged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    is_quiet: bool,
}

impl Log {
    pub(super) fn new(is_quiet: bool) -> Self {
        Self { is_quiet }
    }

    pub(super) fn line(self, line: fmt::Arguments<'_>) {
        if !self.is_quiet {
            terminal::log(line);
        }
    }
}
