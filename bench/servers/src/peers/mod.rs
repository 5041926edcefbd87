//! The servers, a file for each library.

mod fastwebsockets;
mod framewire_blocking;
mod framewire_tokio;
mod sockudo_ws;
mod soketto;
mod tokio_tungstenite;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod yawc;

use crate::{Flushing, Peer, Role, floors};

pub(crate) fn all() -> impl Iterator<Item = Peer> {
    [
        floors::peers(),
        framewire_blocking::peers(),
        framewire_tokio::peers(),
        tungstenite::peers(),
        tokio_tungstenite::peers(),
        fastwebsockets::peers(),
        tokio_websockets::peers(),
        sockudo_ws::peers(),
        yawc::peers(),
        web_socket::peers(),
        soketto::peers(),
    ]
    .into_iter()
    .flatten()
}

/// The part of a peer's listing that is the same for most.
const PEER: Peer = Peer {
    name: "",
    package: "",
    version: "",
    flushing: Flushing::Simple,
    role: Role::Peer,
    handshake: true,
    tls: true,
    deflate: false,
    takeover: false,
    run: |_| Ok(()),
    broadcast: None,
    client: None,
};
