//! framewire in an application on axum.

use axum::Router;
use axum::routing::any;
use framewire::Error;
use framewire::axum::{WebSocket, WebSocketUpgrade};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let upgrade = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |websocket| {
            // The peer is gone, or broke the protocol.
            let _ = echo(websocket).await;
        })
    };
    let router = Router::new().route("/", any(upgrade));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    Ok(axum::serve(listener, router).await?)
}

async fn echo(mut websocket: WebSocket) -> Result<(), Error> {
    while let Some((message, writer)) = websocket.next_message_and_writer().await? {
        writer.feed(message).await?;
    }
    Ok(())
}
