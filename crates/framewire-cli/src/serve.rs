//! `framewire serve`: an echo server, and a page to try it from a browser.
//!
//! One thread takes connections and never waits for a peer; each connection has a thread of its
//! own; the first thread waits for a signal and then closes them all.

mod connections;
mod options;
mod page;
mod socket;

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use framewire::deflate::{Deflate, DeflateConfig, ZlibRs};
use framewire::handshake::{Acceptor, Established, Pending};
use framewire::protocol::Role;
use framewire::rustls::ServerConfig;
use framewire::upgrade::{self, Limits, TlsStream};
use framewire::{Config, Duplicate as _, Socket as _, WebSocket};
use http::Response;

pub(crate) use self::options::Options;

use self::connections::{Connection, Connections};
use self::options::Origin;
use self::socket::SharedSocket;
use crate::{chain, is_deceptive, tls};

/// Serves until SIGINT or SIGTERM.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let server = Arc::new(Server::new(options)?);
    let scheme = if server.tls.is_some() { "wss" } else { "ws" };
    let (signal, signalled) = mpsc::channel();
    let handler = move || {
        // Nobody waits any more when the server is ending already.
        let _ = signal.send(());
    };
    ctrlc::set_handler(handler).map_err(|error| format!("cannot handle signals: {error}"))?;

    let failed = |error| format!("cannot listen on {}: {error}", options.listen);
    let listener = TcpListener::bind(&options.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let acceptor = thread::Builder::new().name("accept".to_owned());
    let connections = Arc::clone(&server.connections);
    acceptor
        .spawn(move || accept_forever(&listener, &server))
        .map_err(failed)?;
    announce(scheme, address).map_err(|error| format!("cannot print where to connect: {error}"))?;

    // An error means that the handler is gone, which it never is.
    let _ = signalled.recv();
    connections.end(GRACE);
    Ok(())
}

fn announce(scheme: &str, address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {scheme}://{address}/")?;
    stdout.flush()
}

fn accept_forever(listener: &TcpListener, server: &Arc<Server>) {
    let mut failing = false;
    loop {
        let error = match listener.accept() {
            Ok((stream, peer)) => {
                failing = false;
                Server::begin(server, stream, peer);
                continue;
            }
            Err(error) => error,
        };
        // The connection was gone before it was taken.
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::Interrupted
        ) {
            continue;
        }
        // No more descriptors or memory. Some come back when connections end, and one does now if
        // somebody keeps a handshake waiting.
        if !failing {
            failing = true;
            server.log(format_args!("cannot take connections: {error}"));
        }
        server.connections.end_oldest_handshake();
        thread::sleep(PAUSE);
    }
}

/// A connection's stream, with TLS or without.
type Stream = upgrade::Stream<SharedSocket>;

/// What all connections have in common.
#[derive(Debug)]
struct Server {
    acceptor: Acceptor,
    config: Config,
    tls: Option<Arc<ServerConfig>>,
    page: String,
    connections: Arc<Connections>,
    quiet: bool,
}

impl Server {
    fn new(options: &Options) -> Result<Self, String> {
        let mut config = Config::default();
        config.limits.message = options.max_message as u64;
        Ok(Self {
            acceptor: acceptor(options)?,
            config,
            tls: tls(options)?,
            page: page::page(options.max_message),
            connections: Connections::new(options.max_connections),
            quiet: options.quiet,
        })
    }

    /// Gives a new connection a thread of its own.
    fn begin(this: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let socket = SharedSocket::new(socket);
        let Some(connection) = this.connections.begin(socket.handle()) else {
            return;
        };
        let server = Arc::clone(this);
        let run = move || {
            let end = match server.secure(socket) {
                Ok(stream) => server.converse(stream, peer, &connection),
                Err(error) => chain(&error),
            };
            server.log(format_args!("{peer} {end}"));
        };
        if let Err(error) = thread::Builder::new().spawn(run) {
            this.log(format_args!("{peer} no thread for it: {error}"));
        }
    }

    /// Does the TLS handshake where the server has a certificate.
    fn secure(&self, socket: SharedSocket) -> Result<Stream, upgrade::Error> {
        match &self.tls {
            Some(config) => {
                let config = Arc::clone(config);
                TlsStream::accept(socket, config, Limits::default().time).map(Stream::Tls)
            }
            None => Ok(Stream::Plain(socket)),
        }
    }

