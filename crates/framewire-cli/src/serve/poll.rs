//! The engine with one thread, which waits for all connections at once.
//!
//! A connection at rest is an entry in a table and nothing else. The buffers belong to the loop, and only a
//! connection that is in the middle of something has a state. Sockets are registered once, for both directions
//! and edge-triggered, so that an echo is a read, a write and a share of the call that waits.

mod connection;
mod echo;
mod ending;
mod handshake;
mod intake;
mod stream;
mod timers;
mod turn;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use self::connection::{Connection, Shared};
use self::intake::Intake;
use self::stream::Stream;
use self::timers::Timers;
use self::turn::Turn;
use super::request::NoRequest;
use super::server::{GRACE, Server, on_signal};

/// Serves until a signal comes.
pub(crate) fn run(server: Server, listener: TcpListener) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot wait for connections: {error}");
    let poll = Poll::new().map_err(failed)?;
    let waker = Waker::new(poll.registry(), SIGNAL).map_err(failed)?;
    on_signal(move || {
        // It fails only after the loop has ended.
        let _ = waker.wake();
    })?;
    server.announce(&listener)?;
    let mut engine = Engine::new(poll, listener, server).map_err(failed)?;
    engine.run().map_err(failed)
}

#[derive(Debug)]
struct Engine {
    poll: Poll,
    intake: Intake,
    connections: Slab<Connection>,
    timers: Timers,
    /// The connections that have more to do now, each once. They take turns of bounded size, so that a peer
    /// that floods the server does not hold up the others.
    eager: VecDeque<usize>,
    shared: Shared,
    /// When the server ends at the latest; set when a signal comes.
    end: Option<Instant>,
}

