//! The load generator: raw sockets, prebuilt frames, and one thread that is to be less busy than the server.
//!
//! Prints one JSON object on standard output for each run. A server that misbehaves ends the run with an error.

mod answers;
mod broadcast;
mod client;
mod echo;
mod handshakes;
mod idle;
mod opening;
mod poll;
mod process;
mod report;
mod script;
mod stream;

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// Put load on a WebSocket server over loopback, and measure what it costs the server
#[derive(Debug, Parser)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Echo(echo::Options),
    Handshakes(handshakes::Options),
    Broadcast(broadcast::Options),
    Idle(idle::Options),
    Client(client::Options),
}

/// The server that is measured.
#[derive(Debug, Clone, Copy, Args)]
struct Server {
    /// Where it listens
    address: SocketAddr,

    /// The process whose CPU time and memory are measured
    #[arg(long)]
    pid: u32,

    /// Connect with TLS, and take any certificate
    #[arg(long)]
    tls: bool,
}

/// What the messages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Payload {
    /// Random bytes in binary messages.
    Binary,
    /// JSON in text messages.
    Ascii,
    /// Chinese in text messages.
    Cjk,
}

/// Whether and how messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Deflate {
    /// They are not.
    None,
    /// Each by itself, in both directions.
    NoTakeover,
    /// Each after those before it, in both directions.
    Takeover,
}

fn main() -> Result<()> {
    match Program::parse().command {
        Command::Echo(options) => echo::run(&options),
        Command::Handshakes(options) => handshakes::run(&options),
        Command::Broadcast(options) => broadcast::run(&options),
        Command::Idle(options) => idle::run(&options),
        Command::Client(options) => client::run(&options),
    }
}
