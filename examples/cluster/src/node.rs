//! A node: it accepts clients until it is told to stop, and lets them go in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use framewire::Config;
use framewire::handshake::Acceptor;
use framewire::http::{Response, StatusCode};
use framewire::tokio::WebSocket;
use framewire::tokio::handshake::{PendingHandshake, receive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::connection::{Connection, MOST, watch_over};
use crate::history::History;
use crate::nats::Nats;
use crate::protocol::Entry;
use crate::room::Rooms;
use crate::serve::serve;

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// Where NATS is
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    pub nats: String,

    /// How many clients there can be at once
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub max_clients: usize,

    /// How many messages of each room are kept in memory, framed
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub keep: usize,
}

/// A node that is ready to run.
#[derive(Debug)]
pub struct Node<H> {
    listener: TcpListener,
    rooms: Arc<Rooms<H>>,
    places: Arc<Semaphore>,
}

impl Node<Nats> {
    /// Connects to NATS and binds the address.
    pub async fn start(options: &Options) -> Result<Self> {
        let connection = Connection::open(&options.nats).await?;
        let history = Nats::open(connection.client).await?;
        let bound = TcpListener::bind(options.listen).await;
        Ok(Self {
            listener: bound.with_context(|| format!("cannot listen on {}", options.listen))?,
            rooms: Arc::new(Rooms::new(history, connection.count, options.keep)),
            places: Arc::new(Semaphore::new(options.max_clients)),
        })
    }
}

impl<H: History> Node<H> {
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is told to stop: then no client is accepted, and those that are there are told to go.
    ///
    /// # Errors
    /// NATS was out of reach for so long that the node has ended by itself.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let (lost, is_lost) = watch::channel(false);
        let (history, ending) = (self.rooms.history().clone(), stop.child_token());
        let end = ending.clone().drop_guard();
        let _watching = AbortOnDropHandle::new(tokio::spawn(async move {
            watch_over(|| history.is_connected(), &lost).await;
            drop(end);
        }));
        let clients = TaskTracker::new();
        while let Some(accepted) = ending.run_until_cancelled(self.listener.accept()).await {
            let Ok((stream, peer)) = accepted else {
                // Too many files are open, or the peer is gone already.
                sleep(PAUSE).await;
                continue;
            };
            let (rooms, places) = (Arc::clone(&self.rooms), Arc::clone(&self.places));
            let (ending, is_lost) = (ending.clone(), is_lost.clone());
            clients.spawn(async move {
                if let Err(error) = welcome(stream, &rooms, &places, is_lost, &ending).await {
                    // A reason that the peer gave must not begin a new line.
                    let error = format!("{error:#}").replace(char::is_control, " ");
                    eprintln!("{peer}: {error}");
                }
            });
        }
        drop(self.listener);
        clients.close();
        // One that does not read is not waited for.
        let _ = timeout(GOODBYES, clients.wait()).await;
        ensure!(
            stop.is_cancelled(),
            "NATS was out of reach for {} s",
            MOST.as_secs()
        );
        Ok(())
    }
}

async fn welcome(
    stream: TcpStream,
    rooms: &Rooms<impl History>,
    places: &Semaphore,
    is_lost: watch::Receiver<bool>,
    stop: &CancellationToken,
) -> Result<()> {
    // A handshake needs more memory than a client at rest: it is in a box that is gone by then.
    let admitted = Box::pin(admit(stream, rooms, places));
    let Some(admitted) = stop.run_until_cancelled(admitted).await else {
        return Ok(());
    };
    let Some((websocket, entry, _place)) = admitted? else {
        return Ok(());
    };
    let room = rooms.room(&entry.room);
    serve(websocket, rooms.history(), room, &entry, is_lost, stop).await
}

/// Answers a request. Returns the client that is let in, if it is one, and its place.
async fn admit<'a>(
    stream: TcpStream,
    rooms: &Rooms<impl History>,
    places: &'a Semaphore,
) -> Result<Option<(WebSocket<TcpStream>, Entry, SemaphorePermit<'a>)>> {
    let acceptor = Acceptor::new();
    let request = receive(stream, &acceptor).await?;
    let uri = request.request().uri();
    let answer = match uri.path() {
        "/health" if rooms.history().is_connected() => (StatusCode::OK, ""),
        "/health" => OUT_OF_REACH,
        "/" if !request.is_websocket() => (StatusCode::OK, PAGE),
        path => match Entry::parse(path, uri.query().unwrap_or_default()) {
            Err(reason) => (StatusCode::BAD_REQUEST, reason),
            Ok(_) if !rooms.history().is_connected() => OUT_OF_REACH,
            Ok(entry) => match places.try_acquire() {
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node is full"),
                Ok(place) => {
                    let mut config = Config::default();
                    config.limits.message = MAX_MESSAGE;
                    config.limits.frame = MAX_MESSAGE;
                    let established = request.accept().await?;
                    let websocket = WebSocket::from_established(established, config)?;
                    return Ok(Some((websocket, entry, place)));
                }
            },
        },
    };
    refuse(request, answer).await?;
    Ok(None)
}

