//! The engine with a thread for each connection.
//!
//! One thread takes connections and never waits for a peer; the first thread waits for a signal
//! and then closes them all.

mod connections;
mod socket;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;

use framewire::blocking::{ReadHalf, WriteHalf};
use framewire::handshake::{self, Established};
use framewire::protocol::Role;
use framewire::upgrade::{self, Limits, TlsStream};
use framewire::{Duplicate as _, Socket as _, WebSocket};

use self::connections::{Connection, Connections};
use self::socket::SharedSocket;
use super::request::Lack;
use super::traffic::Traffic;
use super::{GRACE, LINGER, PAUSE, Server, is_of_one_connection, on_signal};

/// Serves until a signal comes.
pub(crate) fn run(server: Server, listener: TcpListener) -> Result<(), String> {
    let (signal, signalled) = mpsc::channel();
    on_signal(move || {
        // Nobody waits any more when the server is ending already.
        let _ = signal.send(());
    })?;
    server.announce(&listener)?;
    let connections = Connections::new(server.max_connections);
    let engine = Arc::new(Threads {
        server,
        connections: Arc::clone(&connections),
    });
    thread::Builder::new()
        .name("accept".to_owned())
        .spawn(move || accept_forever(&listener, &engine))
        .map_err(|error| format!("cannot take connections: {error}"))?;

    // An error means that the handler is gone, which it never is.
    let _ = signalled.recv();
    connections.end(GRACE);
    Ok(())
}

fn accept_forever(listener: &TcpListener, engine: &Arc<Threads>) {
    let mut failing = false;
    loop {
        let error = match listener.accept() {
            Ok((stream, peer)) => {
                failing = false;
                Threads::begin(engine, stream, peer);
                continue;
            }
            Err(error) => error,
        };
        if is_of_one_connection(&error) {
            continue;
        }
        // No more descriptors or memory. Some come back when connections end, and one does now if
        // somebody keeps a handshake waiting.
        if !failing {
            failing = true;
            let server = &engine.server;
            server.log(format_args!("cannot take connections: {error}"));
        }
        engine.connections.end_oldest_handshake();
        thread::sleep(PAUSE);
    }
}

/// A connection's stream, with TLS or without.
type Stream = upgrade::Stream<SharedSocket>;
/// What an open connection is used by.
type Halves = (ReadHalf<Stream>, WriteHalf<Stream>);

/// What the threads have in common.
#[derive(Debug)]
struct Threads {
    server: Server,
    connections: Arc<Connections>,
}

impl Threads {
    /// Gives a new connection a thread of its own.
    fn begin(this: &Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        let socket = SharedSocket::new(socket);
        let Some(mut connection) = this.connections.begin(socket.handle()) else {
            return;
        };
        let engine = Arc::clone(this);
        let run = move || engine.serve(socket, peer, &mut connection);
        if let Err(error) = thread::Builder::new().spawn(run) {
            let server = &this.server;
            server.log(format_args!("{peer} no thread for it: {error}"));
        }
    }

    /// Answers the request of a connection, and echoes until it ends.
    fn serve(&self, socket: SharedSocket, peer: SocketAddr, connection: &mut Connection) {
        let log = |line: String| self.server.log(format_args!("{peer} {line}"));
        let stream = match self.secure(socket) {
            Ok(stream) => stream,
            Err(error) => return log(no_request(&error.into(), true, connection)),
        };
        let pending = match self.server.acceptor.receive(stream) {
            Ok(pending) => pending,
            Err(error) => return log(no_request(&error, false, connection)),
        };
        let refused = pending.refusal().is_some();
        let reserve = || connection.reserve();
        if let Some(answer) = self.server.answer(pending.request(), refused, reserve) {
            log(format!("{}: {}", answer.to, answer.response.status()));
            if let Ok(stream) = pending.refuse(&answer.response) {
                linger(&stream);
            }
            return;
        }
        match pending.accept() {
            Ok(established) => self.converse(established, peer, connection),
            Err(error) => log(format!("handshake: {error}")),
        }
    }

    /// Does the TLS handshake where the server has a certificate.
    fn secure(&self, socket: SharedSocket) -> Result<Stream, upgrade::Error> {
        match &self.server.tls {
            Some(config) => {
                let config = Arc::clone(config);
                TlsStream::accept(socket, config, Limits::default().time).map(Stream::Tls)
            }
            None => Ok(Stream::Plain(socket)),
        }
    }

    /// Echoes until the connection ends.
    fn converse(
        &self,
        established: Established<Stream>,
        peer: SocketAddr,
        connection: &mut Connection,
    ) {
        let log = |line: &str| self.server.log(format_args!("{peer} {line}"));
        log("open");
        let mut traffic = Traffic::default();
        let (mut reader, writer) = match self.open(established) {
            Ok(halves) => halves,
            Err(error) => return log(&traffic.until(&error)),
        };
        connection.opened(writer.clone());
        let end = echo(&mut reader, &writer, &mut traffic);
        if reader.stream().get_ref().is_stalled() {
            return log(&traffic.until(&self.server.stalled()));
        }
        log(&traffic.until(&end));
        linger(reader.stream());
    }

    fn open(&self, established: Established<Stream>) -> Result<Halves, framewire::Error> {
        self.set_up(established.get_ref())?;
        WebSocket::from_established(established, Role::Server, self.server.config)?.split()
    }

    /// Sets what an echo needs of a connection: a peer that takes nothing holds up a thread for a
    /// bounded time.
    fn set_up(&self, stream: &Stream) -> io::Result<()> {
        let limit = self.server.write_timeout;
        stream.get_ref().end_when_stalled_for(limit)?;
        stream.set_write_timeout(Some(limit))
    }
}

/// Echoes until the connection ends, and says how it did.
fn echo(
    reader: &mut ReadHalf<Stream>,
    writer: &WriteHalf<Stream>,
    traffic: &mut Traffic,
) -> framewire::Error {
    loop {
        let message = match reader.next_message() {
            Ok(message) => message,
            Err(error) => return error,
        };
        traffic.count(message.payload());
        match writer.feed_message(message.opcode(), message.payload()) {
            // Nothing follows the Close frame that ends the server but the peer's.
            Err(error) if error.closed().is_none() => return error,
            _ => {}
        }
    }
}

/// Ends the connection so that the peer gets what was sent last.
fn linger(stream: &Stream) {
    if stream.shutdown(Shutdown::Write).is_ok() {
        stream.get_ref().drain(LINGER);
    }
}

/// Why there was no request to answer, for the log.
fn no_request(error: &handshake::Error, securing: bool, connection: &Connection) -> String {
    use upgrade::ErrorKind::{Closed, Read, TimedOut, Tls};
    let handshake::ErrorKind::Upgrade(kind) = error.kind() else {
        return format!("no request: {error}");
    };
    let lack = match (kind, error.cause()) {
        (Closed, _) | (Tls, None) => Lack::Ended,
        (Read | Tls, Some(source)) => Lack::Failed(source.to_string()),
        (TimedOut, _) => Lack::Late,
        _ => return format!("no request: {error}"),
    };
    // It is by the end of its stream that a thread learns of it.
    connection.displacement().unwrap_or(lack).why(securing)
}
