//! axum's own extractor.

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let upgrade = async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo);
    let router = Router::new().route("/", any(upgrade));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    Ok(axum::serve(listener, router).await?)
}

async fn echo(mut websocket: WebSocket) {
    while let Some(Ok(message)) = websocket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && websocket.send(message).await.is_err()
        {
            return;
        }
    }
}
