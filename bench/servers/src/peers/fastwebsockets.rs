//! fastwebsockets: the loop of its example `echo_server.rs`, which is that of its benchmarks, over hyper.
//!
//! As there, a `FragmentCollector` assembles messages and validates their UTF-8 (with `simdutf8`), frames are
//! unmasked in place and written vectored where they are long, and the task has no budget of tokio's. Over TLS its
//! documentation turns vectored writes off. A frame is written at once. Batched, a task has the two halves of its
//! feature `unstable-split`, with tokio's `BufWriter` below the writing one, which is flushed when a read has to
//! wait. The broadcast writes a frame that borrows the payload to each writing half.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;

use anyhow::Result;
use bytes::Bytes;
use fastwebsockets::handshake;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload};
use http_body_util::Empty;
use hyper::header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::BufWriter;
use tokio::task::unconstrained;

use super::PEER;
use crate::start::{self, Io, Serve};
use crate::{Flushing, Peer, Settings};

pub(super) fn peers() -> Vec<Peer> {
    let peer = Peer {
        package: "fastwebsockets",
        version: "0.10.0",
        ..PEER
    };
    vec![
        Peer {
            name: "fastwebsockets",
            run: |settings| run(settings, false),
            broadcast: Some(broadcast),
            client: Some(client),
            ..peer
        },
        Peer {
            name: "fastwebsockets-batched",
            flushing: Flushing::Batched,
            run: |settings| run(settings, true),
            ..peer
        },
    ]
}

fn run(settings: Settings, batched: bool) -> Result<()> {
    let tls = settings.tls;
    start::tasks(settings, &Echo { tls, batched })
}

#[derive(Clone)]
struct Echo {
    tls: bool,
    batched: bool,
}

impl Serve for Echo {
    async fn serve<S: Io>(self, stream: S) -> Result<()> {
        let service = service_fn(move |mut request| async move {
            let (response, upgraded) = upgrade(&mut request)?;
            if self.batched {
                tokio::spawn(unconstrained(echo_batched(upgraded)));
            } else {
                tokio::spawn(unconstrained(echo(upgraded, self.tls)));
            }
            Ok::<_, fastwebsockets::WebSocketError>(response)
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        Ok(connection.await?)
    }
}

async fn echo(upgraded: UpgradeFut, tls: bool) -> Result<()> {
    let mut websocket = upgraded.await?;
    websocket.set_writev(!tls);
    let mut websocket = FragmentCollector::new(websocket);
    echo_on(&mut websocket).await
}

async fn echo_batched(upgraded: UpgradeFut) -> Result<()> {
    let (reader, mut writer) = upgraded.await?.split(|stream| {
        let (reader, writer) = tokio::io::split(stream);
        (reader, BufWriter::new(writer))
    });
    let mut reader = FragmentCollectorRead::new(reader);
    loop {
        let mut answer = async |_: Frame<'_>| Ok::<_, Infallible>(());
        let mut read = pin!(reader.read_frame(&mut answer));
        let frame = match poll_once(read.as_mut()).await {
            Poll::Ready(frame) => frame?,
            Poll::Pending => {
                writer.flush().await?;
                read.await?
            }
        };
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => writer.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

fn client(address: SocketAddr, connections: usize) -> Result<()> {
    start::client_tasks(address, connections, async |stream, address| {
        let request = hyper::Request::get(format!("http://{address}/"))
            .header(HOST, address.to_string())
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "upgrade")
            .header(SEC_WEBSOCKET_KEY, handshake::generate_key())
            .header(SEC_WEBSOCKET_VERSION, "13")
            .body(Empty::<Bytes>::new())?;
        let (websocket, _response) =
            handshake::client(&TokioExecutor::new(), request, stream).await?;
        let mut websocket = FragmentCollector::new(websocket);
        unconstrained(echo_on(&mut websocket)).await
    })
}

async fn echo_on(websocket: &mut FragmentCollector<TokioIo<Upgraded>>) -> Result<()> {
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            _ => {}
        }
    }
}

fn broadcast() -> Result<()> {
    start::broadcast(async |stream, room| {
        let service = service_fn(move |mut request| {
            let room = room.clone();
            async move {
                let (response, upgraded) = upgrade(&mut request)?;
                tokio::task::spawn_local(async move {
                    let (read, write) = upgraded.await?.split(tokio::io::split);
                    room.lock().await.push(write);
                    let mut read = FragmentCollectorRead::new(read);
                    loop {
                        // It answers nothing by itself here.
                        let mut answer = async |_: Frame<'_>| Ok::<_, Infallible>(());
                        let frame = read.read_frame(&mut answer).await?;
                        if !matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                            return anyhow::Ok(());
                        }
                        for member in &mut *room.lock().await {
                            let payload = Payload::Borrowed(&frame.payload);
                            let copy = Frame::new(true, frame.opcode, None, payload);
                            // Who is gone is no concern of the others.
                            let _ = member.write_frame(copy).await;
                        }
                    }
                });
                Ok::<_, fastwebsockets::WebSocketError>(response)
            }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        Ok(connection.await?)
    })
}
