//! A node: it accepts clients until it is told to stop, and lets them go in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::{ConnectOptions, Event};
use clap::Args;
use framewire::Config;
use framewire::handshake::Acceptor;
use framewire::http::{Response, StatusCode};
use framewire::tokio::WebSocket;
use framewire::tokio::handshake::{PendingHandshake, receive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
        let (connected, connections) = watch::channel(0);
        let connect = ConnectOptions::new()
            .connection_timeout(CONNECT)
            .request_timeout(Some(ANSWER))
            .ping_interval(PING)
            .reconnect_delay_callback(|attempt| RECONNECT * attempt.min(20) as u32)
            .event_callback(move |event| {
                if let Event::Connected | Event::SlowConsumer(_) = event {
                    connected.send_modify(|count| *count += 1);
                }
                async {}
            });
        let client = connect_in_time(&options.nats, connect).await?;
        let history = History::open(client).await?;
        let bound = TcpListener::bind(options.listen).await;
        Ok(Self {
            listener: bound.with_context(|| format!("cannot listen on {}", options.listen))?,
            rooms: Rooms::new(history, connections, options.keep),
            places: Arc::new(Semaphore::new(options.max_clients)),
        })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is told to stop: then no client is accepted, and those that are there are told to go.
    pub async fn run(self, stop: CancellationToken) {
        let clients = TaskTracker::new();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let Ok((stream, peer)) = accepted else {
                // Too many files are open, or the peer is gone already.
                sleep(PAUSE).await;
                continue;
            };
            let (rooms, places) = (Arc::clone(&self.rooms), Arc::clone(&self.places));
            let stop = stop.clone();
            clients.spawn(async move {
                if let Err(error) = welcome(stream, &rooms, &places, &stop).await {
                    // A reason that the peer gave must not begin a new line.
                    let error = format!("{error:#}").replace(char::is_control, " ");
                    eprintln!("{peer}: {error}");
                }
            });
        }
        drop(self.listener);
        clients.close();
        clients.wait().await;
    }
}

/// Connects to NATS, which may have been started just now.
async fn connect_in_time(url: &str, options: ConnectOptions) -> Result<async_nats::Client> {
    let end = Instant::now() + FIRST_CONNECT;
    loop {
        match options.clone().connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() >= end => {
                return Err(error).with_context(|| format!("cannot connect to {url}"));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn welcome(
    stream: TcpStream,
    rooms: &Arc<Rooms>,
    places: &Semaphore,
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
    serve(websocket, rooms.history(), room, &entry, stop).await
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
        "/health" => (StatusCode::SERVICE_UNAVAILABLE, "NATS is out of reach"),
        "/" if !request.is_websocket() => (StatusCode::OK, PAGE),
        path => match Entry::parse(path, uri.query().unwrap_or_default()) {
            Err(reason) => (StatusCode::BAD_REQUEST, reason),
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

/// A chat in the browser.
const PAGE: &str = include_str!("page.html");
/// Of a client, in bytes: the longest text with every byte escaped, and what is around it.
const MAX_MESSAGE: u64 = 32 << 10;
/// How long NATS may take to be there when a node starts.
const FIRST_CONNECT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(10);
const RECONNECT: Duration = Duration::from_millis(50);
/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
