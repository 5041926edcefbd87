//! The lines that are sent: those typed into an editor, and those of anything else as they come.

use std::io::{self, BufRead as _, StdinLock};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};

use super::editor::{self, End};
use super::screen::Screen;

/// Where the lines come from.
pub(super) enum Input {
    Piped(StdinLock<'static>),
    Typed(Receiver<Result<String, End>>),
}

impl Input {
    /// Reads standard input, at a terminal with an editor, which then has the screen.
    pub(super) fn new(screen: &Screen, history: Option<PathBuf>) -> Self {
        if editor::has_terminal() {
            let (sender, typed) = mpsc::channel();
            if screen.edit(history, sender).is_ok() {
                return Self::Typed(typed);
            }
        }
        Self::Piped(io::stdin().lock())
    }

    /// Reads the next line into `line`, without its end.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<(), End> {
        line.clear();
        match self {
            Self::Piped(stdin) => next_piped(stdin, line),
            Self::Typed(typed) => {
                let text = typed.recv().unwrap_or(Err(End::Ended))?;
                line.extend(text.as_bytes());
                Ok(())
            }
        }
    }
}

fn next_piped(stdin: &mut StdinLock<'static>, line: &mut Vec<u8>) -> Result<(), End> {
    match stdin.read_until(b'\n', line) {
        Ok(0) => return Err(End::Ended),
        Ok(_) => {}
        Err(error) => return Err(End::Failed(format!("cannot read the input: {error}"))),
    }
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(())
}
