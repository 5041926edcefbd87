//! An echo server: a task for each connection, and one read and one write for each burst of messages.
//!
//! `cargo run -p framewire --example tokio_echo --features tokio-net -- 127.0.0.1:9001`

use std::time::Duration;
use std::{env, io};

use framewire::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    run(TcpListener::bind(address).await?).await
}

pub(crate) async fn run(listener: TcpListener) -> io::Result<()> {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many files are open, or the peer is gone already.
            sleep(PAUSE).await;
            continue;
        };
        tokio::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut websocket = framewire::tokio::accept(stream).await?;
    // A peer that vanished is found out within 40 seconds.
    websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    // The payload is lent, and copied once. What is fed leaves before the next read that waits.
    while let Some((message, writer)) = websocket.next_message_and_writer().await? {
        writer.feed(message).await?;
    }
    Ok(())
}

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
