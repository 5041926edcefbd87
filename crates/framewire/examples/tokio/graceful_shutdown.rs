//! A server that shuts down in order: it accepts no more connections, closes the open ones with 1001 (going
//! away), and ends when all of them are gone, or after a grace period.
//!
//! `cargo run -p framewire --example tokio_graceful_shutdown --features tokio-net -- 127.0.0.1:9001`, then Ctrl-C.

use std::time::Duration;
use std::{env, io};

use framewire::tokio::WebSocket;
use framewire::{CloseCode, Error};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    let stop = CancellationToken::new();
    let server = tokio::spawn(run(TcpListener::bind(address).await?, stop.clone()));
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    server.await?
}

/// Serves until it is told to stop.
pub(crate) async fn run(listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, peer)) = accepted else {
            // Too many files are open, or the peer is gone already.
            sleep(PAUSE).await;
            continue;
        };
        let stop = stop.clone();
        connections.spawn(async move {
            if let Err(error) = echo(stream, &stop).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
    drop(listener);
    connections.close();
    // Each connection ends within its grace period.
    connections.wait().await;
    Ok(())
}

async fn echo(stream: TcpStream, stop: &CancellationToken) -> Result<(), Error> {
    let Some(websocket) = stop
        .run_until_cancelled(framewire::tokio::accept(stream))
        .await
    else {
        return Ok(());
    };
    let mut websocket = websocket?;
    websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    loop {
        select! {
            // When either call is dropped, it cuts no frame in half, so that the Close frame can follow. A
            // message whose echo was not taken by then is lost, which is acceptable only at such an end.
            is_open = echo_one(&mut websocket) => if !is_open? {
                return Ok(());
            },
            () = stop.cancelled() => {
                // With a time-out, since a peer that does not read holds up the Close frame too.
                let goodbye = async {
                    websocket.close(CloseCode::GOING_AWAY, "server is ending").await?;
                    websocket.shutdown(Duration::MAX).await
                };
                return timeout(GRACE, goodbye).await.map_or(Ok(()), |end| end.map(drop));
            }
        }
    }
}

/// Echoes a message. Returns `false` once the peer has closed the connection.
async fn echo_one(websocket: &mut WebSocket<TcpStream>) -> Result<bool, Error> {
    let Some((message, writer)) = websocket.next_message_and_writer().await? else {
        return Ok(false);
    };
    writer.feed(message).await?;
    Ok(true)
}

/// How long a peer has to answer the Close frame.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
