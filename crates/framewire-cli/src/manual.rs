//! `framewire completions` and `framewire man`: what a shell and `man` know of the program.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::Failure;

/// Print completions of commands and options for a shell.
///
/// Such as `framewire completions bash > ~/.local/share/bash-completion/completions/framewire`, or
/// `framewire completions zsh > _framewire` in a directory of `$fpath`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints them on standard output.
    pub(crate) fn print(&self, mut program: Command) -> Result<(), Failure> {
        // In one write, which says whether it failed: the generator panics there.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "framewire", &mut script);
        let printed = io::stdout().write_all(&script);
        printed.map_err(|error| Failure::NoConnection(format!("cannot write: {error}")))
    }
}

/// Write the manual pages, one for the program and one for each command.
///
/// Such as `framewire man ~/.local/share/man/man1`; then `man framewire-connect` shows one.
#[derive(Debug, Clone, Args)]
pub(crate) struct Man {
    /// The directory to write them to, which is created if it is not there
    #[arg(value_name = "DIRECTORY")]
    into: PathBuf,
}

impl Man {
    pub(crate) fn write(&self, program: Command) -> Result<(), Failure> {
        let mut program = program.disable_help_subcommand(true);
        program.build();
        let commands = program.get_subcommands();
        let written = fs::create_dir_all(&self.into).and_then(|()| {
            let mut all = commands.chain([&program]);
            all.try_for_each(|command| self.write_page(command))
        });
        written.map_err(|error| {
            let place = self.into.display();
            Failure::NoConnection(format!("cannot write to {place}: {error}"))
        })
    }

    fn write_page(&self, command: &Command) -> io::Result<()> {
        let page = page(command)?;
        fs::write(
            self.into.join(page_of(command).get_filename()),
            marked(&page),
        )
    }
}

/// Returns the source of a manual page, but that code still stands between backticks.
fn page(command: &Command) -> io::Result<String> {
    let page = page_of(command);
    let mut source = Vec::new();
    page.render_title(&mut source)?;
    page.render_name_section(&mut source)?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    write!(source, ".SH SYNOPSIS\n{}\n", escaped(usage))?;
    page.render_description_section(&mut source)?;
    page.render_options_section(&mut source)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut source)?;
    }
    let help = command.get_after_long_help().or(command.get_after_help());
    if let Some(help) = help.map(ToString::to_string) {
        if let Some(codes) = help.strip_prefix("Exit codes: ") {
            let (codes, colours) = codes.split_once("\n\n").unwrap_or((codes, ""));
            write!(source, ".SH EXIT STATUS\n{}\n", escaped(codes))?;
            write!(source, ".SH ENVIRONMENT\n{}\n", escaped(colours))?;
        } else {
            let examples = escaped(help.trim_start_matches("Examples:\n"));
            write!(source, ".SH EXAMPLES\n.nf\n{examples}\n.fi\n")?;
        }
    }
    String::from_utf8(source).map_err(io::Error::other)
}

fn page_of(command: &Command) -> clap_mangen::Man {
    let version = concat!("framewire ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command.clone()).source(version)
}

/// Returns the source for a text that is shown as it is: no line is a request, and no hyphen breaks a word.
fn escaped(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) {
            format!("\\&{line}")
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the source with what stands between backticks in bold.
fn marked(source: &str) -> String {
    let mut marked = String::with_capacity(source.len());
    for line in source.lines() {
        for (number, part) in line.split('`').enumerate() {
            match number {
                0 => {}
                _ if number % 2 == 1 => marked.push_str("\\fB"),
                _ => marked.push_str("\\fR"),
            }
            marked.push_str(part);
        }
        marked.push('\n');
    }
    marked
}
