//! The `framewire` program.

mod connect;
mod seconds;
mod serve;
mod size;
mod tls;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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

/// Why the program ends with an exit code other than 0.
#[derive(Debug)]
enum Failure {
    /// Wrong usage: 2.
    Usage(clap::Error),
    /// No connection came about: 1.
    NoConnection(String),
    /// A server or a proxy refused the connection, with these lines of explanation: 1.
    Refused(String, Vec<String>),
    /// A connection ended as it should not: 2.
    Ended(String),
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

/// Tells the user something, on standard error.
fn note(line: fmt::Arguments<'_>) {
    // A peer has written part of it: a close reason must not begin a new line.
    let line = line.to_string().replace(is_deceptive, " ");
    // If standard error is closed, the line is lost.
    let _ = writeln!(io::stderr(), "framewire: {line}");
}

/// Returns whether a terminal does anything with a character but show it. It obeys control characters, and some
/// others change the order of the text.
fn is_deceptive(character: char) -> bool {
    let turns = '\u{202A}'..='\u{202E}';
    let isolates = '\u{2066}'..='\u{2069}';
    let marks = ['\u{061C}', '\u{200E}', '\u{200F}'];
    character.is_control()
        || turns.contains(&character)
        || isolates.contains(&character)
        || marks.contains(&character)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
