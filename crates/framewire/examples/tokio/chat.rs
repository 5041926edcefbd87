//! A chat room: each message goes to all members, framed (and, if agreed on, compressed) once for all of them.
//!
//! One task for each member reads and writes. Both can be cancelled, so that `select!` loses nothing. A member
//! that is too slow misses messages, and does not hold up the others.
//!
//! `cargo run -p framewire --example tokio_chat --features tokio-net -- 127.0.0.1:9001`

use std::time::Duration;
use std::{env, io};

use framewire::Error;
use framewire::tokio::PreparedMessage;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::broadcast::{self, Sender, error::RecvError};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    run(TcpListener::bind(address).await?).await
}

pub(crate) async fn run(listener: TcpListener) -> io::Result<()> {
    let (room, _) = broadcast::channel(BACKLOG);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many files are open, or the peer is gone already.
            sleep(PAUSE).await;
            continue;
        };
        let room = room.clone();
        tokio::spawn(async move {
            if let Err(error) = join(stream, &room).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn join(stream: TcpStream, room: &Sender<PreparedMessage>) -> Result<(), Error> {
    let mut websocket = framewire::tokio::accept(stream).await?;
    websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    let mut said = room.subscribe();
    loop {
        select! {
            message = websocket.next_message() => match message? {
                // It fails if no member is left.
                Some(message) => drop(room.send(PreparedMessage::new(message)?)),
                None => return Ok(()),
            },
            heard = said.recv() => match heard {
                Ok(message) => websocket.write_prepared(&message).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

/// How many messages a member may be behind.
const BACKLOG: usize = 256;

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
