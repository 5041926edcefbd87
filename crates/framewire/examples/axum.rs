//! A chat as an axum application: a page, and a room in which each message goes to all members.
//!
//! `cargo run -p framewire --example axum --features axum -- 127.0.0.1:9001`

use std::error::Error;
use std::time::Duration;
use std::{env, io};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{any, get};
use axum::serve::ListenerExt as _;
use framewire::axum::{WebSocket, WebSocketUpgrade};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9001")).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    Ok(run(listener).await?)
}

pub(crate) async fn run(listener: TcpListener) -> io::Result<()> {
    let room = Room(broadcast::Sender::new(LATE_BY_AT_MOST));
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        // HTTP/1.1 asks with GET, HTTP/2 with CONNECT.
        .route("/chat", any(join))
        .with_state(room);
    // Small messages leave at once: the socket is out of reach later.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await
}

#[derive(Clone)]
struct Room(broadcast::Sender<String>);

/// Joins the room. `on_upgrade` answers pages of other origins with 403. The extractor refuses requests that do
/// not ask for a WebSocket.
async fn join(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade
        .max_message_size(1000)
        .on_failed_upgrade(|error| eprintln!("not let in: {error}"))
        .on_upgrade(|websocket| async move {
            if let Err(error) = chat(websocket, room).await {
                eprintln!("gone: {error}");
            }
        })
}

async fn chat(mut websocket: WebSocket, room: Room) -> Result<(), framewire::Error> {
    websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    let mut said = room.0.subscribe();
    loop {
        // A read can be dropped at any point: what has arrived of a message is there for the next read.
        tokio::select! {
            message = websocket.next_message() => match message? {
                // It cannot fail: this connection itself listens.
                Some(message) => drop(room.0.send(message.text().unwrap_or_default().to_owned())),
                None => return Ok(()),
            },
            text = said.recv() => match text {
                Ok(text) => websocket.write(&text).await?,
                // This member is too slow. It misses messages and goes on with the latest.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
        }
    }
}

const LATE_BY_AT_MOST: usize = 100;

const PAGE: &str = r#"<!doctype html>
<title>Chat</title>
<form><input autofocus placeholder="Say something"></form>
<ul></ul>
<script>
  const url = new URL("chat", location);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  const [form, list] = document.querySelectorAll("form, ul");
  form.onsubmit = () => { socket.send(form[0].value); form.reset(); return false; };
  socket.onmessage = ({ data }) => { list.appendChild(document.createElement("li")).textContent = data; };
</script>
"#;
