//! An event loop over sockets, with the shape of the one in the example `event_loop`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::slice;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};

use framewire::connection::{self, BufferPool};

use super::connected::{self, config, final_end};
use super::{FrontEnd, Outcome, Script};
use crate::event::{End, Event};

/// `connection::Connection` in a loop of `mio`'s with two connections, to both of which the same is said in turns.
///
/// They share a pool of buffers: only those in the middle of something have any. Their sockets are full at first, so that what they send waits until the peer reads.
#[derive(Debug)]
pub struct LoopOverSockets;

impl FrontEnd for LoopOverSockets {
    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn run(&self, script: &Script) -> Outcome {
        let deadline = Instant::now() + A_LOT;
        let mut turns = Turns::new(script);
        let mut peers = [0, 1].map(|key| turns.connect(key));
        while turns.connections.iter().any(Connection::is_open) {
            for (peer, connection) in peers.iter_mut().zip(&turns.connections) {
                if connection.is_open() {
                    peer.say();
                }
            }
            turns.until_nothing_happens();
            peers.iter_mut().for_each(Peer::take);
            turns.until_nothing_happens();
            assert!(Instant::now() < deadline, "every event arrives");
        }
        let [outcome, other] = peers.map(|mut peer| {
            peer.take();
            assert!(peer.has_ended, "whoever is gone has closed the socket");
            let connection = turns.connections.remove(0);
            Outcome {
                sent: Some(peer.taken.split_off(peer.filling)),
                ..connection.outcome
            }
        });
        assert_eq!((&other.events, other.end), (&outcome.events, outcome.end));
        outcome
    }
}

struct Turns<'s> {
    script: &'s Script,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    shared: Shared,
}

/// What all connections have.
struct Shared {
    pool: BufferPool,
}

impl<'s> Turns<'s> {
    fn new(script: &'s Script) -> Self {
        Self {
            script,
            poll: Poll::new().expect("room for a queue of events"),
            events: Events::with_capacity(8),
            connections: vec![],
            shared: Shared {
                pool: BufferPool::keeping(2),
            },
        }
    }

    /// Begins a connection, and gives its other end.
    fn connect(&mut self, key: usize) -> Peer<'s> {
        let (mut socket, peer) = UnixStream::pair().expect("room for two sockets");
        let mut filling = 0;
        while let Ok(len) = socket.write(&[0; 16 << 10]) {
            filling += len;
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut socket, Token(key), both);
        registered.expect("sockets can be waited for");
        self.connections.push(Connection::new(socket));
        Peer::new(peer, filling, self.script)
    }

    fn until_nothing_happens(&mut self) {
        loop {
            match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.expect("a queue of events"),
            }
            if self.events.is_empty() {
                return;
            }
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                if let Err(end) = connection.turn(&self.shared, self.script) {
                    let expected = [ErrorKind::UnexpectedEof, ErrorKind::NotConnected];
                    assert!(expected.contains(&end.kind()), "{end:?}");
                    connection.socket = None;
                }
            }
        }
    }
}

struct Connection {
    /// Until the connection ends.
    socket: Option<UnixStream>,
    /// In the middle of something.
    busy: Option<Busy>,
    outcome: Outcome,
}

impl Connection {
    fn new(socket: UnixStream) -> Self {
        Self {
            socket: Some(socket),
            busy: None,
            outcome: Outcome::default(),
        }
    }

    fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Reads and writes what can be; an error ends the connection.
    fn turn(&mut self, shared: &Shared, script: &Script) -> io::Result<()> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        loop {
            let busy = self
                .busy
                .get_or_insert_with(|| Busy::new(script, &shared.pool));
            // A peer that does not read is not read from, so that what waits for it is bounded.
            if !busy.send(socket, &self.outcome)? {
                return Ok(());
            }
            let read = socket.read(busy.connection.room());
            match read {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => busy.receive(len, &mut self.outcome),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    busy.connection.rest();
                    if busy.connection.is_at_rest() {
                        self.busy = None;
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A connection in the middle of something.
struct Busy {
    connection: connection::Connection,
    /// What its handlers have seen.
    events: connected::Events,
}

impl Busy {
    fn new(script: &Script, pool: &BufferPool) -> Self {
        let connection = connection::Connection::new(script.terms.role, &[], &config(script), pool);
        let mut connection = connection.expect("no size is zero");
        if let Some(agreed) = script.compression.negotiated() {
            connection.set_extension(&agreed);
        }
        let events = connected::Events::default();
        connection.on_ping(events.of_pings());
        connection.on_pong(events.of_pongs());
        connection.on_close(events.of_closes());
        Self { connection, events }
    }

    /// Uses up what was read, whatever has ended before.
    fn receive(&mut self, len: usize, outcome: &mut Outcome) {
        let most = MOST_FOR_A_BYTE * len + MOST_FOR_WHAT_CAME_BEFORE;
        let end = self.receive_messages(len);
        let waiting = self.connection.outbound().buffered();
        assert!(waiting <= most, "{waiting} bytes wait");
        let events = self.events.take();
        if outcome.end != End::Open {
            assert!(events.is_empty(), "{events:x?} after the end");
            return;
        }
        outcome.events.extend(events);
        if let Some(end) = end {
            outcome.end = final_end(&end);
        }
    }

    /// Gives how the connection ended, if it has.
    fn receive_messages(&mut self, len: usize) -> Option<framewire::Error> {
        self.connection.filled(len);
        loop {
            match self.connection.next_message() {
                Ok(Some((message, _))) => {
                    let payload = message.payload().to_vec();
                    self.events.push(Event::Message(message.opcode(), payload));
                }
                Ok(None) => return None,
                Err(end) => return Some(end),
            }
        }
    }

    /// Writes what waits, and says whether nothing does any more.
    fn send(&mut self, socket: &mut UnixStream, outcome: &Outcome) -> io::Result<bool> {
        let outbound = self.connection.outbound();
        while let Some(bytes) = outbound.output().map_err(io::Error::other)? {
            let written = socket.write(bytes);
            match outbound.written(written) {
                Err(error) if error.is_would_block() => return Ok(false),
                written => written.map_err(io::Error::other)?,
            }
        }
        if outcome.end != End::Open {
            return Err(ErrorKind::NotConnected.into());
        }
        Ok(true)
    }
}

/// The other end of a connection.
struct Peer<'s> {
    socket: UnixStream,
    unsaid: &'s [u8],
    pieces: slice::Iter<'s, Vec<u8>>,
    taken: Vec<u8>,
    /// How much of what it takes was in the socket before the connection began.
    filling: usize,
    has_ended: bool,
}

impl<'s> Peer<'s> {
    fn new(socket: UnixStream, filling: usize, script: &'s Script) -> Self {
        Self {
            socket,
            unsaid: &[],
            pieces: script.pieces.iter(),
            taken: vec![],
            filling,
            has_ended: false,
        }
    }

    /// Says the next piece, as far as the socket takes it; after the last, that there is none.
    fn say(&mut self) {
        if self.unsaid.is_empty() {
            let Some(piece) = self.pieces.next() else {
                let shut = self.socket.shutdown(Shutdown::Write);
                return shut.expect("a socket that is open");
            };
            self.unsaid = piece;
        }
        match self.socket.write(self.unsaid) {
            Ok(len) => self.unsaid = &self.unsaid[len..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }

    /// Takes what is there.
    fn take(&mut self) {
        match self.socket.read_to_end(&mut self.taken) {
            Ok(_) => self.has_ended = true,
            // It was said more than it read.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.has_ended = true,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// How much longer answers are than what was read: an empty Ping is 2 bytes, a client's Pong 6.
const MOST_FOR_A_BYTE: usize = 3;
/// The answers to a Ping and to a frame that began in an earlier read.
const MOST_FOR_WHAT_CAME_BEFORE: usize = 2 * (6 + 125);
/// Longer than anything takes.
const A_LOT: Duration = Duration::from_secs(60);
