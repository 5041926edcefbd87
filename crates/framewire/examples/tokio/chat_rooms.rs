//! A chat with rooms, names and an orderly end: the program that the tutorial in `docs/tutorial` builds, step by step.
//!
//! `cargo run -p framewire --example tokio_chat_rooms --features tokio-net -- 127.0.0.1:9001`, and for a member
//! `cargo run -- connect -H 'Cookie: session=a1' ws://127.0.0.1:9001/rooms/lobby`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use framewire::handshake::Acceptor;
use framewire::http::header::COOKIE;
use framewire::http::{HeaderMap, Response, StatusCode};
use framewire::tokio::{WebSocket, handshake};
use framewire::{CloseCode, Config, Error, Limits, PreparedMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::select;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/rooms/lobby", listener.local_addr()?);
    let stop = CancellationToken::new();
    let server = tokio::spawn(run(listener, Chat::new(), stop.clone()));
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    server.await?
}

/// Serves until it is told to stop, and ends when all members are gone.
pub(crate) async fn run(
    listener: TcpListener,
    chat: Chat,
    stop: CancellationToken,
) -> io::Result<()> {
    let (chat, members) = (Arc::new(chat), TaskTracker::new());
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, peer)) = accepted else {
            // Too many files are open, or the peer is gone already.
            sleep(PAUSE).await;
            continue;
        };
        let (chat, stop) = (Arc::clone(&chat), stop.clone());
        members.spawn(async move {
            if let Err(error) = serve(stream, &chat, &stop).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
    drop(listener);
    members.close();
    members.wait().await;
    Ok(())
}

/// What all connections share.
pub(crate) struct Chat {
    acceptor: Acceptor,
    /// The names of the members, by their sessions.
    sessions: HashMap<&'static str, &'static str>,
    rooms: HashMap<&'static str, Sender<PreparedMessage>>,
}

impl Chat {
    pub(crate) fn new() -> Self {
        Self {
            // The default: pages of the same origin, and programs that are no browsers.
            acceptor: Acceptor::new(),
            sessions: HashMap::from([("a1", "Ada"), ("b2", "Bob")]),
            rooms: HashMap::from(["lobby", "rust"].map(|room| (room, Sender::new(BACKLOG)))),
        }
    }

    fn room(&self, path: &str) -> Option<&Sender<PreparedMessage>> {
        self.rooms.get(path.strip_prefix("/rooms/")?)
    }

    fn name(&self, headers: &HeaderMap) -> Option<&'static str> {
        let cookies = headers.get_all(COOKIE).iter();
        let mut cookies = cookies.flat_map(|line| line.to_str().unwrap_or("").split("; "));
        let session = cookies.find_map(|cookie| cookie.strip_prefix("session="))?;
        self.sessions.get(session).copied()
    }
}

/// A connection that was let in.
struct Member<'a, S> {
    websocket: WebSocket<S>,
    name: &'static str,
    room: &'a Sender<PreparedMessage>,
    heard: Receiver<PreparedMessage>,
}

/// Serves one connection, over any stream.
async fn serve<S>(stream: S, chat: &Chat, stop: &CancellationToken) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    match stop.run_until_cancelled(enter(stream, chat)).await {
        Some(Ok(Some(member))) => talk(member, stop).await,
        Some(Err(error)) => Err(error),
        Some(Ok(None)) | None => Ok(()),
    }
}

/// Does the handshake. Returns `None` for a client that was refused.
async fn enter<S>(stream: S, chat: &Chat) -> Result<Option<Member<'_, S>>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let pending = handshake::receive(stream, &chat.acceptor).await?;
    let Some(room) = chat.room(pending.request().uri().path()) else {
        let answer = Response::builder().status(StatusCode::NOT_FOUND);
        pending.refuse(&answer.body("no such room\n")?).await?;
        return Ok(None);
    };
    let Some(name) = chat.name(pending.request().headers()) else {
        let answer = Response::builder().status(StatusCode::UNAUTHORIZED);
        pending.refuse(&answer.body("log in first\n")?).await?;
        return Ok(None);
    };
    // Before the answer: a connected member hears all that is said from then on.
    let heard = room.subscribe();
    let established = pending.accept().await?;
    let mut websocket = WebSocket::from_established(established, CONFIG)?;
    websocket.set_keep_alive(PING_EACH, PONG_WITHIN)?;
    Ok(Some(Member {
        websocket,
        name,
        room,
        heard,
    }))
}

async fn talk<S>(mut member: Member<'_, S>, stop: &CancellationToken) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let websocket = &mut member.websocket;
    loop {
        select! {
            message = websocket.next_message() => {
                let Some(message) = message? else { return Ok(()) };
                let Some(text) = message.text() else {
                    return goodbye(websocket, CloseCode::UNSUPPORTED_DATA, "text only").await;
                };
                // This member listens too, so that it cannot fail.
                let line = format!("{}: {text}", member.name);
                let _ = member.room.send(PreparedMessage::new(line)?);
            }
            said = member.heard.recv() => {
                let write = async {
                    match said {
                        Ok(message) => websocket.write_prepared(&message).await,
                        Err(RecvError::Lagged(missed)) => {
                            websocket.write(format!("({missed} messages missed)")).await
                        }
                        Err(RecvError::Closed) => Ok(()),
                    }
                };
                // While this waits, nothing is read, and no Ping is sent.
                timeout(WRITE_WITHIN, write).await.map_err(io::Error::from)??;
            }
            () = stop.cancelled() => {
                return goodbye(websocket, CloseCode::GOING_AWAY, "the server is ending").await;
            }
        }
    }
}

