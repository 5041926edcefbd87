//! What is the same for every engine: the state that all connections share, what is answered and logged, and for how
//! long peers are waited for.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use framewire::handshake::{Acceptor, is_websocket};
use framewire::rustls::ServerConfig;
use framewire::{Config, Limits};
use http::{Request, Response};
use socket2::SockRef;

use super::options::Options;
use super::page;
use crate::terminal;

/// Makes SIGINT, SIGTERM and SIGHUP call `handler`, from a thread of its own, instead of ending the program.
pub(crate) fn on_signal(handler: impl FnMut() + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(handler).map_err(|error| format!("cannot handle signals: {error}"))
}

/// Tells the user that a server accepts connections, and where.
pub(crate) fn announce(listener: &TcpListener, has_tls: bool) -> Result<(), String> {
    let scheme = if has_tls { "wss" } else { "ws" };
    let announced = listener.local_addr().and_then(|address| {
        let mut stdout = io::stdout();
        writeln!(stdout, "listening on {scheme}://{address}/")?;
        stdout.flush()
    });
    announced.map_err(|error| format!("cannot print where to connect: {error}"))
}

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) acceptor: Acceptor,
    pub(super) config: Config,
    pub(super) tls: Option<Arc<ServerConfig>>,
    page: String,
    pub(super) max_connections: usize,
    /// How long a peer may take none of what is sent.
    pub(super) write_timeout: Duration,
    quiet: bool,
}

impl Server {
    pub(super) fn new(options: &Options, acceptor: Acceptor) -> Result<Self, String> {
        let config =
            Config::default().limits(Limits::default().message(options.max_message as u64));
        Ok(Self {
            acceptor,
            config,
            tls: options.accept.tls.config()?,
            page: page::page(options.max_message),
            max_connections: options.max_connections,
            write_timeout: options.accept.write_timeout,
            quiet: options.quiet,
        })
    }

    /// Tells the user that the server accepts connections, and where.
    pub(super) fn announce(&self, listener: &TcpListener) -> Result<(), String> {
        announce(listener, self.tls.is_some())
    }

    /// Returns the answer that replaces the acceptor's, if there is one. That is the page if the request does
    /// not ask for a WebSocket, and that the server is full if the acceptor accepts the request (it is not
    /// `refused`) and there is no slot to `reserve`.
    pub(super) fn answer(
        &self,
        request: &Request<()>,
        refused: bool,
        reserve: impl FnOnce() -> bool,
    ) -> Option<Answer<'_>> {
        if !is_websocket(request) {
            return Some(Answer {
                to: format!("{} {}", request.method(), request.uri()),
                response: page::answer(request, &self.page),
            });
        }
        (!refused && !reserve()).then(|| Answer {
            to: "handshake".to_owned(),
            response: page::full(),
        })
    }

    /// Returns the error of a connection whose peer takes nothing.
    pub(super) fn stalled(&self) -> framewire::Error {
        let limit = self.write_timeout;
        let error = io::Error::other(format!("peer took nothing for {limit:?}"));
        framewire::ErrorKind::Io(error).into()
    }

    pub(super) fn log(&self, line: fmt::Arguments<'_>) {
        if !self.quiet {
            terminal::log(line);
        }
    }
}

/// A response of the server's own, with which a connection ends.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// A description of the answer, for the log.
    pub(super) to: String,
    pub(super) response: Response<&'a str>,
}

/// Returns whether accepting failed only for one connection, which was gone already, so that the next can be
/// accepted at once.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
    )
}

/// Makes the socket reset the connection when it is closed, for a peer that takes nothing. Otherwise the system
/// would go on holding what was sent.
pub(crate) fn reset_on_close<'s>(socket: impl Into<SockRef<'s>>) {
    // It fails if the socket is gone already.
    let _ = socket.into().set_linger(Some(Duration::ZERO));
}

/// How long TLS may take if the server has it, and then the request: the default of the library's blocking
/// calls.
pub(super) const TIME: Duration = Duration::from_secs(10);
/// The reason in the Close frame with which the server ends every connection.
pub(super) const GOODBYE: &str = "server is shutting down";
/// How long the peers have to answer the Close frame when the server ends.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// How long a peer may go on sending after it was sent a Close frame.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// How long to wait after accepting a connection has failed.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
