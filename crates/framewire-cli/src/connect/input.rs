//! The lines that are sent: those of a terminal with an editor, and those of anything else as they come.

use std::io::{self, BufRead as _, IsTerminal as _, StdinLock};
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use super::screen::Screen;

/// Where the lines come from.
pub(super) enum Input {
    Piped(StdinLock<'static>),
    Typed(Box<Typed>),
}

/// Why there are no more lines.
pub(super) enum End {
    /// The input has ended.
    Ended,
    /// Ctrl-C was typed into the editor.
    Interrupted,
    Failed(String),
}

/// An editor at a terminal.
pub(super) struct Typed {
    editor: Editor<(), FileHistory>,
    history: Option<PathBuf>,
    screen: Screen,
}

impl Input {
    /// Reads standard input: with an editor if that and standard output are a terminal.
    ///
    /// The editor has the terminal in a mode of its own while a line is being typed: the program keeps a
    /// [`Mode`](super::mode::Mode) from before.
    pub(super) fn new(screen: &Screen, history: Option<PathBuf>) -> Self {
        let is_typed = io::stdin().is_terminal() && io::stdout().is_terminal();
        let editor = is_typed
            .then(|| Typed::new(screen.clone(), history))
            .flatten();
        match editor {
            Some(typed) => Self::Typed(Box::new(typed)),
            None => Self::Piped(io::stdin().lock()),
        }
    }

    /// Reads the next line into `line`, without its end.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<(), End> {
        line.clear();
        match self {
            Self::Piped(stdin) => next_piped(stdin, line),
            Self::Typed(typed) => typed.next(line),
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

impl Typed {
    /// Returns `None` where the terminal cannot move its cursor.
    fn new(screen: Screen, history: Option<PathBuf>) -> Option<Self> {
        let config = Config::builder().auto_add_history(true).build();
        let mut editor = Editor::with_config(config).ok()?;
        screen.share(editor.create_external_printer().ok()?);
        if let Some(file) = &history {
            // There is none before the first time.
            let _ = editor.load_history(file);
        }
        Some(Self {
            editor,
            history,
            screen,
        })
    }

    fn next(&mut self, line: &mut Vec<u8>) -> Result<(), End> {
        let Some(asked) = self.screen.ask(|| self.editor.readline(PROMPT)) else {
            return Err(End::Ended);
        };
        let end = match asked {
            Ok(text) => {
                line.extend(text.as_bytes());
                return self.keep_history();
            }
            Err(ReadlineError::Eof) => End::Ended,
            Err(ReadlineError::Interrupted) => End::Interrupted,
            Err(error) => End::Failed(format!("cannot read the terminal: {error}")),
        };
        self.screen.leave();
        Err(end)
    }

    /// Appends the line that was typed last to the file, if there is one.
    fn keep_history(&mut self) -> Result<(), End> {
        let Some(file) = &self.history else {
            return Ok(());
        };
        self.editor
            .append_history(file)
            .map_err(|error| End::Failed(format!("cannot write {}: {error}", file.display())))
    }
}

const PROMPT: &str = "> ";
