//! `framewire recv`: a server that takes files.
//!
//! One thread accepts connections, each of which has a thread of its own and one that sends Pings. The first thread
//! waits for a reason to end.

mod session;
mod shared;
mod tally;

use std::collections::HashSet;
use std::fmt;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clap::{Args as _, Command};
use framewire::deflate::DeflateConfig;
use framewire::handshake::{Acceptor, Established, PendingHandshake};
use framewire::rustls::ServerConfig;
use framewire::upgrade::{Limits as HandshakeLimits, TlsStream};
use framewire::{Config, Limits, Socket as _, WebSocket};
use http::{Response, StatusCode};

use self::session::Session;
use self::shared::Shared;
use super::options::RecvOptions;
use super::part::Inbox;
use super::progress::Screen;
use super::protocol::{CHUNK, MOST_TEXT, SUBPROTOCOL};
use crate::failure::Failure;
use crate::required::{self, RequiredHeader};
use crate::serve::blocking::connections::{Connection, Connections};
use crate::serve::blocking::socket::{SharedSocket, Stream};
use crate::serve::{GRACE, LINGER, PAUSE, announce, is_of_one_connection, on_signal, page};

/// Takes files until a signal comes or, if the options say so, all have arrived.
pub(crate) fn run(options: &RecvOptions) -> Result<(), Failure> {
    let acceptor = acceptor(options).map_err(misuse)?;
    check(&options.into).map_err(misuse)?;
    let ended = serve(options, acceptor).map_err(Failure::NoConnection)?;
    ended.map_err(Failure::Ended)
}

/// Returns the error for options that are well-formed but do not fit together.
fn misuse(message: impl fmt::Display) -> Failure {
    let mut command = RecvOptions::augment_args(Command::new("framewire recv"));
    Failure::Usage(command.error(clap::error::ErrorKind::ArgumentConflict, message))
}

/// Returns why files cannot be received into a path, if it is no directory.
fn check(dir: &Path) -> Result<(), String> {
    let fails = |why: &dyn fmt::Display| format!("cannot receive into {}: {why}", dir.display());
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(fails(&"it is no directory")),
        Err(error) => Err(fails(&error)),
    }
}

/// Returns why it cannot receive, or what went wrong until the end.
fn serve(options: &RecvOptions, acceptor: Acceptor) -> Result<Result<(), String>, String> {
    let (end, ended) = mpsc::channel();
    let receiver = Arc::new(Receiver::new(options, acceptor, end.clone())?);
    let listener = options.accept.listen()?;
    on_signal(move || {
        // It fails if the program is ending already.
        let _ = end.send(Ok(()));
    })?;
    announce(&listener, receiver.tls.is_some())?;
    let accepting = Arc::clone(&receiver);
    thread::Builder::new()
        .name("accept".to_owned())
        .spawn(move || accepting.accept_forever(&listener))
        .map_err(|error| format!("cannot take connections: {error}"))?;
    // A sender is in the signal handler, which is never dropped.
    let outcome = ended.recv().unwrap_or(Ok(()));
    receiver.connections.end(GRACE);
    Ok(outcome)
}

/// The state that all threads share.
struct Receiver {
    acceptor: Acceptor,
    tls: Option<Arc<ServerConfig>>,
    required: Vec<RequiredHeader>,
    shared: Shared,
    connections: Arc<Connections>,
    write_timeout: Duration,
    /// Whether the program ends after one sender has sent all its files.
    once: bool,
}

impl Receiver {
    fn new(
        options: &RecvOptions,
        acceptor: Acceptor,
        end: Sender<Result<(), String>>,
    ) -> Result<Self, String> {
        let tls = options.accept.tls.config()?;
        Ok(Self {
            acceptor,
            tls,
            required: options.require_header.clone(),
            shared: Shared {
                inbox: Inbox {
                    dir: options.into.clone(),
                    overwrite: options.overwrite,
                    hidden: options.hidden,
                    max_file: options.max_file as u64,
                    busy: Mutex::new(HashSet::new()),
                    turn: Mutex::new(()),
                },
                screen: Screen::new(options.quiet),
                idle_timeout: options.idle_timeout,
                arrived: AtomicUsize::new(0),
                files: options.files,
                end,
            },
            connections: Connections::new(options.max_connections),
            write_timeout: options.accept.write_timeout,
            once: options.once,
        })
    }

