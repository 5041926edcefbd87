//! One connection, from accepting it until it is gone.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use framewire::handshake::Established;
use framewire::tokio::handshake::{self, PendingHandshake};
use framewire::tokio::{WebSocket, Whole, Writer};
use framewire::{CloseCode, Closed, Error, ErrorKind, Message, Opcode, TryFeedError};
use http::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::socket::Socket;
use super::stream::{self, Stream};
use super::tasks::SlotGuard;
use crate::serve::request::NoRequest;
use crate::serve::server::{GOODBYE, LINGER, Server, TIME};
use crate::serve::traffic::Traffic;

/// Answers the request, and starts the task that echoes. `displaced` ends that before the request is accepted.
pub(super) async fn begin(
    socket: TcpStream,
    peer: SocketAddr,
    mut slot_guard: SlotGuard,
    mut displaced: oneshot::Receiver<()>,
) {
    let engine = Arc::clone(&slot_guard.engine);
    let server = &engine.server;
    let log = |line: String| server.log(format_args!("{peer} {line}"));
    let received = tokio::select! {
        // First whether the request is there: one that is accepted is not displaced any more.
        biased;
        received = receive(Socket::new(socket), server) => received,
        // The stream is dropped with the handshake.
        _ = &mut displaced => Err(engine.displacement().why(false)),
    };
    let pending = match received {
        Ok(pending) => pending,
        Err(why) => return log(why),
    };
    let is_refused = pending.refusal().is_some();
    let reserve = || slot_guard.open();
    if let Some(answer) = server.answer(pending.request(), is_refused, reserve) {
        log(format!("{}: {}", answer.to, answer.response.status()));
        return turn_away(pending, &answer.response, displaced).await;
    }
    if let Some(error) = pending.refusal() {
        log(format!("handshake: {error}"));
        let Some(response) = error.response().cloned() else {
            return;
        };
        return turn_away(pending, &response, displaced).await;
    }
    let established = match pending.accept().await {
        Ok(established) => established,
        Err(error) => return log(format!("handshake: {error}")),
    };
    log("open".to_owned());
    match open(established, server) {
        Ok(websocket) => {
            let details = Box::new(Details {
                peer,
                traffic: Traffic::default(),
                slot_guard,
            });
            tokio::spawn(EchoTask::Echoing(Some(Open { websocket, details })));
        }
        Err(error) => log(Traffic::default().until(&error)),
    }
}

/// Does the TLS handshake if the server has a certificate, and reads the request. Fails with the line for the log.
async fn receive(socket: Socket, server: &Server) -> Result<PendingHandshake<Stream>, String> {
    let secured = timeout(TIME, stream::accept(socket, server.tls.as_ref())).await;
    let secured = secured.map_err(|_| NoRequest::Late.why(true))?;
    let stream = secured.map_err(|error| NoRequest::of(&error).why(true))?;
    let received = handshake::receive(stream, &server.acceptor).await;
    received.map_err(|error| match NoRequest::of_handshake(&error) {
        Some(reason) => reason.why(false),
        None => format!("no request: {error}"),
    })
}

/// Small messages leave at once.
fn open(established: Established<Stream>, server: &Server) -> Result<WebSocket<Stream>, Error> {
    established.get_ref().get_ref().set_nodelay()?;
    WebSocket::from_established(established, server.config)
}

/// Answers with a refusal, unless `displaced` fires before.
async fn turn_away<B: AsRef<[u8]>>(
    pending: PendingHandshake<Stream>,
    response: &Response<B>,
    displaced: oneshot::Receiver<()>,
) {
    let answered = async {
        if let Ok(stream) = pending.refuse(response).await {
            linger(stream).await;
        }
    };
    tokio::select! {
        () = answered => {}
        _ = displaced => {}
    }
}

/// The task of an open connection. While it echoes, it is no larger than the connection.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is what a task is at rest"
)]
enum EchoTask {
    /// `None` once the connection is gone.
    Echoing(Option<Open>),
    /// Rare work, boxed so that it does not make the task larger. It owns the connection, and returns it if
    /// that goes on.
    Pausing(Pin<Box<dyn Future<Output = Option<Open>> + Send>>),
}

impl Future for EchoTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            *self = match &mut *self {
                Self::Echoing(open) => {
                    let Some(echoing) = open else {
                        return Poll::Ready(());
                    };
                    let pause = ready!(echoing.poll_pause(cx));
                    match open.take() {
                        Some(open) => Self::Pausing(Box::pin(open.pass(pause))),
                        None => Self::Echoing(None),
                    }
                }
                Self::Pausing(pause) => Self::Echoing(ready!(pause.as_mut().poll(cx))),
            };
        }
    }
}

/// What interrupts the echoing.
enum Pause {
    /// The peer must take what is buffered first, then this message, if any.
    Unsent(Option<(Opcode, Vec<u8>)>),
    Ended(Result<Closed, Error>),
    /// The server is ending.
    Ending,
}

/// An open connection.
struct Open {
    websocket: WebSocket<Stream>,
    details: Box<Details>,
}

/// The rest of an open connection's state. It is boxed apart from its task, whose size the runtime rounds up;
/// this fits into what is left.
struct Details {
    peer: SocketAddr,
    traffic: Traffic,
    slot_guard: SlotGuard,
}