impl Engine {
    fn new(poll: Poll, listener: TcpListener, server: Server) -> io::Result<Self> {
        Ok(Self {
            intake: Intake::new(listener, poll.registry(), LISTENER)?,
            poll,
            connections: Slab::new(),
            timers: Timers::default(),
            eager: VecDeque::new(),
            shared: Shared::new(server),
            end: None,
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_over() {
            match self.poll.poll(&mut events, self.time_to_wait()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for _ in 0..self.eager.len() {
                if let Some(key) = self.eager.pop_front() {
                    self.resume(key);
                }
            }
            for event in &events {
                match event.token() {
                    SIGNAL => self.begin_end(),
                    LISTENER => self.intake.record_event(),
                    Token(key) => self.wake(key, event.is_read_closed()),
                }
            }
            self.take_connections();
            while let Some(key) = self.timers.next_due() {
                self.expire(key);
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let Some(end) = self.end else {
            return false;
        };
        self.shared.slots.is_empty() || Instant::now() >= end
    }

    /// Returns how long to wait for an event; `None` waits without a limit.
    fn time_to_wait(&self) -> Option<Duration> {
        if !self.eager.is_empty() || self.intake.is_ready() {
            return Some(Duration::ZERO);
        }
        let times = [self.timers.next(), self.intake.resumes(), self.end];
        let next = times.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Accepts some of the connections that wait.
    fn take_connections(&mut self) {
        for _ in 0..TAKEN_AT_ONCE {
            match self.intake.accept() {
                Ok(Some((socket, peer))) if self.end.is_none() => self.begin(socket, peer),
                // The server is ending and accepts no more.
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(Some(error)) => {
                    let server = &self.shared.server;
                    server.log(format_args!("cannot take connections: {error}"));
                    return;
                }
                Err(None) => {
                    // Ending the oldest handshake frees the descriptor and the memory that may be missing.
                    if let Some(oldest) = self.shared.slots.take_oldest_handshake() {
                        self.displace(oldest);
                    }
                    return;
                }
            }
        }
    }

    fn begin(&mut self, mut socket: TcpStream, peer: SocketAddr) {
        let server = &self.shared.server;
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut socket, Token(key), both);
        let secured = Stream::new(socket, server.tls.as_ref()).map_err(io::Error::other);
        let stream = match registered.and(secured) {
            Ok(stream) => stream,
            Err(error) => {
                server.log(format_args!("{peer} cannot be served: {error}"));
                return;
            }
        };
        let (slot, oldest) = self.shared.slots.begin(key);
        let connection = Connection::new(stream, peer, slot);
        self.timers.change(key, None, connection.deadline());
        entry.insert(connection);
        if let Some(oldest) = oldest {
            self.displace(oldest);
        }
    }

    /// Handles an event: the socket can be read or written now, or the peer has sent its last byte.
    fn wake(&mut self, key: usize, read_closed: bool) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.record_event(read_closed);
            if !connection.is_eager() {
                self.turn(key);
            }
        }
    }

    /// Gives a connection that had more to do another turn.
    fn resume(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.set_eager(false);
            self.turn(key);
        }
    }

    fn turn(&mut self, key: usize) {
        self.change(key, Connection::turn);
    }

    fn expire(&mut self, key: usize) {
        self.change(key, Connection::expire);
    }

    /// Runs a job on a connection, and schedules what the connection needs after it.
    fn change(&mut self, key: usize, job: impl FnOnce(&mut Connection, &mut Shared) -> Turn) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let deadline = connection.deadline();
        let turn = job(connection, &mut self.shared);
        self.timers.change(key, deadline, connection.deadline());
        match turn {
            Turn::Wait => {}
            Turn::Again if connection.is_eager() => {}
            Turn::Again => {
                connection.set_eager(true);
                self.eager.push_back(key);
            }
            Turn::Gone => self.remove(key),
        }
    }

    /// Ends a handshake whose slot is needed.
    fn displace(&mut self, key: usize) {
        let reason = match self.end {
            Some(_) => NoRequest::Ending,
            None => NoRequest::Displaced,
        };
        if let Some(connection) = self.connections.get(key) {
            connection.log_displaced(&reason, &self.shared.server);
        }
        self.remove(key);
    }

    /// Closes a connection's socket and removes its entry.
    fn remove(&mut self, key: usize) {
        if let Some(connection) = self.connections.try_remove(key) {
            self.timers.change(key, connection.deadline(), None);
            if connection.is_eager() {
                // The next connection may get the same key.
                self.eager.retain(|eager| *eager != key);
            }
            self.shared.slots.leave(connection.slot());
        }
    }

    /// Closes every connection with 1001 and gives the peers some time to answer.
    fn begin_end(&mut self) {
        self.end.get_or_insert_with(|| Instant::now() + GRACE);
        while let Some(oldest) = self.shared.slots.take_oldest_handshake() {
            self.displace(oldest);
        }
        let open: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in open {
            self.change(key, Connection::close);
        }
    }
}

const SIGNAL: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);
/// How many events one call returns.
const EVENTS: usize = 1024;
/// How many connections are accepted before the open ones have their turn.
const TAKEN_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net;

    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;
    use crate::serve::{self, Options};

    fn engine(options: &[&str]) -> (Engine, SocketAddr) {
        let command = Options::augment_args(Command::new("serve"));
        let options = command.no_binary_name(true).get_matches_from(options);
        let options = Options::from_arg_matches(&options).unwrap();
        let server = Server::new(&options, serve::acceptor(&options).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let engine = Engine::new(Poll::new().unwrap(), listener, server).unwrap();
        (engine, address)
    }

    #[test]
    fn a_connection_has_one_turn_at_a_time_and_none_once_it_is_gone() {
        let (mut engine, address) = engine(&["--quiet"]);
        let mut client = net::TcpStream::connect(address).unwrap();
        // More than a head, so that something is left to drain.
        client.write_all(&vec![b'x'; 300 << 10]).unwrap();
        engine.take_connections();
        let started = Instant::now();
        while engine.eager.is_empty() {
            assert!(started.elapsed() < Duration::from_secs(10));
            engine.turn(0);
        }
        engine.turn(0);
        assert_eq!(engine.eager, [0]);
        engine.displace(0);
        assert!(engine.eager.is_empty());
    }
}
