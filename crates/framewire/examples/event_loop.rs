//! An event loop: one thread, any number of connections, one pool of buffers for all of them.
//!
//! A connection at rest is a socket in a table, without a buffer or a state. The handshake does not block
//! either. To stay short, this leaves out deadlines, limits, fairness when a peer floods the server, and an
//! orderly end. `framewire serve --engine poll` has them.
//!
//! `cargo run -p framewire --example event_loop -- 127.0.0.1:9001`

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::time::Duration;
use std::{env, net};

use framewire::Config;
use framewire::connection::{self, BufferPool};
use framewire::handshake::Acceptor;
use framewire::protocol::Role;
use framewire::upgrade::{self, RequestDecoder};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    run(net::TcpListener::bind(address)?)
}

pub(crate) fn run(listener: net::TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections: Slab<Connection> = Slab::new();
    let mut shared = Shared {
        input: vec![0; 8 << 10],
        config: Config::default(),
        pool: BufferPool::per_thread(),
    };
    let mut events = Events::with_capacity(1024);
    let mut pause = None;
    loop {
        match poll.poll(&mut events, pause) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if let Some(connection) = connections.get_mut(event.token().0)
                && connection.turn(&mut shared).is_err()
            {
                connections.remove(event.token().0);
            }
        }
        if pause.is_some() || events.iter().any(|event| event.token() == LISTENER) {
            pause = accept(&listener, poll.registry(), &mut connections);
        }
    }
}

/// Accepts the connections that wait. Returns when to try again after an error, since no event will come then.
fn accept(
    listener: &TcpListener,
    registry: &Registry,
    connections: &mut Slab<Connection>,
) -> Option<Duration> {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                let entry = connections.vacant_entry();
                let both = Interest::READABLE | Interest::WRITABLE;
                // Small messages leave at once.
                let ready = socket
                    .set_nodelay(true)
                    .and_then(|()| registry.register(&mut socket, Token(entry.key()), both));
                if ready.is_ok() {
                    entry.insert(Connection::new(socket));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            // Too many files are open, or the peer is gone already.
            Err(_) => return Some(PAUSE),
        }
    }
}

struct Connection {
    socket: TcpStream,
    state: State,
}

enum State {
    Handshake(Box<RequestDecoder>),
    /// Nothing is under way, so that the connection's state can be used by any other.
    Rest,
    Open(Box<connection::Connection>),
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        let decoder = RequestDecoder::new(&upgrade::Limits::default());
        Self {
            socket,
            state: State::Handshake(Box::new(decoder)),
        }
    }

    /// Reads and writes as far as the socket allows. An error ends the connection.
    fn turn(&mut self, shared: &mut Shared) -> Result<(), Box<dyn Error>> {
        loop {
            let mut open = match mem::replace(&mut self.state, State::Rest) {
                State::Handshake(decoder) => match self.shake_hands(decoder, shared)? {
                    Some(open) => open,
                    None => return Ok(()),
                },
                State::Rest => Box::new(connection::Connection::new(
                    Role::Server,
                    &[],
                    &shared.config,
                    &shared.pool,
                )?),
                State::Open(open) => open,
            };
            let done = self.echo(&mut open)?;
            if !done || !open.is_at_rest() {
                self.state = State::Open(open);
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Reads some of the request, and answers it once it is whole.
    fn shake_hands(
        &mut self,
        mut decoder: Box<RequestDecoder>,
        shared: &mut Shared,
    ) -> Result<Option<Box<connection::Connection>>, Box<dyn Error>> {
        loop {
            let Some(len) = or_wait(self.socket.read(&mut shared.input))? else {
                self.state = State::Handshake(decoder);
                return Ok(None);
            };
            if len == 0 {
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
            let Some(pending) = Acceptor::new().decode(&mut decoder, &shared.input[..len])? else {
                continue;
            };
            let (answer, established) = pending.into_answer();
            let mut open = connection::Connection::from_established(
                established?,
                &shared.config,
                &shared.pool,
            )?;
            open.outbound().begin_with(&answer);
            return Ok(Some(Box::new(open)));
        }
    }

    /// Echoes until the socket has no more or takes no more. Returns `false` if it must be called again.
    fn echo(&mut self, open: &mut connection::Connection) -> Result<bool, Box<dyn Error>> {
        // The reply to the end of the connection goes out before the end is reported.
        let echoed = loop {
            match open.next_message() {
                Ok(Some((message, outbound))) => {
                    outbound.feed(message)?;
                }
                Ok(None) => break Ok(()),
                Err(end) => break Err(end),
            }
        };
        // While the peer does not read, nothing is read from it, which bounds the output.
        while let Some(bytes) = open.outbound().output()? {
            let written = self.socket.write(bytes);
            match open.outbound().written(written) {
                Err(error) if error.is_would_block() => return Ok(true),
                written => written?,
            }
        }
        echoed?;
        let Some(len) = or_wait(self.socket.read(open.room()))? else {
            // An event comes only after a read that would block.
            open.rest();
            return Ok(true);
        };
        open.filled(len);
        Ok(false)
    }
}

/// The state that all connections share.
struct Shared {
    input: Vec<u8>,
    config: Config,
    pool: BufferPool,
}

/// Returns `None` if the read would block.
fn or_wait(read: io::Result<usize>) -> io::Result<Option<usize>> {
    match read {
        Ok(len) => Ok(Some(len)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

const LISTENER: Token = Token(usize::MAX);

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
