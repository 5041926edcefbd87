//! `framewire serve`: an echo server, and a page to try it from a browser.
//!
//! This module holds what is the same for every engine: which connections are accepted, what is answered,
//! logged and counted. An engine moves the bytes, each in a module of its own: it calls [`on_signal`],
//! announces its address with [`Server::announce`], and returns when the connections are closed.

mod blocking;
mod options;
mod page;
mod policy;
mod poll;
mod request;
mod slots;
mod stall;
mod tokio;
mod traffic;

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args as _, Command};
use framewire::Config;
use framewire::handshake::{Acceptor, is_websocket};
use framewire::rustls::ServerConfig;
use http::{Request, Response};
use socket2::SockRef;

pub(crate) use self::options::Options;

use self::options::Engine;
use crate::failure::Failure;
use crate::terminal::is_deceptive;

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if options.threads.is_some() && options.engine != Engine::Tokio {
        return Err(misuse("--threads is for the engine tokio"));
    }
    let acceptor = policy::acceptor(options).map_err(misuse)?;
    serve(options, acceptor).map_err(Failure::NoConnection)
}

/// Returns the error for options that are well-formed but do not fit together.
fn misuse(message: impl fmt::Display) -> Failure {
    let mut command = Options::augment_args(Command::new("framewire serve"));
    Failure::Usage(command.error(clap::error::ErrorKind::ArgumentConflict, message))
}

fn serve(options: &Options, acceptor: Acceptor) -> Result<(), String> {
    let server = Server::new(options, acceptor)?;
    let listener = TcpListener::bind(&options.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    stall::bound_unsent(&listener);
    match options.engine {
        Engine::Blocking => blocking::run(server, listener),
        Engine::Poll => poll::run(server, listener),
        Engine::Tokio => tokio::run(server, listener, options.threads.unwrap_or(1).into()),
    }
}

/// Makes SIGINT, SIGTERM and SIGHUP call `handler`, from a thread of its own, instead of ending the program.
fn on_signal(handler: impl FnMut() + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(handler).map_err(|error| format!("cannot handle signals: {error}"))
}

/// The state that all connections share.
#[derive(Debug)]
struct Server {
    acceptor: Acceptor,
    config: Config,
    tls: Option<Arc<ServerConfig>>,
    page: String,
    max_connections: usize,
    /// How long a peer may take none of what is sent.
    write_timeout: Duration,
    quiet: bool,
}

impl Server {
    fn new(options: &Options, acceptor: Acceptor) -> Result<Self, String> {
        let mut config = Config::default();
        config.limits.message = options.max_message as u64;
        Ok(Self {
            acceptor,
            config,
            tls: policy::tls(options)?,
            page: page::page(options.max_message),
            max_connections: options.max_connections,
            write_timeout: options.write_timeout,
            quiet: options.quiet,
        })
    }

    /// Tells the user that the server accepts connections, and where.
    fn announce(&self, listener: &TcpListener) -> Result<(), String> {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let announced = listener.local_addr().and_then(|address| {
            let mut stdout = io::stdout();
            writeln!(stdout, "listening on {scheme}://{address}/")?;
            stdout.flush()
        });
        announced.map_err(|error| format!("cannot print where to connect: {error}"))
    }

    /// Returns the answer that replaces the acceptor's, if there is one. That is the page if the request does
    /// not ask for a WebSocket, and that the server is full if the acceptor accepts the request (it is not
    /// `refused`) and there is no slot to `reserve`.
    fn answer(
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
    fn stalled(&self) -> framewire::Error {
        let limit = self.write_timeout;
        let error = io::Error::other(format!("peer took nothing for {limit:?}"));
        framewire::ErrorKind::Io(error).into()
    }

    fn log(&self, line: fmt::Arguments<'_>) {
        if !self.quiet {
            // The peer has written part of it: a close reason must not begin a new line.
            let line = line.to_string().replace(is_deceptive, " ");
            // If standard error is closed, the line is lost.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

/// A response of the server's own, with which a connection ends.
#[derive(Debug)]
struct Answer<'a> {
    /// A description of the answer, for the log.
    to: String,
    response: Response<&'a str>,
}

/// Returns whether accepting failed only for one connection, which was gone already, so that the next can be
/// accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
    )
}

/// Makes the socket reset the connection when it is closed, for a peer that takes nothing. Otherwise the system
/// would go on holding what was sent.
fn reset_on_close<'s>(socket: impl Into<SockRef<'s>>) {
    // It fails if the socket is gone already.
    let _ = socket.into().set_linger(Some(Duration::ZERO));
}

/// How long TLS may take if the server has it, and then the request: the default of the library's blocking
/// calls.
const TIME: Duration = Duration::from_secs(10);
/// The reason in the Close frame with which the server ends every connection.
const GOODBYE: &str = "server is shutting down";
/// How long the peers have to answer the Close frame when the server ends.
const GRACE: Duration = Duration::from_secs(2);
/// How long a peer may go on sending after it was sent a Close frame.
const LINGER: Duration = Duration::from_secs(2);
/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
