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

use framewire::handshake::{Established, Pending};
use framewire::protocol::Role;
use framewire::upgrade::{self, Limits, TlsStream};
use framewire::{Duplicate as _, Socket as _, WebSocket};

use self::connections::{Connection, Connections};
use self::socket::SharedSocket;
use super::traffic::Traffic;
use super::{Answer, GRACE, LINGER, PAUSE, Server, is_of_one_connection, on_signal};
use crate::chain;

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
        let run = move || {
            let end = match engine.secure(socket) {
                Ok(stream) => engine.converse(stream, peer, &mut connection),
                Err(error) => chain(&error),
            };
            engine.server.log(format_args!("{peer} {end}"));
        };
        if let Err(error) = thread::Builder::new().spawn(run) {
            let server = &this.server;
            server.log(format_args!("{peer} no thread for it: {error}"));
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

    /// Answers the request of a connection, and echoes until it ends. Returns what there is to log.
    fn converse(&self, stream: Stream, peer: SocketAddr, connection: &mut Connection) -> String {
        let pending = match self.server.acceptor.receive(stream) {
            Ok(pending) => pending,
            Err(error) => return format!("no request: {}", chain(&error)),
        };
        let refused = pending.refusal().is_some();
        let reserve = || connection.reserve();
        if let Some(answer) = self.server.answer(pending.request(), refused, reserve) {
            return refuse(pending, &answer);
        }
        let established = match pending.accept() {
            Ok(established) => established,
            Err(error) => return format!("handshake: {}", chain(&error)),
        };
        self.server.log(format_args!("{peer} open"));
        let mut traffic = Traffic::default();
        let end = self.echo(established, connection, &mut traffic);
        traffic.until(&end)
    }

    /// Echoes until the connection ends, and says how it did.
    fn echo(
        &self,
        established: Established<Stream>,
        connection: &mut Connection,
        traffic: &mut Traffic,
    ) -> framewire::Error {
        let config = self.server.config;
        let halves = self
            .set_up(established.get_ref())
            .map_err(framewire::Error::from)
            .and_then(|()| WebSocket::from_established(established, Role::Server, config))
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
        if reader.stream().get_ref().is_stalled() {
            return self.server.stalled();
        }
        linger(reader.stream());
        end
    }

    /// Sets what an echo needs of a connection: small messages leave at once, and a peer that takes
    /// nothing holds up a thread for a bounded time.
    fn set_up(&self, stream: &Stream) -> io::Result<()> {
        stream.get_ref().set_nodelay()?;
        stream.set_write_timeout(Some(self.server.write_timeout))
    }
}

/// Ends the connection so that the peer gets what was sent last.
fn linger(stream: &Stream) {
    if stream.shutdown(Shutdown::Write).is_ok() {
        stream.get_ref().drain(LINGER);
    }
}

fn refuse(pending: Pending<Stream>, answer: &Answer<'_>) -> String {
    match pending.refuse(&answer.response) {
        Ok(stream) => {
            linger(&stream);
            format!("{}: {}", answer.to, answer.response.status())
        }
        Err(error) => format!("{}: {}", answer.to, chain(&error)),
    }
}