/// Closes a connection from this end.
async fn goodbye<S>(
    websocket: &mut WebSocket<S>,
    code: CloseCode,
    reason: &str,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let goodbye = async {
        websocket.close(code, reason).await?;
        websocket.shutdown(Duration::MAX).await
    };
    // A peer that reads nothing holds up the Close frame too.
    timeout(GRACE, goodbye)
        .await
        .map_or(Ok(()), |end| end.map(drop))
}

/// What one connection may take: messages of 4 KiB.
const CONFIG: Config = Config::new().limits(Limits::new().message(4 << 10));
/// How many messages a member may be behind.
const BACKLOG: usize = 64;
/// How often a silent member is asked whether it is still there.
const PING_EACH: Duration = Duration::from_secs(30);
/// How long its answer may take.
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// How long a member may take nothing of a message that is written to it.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a member has to answer the Close frame.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use framewire::ErrorKind;
    use framewire::handshake::Connector;
    use framewire::tokio::connect_stream_with;
    use tokio::io::{DuplexStream, duplex};

    type Client = WebSocket<DuplexStream>;

    /// Whatever takes longer hangs.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A chat without a network: each connection is a pair of streams in memory.
    #[derive(Clone)]
    struct Server {
        chat: Arc<Chat>,
        stop: CancellationToken,
        members: TaskTracker,
    }

    impl Server {
        fn new() -> Self {
            let (stop, members) = (CancellationToken::new(), TaskTracker::new());
            Self {
                chat: Arc::new(Chat::new()),
                stop,
                members,
            }
        }

        async fn connect(&self, path: &str, connector: &Connector) -> Result<Client, Error> {
            let (client, server) = duplex(4096);
            let this = self.clone();
            self.members
                .spawn(async move { serve(server, &this.chat, &this.stop).await });
            let uri = format!("ws://chat.example{path}");
            connect_stream_with(client, &uri, connector, Config::default()).await
        }

        async fn enter(&self, room: &str, session: &str) -> Client {
            let path = format!("/rooms/{room}");
            self.connect(&path, &with(session)).await.unwrap()
        }
    }

    fn with(session: &str) -> Connector {
        let cookies = format!("theme=dark; session={session}");
        Connector::new().header("cookie", cookies).unwrap()
    }

    async fn hears(client: &mut Client) -> String {
        let message = timeout(PATIENCE, client.next_message()).await.unwrap();
        let message = message.unwrap().unwrap();
        message.text().unwrap().to_owned()
    }

    fn refused_with(client: Result<Client, Error>) -> StatusCode {
        match client.unwrap_err().into_kind() {
            ErrorKind::Handshake(error) => error.response().unwrap().status(),
            kind => panic!("{kind:?}"),
        }
    }

    #[tokio::test]
    async fn all_in_a_room_hear_what_one_of_them_says_and_nobody_else_does() {
        let server = Server::new();
        let mut ada = server.enter("lobby", "a1").await;
        let mut bob = server.enter("lobby", "b2").await;
        let mut elsewhere = server.enter("rust", "b2").await;
        ada.write("hello").await.unwrap();
        assert_eq!(hears(&mut ada).await, "Ada: hello");
        assert_eq!(hears(&mut bob).await, "Ada: hello");
        elsewhere.write("here?").await.unwrap();
        assert_eq!(hears(&mut elsewhere).await, "Bob: here?");
    }

    #[tokio::test]
    async fn strangers_other_rooms_and_pages_of_other_sites_are_refused() {
        let server = Server::new();
        let nobody = server.connect("/rooms/lobby", &Connector::new()).await;
        assert_eq!(refused_with(nobody), StatusCode::UNAUTHORIZED);
        let forged = server.connect("/rooms/lobby", &with("c3")).await;
        assert_eq!(refused_with(forged), StatusCode::UNAUTHORIZED);
        let nowhere = server.connect("/rooms/cellar", &with("a1")).await;
        assert_eq!(refused_with(nowhere), StatusCode::NOT_FOUND);
        let page = with("a1").origin("https://elsewhere.example").unwrap();
        let page = server.connect("/rooms/lobby", &page).await;
        assert_eq!(refused_with(page), StatusCode::FORBIDDEN);
        let page = with("a1").origin("https://chat.example").unwrap();
        assert!(server.connect("/rooms/lobby", &page).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_falls_behind_is_told_how_much_it_missed() {
        let server = Server::new();
        let mut ada = server.enter("lobby", "a1").await;
        let mut bob = server.enter("lobby", "b2").await;
        let long = "a".repeat(4000);
        for _ in 0..100 {
            ada.write(&long).await.unwrap();
            hears(&mut ada).await;
        }
        let mut heard = 0;
        while !hears(&mut bob).await.contains("messages missed") {
            heard += 1;
        }
        assert!(heard < 100, "{heard}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_reads_nothing_is_let_go() {
        let server = Server::new();
        let mut ada = server.enter("lobby", "a1").await;
        let mut bob = server.enter("lobby", "b2").await;
        for _ in 0..10 {
            ada.write("a".repeat(4000)).await.unwrap();
            hears(&mut ada).await;
        }
        // Time passes at once where everybody waits.
        sleep(2 * WRITE_WITHIN).await;
        let end = async {
            while bob.next_message().await?.is_some() {}
            Ok::<_, Error>(())
        };
        let error = timeout(PATIENCE, end).await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ConnectionLost));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_of_the_server_members_are_told_and_nobody_holds_it_up() {
        let server = Server::new();
        let mut ada = server.enter("lobby", "a1").await;
        // Bob never reads the Close frame.
        let _bob = server.enter("lobby", "b2").await;
        server.stop.cancel();
        server.members.close();
        assert!(ada.next_message().await.unwrap().is_none());
        assert_eq!(ada.closed().unwrap().code(), CloseCode::GOING_AWAY);
        timeout(2 * GRACE, server.members.wait()).await.unwrap();
    }
}
