//! The clients of the chat's test.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use framewire_cluster::crowd::{self, idle, store};

/// Clients that check and measure a cluster
#[derive(Debug, Parser)]
#[command(name = "crowd")]
enum Command {
    /// Talk in rooms; the last line is the outcome as JSON
    Talk(crowd::Options),
    /// Connect, say nothing, and stay until standard input ends
    Idle(idle::Options),
    /// Store messages in NATS alone, and print how many a second
    Store(store::Options),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match Command::parse() {
        Command::Talk(options) => {
            let outcome = crowd::run(&options).await?;
            println!("{}", serde_json::to_string(&outcome)?);
            if !outcome.is_right() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Idle(options) => idle::run(&options).await?,
        Command::Store(options) => println!("{:.0}", store::run(&options).await?),
    }
    Ok(ExitCode::SUCCESS)
}
