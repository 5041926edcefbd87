//! A TCP port through a WebSocket connection, for a service behind a proxy that lets nothing else through.
//!
//! On the service's side: `cargo run -p framewire --example tokio_tunnel --features tokio-net -- serve 127.0.0.1:9001
//! 127.0.0.1:5432`. On the other side: `… -- listen 127.0.0.1:5433 ws://127.0.0.1:9001/`.

use std::error::Error;
use std::time::Duration;
use std::{env, io};

use framewire::handshake::Acceptor;
use framewire::{CHUNK_SIZE_STREAMING, Config, handshake::Connector};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address, target] => serve(TcpListener::bind(address).await?, target).await?,
        ["listen", address, uri] => listen(TcpListener::bind(address).await?, uri).await?,
        _ => return Err("serve ADDRESS TARGET, or listen ADDRESS URI".into()),
    }
    Ok(())
}

/// Connects each WebSocket connection to `target`.
pub(crate) async fn serve(listener: TcpListener, target: &str) -> io::Result<()> {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many files are open, or the peer is gone already.
            sleep(PAUSE).await;
            continue;
        };
        let target = target.to_owned();
        tokio::spawn(async move {
            let tunnel = async {
                let websocket =
                    framewire::tokio::accept_with(stream, &Acceptor::new(), CONFIG).await?;
                let mut target = TcpStream::connect(target).await?;
                // Copies bytes in both directions. Where a message ends means nothing.
                copy_bidirectional(&mut websocket.into_byte_stream(), &mut target).await?;
                Result::Ok(())
            };
            if let Err(error) = tunnel.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Accepts TCP connections, and opens a WebSocket connection to `uri` for each.
pub(crate) async fn listen(listener: TcpListener, uri: &str) -> io::Result<()> {
    loop {
        let Ok((mut stream, peer)) = listener.accept().await else {
            // Too many files are open, or the peer is gone already.
            sleep(PAUSE).await;
            continue;
        };
        let uri = uri.to_owned();
        tokio::spawn(async move {
            let tunnel = async {
                let websocket =
                    framewire::tokio::connect_with(&uri, &Connector::new(), CONFIG).await?;
                copy_bidirectional(&mut stream, &mut websocket.into_byte_stream()).await?;
                Result::Ok(())
            };
            if let Err(error) = tunnel.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

const CONFIG: Config = Config::new().chunk_size(CHUNK_SIZE_STREAMING);

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
