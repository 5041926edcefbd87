//! One connection, from the moment it was taken until it is gone.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use framewire::deflate::Negotiated;
use framewire::protocol::Role;
use framewire::tokio::WebSocket;
use framewire::{CloseCode, Error, Opcode, TryFeedError};
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
        Ok(websocket) => {
            let conversation = Conversation {
                peer,
                traffic: Traffic::default(),
                seat,
            };
            tokio::spawn(converse(websocket, Box::new(conversation)));
        }
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
#[allow(
    clippy::manual_async_fn,
    reason = "an async fn would have room for its arguments twice"
)]
fn converse(
    mut websocket: WebSocket<Stream>,
    mut conversation: Box<Conversation>,
) -> impl Future<Output = ()> {
    async move {
        let end = conversation.echo_until_ending(&mut websocket).await;
        // What comes once in a connection's life is not to make its task larger.
        Box::pin(finish(websocket, conversation, end)).await;
    }
}

/// What is known of an open connection. Apart from its task: the runtime rounds that up, and this
/// fits in between.
struct Conversation {
    peer: SocketAddr,
    traffic: Traffic,
    seat: Seat,
}

/// A message that waits until the peer takes more.
type Held = (Opcode, Vec<u8>);

impl Conversation {
    /// Echoes until the connection ends, and says how it did; `None` where the server ends first.
    async fn echo_until_ending(&mut self, websocket: &mut WebSocket<Stream>) -> Option<Error> {
        loop {
            let echoed = poll_fn(|cx| match self.poll_echo(websocket, cx) {
                Poll::Ready(echoed) => Poll::Ready(Some(echoed)),
                Poll::Pending => self.seat.poll_ending(cx).map(|()| None),
            });
            let held = match echoed.await? {
                Ok(held) => held,
                Err(error) => return Some(error),
            };
            if let Err(error) = Box::pin(feed(websocket, held)).await {
                return Some(error);
            }
        }
    }

    /// Echoes until a message has to wait, a long one or one to a peer that does not read, or until
    /// the connection ends. What was fed leaves in one write, before the next read that waits.
    ///
    /// The futures of a read can be dropped and made again, so that they take no room at rest.
    fn poll_echo(
        &mut self,
        websocket: &mut WebSocket<Stream>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Held, Error>> {
        loop {
            let read = pin!(websocket.next_message_and_writer()).poll(cx);
            let (message, writer) = ready!(read)?;
            let (opcode, payload) = (message.opcode(), message.payload());
            self.traffic.count(payload);
            match writer.try_feed_message(opcode, payload) {
                Ok(()) => {}
                Err(TryFeedError::Full(payload)) => {
                    return Poll::Ready(Ok((opcode, payload.to_vec())));
                }
                Err(TryFeedError::Failed(error)) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Closes the connection with 1001, and echoes until the peer has answered.
    async fn go_away(&mut self, websocket: &mut WebSocket<Stream>) -> Error {
        if let Err(error) = websocket.close(CloseCode::GOING_AWAY, GOODBYE).await {
            return error;
        }
        loop {
            let echoed = poll_fn(|cx| self.poll_echo(websocket, cx)).await;
            let fed = match echoed {
                Ok(held) => feed(websocket, held).await,
                Err(error) => Err(error),
            };
            if let Err(error) = fed {
                return error;
            }
        }
    }
}

async fn feed(websocket: &mut WebSocket<Stream>, (opcode, payload): Held) -> Result<(), Error> {
    websocket.feed_message(opcode, &payload).await
}

/// Ends a connection, which has ended by itself unless `end` is `None`.
async fn finish(
    mut websocket: WebSocket<Stream>,
    mut conversation: Box<Conversation>,
    end: Option<Error>,
) {
    let end = match end {
        Some(end) => end,
        None => conversation.go_away(&mut websocket).await,
    };
    let Conversation {
        peer,
        traffic,
        seat,
        ..
    } = &*conversation;
    let line = traffic.until(&end);
    seat.engine.server.log(format_args!("{peer} {line}"));
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
#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, F>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_an_open_connection_is_little_more_than_its_websocket() {
        let (task, websocket) = (size_of_future(converse), size_of::<WebSocket<Stream>>());
        assert!(task <= websocket + 72, "{task} bytes for {websocket}");
    }
}
