//! The `framewire` program.

mod connect;
mod failure;
mod reach;
mod seconds;
mod serve;
mod size;
mod terminal;
mod tls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::terminal::note;

/// A WebSocket transport, from the command line.
#[derive(Debug, Parser)]
#[command(name = "framewire", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Connect(connect::Options),
    Serve(serve::Options),
}

/// Exits with 0 on success, with 1 if the job failed, and with 2 if a connection ended badly or the usage was
/// wrong.
fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Connect(options) => connect::run(&options),
        Command::Serve(options) => serve::run(&options),
    };
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(error)) => error.exit(),
        Err(Failure::NoConnection(message)) => (message, ExitCode::from(1)),
        Err(Failure::Refused(message, lines)) => {
            note(format_args!("{message}"));
            for line in lines {
                note(format_args!("| {line}"));
            }
            return ExitCode::from(1);
        }
        Err(Failure::Ended(message)) => (message, ExitCode::from(2)),
    };
    note(format_args!("{message}"));
    code
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
