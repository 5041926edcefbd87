//! The `framewire` program.

mod accept;
mod backoff;
mod bench;
mod connect;
mod failure;
mod files;
mod manual;
mod reach;
mod required;
mod seconds;
mod serve;
mod size;
mod terminal;
mod tls;
mod tunnel;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::failure::Failure;
use crate::terminal::note;

/// WebSocket from the command line.
#[derive(Debug, Parser)]
#[command(name = "framewire", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(Box<bench::Options>),
    Connect(Box<connect::Options>),
    Recv(files::RecvOptions),
    Send(Box<files::SendOptions>),
    Serve(serve::Options),
    Tunnel(Box<tunnel::Options>),
    Completions(manual::Completions),
    Man(manual::Man),
}

const EXIT_CODES: &str = "\
Exit codes: 0 the job is done; 1 it could not begin: no connection, no port to listen on, no file to write; 2 a
connection ended badly, or the usage is wrong; 130 interrupted while there was no connection, or twice.

Colours are for terminals only, and left out where NO_COLOR is set.";

/// Exits with 0 on success, with 1 if the job failed, and with 2 if a connection ended badly or the usage was
/// wrong.
fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bench(options) => bench::run(&options),
        Command::Connect(options) => connect::run(&options),
        Command::Recv(options) => files::recv(&options),
        Command::Send(options) => files::send(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Tunnel(options) => tunnel::run(&options),
        Command::Completions(completions) => completions.print(Cli::command()),
        Command::Man(man) => man.write(Cli::command()),
    };
    let failure = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(error)) => error.exit(),
        Err(failure) => failure,
    };
    note(format_args!("{failure}"));
    match failure {
        Failure::Refused { lines, .. } => {
            for line in lines {
                note(format_args!("| {line}"));
            }
            ExitCode::from(1)
        }
        Failure::NoConnection(_) => ExitCode::from(1),
        Failure::Usage(_) | Failure::Ended(_) => ExitCode::from(2),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