    fn accept_forever(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            match listener.accept() {
                Ok((stream, peer)) => self.begin(stream, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.shared
                        .screen
                        .warn(format_args!("cannot take connections: {error}"));
                    self.connections.end_oldest_handshake();
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Starts a thread for a new connection.
    fn begin(self: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let socket = SharedSocket::new(socket);
        let Some(mut connection) = self.connections.begin(socket.handle()) else {
            return;
        };
        let this = Arc::clone(self);
        let run = move || {
            if let Err(why) = this.receive(socket, peer, &mut connection) {
                this.shared.screen.tell(format_args!("{peer} {why}"));
            }
        };
        if let Err(error) = thread::Builder::new().spawn(run) {
            self.shared
                .screen
                .warn(format_args!("{peer} no thread for it: {error}"));
        }
    }

    /// Answers the request of a connection, and takes its files.
    fn receive(
        &self,
        socket: SharedSocket,
        peer: SocketAddr,
        connection: &mut Connection,
    ) -> Result<(), String> {
        let stream = match &self.tls {
            Some(config) => {
                let time = HandshakeLimits::default().time;
                let secured = TlsStream::accept(socket, Arc::clone(config), time);
                Stream::Tls(secured.map_err(|error| no_request(&error))?)
            }
            None => Stream::Plain(socket),
        };
        let pending = self.acceptor.receive(stream);
        let pending = pending.map_err(|error| no_request(&error))?;
        if pending.refusal().is_none() {
            let headers = pending.request().headers();
            if let Some(header) = required::missing(&self.required, headers) {
                return Err(refuse(pending, &header.refusal()));
            }
            if pending.subprotocol() != Some(SUBPROTOCOL) {
                return Err(refuse(pending, &not_files()));
            }
            if !connection.reserve() {
                return Err(refuse(pending, &page::full()));
            }
        }
        let established = pending.accept();
        let established = established.map_err(|error| format!("handshake: {error}"))?;
        let mut session = self
            .open(established, peer)
            .map_err(|error| error.to_string())?;
        connection.opened(session.writer());
        let ended = session.run();
        session.linger(LINGER);
        if self.once
            && (ended.is_ok() || session.has_refused())
            && let Some(outcome) = session.outcome()
        {
            self.shared.end(outcome);
        }
        ended
    }

    fn open(
        &self,
        established: Established<Stream>,
        peer: SocketAddr,
    ) -> Result<Session<'_>, framewire::Error> {
        let stream = established.get_ref();
        stream
            .get_ref()
            .end_when_stalled_for(self.write_timeout)
            .and_then(|()| stream.set_write_timeout(Some(self.write_timeout)))
            .and_then(|()| stream.set_read_timeout(Some(self.shared.idle_timeout)))
            .map_err(framewire::ErrorKind::Io)?;
        let config = Config::default()
            .limits(Limits::default().message(MOST_TEXT))
            .read_buffer(CHUNK);
        let websocket = WebSocket::from_established(established, config)?;
        Session::new(websocket, &self.shared, peer)
    }
}

fn acceptor(options: &RecvOptions) -> Result<Acceptor, String> {
    let acceptor = Acceptor::new().subprotocols([SUBPROTOCOL]);
    let acceptor = acceptor.map_err(|error| error.to_string())?;
    let (config, connections) = (DeflateConfig::default(), options.max_connections);
    options.accept.acceptor(acceptor, config, connections)
}

/// Returns the answer to a client that does not send files.
fn not_files() -> Response<&'static str> {
    let body = "this takes files, by the subprotocol framewire.files.1: see `framewire send`\n";
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Refuses a handshake, and returns why for the user.
fn refuse(pending: PendingHandshake<Stream>, response: &Response<&str>) -> String {
    let why = format!("handshake: {}", response.status());
    if let Ok(mut stream) = pending.refuse(response)
        && stream.shutdown_write().is_ok()
    {
        stream.get_ref().drain(LINGER);
    }
    why
}

fn no_request(error: &impl fmt::Display) -> String {
    format!("no request: {error}")
}
