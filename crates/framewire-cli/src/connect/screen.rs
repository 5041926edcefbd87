//! Lines for standard output and standard error, which do not tear the line that is being typed.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::ExternalPrinter;

use crate::terminal;

/// Prints lines. Where a line is being typed at the terminal, they go above it.
#[derive(Clone, Default)]
pub(super) struct Screen {
    typing: Arc<Mutex<Typing>>,
}

/// What the threads that print know of the one that reads what is typed.
#[derive(Default)]
struct Typing {
    /// The editor of the line, if there is one.
    editor: Option<Box<dyn ExternalPrinter + Send>>,
    /// Whether the editor has been asked for a line.
    is_asked: bool,
    is_over: bool,
}

impl Screen {
    /// Prints with this editor from now on.
    pub(super) fn share(&self, editor: impl ExternalPrinter + Send + 'static) {
        self.lock().editor = Some(Box::new(editor));
    }

    /// Prints without an editor from now on, and has no other line typed. Returns whether one is asked for now.
    pub(super) fn leave(&self) -> bool {
        let mut typing = self.lock();
        typing.editor = None;
        typing.is_over = true;
        typing.is_asked
    }

    /// Calls `ask` for a line, unless none is to be typed any more.
    pub(super) fn ask<R>(&self, ask: impl FnOnce() -> R) -> Option<R> {
        {
            let mut typing = self.lock();
            if typing.is_over {
                return None;
            }
            typing.is_asked = true;
        }
        let line = ask();
        self.lock().is_asked = false;
        Some(line)
    }

    /// Prints a line on standard output.
    pub(super) fn print(&self, line: &[u8]) -> io::Result<()> {
        if let Some(editor) = &mut self.lock().editor {
            return print_above(&mut **editor, &String::from_utf8_lossy(line));
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(line)?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }

    /// Tells the user something, on standard error.
    pub(super) fn note(&self, line: fmt::Arguments<'_>) {
        if let Some(editor) = &mut self.lock().editor
            && io::stderr().is_terminal()
        {
            // If the terminal is gone, the line is lost.
            let _ = print_above(&mut **editor, &terminal::noted(line));
            return;
        }
        terminal::note(line);
    }

    fn lock(&self) -> MutexGuard<'_, Typing> {
        self.typing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn print_above(editor: &mut dyn ExternalPrinter, line: &str) -> io::Result<()> {
    editor
        .print(format!("{line}\n"))
        .map_err(|error| io::Error::other(error.to_string()))
}
