//! `framewire completions` and `framewire man`: what a shell and `man` know of the program.

use std::fs;
use std::io;
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
        let printed = io::Write::write_all(&mut io::stdout(), &script);
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
        fs::create_dir_all(&self.into)
            .and_then(|()| clap_mangen::generate_to(program, &self.into))
            .map_err(|error| {
                let place = self.into.display();
                Failure::NoConnection(format!("cannot write to {place}: {error}"))
            })
    }
}
