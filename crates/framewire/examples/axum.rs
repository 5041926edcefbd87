//! A chat as an axum application: a page, and what anyone says goes to everyone.
//!
//! `cargo run --example axum --features axum -- 127.0.0.1:9001`

use std::error::Error;
use std::{env, io};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{any, get};
use axum::serve::ListenerExt as _;
use framewire::Opcode;
use framewire::axum::{Socket, WebSocketUpgrade};
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

/// Pages of other origins are answered 403 by `on_upgrade`, requests that ask for no WebSocket by the
/// extractor.
async fn join(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade
        .max_message_size(1000)
        .on_failed_upgrade(|error| eprintln!("not let in: {error}"))
        .on_upgrade(|websocket| async move {
            if let Err(error) = chat(websocket, room).await
                && error.closed().is_none()
            {
                eprintln!("gone: {error}");
            }
        })
}

async fn chat(mut websocket: Socket, room: Room) -> Result<(), framewire::Error> {
    let mut said = room.0.subscribe();
    loop {
        // Reading can be given up at any point: what has come of a message is kept.
        tokio::select! {
            message = websocket.next_message() => {
                if let Some(text) = message?.text() {
                    // Somebody listens: this connection does.
                    let _ = room.0.send(text.to_owned());
                }
            }
            text = said.recv() => match text {
                Ok(text) => websocket.write_message(Opcode::Text, text.as_bytes()).await?,
                // Too slow for the room: it goes on with what is being said now.
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
  const socket = new WebSocket(location.href.replace("http", "ws") + "chat");
  const [form, list] = document.querySelectorAll("form, ul");
  form.onsubmit = () => { socket.send(form[0].value); form.reset(); return false; };
  socket.onmessage = ({ data }) => { list.appendChild(document.createElement("li")).textContent = data; };
</script>
"#;
