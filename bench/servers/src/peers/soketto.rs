//! soketto: the loop of its example `autobahn_server.rs`.
//!
//! As there, the stream is buffered in both directions (8 and 16 KiB, as its example with compression has it), a
//! message is received into a buffer that is used again, text is validated by the loop, and sent with a flush. The
//! batched loop flushes once no message is ready. Its compression is not here: it inflates nothing with the release
//! of flate2 that is current, which takes a message for an incomplete stream.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use anyhow::{Result, ensure};
use futures_util::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use soketto::Data;
use soketto::connection::{Builder, Error};
use soketto::handshake::server::Response;
use soketto::handshake::{Client, Server, ServerResponse};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use super::PEER;
use crate::start::{self, Io, Serve};
use crate::{Flushing, Peer, Settings};

pub(super) fn peers() -> Vec<Peer> {
    let simple = Peer {
        name: "soketto",
        package: "soketto",
        version: "0.8.1",
        run: |settings| run(settings, false),
        client: Some(client),
        ..PEER
    };
    let batched = Peer {
        name: "soketto-batched",
        flushing: Flushing::Batched,
        run: |settings| run(settings, true),
        client: None,
        ..simple
    };
    vec![simple, batched]
}

fn run(settings: Settings, batched: bool) -> Result<()> {
    start::tasks(settings, &Echo { batched })
}

#[derive(Clone)]
struct Echo {
    batched: bool,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, stream: S) -> Result<()> {
        let stream = BufWriter::with_capacity(16 << 10, stream.compat());
        let mut server = Server::new(BufReader::with_capacity(8 << 10, stream));
        let key = server.receive_request().await?.key();
        let accept = Response::Accept {
            key,
            protocol: None,
        };
        server.send_response(&accept).await?;
        echo(server.into_builder(), self.batched).await
    }
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |stream, address| {
        let stream = BufWriter::with_capacity(16 << 10, stream.compat());
        let stream = BufReader::with_capacity(8 << 10, stream);
        let host = address.to_string();
        let mut client = Client::new(stream, &host, "/");
        let response = client.handshake().await?;
        ensure!(
            matches!(response, ServerResponse::Accepted { .. }),
            "refused"
        );
        echo(client.into_builder(), false).await
    })
}

async fn echo<S>(connection: Builder<S>, batched: bool) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, mut receiver) = connection.finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        let result = {
            let mut next = pin!(receiver.receive_data(&mut message));
            // Polled once and kept, as it must not be dropped when it waits.
            match poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
                Poll::Ready(result) => result,
                Poll::Pending => {
                    if batched {
                        sender.flush().await?;
                    }
                    next.await
                }
            }
        };
        match result {
            Ok(Data::Binary(_)) => sender.send_binary_mut(&mut message).await?,
            Ok(Data::Text(_)) => sender.send_text(std::str::from_utf8(&message)?).await?,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if !batched {
            sender.flush().await?;
        }
    }
}
