//! Echo servers, one for each peer: what the load generator meets.
//!
//! Each file of `peers` is one library's own way to echo, as its documentation or its own benchmark has it.

mod floors;
mod peers;
mod start;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// Run the echo server of one library
#[derive(Debug, Parser)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what there is, one JSON object for each
    List,

    /// Write a certificate for localhost and its key, `cert.pem` and `key.pem`, for servers that take files
    Certificate { directory: PathBuf },

    /// Connect to an address, and echo what comes until the connections are closed
    Client {
        name: String,
        address: SocketAddr,
        connections: usize,
    },

    /// Serve until standard input ends
    ///
    /// Prints `{"address":"127.0.0.1:PORT"}` when it is ready.
    Run {
        name: String,

        #[command(flatten)]
        settings: Settings,

        /// Send each message to all connections instead
        #[arg(long, conflicts_with_all = ["tls", "deflate"])]
        broadcast: bool,
    },
}

/// What a server is asked for.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Settings {
    /// Take TLS connections and no others
    #[arg(long)]
    tls: bool,

    /// What to agree to if a client offers it
    #[arg(long, value_enum, default_value_t = Deflate::None)]
    deflate: Deflate,
}

/// Whether and how messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deflate {
    /// They are not.
    None,
    /// Each by itself, in both directions.
    NoTakeover,
    /// Each after those before it, in both directions.
    Takeover,
}

/// A server, as it is listed.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of what is printed"
)]
struct Peer {
    name: &'static str,
    #[serde(rename = "crate")]
    package: &'static str,
    version: &'static str,
    #[serde(rename = "loop")]
    flushing: Flushing,
    role: Role,
    /// What it can do: an opening handshake by itself, and more.
    handshake: bool,
    tls: bool,
    deflate: bool,
    /// Compression of each message after those before it.
    takeover: bool,
    #[serde(skip)]
    run: fn(Settings) -> Result<()>,
    /// How it broadcasts, if it does here.
    #[serde(serialize_with = "is_some")]
    broadcast: Option<fn() -> Result<()>>,
    /// Its echo as a client, if there is one here.
    #[serde(serialize_with = "is_some")]
    client: Option<fn(SocketAddr, usize) -> Result<()>>,
}

/// When what is written leaves.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Flushing {
    /// With each message.
    Simple,
    /// Once no more messages have arrived.
    Batched,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Ours,
    Peer,
    Floor,
}

/// Shows whether there is something.
#[expect(clippy::ref_option, reason = "what serde calls it with")]
fn is_some<T, S: serde::Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bool(value.is_some())
}

fn main() -> Result<()> {
    match Program::parse().command {
        Command::List => {
            for peer in peers::all() {
                println!("{}", serde_json::to_string(&peer)?);
            }
            Ok(())
        }
        Command::Certificate { directory } => tls::write(&directory),
        Command::Client {
            name,
            address,
            connections,
        } => {
            let client = find(&name)?.client;
            let client = client.with_context(|| format!("{name} is no client"))?;
            start::allow_files();
            client(address, connections)
        }
        Command::Run {
            name,
            settings,
            broadcast,
        } => {
            let peer = find(&name)?;
            anyhow::ensure!(peer.tls || !settings.tls, "{name} has no TLS");
            anyhow::ensure!(
                peer.deflate || settings.deflate == Deflate::None,
                "{name} has no permessage-deflate"
            );
            anyhow::ensure!(
                peer.takeover || settings.deflate != Deflate::Takeover,
                "{name} has no context takeover"
            );
            start::allow_files();
            start::end_with_stdin();
            if !broadcast {
                return (peer.run)(settings);
            }
            let run = peer.broadcast;
            run.with_context(|| format!("{name} has no broadcast"))?()
        }
    }
}

fn find(name: &str) -> Result<Peer> {
    let peer = peers::all().find(|peer| peer.name == name);
    peer.with_context(|| format!("no server is named {name}"))
}

/// The level at which all servers compress that have it: the fastest.
const LEVEL: u8 = 1;
