//! The peers. Each loop is the one that the peer's own documentation shows, with the settings that it calls
//! fastest. Payloads are copied only where its interface copies them.

mod fastwebsockets;
mod sockudo_ws;
mod soketto;
mod tokio_tungstenite;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod yawc;

use crate::echo::{Echo, Kind, Reads, Role, Style};
use crate::stream::Io;

pub(crate) fn all<S: Io + Send>() -> Vec<Kind<S>> {
    use Style::{Batched, Simple};
    vec![
        peer("tungstenite", "tungstenite", Simple, tungstenite::simple),
        peer(
            "tungstenite-batched",
            "tungstenite",
            Batched,
            tungstenite::batched,
        ),
        peer(
            "tokio-tungstenite",
            "tokio-tungstenite",
            Simple,
            tokio_tungstenite::simple,
        ),
        peer(
            "tokio-tungstenite-batched",
            "tokio-tungstenite",
            Batched,
            tokio_tungstenite::batched,
        ),
        peer(
            "fastwebsockets",
            "fastwebsockets",
            Simple,
            fastwebsockets::simple,
        ),
        peer(
            "fastwebsockets-batched",
            "fastwebsockets",
            Batched,
            fastwebsockets::batched,
        ),
        peer(
            "tokio-websockets",
            "tokio-websockets",
            Simple,
            tokio_websockets::simple,
        ),
        peer(
            "tokio-websockets-batched",
            "tokio-websockets",
            Batched,
            tokio_websockets::batched,
        ),
        peer("sockudo-ws", "sockudo-ws", Simple, sockudo_ws::simple),
        peer(
            "sockudo-ws-batched",
            "sockudo-ws",
            Batched,
            sockudo_ws::batched,
        ),
        peer("yawc", "yawc", Simple, yawc::simple),
        peer("yawc-batched", "yawc", Batched, yawc::batched),
        peer("web-socket", "web-socket", Simple, web_socket::simple),
        peer(
            "web-socket-batched",
            "web-socket",
            Batched,
            web_socket::batched,
        ),
        peer("soketto", "soketto", Simple, soketto::simple),
        peer("soketto-batched", "soketto", Batched, soketto::batched),
    ]
}

fn peer<S>(
    name: &'static str,
    package: &'static str,
    style: Style,
    open: fn(S, Reads) -> Echo,
) -> Kind<S> {
    Kind {
        name,
        package,
        style,
        role: Role::Peer,
        open,
    }
}
