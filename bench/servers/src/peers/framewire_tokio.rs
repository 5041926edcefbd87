//! framewire over tokio: the loop of its README.
//!
//! The defaults of everything but the level of compression, which is 1 for all servers here. Messages are lent from the
//! read buffer, what is fed is written before a read waits, and UTF-8 is validated always. The broadcast prepares a
//! message once and writes it to the writing halves in turn.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use framewire::Config;
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Acceptor;
use framewire::tokio::{PreparedMessage, WebSocket};

use super::PEER;
use crate::start::{self, Io, Serve};
use crate::{Flushing, LEVEL, Peer, Role, Settings};

pub(super) fn peers() -> Vec<Peer> {
    vec![Peer {
        name: "framewire-tokio",
        package: "framewire",
        version: "0.1.0",
        flushing: Flushing::Batched,
        role: Role::Ours,
        deflate: true,
        takeover: true,
        run: |settings| {
            let acceptor = Arc::new(acceptor(settings)?);
            start::tasks(settings, &Echo { acceptor })
        },
        broadcast: Some(broadcast),
        client: Some(client),
        ..PEER
    }]
}

/// Returns what answers handshakes.
pub(super) fn acceptor(settings: Settings) -> Result<Acceptor> {
    let alone = match settings.deflate {
        crate::Deflate::None => return Ok(Acceptor::new()),
        crate::Deflate::NoTakeover => true,
        crate::Deflate::Takeover => false,
    };
    let config = DeflateConfig::new()
        .level(LEVEL)
        .server_no_context_takeover(alone)
        .client_no_context_takeover(alone);
    Ok(Acceptor::new().deflate(Deflate::new(config)?))
}

#[derive(Clone)]
struct Echo {
    acceptor: Arc<Acceptor>,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, stream: S) -> Result<()> {
        let config = Config::default();
        let mut websocket = framewire::tokio::accept_with(stream, &self.acceptor, config).await?;
        echo(&mut websocket).await
    }
}

async fn echo<S: Io>(websocket: &mut WebSocket<S>) -> Result<()> {
    while let Some((message, writer)) = websocket.next_message_and_writer().await? {
        writer.feed(message).await?;
    }
    Ok(())
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |stream, address| {
        let uri = format!("ws://{address}/");
        let mut websocket = framewire::tokio::connect_stream(stream, &uri).await?;
        echo(&mut websocket).await
    })
}

fn broadcast() -> Result<()> {
    start::broadcast(async |stream, room| {
        let (mut reading, writing) = framewire::tokio::accept(stream).await?.split();
        room.lock().await.push(writing);
        while let Some(message) = reading.next_message().await? {
            let prepared = PreparedMessage::new(message)?;
            for member in &mut *room.lock().await {
                // Who is gone is no concern of the others.
                let _ = member.write_prepared(&prepared).await;
            }
        }
        Ok(())
    })
}