    /// Answers the request of a connection, and echoes until it ends. Returns what there is to log.
    fn converse(&self, stream: Stream, peer: SocketAddr, connection: &Connection) -> String {
        let pending = match self.acceptor.receive(stream) {
            Ok(pending) => pending,
            Err(error) => return format!("no request: {}", chain(&error)),
        };
        if !pending.is_websocket() {
            let request = format!("{} {}", pending.request().method(), pending.request().uri());
            let response = page::answer(pending.request(), &self.page);
            return refuse(pending, &response, &request);
        }
        if pending.refusal().is_none() && !connection.reserve() {
            return refuse(pending, &page::full(), "handshake");
        }
        let established = match pending.accept() {
            Ok(established) => established,
            Err(error) => return format!("handshake: {}", chain(&error)),
        };
        self.log(format_args!("{peer} open"));
        let mut traffic = Traffic::default();
        let end = self.echo(established, connection, &mut traffic);
        format!(
            "{}; {} messages, {} bytes",
            chain(&end),
            traffic.messages,
            traffic.bytes
        )
    }

    /// Echoes until the connection ends, and says how it did.
    fn echo(
        &self,
        established: Established<Stream>,
        connection: &Connection,
        traffic: &mut Traffic,
    ) -> framewire::Error {
        let halves = set_up(established.get_ref())
            .map_err(framewire::Error::from)
            .and_then(|()| WebSocket::from_established(established, Role::Server, self.config))
            .and_then(WebSocket::split);
        let (mut reader, writer) = match halves {
            Ok(halves) => halves,
            Err(error) => return error,
        };
        connection.opened(writer.clone());
        let end = loop {
            let echoed = reader.next_message().and_then(|message| {
                traffic.count(message.payload());
                writer.feed_message(message.opcode(), message.payload())
            });
            if let Err(error) = echoed {
                break error;
            }
        };
        linger(reader.stream());
        end
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

#[derive(Debug, Default)]
struct Traffic {
    messages: u64,
    bytes: u64,
}

impl Traffic {
    fn count(&mut self, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len() as u64;
    }
}

fn tls(options: &Options) -> Result<Option<Arc<ServerConfig>>, String> {
    match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => tls::server_config(cert, key).map(Some),
        _ => Ok(None),
    }
}

fn acceptor(options: &Options) -> Result<Acceptor, String> {
    let acceptor = match options.deflate {
        Some(level) => Acceptor::new().deflate(deflate(options, level)?),
        None => Acceptor::new(),
    };
    // Without a certificate there may be a proxy in front that has one.
    let acceptor = match options.tls_cert {
        Some(_) => acceptor.secure(true),
        None => acceptor,
    };
    match &options.origin[..] {
        [Origin::Same] => Ok(acceptor),
        [Origin::Any] => Ok(acceptor.allow_any_origin()),
        _ => {
            let urls: Option<Vec<&str>> = options.origin.iter().map(Origin::url).collect();
            let urls = urls.ok_or("--origin takes any, same, or a list of URLs")?;
            acceptor.allow_origins(urls).map_err(|error| chain(&error))
        }
    }
}

fn deflate(options: &Options, level: u8) -> Result<Deflate, String> {
    let config = DeflateConfig {
        server_no_context_takeover: options.no_context_takeover,
        client_no_context_takeover: options.no_context_takeover,
        server_max_window_bits: options.window_bits,
        client_max_window_bits: options.window_bits,
        level,
        ..DeflateConfig::default()
    };
    // A thread holds one of each at most.
    let contexts = options.max_connections;
    Deflate::with_engine(config, ZlibRs, contexts).map_err(|error| chain(&error))
}

/// Sets what an echo needs of a connection: small messages leave at once, and a peer that reads
/// nothing holds up a thread for a bounded time.
fn set_up(stream: &Stream) -> io::Result<()> {
    stream.get_ref().set_nodelay()?;
    stream.set_write_timeout(Some(STALL))
}

/// Ends the connection so that the peer gets what was sent last.
fn linger(stream: &Stream) {
    if stream.shutdown(Shutdown::Write).is_ok() {
        stream.get_ref().drain(LINGER);
    }
}

fn refuse(pending: Pending<Stream>, response: &Response<&str>, request: &str) -> String {
    match pending.refuse(response) {
        Ok(stream) => {
            linger(&stream);
            format!("{request}: {}", response.status())
        }
        Err(error) => format!("{request}: {}", chain(&error)),
    }
}

/// How long the peers have to answer the Close frame when the server ends.
const GRACE: Duration = Duration::from_secs(2);
/// How long a peer may take none of the echoes that wait for it.
const STALL: Duration = Duration::from_secs(30);
/// How long a peer that was sent a Close frame may go on sending.
const LINGER: Duration = Duration::from_secs(2);
/// How long to wait before taking connections again when that failed.
const PAUSE: Duration = Duration::from_millis(100);
