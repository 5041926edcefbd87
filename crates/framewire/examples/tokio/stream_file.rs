//! A file of any size, as one message, in constant memory at both ends.
//!
//! `cargo run -p framewire --example tokio_stream_file --features tokio-net -- serve 127.0.0.1:9001 FILE`, and
//! `… -- fetch ws://127.0.0.1:9001/ COPY`.

use std::error::Error;
use std::path::Path;
use std::time::Duration;
use std::{env, io};

use framewire::handshake::Acceptor;
use framewire::{CHUNK_SIZE_STREAMING, Config, Opcode};
use tokio::fs::File;
use tokio::io::AsyncWrite;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address, file] => serve(TcpListener::bind(address).await?, file.as_ref()).await?,
        ["fetch", uri, copy] => {
            let len = fetch(uri, File::create(copy).await?).await?;
            println!("{len} bytes");
        }
        _ => return Err("serve ADDRESS FILE, or fetch URI COPY".into()),
    }
    Ok(())
}

/// Sends the file to each client that connects.
pub(crate) async fn serve(listener: TcpListener, file: &Path) -> io::Result<()> {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Too many files are open, or the peer is gone already.
            sleep(PAUSE).await;
            continue;
        };
        let file = file.to_owned();
        tokio::spawn(async move {
            if let Err(error) = send(stream, &file).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn send(stream: TcpStream, file: &Path) -> Result<()> {
    let config = Config::default().chunk_size(CHUNK_SIZE_STREAMING);
    let mut websocket = framewire::tokio::accept_with(stream, &Acceptor::new(), config).await?;
    let file = File::open(file).await?;
    // Holds one chunk, and reads one byte ahead, so that the last fragment carries FIN.
    websocket
        .stream_message(Opcode::Binary, CHUNK_SIZE_STREAMING, file)
        .await?;
    websocket.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

/// Writes the message to `copy` as it arrives. Returns its length in bytes.
pub(crate) async fn fetch(uri: &str, mut copy: impl AsyncWrite + Unpin) -> Result<u64> {
    let mut websocket = framewire::tokio::connect(uri).await?;
    let message = websocket.message_reader().await?;
    let mut message = message.ok_or("the server closed without a file")?;
    let len = tokio::io::copy(&mut message, &mut copy).await?;
    websocket.shutdown(Duration::from_secs(10)).await?;
    Ok(len)
}

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
