//! The line that is typed at a terminal, and the lines that are printed above it meanwhile.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::{env, process};

use rustyline_async::{Readline, ReadlineEvent, SharedWriter};
use tokio::runtime::Builder;
use tokio::select;
use tokio::sync::mpsc::{self, Receiver};

/// What other threads print through, while the editor has the terminal.
pub(super) struct Editor {
    lines: mpsc::Sender<String>,
    thread: JoinHandle<()>,
}

/// Why there are no more lines.
pub(super) enum End {
    /// The input has ended.
    Ended,
    /// Ctrl-C was typed into the editor.
    Interrupted,
    Failed(String),
}

/// Where typed lines are kept for the next time.
struct History {
    file: Option<PathBuf>,
    /// Whether that failed, of which the user has been told.
    is_lost: bool,
}

/// Returns whether standard input and output are a terminal that can move its cursor.
pub(super) fn has_terminal() -> bool {
    let is_dumb = env::var_os("TERM").is_none_or(|name| name == "dumb");
    let has_width = || crossterm::terminal::size().is_ok_and(|(width, _)| width > 0);
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb && has_width()
}

/// Ends the program by a signal, and gives the terminal its mode back, whichever thread has changed it.
pub(super) fn exit(code: i32) -> ! {
    // It fails if the terminal is gone.
    let _ = crossterm::terminal::disable_raw_mode();
    process::exit(code)
}

impl Editor {
    /// Takes the terminal, until the input ends or [`leave`](Self::leave) is called. Each line that is typed goes to
    /// `typed`, and then why there are no more.
    pub(super) fn start(
        history: Option<PathBuf>,
        typed: Sender<Result<String, End>>,
    ) -> io::Result<Self> {
        let failed = |error: rustyline_async::ReadlineError| io::Error::other(error.to_string());
        let runtime = Builder::new_current_thread().build()?;
        let (mut readline, writer) = Readline::new(PROMPT.to_owned()).map_err(failed)?;
        readline.set_history_entries(history.as_deref().map_or_else(Vec::new, earlier));
        let history = History {
            file: history,
            is_lost: false,
        };
        let (lines, to_print) = mpsc::channel(MOST_WAITING);
        let thread = thread::spawn(move || {
            runtime.block_on(edit(readline, writer, to_print, typed, history));
        });
        Ok(Self { lines, thread })
    }

    /// Returns what prints lines above the one that is typed: it fails, and gives the line back, once the editor has
    /// ended.
    pub(super) fn printer(&self) -> mpsc::Sender<String> {
        self.lines.clone()
    }

    /// Ends the editor once all lines are printed. No [`printer`](Self::printer) may be left.
    pub(super) fn leave(self) {
        drop(self.lines);
        // If it panicked, it has left the terminal.
        let _ = self.thread.join();
    }
}

async fn edit(
    mut readline: Readline,
    mut writer: SharedWriter,
    mut lines: Receiver<String>,
    typed: Sender<Result<String, End>>,
    mut history: History,
) {
    let end = loop {
        select! {
            // It prints what was written before, so that what waits has a bound.
            biased;
            event = readline.readline() => match event {
                Ok(ReadlineEvent::Line(line)) => {
                    readline.add_history_entry(line.clone());
                    if let Err(error) = history.keep(&line) {
                        print(&mut writer, &error);
                    }
                    if typed.send(Ok(line)).is_err() {
                        break None;
                    }
                }
                Ok(ReadlineEvent::Eof) => break Some(End::Ended),
                Ok(ReadlineEvent::Interrupted) => break Some(End::Interrupted),
                Err(error) => break Some(End::Failed(format!("cannot read the terminal: {error}"))),
            },
            line = lines.recv() => match line {
                Some(line) => print(&mut writer, &line),
                None => break None,
            },
        }
    };
    // Prints what was written, and takes the prompt away.
    let _ = readline.flush();
    drop(readline);
    lines.close();
    while let Some(line) = lines.recv().await {
        // If the terminal is gone, so is the line.
        let _ = writeln!(io::stdout(), "{line}");
    }
    if let Some(end) = end {
        // It fails if nobody waits for lines any more.
        let _ = typed.send(Err(end));
    }
}

fn print(writer: &mut SharedWriter, line: &str) {
    // In one write, which fails only where more waits than the loop above lets wait.
    let _ = writer.write_all(format!("{line}\n").as_bytes());
}

impl History {
    /// Appends a line to the file, if there is one. Fails once.
    fn keep(&mut self, line: &str) -> Result<(), String> {
        let Some(file) = self.file.as_ref().filter(|_| !self.is_lost) else {
            return Ok(());
        };
        let opened = OpenOptions::new().create(true).append(true).open(file);
        opened
            .and_then(|mut file| writeln!(file, "{line}"))
            .map_err(|error| {
                self.is_lost = true;
                format!(
                    "framewire: cannot keep lines in {}: {error}",
                    file.display()
                )
            })
    }
}

/// Returns the lines that were kept before.
fn earlier(file: &Path) -> Vec<String> {
    // There is no file before the first time.
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

const PROMPT: &str = "> ";
/// How many lines wait for the terminal before the program reads no more messages.
const MOST_WAITING: usize = 64;
