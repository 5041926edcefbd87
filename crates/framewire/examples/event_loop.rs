//! An event loop: one thread, any number of connections, one read buffer for all of them.
//!
//! A connection at rest is a socket in a table: no buffer and no session. The handshake waits for
//! nobody either. What this leaves out for the sake of brevity, `framewire serve --engine poll` has:
//! deadlines, limits, turns for those who wait behind a flood, and an end that takes no answer with it.
//!
//! `cargo run --example event_loop -- 127.0.0.1:9001`

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::time::Duration;
use std::{env, net};

use framewire::handshake::Acceptor;
use framewire::protocol::{Event, Limits, MessageBuffer, Session};
use framewire::upgrade::{self, RequestDecoder, encode_response};
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
    let mut input = vec![0; 64 << 10];
    let mut events = Events::with_capacity(1024);
    let mut pause = None;
    loop {
        match poll.poll(&mut events, pause) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if let Some(connection) = connections.get_mut(event.token().0)
                && connection.turn(&mut input).is_err()
            {
                connections.remove(event.token().0);
            }
        }
        if pause.is_some() || events.iter().any(|event| event.token() == LISTENER) {
            pause = accept(&listener, poll.registry(), &mut connections);
        }
    }
}

/// Takes the connections that wait, and says when to try again where that fails: no event will.
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
    Rest,
    Busy(Box<Busy>),
}

/// What a connection needs in the middle of something.
struct Busy {
    session: Session,
    message: MessageBuffer,
    output: Vec<u8>,
}

impl Connection {
    fn new(socket: TcpStream) -> Self {
        let decoder = RequestDecoder::new(&upgrade::Limits::default());
        Self {
            socket,
            state: State::Handshake(Box::new(decoder)),
        }
    }

    /// Reads and writes what can be; an error ends the connection.
    fn turn(&mut self, input: &mut [u8]) -> io::Result<()> {
        loop {
            // A peer that does not read is not read from, so that what waits for it is bounded.
            if let State::Busy(busy) = &mut self.state
                && !busy.send(&mut self.socket)?
            {
                return Ok(());
            }
            match self.socket.read(input) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.receive(&mut input[..len])?,
                // After this, and not before, there is another event.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn receive(&mut self, mut input: &mut [u8]) -> io::Result<()> {
        let mut busy = match mem::replace(&mut self.state, State::Rest) {
            State::Busy(busy) => busy,
            State::Rest => Box::new(Busy::new()),
            State::Handshake(mut decoder) => {
                let (used, request) = decoder.decode(input).map_err(io::Error::other)?;
                let Some(request) = request else {
                    self.state = State::Handshake(decoder);
                    return Ok(());
                };
                input = &mut input[used..];
                let response = Acceptor::new()
                    .respond(&request)
                    .map_err(io::Error::other)?;
                let mut busy = Box::new(Busy::new());
                busy.output = encode_response(&response.map(|()| "")).map_err(io::Error::other)?;
                busy
            }
        };
        busy.echo(input).map_err(io::Error::other)?;
        // Between messages any session is as good as this one.
        if !busy.send(&mut self.socket)? || !busy.session.is_at_rest() {
            self.state = State::Busy(busy);
        }
        Ok(())
    }
}

impl Busy {
    fn new() -> Self {
        Self {
            session: Session::server(Limits::default()),
            message: MessageBuffer::new(),
            output: Vec::new(),
        }
    }

    fn echo(&mut self, mut input: &mut [u8]) -> Result<(), framewire::protocol::SendError> {
        while !input.is_empty() {
            // After a violation nothing counts, and the Close frame that answers it is pending.
            let received = self.session.receive(input, &mut self.message);
            let (used, event) = received.unwrap_or_default();
            if let Some(Event::Message(message)) = event {
                let (opcode, payload) = (message.opcode(), message.payload());
                self.session.send(opcode, payload, &mut self.output)?;
            }
            self.session.write_reply(&mut self.output)?;
            input = &mut input[used..];
        }
        Ok(())
    }

    /// Writes what waits, and says whether nothing does any more.
    fn send(&mut self, socket: &mut TcpStream) -> io::Result<bool> {
        while !self.output.is_empty() {
            match socket.write(&self.output) {
                Ok(len) => drop(self.output.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        // Close frames went both ways, and this end's is written: the server ends the stream.
        if self.session.is_closed() {
            return Err(ErrorKind::NotConnected.into());
        }
        Ok(true)
    }
}

const LISTENER: Token = Token(usize::MAX);

/// How long to wait before taking connections again when that failed.
const PAUSE: Duration = Duration::from_millis(100);
