//! The smallest chat on axum, at `ws://127.0.0.1:9001/chat`: `cargo run -p framewire --example axum_chat --features
//! axum`.
use axum::{Router, extract::State, response::Response, routing::any};
use framewire::axum::{WebSocket, WebSocketUpgrade};
use tokio::{net::TcpListener, select, sync::broadcast::Sender, time::Duration};
#[tokio::main]
async fn main() -> std::io::Result<()> {
    run(TcpListener::bind("127.0.0.1:9001").await?).await
}
pub(crate) async fn run(listener: TcpListener) -> std::io::Result<()> {
    let app = Router::new().route("/chat", any(join));
    axum::serve(listener, app.with_state(Sender::new(100))).await
}
async fn join(upgrade: WebSocketUpgrade, State(room): State<Sender<String>>) -> Response {
    upgrade.on_upgrade(|websocket| async { drop(chat(websocket, room).await) })
}
async fn chat(mut ws: WebSocket, room: Sender<String>) -> Result<(), Box<dyn std::error::Error>> {
    ws.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    let mut said = room.subscribe();
    loop {
        select! {
            text = said.recv() => ws.write(text?).await?,
            message = ws.next_message() => drop(room.send(message?.ok_or("closed")?.text().ok_or("no text")?.into())),
        }
    }
}
