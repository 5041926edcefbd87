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

/// Why the program ends with another code than 0.
#[derive(Debug)]
enum Failure {
    /// The job was asked for wrongly: 2.
    Usage(clap::Error),
    /// The job could not begin: 1.
    NoConnection(String),
    /// A server or a proxy refused the connection, with these lines of explanation: 1.
    Refused(String, Vec<String>),
    /// A connection ended as it should not: 2.
    Ended(String),
}

/// Ends with 0 on success, with 1 when the job failed, and with 2 when a connection ended badly or the job
/// was asked for wrongly.
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

/// Tells the user something beside the output.
fn note(line: fmt::Arguments<'_>) {
    // Some of it a peer has written: a close reason must not begin a line of its own.
    let line = line.to_string().replace(is_deceptive, " ");
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "framewire: {line}");
}

/// Whether a terminal does something else with a character than to show it: it obeys control
/// characters, and with some others shows text in another order.
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
