//! Lines for standard output and standard error, which do not tear the line that is being typed.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::editor::{Editor, End};
use crate::terminal;

/// Prints lines. Where a line is being typed at the terminal, they go above it.
#[derive(Clone, Default)]
pub(super) struct Screen {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    editor: Option<Editor>,
    is_left: bool,
}

impl Screen {
    /// Has lines typed into an editor, which send them to `typed`.
    pub(super) fn edit(
        &self,
        history: Option<PathBuf>,
        typed: Sender<Result<String, End>>,
    ) -> io::Result<()> {
        let mut state = self.lock();
        if !state.is_left {
            state.editor = Some(Editor::start(history, typed)?);
        }
        Ok(())
    }

    /// Gives the terminal back, once all lines are printed.
    pub(super) fn leave(&self) {
        let editor = {
            let mut state = self.lock();
            state.is_left = true;
            state.editor.take()
        };
        if let Some(editor) = editor {
            editor.leave();
        }
    }

    /// Prints a line on standard output.
    pub(super) fn print(&self, line: &[u8]) -> io::Result<()> {
        let above = self.print_above(|| String::from_utf8_lossy(line).into_owned());
        if above.is_ok() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(line)?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }

    /// Tells the user something, on standard error.
    pub(super) fn note(&self, line: fmt::Arguments<'_>) {
        if !io::stderr().is_terminal() || self.print_above(|| terminal::noted(line)).is_err() {
            terminal::note(line);
        }
    }

    /// Prints a line above the one that is typed. Fails where none is.
    fn print_above(&self, line: impl FnOnce() -> String) -> Result<(), ()> {
        // Not under the lock: it waits while the terminal is slow.
        let printer = self.lock().editor.as_ref().map(Editor::printer);
        printer.ok_or(())?.blocking_send(line()).map_err(drop)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
