//! Clients that connect and say nothing, for measuring what one costs a node.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::Args;
use framewire::handshake::Connector;
use framewire::tokio::handshake;
use tokio::io::AsyncReadExt as _;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the node is: `ws://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub url: String,

    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub clients: u32,

    /// How many rooms they share
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub rooms: u32,
}

/// Connects all clients, prints `idle N`, and keeps them until standard input ends.
pub async fn run(options: &Options) -> Result<()> {
    let connector = Connector::new();
    let mut streams = Vec::new();
    for index in 0..options.clients {
        let room = index % options.rooms;
        let url = options.url.trim_end_matches('/');
        let url = format!("{url}/idle-{room}?client=i{index}&session=1&after=now");
        let connected = handshake::connect(&url, &connector).await;
        let established = connected.with_context(|| format!("client {index}"))?;
        let has_welcome = !established.leftover().is_empty();
        let mut stream = established.into_parts().stream;
        // The welcome tells that the node serves it.
        if !has_welcome {
            let first = stream.read_u8().await;
            first.with_context(|| format!("client {index}"))?;
        }
        streams.push(stream);
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "idle {}", streams.len())?;
    stdout.flush()?;
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}
