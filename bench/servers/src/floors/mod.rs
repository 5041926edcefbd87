//! The floors: what an echo costs that knows nothing but frames in one piece, without checks and states.
//!
//! They do not validate UTF-8, do not assemble fragments, and end a connection at any control frame.

pub(crate) mod epoll;
mod frames;
mod handshake;
pub(crate) mod tokio;

use ::tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};
use anyhow::{Result, bail};
use std::net::SocketAddr;

use crate::start::Io;
use crate::{Flushing, Peer, Role};

pub(crate) fn peers() -> Vec<Peer> {
    let epoll = Peer {
        name: "bare-epoll",
        package: "rustix",
        version: "1.1",
        flushing: Flushing::Batched,
        role: Role::Floor,
        handshake: true,
        tls: false,
        deflate: false,
        takeover: false,
        run: epoll::run,
        broadcast: Some(epoll::broadcast),
        client: None,
    };
    let tokio = Peer {
        name: "bare-tokio",
        package: "tokio",
        version: "1.54",
        tls: true,
        run: tokio::run,
        broadcast: None,
        ..epoll
    };
    vec![epoll, tokio]
}

/// Does the least of a client's opening handshake. Nothing but the response is taken from the stream.
pub(crate) async fn client_handshake(
    stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin),
    address: SocketAddr,
) -> Result<()> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut response = String::new();
    while !response.ends_with("\r\n\r\n") {
        if stream.read_line(&mut response).await? == 0 {
            bail!("half a response");
        }
    }
    if !response.starts_with("HTTP/1.1 101 ") {
        bail!("refused");
    }
    Ok(())
}

/// Does the least of an opening handshake.
pub(crate) async fn handshake(stream: &mut impl Io) -> Result<()> {
    let mut request = vec![0; 4096];
    let some = stream.read(&mut request).await?;
    // A request comes in one piece here.
    let Some(response) = handshake::response(&request[..some])? else {
        bail!("half a request");
    };
    stream.write_all(response.as_bytes()).await?;
    Ok(stream.flush().await?)
}
