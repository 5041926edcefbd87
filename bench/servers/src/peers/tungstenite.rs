//! tungstenite, a thread for each connection: the loop of its example `server.rs`.
//!
//! The simple loop has the default configuration, whose buffers of 128 KiB are what its documentation recommends for
//! high load. All of a read buffer is filled with zeros before each read, so that a smaller one is faster where
//! messages are few: the batched loop has 16 KiB. Messages own their payload (`Bytes`), and `send` writes and
//! flushes. It has no way to ask whether more messages are there, so the batched loop puts a stream beneath it that
//! keeps what is sent until tungstenite has to read.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Result;
use rustls::{ServerConnection, StreamOwned};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, WebSocket};

use super::PEER;
use crate::{Flushing, Peer, Settings, start, tls};

pub(super) fn peers() -> Vec<Peer> {
    let simple = Peer {
        name: "tungstenite",
        package: "tungstenite",
        version: "0.30.0",
        run: |settings| run(settings, false),
        client: Some(client),
        ..PEER
    };
    let batched = Peer {
        name: "tungstenite-batched",
        flushing: Flushing::Batched,
        run: |settings| run(settings, true),
        client: None,
        ..simple
    };
    vec![simple, batched]
}

fn run(settings: Settings, batched: bool) -> Result<()> {
    let tls = settings.tls.then(tls::config).transpose()?;
    start::threads(move |stream: TcpStream| match (&tls, batched) {
        (None, false) => echo(stream, None),
        (None, true) => echo(Corked::new(stream), Some(small())),
        (Some(tls), _) => {
            let stream = StreamOwned::new(ServerConnection::new(tls.clone())?, stream);
            if batched {
                echo(Corked::new(stream), Some(small()))
            } else {
                echo(stream, None)
            }
        }
    })
}

fn small() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(16 << 10)
}

fn echo(stream: impl Read + Write, config: Option<WebSocketConfig>) -> Result<()> {
    // The error of a handshake holds the stream, which is not `Send`.
    let accepted =
        tungstenite::accept_with_config(stream, config).map_err(|error| error.to_string());
    echo_on(accepted.map_err(anyhow::Error::msg)?)
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_threads(address, connections, move |stream| {
        let connected = tungstenite::client(format!("ws://{address}/"), stream);
        let connected = connected.map_err(|error| error.to_string());
        echo_on(connected.map_err(anyhow::Error::msg)?.0)
    })
}

fn echo_on(mut websocket: WebSocket<impl Read + Write>) -> Result<()> {
    loop {
        match websocket.read() {
            Ok(message) if message.is_text() || message.is_binary() => websocket.send(message)?,
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A stream that keeps what is written until it is read from.
struct Corked<S> {
    stream: S,
    unsent: Vec<u8>,
}

impl<S> Corked<S> {
    fn new(stream: S) -> Self {
        let unsent = Vec::new();
        Self { stream, unsent }
    }
}

impl<S: Read + Write> Read for Corked<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.unsent.is_empty() {
            self.stream.write_all(&self.unsent)?;
            self.stream.flush()?;
            self.unsent.clear();
        }
        self.stream.read(buffer)
    }
}

impl<S: Read + Write> Write for Corked<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is long gains nothing by waiting.
        if self.unsent.is_empty() && bytes.len() >= CORK {
            return self.stream.write(bytes);
        }
        if self.unsent.len() + bytes.len() > CORK {
            self.stream.write_all(&self.unsent)?;
            self.unsent.clear();
            return self.stream.write(bytes);
        }
        self.unsent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How much may wait.
const CORK: usize = 64 << 10;
