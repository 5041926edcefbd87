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
/// It ends by itself when it cannot reach NATS for a minute.
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
    let mut running = tokio::spawn(node.run(stop.clone()));
    select! {
        _ = terminate.recv() => {}
        ended = &mut running => return ended?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    stop.cancel();
    running.await?
}
