//! yawc: `next_frame` and `send`, over hyper's upgrade, as in its example `echo_server.rs`.
//!
//! UTF-8 validation is on (with `simdutf8`), and limits are as wide as those of the others. The batched loop is that
//! of its own benchmarks: a read buffer of 128 KiB, backpressure at 64 KiB, and up to 32 messages that are ready for
//! each flush. The broadcast clones a frame, which shares its payload, for each sink.

use std::net::SocketAddr;

use anyhow::Result;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use yawc::{CompressionLevel, OpCode, Options, UpgradeFut, WebSocket, WebSocketError};

use super::PEER;
use crate::start::{self, Io, Serve};
use crate::{Deflate, Flushing, LEVEL, Peer, Settings};

pub(super) fn peers() -> Vec<Peer> {
    let simple = Peer {
        name: "yawc",
        package: "yawc",
        version: "0.5.0",
        deflate: true,
        takeover: true,
        run: |settings| run(settings, false),
        broadcast: Some(broadcast),
        client: Some(client),
        ..PEER
    };
    let batched = Peer {
        name: "yawc-batched",
        flushing: Flushing::Batched,
        run: |settings| run(settings, true),
        broadcast: None,
        client: None,
        ..simple
    };
    vec![simple, batched]
}

fn run(settings: Settings, batched: bool) -> Result<()> {
    let options = options(settings.deflate);
    let options = if batched {
        options
            .with_read_buffer_capacity(128 << 10)
            .with_backpressure_boundary(64 << 10)
    } else {
        options
    };
    start::tasks(settings, &Echo { options, batched })
}

fn options(deflate: Deflate) -> Options {
    let options = Options::default()
        .with_utf8()
        .with_limits(16 << 20, 64 << 20);
    let level = CompressionLevel::new(LEVEL.into());
    match deflate {
        Deflate::None => options.without_compression(),
        Deflate::NoTakeover => options
            .with_compression_level(level)
            .server_no_context_takeover()
            .client_no_context_takeover(),
        Deflate::Takeover => options.with_compression_level(level),
    }
}

#[derive(Clone)]
struct Echo {
    options: Options,
    batched: bool,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, stream: S) -> Result<()> {
        let service = service_fn(move |mut request| {
            let options = self.options.clone();
            async move {
                let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
                tokio::spawn(echo(upgraded, self.batched));
                Ok::<_, WebSocketError>(response)
            }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        Ok(connection.await?)
    }
}

async fn echo(upgraded: UpgradeFut, batched: bool) -> Result<()> {
    let mut websocket = upgraded.await?;
    echo_on(&mut websocket, batched).await
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |stream, address| {
        let url = format!("ws://{address}/").parse()?;
        let mut websocket = WebSocket::handshake(url, stream, options(Deflate::None)).await?;
        echo_on(&mut websocket, false).await
    })
}

async fn echo_on<S: AsyncRead + AsyncWrite + Unpin>(
    websocket: &mut WebSocket<S>,
    batched: bool,
) -> Result<()> {
    loop {
        let frame = websocket.next_frame().await?;
        if !matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
            continue;
        }
        if !batched {
            websocket.send(frame).await?;
            continue;
        }
        websocket.feed(frame).await?;
        feed_ready(websocket).await?;
        websocket.flush().await?;
    }
}

/// Feeds the rest of a batch.
async fn feed_ready<S>(websocket: &mut WebSocket<S>) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for _ in 1..BATCH {
        let Some(frame) = websocket.next_frame().now_or_never() else {
            break;
        };
        let frame = frame?;
        if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
            websocket.feed(frame).await?;
        }
    }
    Ok(())
}

fn broadcast() -> Result<()> {
    start::broadcast(async |stream, room| {
        let service = service_fn(move |mut request| {
            let room = room.clone();
            async move {
                let options = options(Deflate::None);
                let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
                tokio::task::spawn_local(async move {
                    let (sink, mut stream) = upgraded.await?.split();
                    room.lock().await.push(sink);
                    while let Some(frame) = stream.next().await {
                        for member in &mut *room.lock().await {
                            // Who is gone is no concern of the others.
                            let _ = member.send(frame.clone()).await;
                        }
                    }
                    anyhow::Ok(())
                });
                Ok::<_, WebSocketError>(response)
            }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        Ok(connection.await?)
    })
}

/// How many messages one flush sends, at most.
const BATCH: usize = 32;
