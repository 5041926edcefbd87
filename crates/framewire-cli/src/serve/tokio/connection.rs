//! One connection, from accepting it until it is gone.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use framewire::handshake::Established;
use framewire::tokio::WebSocket;
use framewire::{CloseCode, Error, Opcode, TryFeedError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::socket::Socket;
use super::stream::{self, Stream};
use super::tasks::SlotGuard;
use crate::serve::request::{NoRequest, Outcome, Reception, Refusal};
use crate::serve::server::{GOODBYE, LINGER, Server, TIME};
use crate::serve::traffic::Traffic;

/// Answers the request and starts the task that echoes, unless `displaced` fires before.
pub(super) async fn begin(
    socket: TcpStream,
    peer: SocketAddr,
    mut slot_guard: SlotGuard,
    mut displaced: oneshot::Receiver<()>,
) {
    let met = tokio::select! {
        // First whether the request is accepted: from then on the connection is not displaced.
        biased;
        met = shake_hands(Socket::new(socket), &mut slot_guard) => met,
        _ = &mut displaced => {
            let reason = slot_guard.engine.displacement();
            // The stream was dropped with the handshake.
            Err(Refused { refusal: Refusal::without_request(&reason, false), stream: None })
        }
    };
    match met {
        Ok(accepted) => open(accepted, peer, slot_guard).await,
        Err(Refused { refusal, stream }) => {
            let server = &slot_guard.engine.server;
            server.log(format_args!("{peer} {}", refusal.why));
            let Some(stream) = stream else { return };
            tokio::select! {
                () = turn_away(stream, &refusal.answer) => {}
                _ = displaced => {}
            }
        }
    }
}

/// Answers with a 101, and starts the task that echoes.
async fn open(accepted: Accepted, peer: SocketAddr, slot_guard: SlotGuard) {
    let server = &slot_guard.engine.server;
    server.log(format_args!("{peer} open"));
    match accepted.open(server).await {
        Ok(websocket) => {
            let details = Box::new(Details {
                peer,
                traffic: Traffic::default(),
                slot_guard,
            });
            let open = Open { websocket, details };
            tokio::spawn(EchoTask::Echoing(Some(open)));
        }
        Err(error) => server.log(format_args!("{peer} {}", Traffic::default().until(&error))),
    }
}

async fn turn_away(mut stream: Stream, answer: &[u8]) {
    if stream.write_all(answer).await.is_ok() {
        linger(stream).await;
    }
}

/// A connection that is refused.
struct Refused {
    refusal: Refusal,
    /// The stream to answer on; `None` if there is none any more.
    stream: Option<Stream>,
}

impl Refused {
    /// Creates the refusal of a connection on which TLS was not agreed on.
    fn insecure(reason: &NoRequest) -> Self {
        Self {
            refusal: Refusal::without_request(reason, true),
            stream: None,
        }
    }
}

/// A request to answer with a 101.
struct Accepted {
    stream: Stream,
    answer: Vec<u8>,
    established: Box<Established<()>>,
}

impl Accepted {
    async fn open(mut self, server: &Server) -> Result<WebSocket<Stream>, Error> {
        self.stream.get_ref().set_nodelay()?;
        self.stream.write_all(&self.answer).await?;
        self.stream.flush().await?;
        let established = self.established.with_stream(self.stream);
        WebSocket::from_established(established, server.config)
    }
}

/// Does the TLS handshake if the server has a certificate, and reads the request.
async fn shake_hands(socket: Socket, slot_guard: &mut SlotGuard) -> Result<Accepted, Refused> {
    let engine = slot_guard.engine.clone();
    let server = &engine.server;
    let secured = timeout(TIME, stream::accept(socket, server.tls.as_ref())).await;
    let secured = secured.map_err(|_| Refused::insecure(&NoRequest::Late))?;
    let mut stream = secured.map_err(|error| Refused::insecure(&NoRequest::of(&error)))?;
    let deadline = Instant::now() + TIME;
    let mut reception = Reception::new();
    let mut input = vec![0; READ_AT_ONCE];
    let refusal = loop {
        let len = match timeout_at(deadline, stream.read(&mut input)).await {
            Ok(Ok(0)) => break Refusal::without_request(&NoRequest::Ended, false),
            Ok(Ok(len)) => len,
            Ok(Err(error)) => break Refusal::without_request(&NoRequest::of(&error), false),
            Err(_) => break reception.expire(),
        };
        match reception.receive(&input[..len], server, || slot_guard.open()) {
            Outcome::Unfinished => {}
            Outcome::Refused(refusal) => break refusal,
            Outcome::Accepted {
                answer,
                established,
            } => {
                return Ok(Accepted {
                    stream,
                    answer,
                    established,
                });
            }
        }
    };
    Err(Refused {
        refusal,
        stream: Some(stream),
    })
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
    /// A message must wait until the peer takes more.
    Waiting(Opcode, Vec<u8>),
    Ended(Error),
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

    /// Echoes until the connection ends or a message must wait: a long message, or one to a peer that does not
    /// read. What was fed leaves in one write, before the next read that waits.
    ///
    /// The future of a read is dropped after each poll and made again, so that it takes no room at rest.
    fn poll_echo(&mut self, cx: &mut Context<'_>) -> Poll<Pause> {
        let mut payload = PAYLOAD.take();
        let pause = self.poll_echo_with(&mut payload, cx);
        recycle(payload);
        pause
    }

    fn poll_echo_with(&mut self, payload: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Pause> {
        loop {
            payload.clear();
            // A message that did not come in one read is not copied, so that it can wait without a second copy.
            let read = pin!(self.websocket.read_message(payload)).poll(cx);
            let opcode = match ready!(read) {
                Ok(opcode) => opcode,
                Err(error) => return Poll::Ready(Pause::Ended(error)),
            };
            self.details.traffic.count(payload);
            if payload.len() > FED_AT_ONCE {
                return Poll::Ready(Pause::Waiting(opcode, mem::take(payload)));
            }
            match self.websocket.try_feed_message(opcode, &payload[..]) {
                Ok(()) => {}
                Err(TryFeedError::Full(_)) => {
                    return Poll::Ready(Pause::Waiting(opcode, mem::take(payload)));
                }
                // After the server's Close frame only the peer's is awaited.
                Err(TryFeedError::Failed(error)) if error.closed().is_some() => {}
                Err(TryFeedError::Failed(error)) => return Poll::Ready(Pause::Ended(error)),
            }
        }
    }

    /// Sends a message that must wait, without copying it.
    async fn send(&mut self, opcode: Opcode, payload: Vec<u8>) -> Result<(), Error> {
        let sent = self.websocket.feed_message(opcode, &payload).await;
        recycle(payload);
        match sent {
            Err(error) if error.closed().is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends the message that must wait, or ends the connection.
    async fn pass(mut self, pause: Pause) -> Option<Self> {
        let end = match pause {
            Pause::Waiting(opcode, payload) => match self.send(opcode, payload).await {
                Ok(()) => return Some(self),
                Err(error) => error,
            },
            Pause::Ended(error) => error,
            Pause::Ending => self.go_away().await,
        };
        self.finish(end).await;
        None
    }

    /// Closes the connection with 1001, and echoes until the peer has answered.
    async fn go_away(&mut self) -> Error {
        if let Err(error) = self.websocket.close(CloseCode::GOING_AWAY, GOODBYE).await {
            return error;
        }
        loop {
            let sent = match poll_fn(|cx| self.poll_echo(cx)).await {
                Pause::Waiting(opcode, payload) => self.send(opcode, payload).await,
                Pause::Ended(error) => Err(error),
                Pause::Ending => Ok(()),
            };
            if let Err(error) = sent {
                return error;
            }
        }
    }

    /// Ends a connection.
    async fn finish(mut self, end: Error) {
        let Details {
            peer,
            traffic,
            slot_guard,
        } = &*self.details;
        let server = &slot_guard.engine.server;
        let is_stalled = self.websocket.stream().get_ref().is_stalled();
        let end = if is_stalled { server.stalled() } else { end };
        server.log(format_args!("{peer} {}", traffic.until(&end)));
        if self.websocket.flush().await.is_ok() {
            linger(self.websocket.into_inner().0).await;
        }
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

thread_local! {
    /// The memory of the last message, for the next message of any connection.
    static PAYLOAD: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn recycle(payload: Vec<u8>) {
    if payload.capacity() <= MAX_RECYCLED {
        PAYLOAD.set(payload);
    }
}

/// The longest message that is copied into the write buffer.
const FED_AT_ONCE: usize = 64 << 10;
/// The largest message memory that is reused.
const MAX_RECYCLED: usize = 1 << 20;
/// How many bytes are read with one call, before and after the connection is open.
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
