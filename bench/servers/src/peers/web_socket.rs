//! web-socket: `recv` and `send`, as in its README.
//!
//! It reads a header in two or three calls, so the stream is buffered for reading. It validates no UTF-8, which the
//! loop does, and writes frames vectored and at once. The batched loop buffers writes too, and flushes once nothing
//! more is in the read buffer. It has no handshake: that of the floors is done for it.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use tokio::io::{AsyncBufRead, AsyncWrite, BufReader, BufWriter};
use web_socket::{DataType, Event, MessageType, WebSocket};

use super::PEER;
use crate::floors;
use crate::start::{self, Io, Serve};
use crate::{Flushing, Peer};

pub(super) fn peers() -> Vec<Peer> {
    let simple = Peer {
        name: "web-socket",
        package: "web-socket",
        version: "0.7.0",
        handshake: false,
        run: |settings| start::tasks(settings, &Echo { batched: false }),
        client: Some(client),
        ..PEER
    };
    let batched = Peer {
        name: "web-socket-batched",
        flushing: Flushing::Batched,
        run: |settings| start::tasks(settings, &Echo { batched: true }),
        client: None,
        ..simple
    };
    vec![simple, batched]
}

#[derive(Clone)]
struct Echo {
    batched: bool,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, mut stream: S) -> Result<()> {
        floors::handshake(&mut stream).await?;
        if self.batched {
            let stream = BufReader::with_capacity(BUFFER, BufWriter::with_capacity(BUFFER, stream));
            echo(stream, |stream| stream.buffer().is_empty()).await
        } else {
            echo(BufReader::with_capacity(BUFFER, stream), |_| true).await
        }
    }
}

/// Echoes, and flushes where `is_due`.
async fn echo<S: AsyncBufRead + AsyncWrite + Unpin>(
    stream: S,
    is_due: impl Fn(&S) -> bool,
) -> Result<()> {
    let mut websocket = WebSocket::server(stream);
    echo_on(&mut websocket, is_due).await?;
    Ok(websocket.close(()).await?)
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |stream, address| {
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        floors::client_handshake(&mut stream, address).await?;
        let mut websocket = WebSocket::client(stream);
        echo_on(&mut websocket, |_| true).await?;
        Ok(websocket.close(()).await?)
    })
}

/// Echoes until the other end closes the connection.
async fn echo_on<S: AsyncBufRead + AsyncWrite + Unpin>(
    websocket: &mut WebSocket<S>,
    is_due: impl Fn(&S) -> bool,
) -> Result<()> {
    loop {
        match websocket.recv().await? {
            Event::Data { ty, data } => {
                match ty {
                    DataType::Complete(MessageType::Text) => {
                        websocket.send(std::str::from_utf8(&data)?).await?;
                    }
                    DataType::Complete(MessageType::Binary) => websocket.send(&*data).await?,
                    DataType::Stream(_) => bail!("fragments are for the program to assemble"),
                }
                if is_due(&websocket.stream) {
                    websocket.flash().await?;
                }
            }
            Event::Ping(data) => websocket.send_pong(data).await?,
            Event::Pong(_) => {}
            Event::Error(error) => bail!(error),
            Event::Close { .. } => return Ok(()),
        }
    }
}

/// What the stream buffers: a message of 16 KiB too.
const BUFFER: usize = 32 << 10;
