//! framewire, a thread for each connection: the loop of its README.
//!
//! The defaults of everything. Messages are lent from the read buffer, what is fed is written before a read waits, and
//! UTF-8 is validated always.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;
use framewire::handshake::Acceptor;
use framewire::upgrade::TlsStream;
use framewire::{Config, Socket, WebSocket};

use super::PEER;
use super::framewire_tokio::acceptor;
use crate::{Flushing, Peer, Role, Settings, start, tls};

pub(super) fn peers() -> Vec<Peer> {
    vec![Peer {
        name: "framewire-blocking",
        package: "framewire",
        version: "0.1.0",
        flushing: Flushing::Batched,
        role: Role::Ours,
        deflate: true,
        takeover: true,
        run,
        client: Some(client),
        ..PEER
    }]
}

fn run(settings: Settings) -> Result<()> {
    let acceptor = acceptor(settings)?;
    let tls = settings.tls.then(tls::config).transpose()?;
    start::threads(move |stream: TcpStream| match &tls {
        None => echo(stream, &acceptor),
        Some(tls) => {
            let stream = TlsStream::accept(stream, tls.clone(), HANDSHAKE)?;
            echo(stream, &acceptor)
        }
    })
}

fn echo(stream: impl Socket, acceptor: &Acceptor) -> Result<()> {
    echo_on(framewire::accept_with(stream, acceptor, Config::default())?)
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_threads(address, connections, move |stream| {
        let uri = format!("ws://{address}/");
        echo_on(framewire::connect_stream(stream, &uri)?)
    })
}

fn echo_on(mut websocket: WebSocket<impl Socket>) -> Result<()> {
    while let Some((message, writer)) = websocket.next_message_and_writer()? {
        writer.feed(message)?;
    }
    Ok(())
}

const HANDSHAKE: Duration = Duration::from_secs(10);
