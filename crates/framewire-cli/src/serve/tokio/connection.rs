//! One connection, from the moment it was taken until it is gone.

use std::net::SocketAddr;

use framewire::deflate::Negotiated;
use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{CloseCode, Error, TryFeedError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::Seat;
use super::stream::Stream;
use crate::serve::request::{Outcome, Reception, Refusal};
use crate::serve::traffic::Traffic;
use crate::serve::{GOODBYE, LINGER, Server, TIME};

/// Answers the request, unless the connection is `displaced` before, and starts the task that
/// echoes.
pub(super) async fn begin(
    socket: TcpStream,
    peer: SocketAddr,
    mut seat: Seat,
    displaced: oneshot::Receiver<()>,
) {
    let accepted = tokio::select! {
        // First whether it is accepted: from then on it is not displaced.
        biased;
        accepted = shake_hands(socket, peer, &mut seat) => accepted,
        _ = displaced => {
            let server = &seat.engine.server;
            server.log(format_args!("{peer} no request: stream ended before the request"));
            return;
        }
    };
    let Some(accepted) = accepted else { return };
    let server = &seat.engine.server;
    server.log(format_args!("{peer} open"));
    match accepted.open(server).await {
        Ok(websocket) => drop(tokio::spawn(converse(websocket, peer, seat))),
        Err(error) => server.log(format_args!("{peer} {}", Traffic::default().until(&error))),
    }
}

/// A request that is to be answered with a 101.
struct Accepted {
    stream: Stream,
    answer: Vec<u8>,
    leftover: Vec<u8>,
    deflate: Option<Negotiated>,
}

impl Accepted {
    async fn open(mut self, server: &Server) -> Result<WebSocket<Stream>, Error> {
        self.stream.set_nodelay()?;
        self.stream.write_all(&self.answer).await?;
        self.stream.flush().await?;
        let (leftover, config) = (&self.leftover, server.config);
        let mut websocket = WebSocket::with_leftover(self.stream, leftover, Role::Server, config)?;
        if let Some(negotiated) = &self.deflate {
            websocket.set_deflate(negotiated);
        }
        Ok(websocket)
    }
}

/// TLS, where the server has it, and the request. One that is refused is answered here.
async fn shake_hands(socket: TcpStream, peer: SocketAddr, seat: &mut Seat) -> Option<Accepted> {
    let engine = seat.engine.clone();
    let server = &engine.server;
    let mut stream = match timeout(TIME, Stream::accept(socket, server.tls.as_ref())).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            server.log(format_args!(
                "{peer} no request: tls handshake failed: {error}"
            ));
            return None;
        }
        Err(_) => {
            server.log(format_args!(
                "{peer} no request: tls handshake was not done in time"
            ));
            return None;
        }
    };
    let deadline = Instant::now() + TIME;
    let mut reception = Reception::new();
    let mut input = vec![0; READ_AT_ONCE];
    let refusal = loop {
        let len = match timeout_at(deadline, stream.read(&mut input)).await {
            Ok(Ok(0)) => break Refusal::without_answer("stream ended before the request"),
            Ok(Ok(len)) => len,
            Ok(Err(error)) => break Refusal::without_answer(&error.to_string()),
            Err(_) => break reception.expire(),
        };
        match reception.receive(&input[..len], server, || seat.open()) {
            Outcome::Unfinished => {}
            Outcome::Refused(refusal) => break refusal,
            Outcome::Accepted {
                used,
                answer,
                deflate,
            } => {
                return Some(Accepted {
                    stream,
                    answer,
                    leftover: input[used..len].to_vec(),
                    deflate,
                });
            }
        }
    };
    server.log(format_args!("{peer} {}", refusal.why));
    if stream.write_all(&refusal.answer).await.is_ok() {
        linger(stream).await;
    }
    None
}

/// Echoes until the connection ends.
async fn converse(mut websocket: WebSocket<Stream>, peer: SocketAddr, seat: Seat) {
    let engine = &seat.engine;
    let mut traffic = Traffic::default();
    let end = {
        let ending = engine.ending.notified();
        // From here on nothing can be missed.
        if engine.is_ending() {
            None
        } else {
            tokio::select! {
                biased;
                end = echo(&mut websocket, &mut traffic) => Some(end),
                () = ending => None,
            }
        }
    };
    // What comes once in a connection's life is not to make its task larger.
    let end = match end {
        Some(end) => end,
        None => Box::pin(go_away(&mut websocket, &mut traffic)).await,
    };
    let line = traffic.until(&end);
    engine.server.log(format_args!("{peer} {line}"));
    Box::pin(finish(websocket)).await;
}

/// Echoes until the connection ends, and says how it did. What was fed leaves in one write, before
/// the next read that waits.
async fn echo(websocket: &mut WebSocket<Stream>, traffic: &mut Traffic) -> Error {
    loop {
        let (message, writer) = match websocket.next_message_and_writer().await {
            Ok(lent) => lent,
            Err(error) => return error,
        };
        traffic.count(message.payload());
        let fed = match writer.try_feed_message(message.opcode(), message.payload()) {
            Ok(()) => continue,
            // A long one, or a peer that does not read.
            Err(TryFeedError::Full(payload)) => {
                Box::pin(writer.feed_message(message.opcode(), payload)).await
            }
            Err(TryFeedError::Failed(error)) => Err(error),
        };
        if let Err(error) = fed {
            return error;
        }
    }
}

/// Closes the connection with 1001, and echoes until the peer has answered.
async fn go_away(websocket: &mut WebSocket<Stream>, traffic: &mut Traffic) -> Error {
    match websocket.close(CloseCode::GOING_AWAY, GOODBYE).await {
        Ok(()) => echo(websocket, traffic).await,
        Err(error) => error,
    }
}

async fn finish(mut websocket: WebSocket<Stream>) {
    if websocket.flush().await.is_ok() {
        linger(websocket.into_inner().0).await;
    }
}

/// Ends the connection so that the peer gets what was sent last: a socket that is closed with unread
/// input resets the connection.
async fn linger(mut stream: Stream) {
    let drained = async {
        stream.shutdown().await?;
        let mut input = vec![0; READ_AT_ONCE];
        while stream.read(&mut input).await? > 0 {}
        std::io::Result::Ok(())
    };
    // One that goes on sending is cut off.
    let _ = timeout(LINGER, drained).await;
}

/// How much is read with one call before and after the connection is open.
const READ_AT_ONCE: usize = 4 << 10;
