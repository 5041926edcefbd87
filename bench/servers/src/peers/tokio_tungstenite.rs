//! tokio-tungstenite: `next` and `send` on the stream, as in its examples.
//!
//! The simple loop has the default configuration, whose buffers of 128 KiB are what its documentation recommends for
//! high load. All of a read buffer is filled with zeros before each read, so that a smaller one is faster where
//! messages are few: the batched loop has 16 KiB. It feeds, and flushes once no message is ready. The stream is not
//! split, which would cost a lock for each call. The broadcast clones a message, which shares its payload, for each
//! sink.

use std::net::SocketAddr;

use anyhow::Result;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};

use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::PEER;
use crate::start::{self, Io, Serve};
use crate::{Flushing, Peer};

pub(super) fn peers() -> Vec<Peer> {
    let simple = Peer {
        name: "tokio-tungstenite",
        package: "tokio-tungstenite",
        version: "0.30.0",
        run: |settings| start::tasks(settings, &Echo { batched: false }),
        broadcast: Some(broadcast),
        client: Some(client),
        ..PEER
    };
    let batched = Peer {
        name: "tokio-tungstenite-batched",
        flushing: Flushing::Batched,
        run: |settings| start::tasks(settings, &Echo { batched: true }),
        broadcast: None,
        client: None,
        ..simple
    };
    vec![simple, batched]
}

#[derive(Clone)]
struct Echo {
    batched: bool,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, stream: S) -> Result<()> {
        if !self.batched {
            let mut websocket = tokio_tungstenite::accept_async(stream).await?;
            return echo(&mut websocket).await;
        }
        let config = Some(WebSocketConfig::default().read_buffer_size(16 << 10));
        let mut websocket = tokio_tungstenite::accept_async_with_config(stream, config).await?;
        loop {
            let message = if let Some(message) = websocket.next().now_or_never() {
                message
            } else {
                websocket.flush().await?;
                websocket.next().await
            };
            match message.transpose()? {
                Some(message) if message.is_text() || message.is_binary() => {
                    websocket.feed(message).await?;
                }
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }
}

async fn echo<S: Io>(websocket: &mut WebSocketStream<S>) -> Result<()> {
    while let Some(message) = websocket.next().await.transpose()? {
        if message.is_text() || message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |stream, address| {
        let uri = format!("ws://{address}/");
        let (mut websocket, _response) = tokio_tungstenite::client_async(uri, stream).await?;
        echo(&mut websocket).await
    })
}

fn broadcast() -> Result<()> {
    start::broadcast(async |stream, room| {
        let (sink, mut stream) = tokio_tungstenite::accept_async(stream).await?.split();
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
