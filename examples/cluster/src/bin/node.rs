//! A node of the chat.

use std::io::Write as _;

use anyhow::Result;
use clap::Parser;
use framewire_cluster::node::{Node, Options};
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A node of a chat with rooms
///
/// SIGTERM and Ctrl-C end it in order: clients are closed with 1001 once they have what was stored by then.
#[derive(Debug, Parser)]
#[command(name = "node")]
struct Command {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> Result<()> {
    let command = Command::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let node = Node::start(&command.options).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {}", node.address()?)?;
    stdout.flush()?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(node.run(stop.clone()));
    select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    stop.cancel();
    Ok(running.await?)
}
