//! The client end: a WebSocket connection for each TCP connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use framewire::handshake::Connector;
use framewire::tokio::{Stream, WebSocket, handshake};
use framewire::{Error, ErrorKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::carry::{CONFIG, Patience, SUBPROTOCOL, carry};
use super::end::GOODBYE;
use super::listening::accept;
use super::log::Log;
use super::options::Options;
use super::query::with_target;
use super::stop::Stop;
use crate::backoff::Backoff;
use crate::failure::Failure;
use crate::reach::{failure, to_ascii};
use crate::serve::reset_on_close;

/// What all tunnels of a client end share.
#[derive(Debug)]
pub(super) struct Entrance {
    /// Of the server end, with the target.
    url: String,
    connector: Connector,
    retry: Duration,
    patience: Patience,
    max_connections: usize,
    log: Log,
}

impl Entrance {
    pub(super) fn new(options: &Options, url: &str, patience: Patience) -> Result<Self, Failure> {
        let url = to_ascii(url).map_err(Failure::NoConnection)?;
        let url = match &options.client.target {
            Some(target) => with_target(&url, target),
            None => url,
        };
        let mut names = vec![SUBPROTOCOL.to_owned()];
        names.extend(options.reach.subprotocol.iter().cloned());
        let connector = options.reach.connector().map_err(Failure::NoConnection)?;
        let connector = connector.subprotocols(names);
        let connector = connector.map_err(|error| Failure::NoConnection(error.to_string()))?;
        // What can never work is told at once.
        let request = connector.request(&url);
        request.map_err(|error| Failure::NoConnection(error.to_string()))?;
        Ok(Self {
            url,
            connector,
            retry: options.client.retry,
            patience,
            max_connections: options.max_connections,
            log: Log::new(options.quiet),
        })
    }

    /// Opens a tunnel for each connection.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, stop: Stop) {
        let places = Arc::new(Semaphore::new(
            self.max_connections.min(Semaphore::MAX_PERMITS),
        ));
        // It is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (tcp, peer) = accept(&listener, self.log).await;
            tokio::spawn(Arc::clone(&self).tunnel(tcp, peer, place, stop.clone()));
        }
    }

    async fn tunnel(
        self: Arc<Self>,
        tcp: TcpStream,
        peer: SocketAddr,
        _place: OwnedSemaphorePermit,
        mut stop: Stop,
    ) {
        let dialled = tokio::select! {
            dialled = self.dial(&tcp, peer) => dialled,
            () = stop.wait() => Err(GOODBYE.to_owned()),
        };
        let (websocket, tries) = match dialled {
            Ok(dialled) => dialled,
            Err(why) => {
                self.log.line(format_args!("{peer} no tunnel: {why}"));
                return reset_on_close(&tcp);
            }
        };
        match tries {
            1 => self.log.line(format_args!("{peer} open")),
            _ => self
                .log
                .line(format_args!("{peer} open after {tries} tries")),
        }
        let carried = carry(tcp, websocket, self.patience, stop).await;
        self.log.line(format_args!("{peer} {carried}"));
    }

    /// Connects to the server end, again and again while it is away, and logs why it has to. Returns how often it has
    /// tried, too. Fails with why it did not work at last.
    async fn dial(
        &self,
        tcp: &TcpStream,
        peer: SocketAddr,
    ) -> Result<(WebSocket<Stream>, u32), String> {
        let (retry, give_up) = (self.retry, Instant::now() + self.retry);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut tries = 0;
        loop {
            tries += 1;
            let refused = match handshake::connect(&self.url, &self.connector).await {
                Ok(established) => {
                    let websocket = WebSocket::from_established(established, CONFIG);
                    let websocket = websocket.map_err(|error| error.to_string())?;
                    return Ok((websocket, tries));
                }
                Err(error) => failure(&Error::from(ErrorKind::Handshake(error))),
            };
            let lasts = matches!(refused, Failure::Refused { lasts: true, .. });
            let (why, pause) = (why(&refused), backoff.pause());
            let left = give_up.saturating_duration_since(Instant::now());
            if lasts || left.is_zero() {
                return Err(match tries {
                    1 => why,
                    _ => format!("{why}; given up after {tries} tries"),
                });
            }
            if tries == 1 {
                let line = format_args!("{peer} no tunnel yet: {why}; trying again for {retry:?}");
                self.log.line(line);
            }
            sleep(pause.min(left)).await;
            if let Ok(Some(error)) = tcp.take_error() {
                return Err(format!("tcp connection failed: {error}"));
            }
        }
    }
}

/// Describes why there is no connection, with what the server says of it.
fn why(refused: &Failure) -> String {
    match refused {
        Failure::Refused { message, lines, .. } if !lines.is_empty() => {
            format!("{message}: {}", lines.join(" "))
        }
        other => other.to_string(),
    }
}

/// The most to wait after the first try, and after any.
const FIRST_PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
