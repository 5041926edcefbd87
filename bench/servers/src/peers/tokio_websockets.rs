//! tokio-websockets: the loop of its example `echo_server.rs`, which is that of its benchmarks.
//!
//! As there, messages leave in one frame, without limits, and the task has no budget of tokio's. Reading flushes what
//! was fed, so that the batched loop takes all messages that are ready before it feeds them and flushes; the sink
//! flushes by itself at its default of 8 KiB. The broadcast clones a message, which shares its payload, for each
//! sink. A client takes its masking keys from `fastrand`, the fastest of the generators that its documentation names.

use std::net::SocketAddr;

use anyhow::Result;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::task::unconstrained;
use tokio_websockets::{ClientBuilder, Config, Limits, ServerBuilder, WebSocketStream};

use super::PEER;
use crate::start::{self, Io, Serve};
use crate::{Flushing, Peer};

pub(super) fn peers() -> Vec<Peer> {
    let simple = Peer {
        name: "tokio-websockets",
        package: "tokio-websockets",
        version: "0.13.3",
        run: |settings| start::tasks(settings, &Echo { batched: false }),
        broadcast: Some(broadcast),
        client: Some(client),
        ..PEER
    };
    let batched = Peer {
        name: "tokio-websockets-batched",
        flushing: Flushing::Batched,
        run: |settings| start::tasks(settings, &Echo { batched: true }),
        broadcast: None,
        client: None,
        ..simple
    };
    vec![simple, batched]
}

fn builder() -> ServerBuilder {
    ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .limits(Limits::unlimited())
}

#[derive(Clone)]
struct Echo {
    batched: bool,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, stream: S) -> Result<()> {
        let (_request, mut websocket) = builder().accept(stream).await?;
        unconstrained(echo(&mut websocket, self.batched)).await
    }
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |stream, address| {
        let client = ClientBuilder::new()
            .uri(&format!("ws://{address}/"))?
            .config(Config::default().frame_size(usize::MAX))
            .limits(Limits::unlimited());
        let (mut websocket, _response) = client.connect_on(stream).await?;
        unconstrained(echo(&mut websocket, false)).await
    })
}

async fn echo<S: Io>(websocket: &mut WebSocketStream<S>, batched: bool) -> Result<()> {
    if !batched {
        while let Some(message) = websocket.next().await.transpose()? {
            if message.is_text() || message.is_binary() {
                websocket.send(message).await?;
            }
        }
        return Ok(());
    }
    let mut batch = Vec::new();
    while let Some(message) = websocket.next().await.transpose()? {
        batch.push(message);
        while batch.len() < BATCH
            && let Some(Some(message)) = websocket.next().now_or_never()
        {
            batch.push(message?);
        }
        for message in batch.drain(..) {
            if message.is_text() || message.is_binary() {
                websocket.feed(message).await?;
            }
        }
        websocket.flush().await?;
    }
    Ok(())
}

fn broadcast() -> Result<()> {
    start::broadcast(async |stream, room| {
        let (_request, websocket) = builder().accept(stream).await?;
        let (sink, mut stream) = websocket.split();
        room.lock().await.push(sink);
        while let Some(message) = stream.next().await.transpose()? {
            if message.is_text() || message.is_binary() {
                for member in &mut *room.lock().await {
                    // Who is gone is no concern of the others.
                    let _ = member.send(message.clone()).await;
                }
            }
        }
        Ok(())
    })
}

/// How many messages one flush sends, at most.
const BATCH: usize = 64;
