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
pub struct Node {
    listener: TcpListener,
    rooms: Arc<Rooms>,
    places: Arc<Semaphore>,
}

impl Node {
    /// Connects to NATS and binds the address.
    pub async fn start(options: &Options) -> Result<Self> {
        let connection = Connection::open(&options.nats).await?;
        let history = History::open(connection.client).await?;
        let bound = TcpListener::bind(options.listen).await;
        Ok(Self {
            listener: bound.with_context(|| format!("cannot listen on {}", options.listen))?,
            rooms: Rooms::new(history, connection.count, options.keep),
            places: Arc::new(Semaphore::new(options.max_clients)),
        })
    }

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
    rooms: &Arc<Rooms>,
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
    rooms: &Rooms,
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
