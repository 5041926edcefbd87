//! The engine with a thread for each connection.
//!
//! One thread accepts connections and never waits for a peer. The first thread waits for a signal and then
//! closes them all.

pub(crate) mod connections;
pub(crate) mod socket;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;

use framewire::blocking::{ReadHalf, WriteHalf};
use framewire::handshake::{Established, HandshakeError};
use framewire::upgrade::{Limits, TlsStream, UpgradeError};
use framewire::{Closed, Duplicate as _, Error, ErrorKind, Socket as _, WebSocket};

use self::connections::{Connection, Connections};
use self::socket::{SharedSocket, Stream};
use super::request::NoRequest;
use super::server::{GRACE, LINGER, PAUSE, Server, is_of_one_connection, on_signal};
use super::traffic::Traffic;

/// Serves until a signal comes.
pub(super) fn run(server: Server, listener: TcpListener) -> Result<(), String> {
    let (signal, signalled) = mpsc::channel();
    on_signal(move || {
        // It fails if the server is ending already.
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

    // The sender is in the signal handler, which is never dropped.
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
        // No descriptors or memory are left, even if no connection waits. Some come back when connections end, and
        // ending the oldest handshake frees some now.
        if failing {
            engine.connections.end_oldest_handshake();
        } else {
            failing = true;
            let server = &engine.server;
            server.log(format_args!("cannot take connections: {error}"));
        }
        thread::sleep(PAUSE);
    }
}

/// The two halves of an open connection.
type Halves = (ReadHalf<Stream>, WriteHalf<Stream>);

/// The state that all threads share.
#[derive(Debug)]
struct Threads {
    server: Server,
    connections: Arc<Connections>,
}

impl Threads {
    /// Starts a thread for a new connection.
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
            Ok(established) => self.serve_websocket(established, peer, connection),
            Err(error) => log(format!("handshake: {error}")),
        }
    }

    /// Does the TLS handshake if the server has a certificate.
    fn secure(&self, socket: SharedSocket) -> Result<Stream, UpgradeError> {
        match &self.server.tls {
            Some(config) => {
                let config = Arc::clone(config);
                TlsStream::accept(socket, config, Limits::default().time).map(Stream::Tls)
            }
            None => Ok(Stream::Plain(socket)),
        }
    }

    /// Echoes until the connection ends.
    fn serve_websocket(
        &self,
        established: Established<Stream>,
        peer: SocketAddr,
        connection: &mut Connection,
    ) {
        let log = |line: &str| self.server.log(format_args!("{peer} {line}"));
        log("open");
        let mut traffic = Traffic::default();
        let (mut reader, mut writer) = match self.open(established) {
            Ok(halves) => halves,
            Err(error) => return log(&traffic.until(&error)),
        };
        connection.opened(writer.clone());
        let end = echo(&mut reader, &mut writer, &mut traffic);
        if reader.stream().get_ref().is_stalled() {
            return log(&traffic.until(&self.server.stalled()));
        }
        log(&match end {
            Ok(closed) => traffic.until(&closed),
            Err(error) => traffic.until(&error),
        });
        linger(reader.stream());
    }

    fn open(&self, established: Established<Stream>) -> Result<Halves, Error> {
        self.set_up(established.get_ref())?;
        WebSocket::from_established(established, self.server.config)?.split()
    }

    /// Sets the stream's options and time-outs. A peer that takes nothing then holds up a thread for a bounded
    /// time.
    fn set_up(&self, stream: &Stream) -> io::Result<()> {
        let limit = self.server.write_timeout;
        stream.get_ref().end_when_stalled_for(limit)?;
        stream.set_write_timeout(Some(limit))
    }
}

/// Echoes until the connection ends, and returns how it was closed.
fn echo(
    reader: &mut ReadHalf<Stream>,
    writer: &mut WriteHalf<Stream>,
    traffic: &mut Traffic,
) -> Result<Closed, Error> {
    while let Some(message) = reader.next_message()? {
        traffic.count(message.payload());
        match writer.feed(message) {
            // After the server's Close frame only the peer's is awaited.
            Err(error) if error.closed().is_none() => return Err(error),
            _ => {}
        }
    }
    Ok(reader.closed().ok_or(ErrorKind::ConnectionLost)?)
}

/// Drains and ends the connection, so that the peer gets what was sent last.
fn linger(stream: &Stream) {
    let ended = stream
        .duplicate()
        .and_then(|mut stream| stream.shutdown_write());
    if ended.is_ok() {
        stream.get_ref().drain(LINGER);
    }
}

/// Describes for the log why there was no request to answer.
fn no_request(error: &HandshakeError, securing: bool, connection: &Connection) -> String {
    let Some(reason) = NoRequest::of_handshake(error) else {
        return format!("no request: {error}");
    };
    // If the server ended the handshake, its thread sees only the end of the stream.
    connection.displacement().unwrap_or(reason).why(securing)
}
