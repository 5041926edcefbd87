//! Servers to connect to, for the tests of dialling.

pub(crate) mod certificates;
pub(crate) mod pipe;
pub(crate) mod proxy;
pub(crate) mod tls_peer;

use framewire::handshake::Acceptor;
use framewire::{Config, Duplicate, Error, accept_with};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

/// Far longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An echo server that runs as long as the tests do.
pub(crate) fn serve() -> SocketAddr {
    serve_on(TcpListener::bind("127.0.0.1:0").unwrap())
}

pub(crate) fn serve_on(listener: TcpListener) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(|| echo(stream.unwrap()));
        }
    });
    address
}

/// An echo server over TLS that runs as long as the tests do.
pub(crate) fn serve_tls(config: std::sync::Arc<framewire::rustls::ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let config = config.clone();
            thread::spawn(move || {
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                let stream = framewire::upgrade::TlsStream::accept(stream, config, PATIENCE);
                stream.is_ok_and(|stream| echo(stream).is_ok())
            });
        }
    });
    address
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

/// Echoes until the connection is closed.
pub(crate) fn echo<S: Duplicate>(stream: S) -> Result<(), Error> {
    let mut websocket = accept_with(stream, &Acceptor::new(), Config::default())?;
    while let Some((message, writer)) = websocket.next_message_and_writer()? {
        writer.feed(message)?;
    }
    Ok(())
}