async fn refuse(
    request: PendingHandshake<TcpStream>,
    (status, text): (StatusCode, &'static str),
) -> Result<()> {
    let kind = if text == PAGE {
        "text/html"
    } else {
        "text/plain"
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", format!("{kind}; charset=utf-8"))
        .body(text)?;
    request.refuse(&response).await?;
    Ok(())
}

const OUT_OF_REACH: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "NATS is out of reach");
/// A chat in the browser.
const PAGE: &str = include_str!("page.html");
/// Of a client, in bytes: the longest text with every byte escaped, and what is around it.
const MAX_MESSAGE: u64 = 32 << 10;
/// How long clients may take to go: what is being written to them, and to close.
const GOODBYES: Duration = Duration::from_secs(10);
/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use framewire::CloseCode;
    use framewire::tokio::connect;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::script::Script;

    /// A node on loopback with places for two clients.
    struct Running {
        script: Script,
        address: SocketAddr,
        stop: CancellationToken,
        ended: JoinHandle<Result<()>>,
        _connected: watch::Sender<u64>,
    }

    impl Running {
        async fn start() -> Self {
            let script = Script::default();
            let (connected, connections) = watch::channel(1);
            let node = Node {
                listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
                rooms: Arc::new(Rooms::new(script.clone(), connections, 2)),
                places: Arc::new(Semaphore::new(2)),
            };
            let stop = CancellationToken::new();
            Self {
                script,
                address: node.address().unwrap(),
                ended: tokio::spawn(node.run(stop.clone())),
                stop,
                _connected: connected,
            }
        }

        /// Returns the status of the answer to a request that is not for a WebSocket.
        async fn status(&self, target: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            let read = timeout(LONG, stream.read_exact(&mut status)).await;
            read.unwrap().unwrap();
            String::from_utf8_lossy(&status[9..]).into_owned()
        }

        fn url(&self) -> String {
            format!("ws://{}/room?client=ann&session=1", self.address)
        }
    }

    #[tokio::test]
    async fn a_node_without_nats_lets_nobody_in() {
        let node = Running::start().await;
        assert_eq!(node.status("/health").await, "200");
        assert_eq!(node.status("/").await, "200");
        node.script.go_away();
        assert_eq!(node.status("/health").await, "503");
        assert_eq!(node.status("/room?client=ann&session=1").await, "503");
        assert!(connect(&node.url()).await.is_err());
    }

    #[tokio::test]
    async fn a_node_that_is_full_lets_a_client_in_once_another_has_gone() {
        let node = Running::start().await;
        let mut first = connect(&node.url()).await.unwrap();
        let _second = connect(&node.url()).await.unwrap();
        assert!(connect(&node.url()).await.is_err());
        first.close(CloseCode::NORMAL, "").await.unwrap();
        // The node ends the connection before it gives the place away.
        let _ = timeout(LONG, first.shutdown(LONG)).await.unwrap();
        let again = async {
            while connect(&node.url()).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, again).await.unwrap();
    }

    #[tokio::test]
    async fn a_node_that_is_told_to_stop_tells_its_clients_and_ends() {
        let node = Running::start().await;
        let mut client = connect(&node.url()).await.unwrap();
        client.next_message().await.unwrap().unwrap();
        node.stop.cancel();
        let end = timeout(LONG, client.next_message()).await.unwrap();
        assert!(end.unwrap().is_none());
        assert_eq!(client.closed().unwrap().code(), CloseCode::GOING_AWAY);
        let ended = timeout(LONG, node.ended).await.unwrap();
        assert!(ended.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_without_nats_for_long_ends_by_itself() {
        let node = Running::start().await;
        node.script.go_away();
        let ended = timeout(MOST + LONG, node.ended).await.unwrap();
        assert!(ended.unwrap().is_err());
    }

    /// Longer than anything may take.
    const LONG: Duration = Duration::from_secs(20);
}
