//! `framewire serve`: an echo server, and a page to try it from a browser.
//!
//! What is here holds for every engine: who is let in, what the answers are, what is logged and
//! counted. An engine moves the bytes, each in a module of its own: it calls [`on_signal`], says
//! where it listens with [`Server::announce`], and returns when the connections are closed.

mod blocking;
mod options;
mod page;
mod places;
mod policy;
mod poll;
mod request;
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
use crate::{Failure, is_deceptive};

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if options.threads.is_some() && options.engine != Engine::Tokio {
        return Err(misuse("--threads is for the engine tokio"));
    }
    let acceptor = policy::acceptor(options).map_err(misuse)?;
    serve(options, acceptor).map_err(Failure::NoConnection)
}

/// What is wrong with options that are each well-formed.
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

/// Has SIGINT, SIGTERM and SIGHUP call this instead of ending the program, from a thread of its own.
fn on_signal(handler: impl FnMut() + Send + 'static) -> Result<(), String> {
    ctrlc::set_handler(handler).map_err(|error| format!("cannot handle signals: {error}"))
}

/// What all connections have in common.
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

    /// Tells the user that connections are taken now, and where.
    fn announce(&self, listener: &TcpListener) -> Result<(), String> {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let announced = listener.local_addr().and_then(|address| {
            let mut stdout = io::stdout();
            writeln!(stdout, "listening on {scheme}://{address}/")?;
            stdout.flush()
        });
        announced.map_err(|error| format!("cannot print where to connect: {error}"))
    }

    /// What a request is answered instead of what the acceptor says: the page where no WebSocket
    /// is asked for, and that the server is full where it would be let in (it is not `refused`)
    /// and there is no place to `reserve`.
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

    /// Why a connection ends whose peer takes nothing.
    fn stalled(&self) -> framewire::Error {
        let limit = self.write_timeout;
        let error = io::Error::other(format!("peer took nothing for {limit:?}"));
        framewire::ErrorKind::Io(error).into()
    }

    fn log(&self, line: fmt::Arguments<'_>) {
        if !self.quiet {
            // Some of it the peer has written: a close reason must not begin a line of its own.
            let line = line.to_string().replace(is_deceptive, " ");
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

/// A response of the server's own, with which a connection ends.
#[derive(Debug)]
struct Answer<'a> {
    /// What is answered, for the log.
    to: String,
    response: Response<&'a str>,
}

/// Whether taking connections failed for the one connection alone, which was gone before it was
/// taken, so that the next can be taken at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
    )
}

/// Has a connection whose peer takes nothing reset when it is closed: the system would go on to hold
/// what was sent.
fn reset_on_close<'s>(socket: impl Into<SockRef<'s>>) {
    // One that is gone already is well.
    let _ = socket.into().set_linger(Some(Duration::ZERO));
}

/// How long TLS may take, where the server has it, and as long again the request: as the blocking
/// calls of the library have it by default.
const TIME: Duration = Duration::from_secs(10);
/// The reason in the Close frame that ends every connection with the server.
const GOODBYE: &str = "server is shutting down";
/// How long the peers have to answer the Close frame when the server ends.
const GRACE: Duration = Duration::from_secs(2);
/// How long a peer that was sent a Close frame may go on sending.
const LINGER: Duration = Duration::from_secs(2);
/// How long to wait before taking connections again when that failed.
const PAUSE: Duration = Duration::from_millis(100);