impl Open {
    /// Echoes until it is interrupted.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<Pause> {
        if let Poll::Ready(pause) = self.poll_echo(cx) {
            return Poll::Ready(pause);
        }
        let ending = self.details.slot_guard.poll_ending(cx);
        ending.map(|()| Pause::Ending)
    }

    /// Echoes until the connection ends or a peer that does not read has to be waited for. Short messages leave in one
    /// write, before the next read that waits.
    ///
    /// Each future is dropped after it was polled and made again, so that it takes no room at rest.
    fn poll_echo(&mut self, cx: &mut Context<'_>) -> Poll<Pause> {
        loop {
            let read = pin!(self.websocket.next_message_and_writer()).poll(cx);
            let (message, writer) = match ready!(read) {
                Ok(Some(next)) => next,
                Ok(None) => return Poll::Ready(Pause::Ended(self.closed())),
                Err(error) => return Poll::Ready(Pause::Ended(Err(error))),
            };
            self.details.traffic.count(message.payload());
            if let Err(pause) = feed(&message, writer, cx) {
                return Poll::Ready(pause);
            }
        }
    }

    fn closed(&self) -> Result<Closed, Error> {
        Ok(self.websocket.closed().ok_or(ErrorKind::ConnectionLost)?)
    }

    /// Sends what must wait.
    async fn send(&mut self, unsent: Option<(Opcode, Vec<u8>)>) -> Result<(), Error> {
        let sent = if let Some(message) = unsent {
            self.websocket.feed(message).await
        } else {
            // What is left of the message was buffered.
            self.websocket.rest();
            self.websocket.flush().await
        };
        match sent {
            Err(error) if error.closed().is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends what must wait, or ends the connection.
    async fn pass(mut self, pause: Pause) -> Option<Self> {
        let end = match pause {
            Pause::Unsent(message) => match self.send(message).await {
                Ok(()) => return Some(self),
                Err(error) => Err(error),
            },
            Pause::Ended(end) => end,
            Pause::Ending => self.go_away().await,
        };
        self.finish(end).await;
        None
    }

    /// Closes the connection with 1001, and echoes until the peer has answered.
    async fn go_away(&mut self) -> Result<Closed, Error> {
        let close = self.websocket.close(CloseCode::GOING_AWAY, GOODBYE);
        close.await?;
        loop {
            match poll_fn(|cx| self.poll_echo(cx)).await {
                Pause::Unsent(message) => self.send(message).await?,
                Pause::Ended(end) => return end,
                Pause::Ending => {}
            }
        }
    }

    /// Ends a connection.
    async fn finish(mut self, end: Result<Closed, Error>) {
        let Details {
            peer,
            traffic,
            slot_guard,
        } = &*self.details;
        let server = &slot_guard.engine.server;
        let is_stalled = self.websocket.stream().get_ref().is_stalled();
        let end = match end {
            _ if is_stalled => traffic.until(&server.stalled()),
            Ok(closed) => traffic.until(&closed),
            Err(error) => traffic.until(&error),
        };
        server.log(format_args!("{peer} {end}"));
        if self.websocket.flush().await.is_ok() {
            linger(self.websocket.into_inner().0).await;
        }
    }
}

/// Feeds a message. A long one is written from where it lies as far as the stream takes it now, and the rest is copied.
fn feed(
    message: &Message<'_>,
    writer: &mut Writer<Whole<Stream>>,
    cx: &mut Context<'_>,
) -> Result<(), Pause> {
    if message.payload().len() <= FED_AT_ONCE {
        match writer.try_feed(message) {
            Ok(()) => return Ok(()),
            Err(TryFeedError::Failed(error)) => return or_ended(error),
            Err(TryFeedError::Full(_)) => {}
        }
    }
    if writer.buffered() > 0 && pin!(writer.flush()).poll(cx).is_pending() {
        let copy = (message.opcode(), message.payload().to_vec());
        return Err(Pause::Unsent(Some(copy)));
    }
    // There is room, so that the message is begun. Dropped, the future buffers what the stream has not taken.
    match pin!(writer.feed(message)).poll(cx) {
        Poll::Ready(fed) => fed.or_else(or_ended),
        Poll::Pending => Err(Pause::Unsent(None)),
    }
}

/// After the server's Close frame only the peer's is awaited. Any other error is the end.
fn or_ended(error: Error) -> Result<(), Pause> {
    match error.closed() {
        Some(_) => Ok(()),
        None => Err(Pause::Ended(Err(error))),
    }
}

/// Drains and ends the connection, so that the peer gets what was sent last: a socket that is closed with
/// unread input resets the connection.
async fn linger(mut stream: Stream) {
    let drained = async {
        stream.shutdown().await?;
        let mut input = vec![0; READ_AT_ONCE];
        while stream.read(&mut input).await? > 0 {}
        std::io::Result::Ok(())
    };
    // A peer that goes on sending is cut off.
    let _ = timeout(LINGER, drained).await;
}

/// The longest message that is copied into the write buffer, where others can join it.
const FED_AT_ONCE: usize = 4 << 10;
/// How many bytes of a connection that is ending are read with one call.
const READ_AT_ONCE: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::super::runtime;
    use super::*;

    #[test]
    fn the_task_of_an_open_connection_takes_512_bytes() {
        let runtime = runtime(1).unwrap();
        // The runtime rounds it up to a multiple of 128.
        let task = measure(|| drop(runtime.spawn(EchoTask::Echoing(None))));
        assert_eq!(task.bytes_current, 512, "{}", size_of::<EchoTask>());
    }

    #[test]
    fn what_is_known_of_a_connection_fits_beside_its_task() {
        // What glibc leaves of the 128 bytes to which a task and a socket are aligned.
        assert!(size_of::<Details>() <= 104);
    }
}
