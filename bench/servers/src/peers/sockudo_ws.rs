//! sockudo-ws: `next` and `send` on the stream, as in its example `simple_echo.rs`.
//!
//! The default configuration, which validates UTF-8, without its own pings and idle time-out, since none of the others
//! have such. The stream keeps its type. The batched loop feeds, and
//! flushes once no message is ready. Compression has a stream and a negotiation of its own.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use bytes::{Buf as _, BytesMut};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use sockudo_ws::deflate::{DeflateConfig, negotiate_server_deflate};
use sockudo_ws::handshake::{
    build_response, client_handshake, generate_accept_key, parse_request, server_handshake,
};
use sockudo_ws::{CompressedWebSocketStream, Config, Error, Message, Role, WebSocketStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::PEER;
use crate::start::{self, Io, Serve};
use crate::{Deflate, Flushing, LEVEL, Peer, Settings};

pub(super) fn peers() -> Vec<Peer> {
    let simple = Peer {
        name: "sockudo-ws",
        package: "sockudo-ws",
        version: "3.1.0",
        deflate: true,
        takeover: true,
        run: |settings| run(settings, false),
        client: Some(client),
        ..PEER
    };
    let batched = Peer {
        name: "sockudo-ws-batched",
        flushing: Flushing::Batched,
        run: |settings| run(settings, true),
        client: None,
        ..simple
    };
    vec![simple, batched]
}

fn run(settings: Settings, batched: bool) -> Result<()> {
    let deflate = match settings.deflate {
        Deflate::None => None,
        deflate => Some(DeflateConfig {
            server_no_context_takeover: deflate == Deflate::NoTakeover,
            client_no_context_takeover: deflate == Deflate::NoTakeover,
            compression_level: LEVEL.into(),
            compression_threshold: 0,
            ..DeflateConfig::default()
        }),
    };
    start::tasks(settings, &Echo { deflate, batched })
}

#[derive(Clone)]
struct Echo {
    deflate: Option<DeflateConfig>,
    batched: bool,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, mut stream: S) -> Result<()> {
        let config = config();
        if let Some(policy) = &self.deflate {
            let mut websocket = accept_compressed(stream, config, policy).await?;
            return echo(&mut websocket, self.batched).await;
        }
        let request = server_handshake(&mut stream).await?;
        let rest = request.leftover;
        let mut websocket =
            WebSocketStream::from_raw_with_leftover(stream, Role::Server, config, rest);
        echo(&mut websocket, self.batched).await
    }
}

fn config() -> Config {
    Config::builder().auto_ping(false).idle_timeout(0).build()
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |mut stream, address| {
        let response = client_handshake(&mut stream, &address.to_string(), "/", None).await?;
        let rest = response.leftover;
        let role = Role::Client;
        let mut websocket = WebSocketStream::from_raw_with_leftover(stream, role, config(), rest);
        echo(&mut websocket, false).await
    })
}

async fn echo<W>(websocket: &mut W, batched: bool) -> Result<()>
where
    W: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let is_data = |message: &Message| matches!(message, Message::Text(_) | Message::Binary(_));
    if !batched {
        while let Some(message) = websocket.next().await.transpose()? {
            if is_data(&message) {
                websocket.send(message).await?;
            }
        }
        return Ok(());
    }
    // What was fed leaves with the next read.
    while let Some(message) = websocket.next().await.transpose()? {
        if is_data(&message) {
            websocket.feed(message).await?;
        }
    }
    Ok(())
}

async fn accept_compressed<S: Io>(
    mut stream: S,
    config: Config,
    policy: &DeflateConfig,
) -> Result<CompressedWebSocketStream<S>> {
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        ensure!(stream.read_buf(&mut buffer).await? > 0, "no request");
        let Some((request, used)) = parse_request(&buffer)? else {
            continue;
        };
        let agreed = negotiate_server_deflate(request.extensions.unwrap_or(""), policy);
        let agreed = agreed.ok_or_else(|| anyhow::anyhow!("no offer to agree to"))?;
        let key = generate_accept_key(request.key);
        let response = build_response(&key, None, Some(&agreed.to_response_header()));
        stream.write_all(&response).await?;
        stream.flush().await?;
        buffer.advance(used);
        let rest = Some(buffer.freeze());
        let config =
            CompressedWebSocketStream::server_with_leftover(stream, config, agreed.config, rest);
        return Ok(config);
    }
}
