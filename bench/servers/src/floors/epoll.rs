//! `bare-epoll`: one thread, non-blocking sockets and epoll.
//!
//! Level-triggered, so that an echo is one read and one write, and a share of the call that waits. While a socket
//! takes no more, its connection is not read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::OwnedFd;

use anyhow::{Result, bail};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::frames::{Answer, Partial, Shared};
use super::handshake;
use crate::{Settings, start};

pub(crate) fn run(_: Settings) -> Result<()> {
    serve(false)
}

/// Sends the answers to one read to all connections.
pub(crate) fn broadcast() -> Result<()> {
    serve(true)
}

fn serve(broadcast: bool) -> Result<()> {
    let listener = start::listen()?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let data = EventData::new_u64(LISTENER);
    epoll::add(&epoll, &listener, data, EventFlags::IN)?;
    let mut server = Server {
        epoll,
        listener,
        connections: Vec::new(),
        free: Vec::new(),
        shared: Shared::new(),
        broadcast,
    };
    let mut events = Vec::with_capacity(1024);
    loop {
        match epoll::wait(&server.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.drain(..) {
            let data = event.data;
            match data.u64() {
                LISTENER => server.accept()?,
                place => server.ready(usize::try_from(place)?),
            }
        }
    }
}

struct Server {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    /// Places without a connection.
    free: Vec<usize>,
    shared: Shared,
    broadcast: bool,
}

impl Server {
    fn accept(&mut self) -> Result<()> {
        while let Ok((socket, _)) = self.listener.accept() {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or(self.connections.len());
            let data = EventData::new_u64(place as u64);
            epoll::add(&self.epoll, &socket, data, EventFlags::IN)?;
            if place == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[place] = Some(Connection {
                socket,
                is_open: false,
                partial: Partial::default(),
                unsent: Unsent::Nothing,
            });
        }
        Ok(())
    }

    fn ready(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let waited = connection.waits();
        if self.broadcast && connection.is_open && !waited {
            return self.send_to_all(place);
        }
        let result = connection.go_on(&mut self.shared);
        self.settle(place, waited, &result);
    }

    /// Reads from one connection, and writes the answers to all.
    fn send_to_all(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let mut partial = std::mem::take(&mut connection.partial);
        let result = connection.receive(&mut partial, &mut self.shared);
        if let Ok(answer) = &result {
            for to in 0..self.connections.len() {
                let Some(member) = &mut self.connections[to] else {
                    continue;
                };
                let bytes = partial.bytes(&self.shared, answer);
                let waited = member.waits();
                let result = match (&mut member.unsent, bytes) {
                    _ if !member.is_open => Ok(()),
                    (_, []) => Ok(()),
                    (Unsent::Copied(unsent, _), bytes) => {
                        unsent.extend_from_slice(bytes);
                        Ok(())
                    }
                    (_, bytes) => member.send(bytes),
                };
                self.settle(to, waited, &result);
            }
        }
        if let Some(connection) = &mut self.connections[place] {
            connection.partial = partial;
        }
        self.settle(place, false, &result.map(|_| ()));
    }

    /// Has the poll wait for what the connection waits for, and ends it after an error.
    fn settle(&mut self, place: usize, waited: bool, result: &Result<()>) {
        let Some(connection) = &self.connections[place] else {
            return;
        };
        if result.is_err() {
            self.connections[place] = None;
            self.free.push(place);
            return;
        }
        let waits = connection.waits();
        if waits != waited {
            let flags = if waits {
                EventFlags::OUT
            } else {
                EventFlags::IN
            };
            let data = EventData::new_u64(place as u64);
            let _ = epoll::modify(&self.epoll, &connection.socket, data, flags);
        }
    }
}

struct Connection {
    socket: TcpStream,
    /// The handshake is done.
    is_open: bool,
    partial: Partial,
    unsent: Unsent,
}

/// What the socket did not take.
enum Unsent {
    Nothing,
    /// In the connection's own buffer.
    InPlace(Range<usize>),
    Copied(Vec<u8>, usize),
}

impl Connection {
    fn waits(&self) -> bool {
        !matches!(self.unsent, Unsent::Nothing)
    }

    /// Writes what is to be written, or else reads once and answers.
    fn go_on(&mut self, shared: &mut Shared) -> Result<()> {
        match &mut self.unsent {
            Unsent::Nothing if !self.is_open => self.open(),
            Unsent::Nothing => self.echo(shared),
            Unsent::InPlace(range) => {
                let answer = Answer::InPlace(range.clone());
                range.start += write(&self.socket, self.partial.bytes(shared, &answer))?;
                if range.start == range.end {
                    self.unsent = Unsent::Nothing;
                }
                Ok(())
            }
            Unsent::Copied(bytes, sent) => {
                *sent += write(&self.socket, &bytes[*sent..])?;
                if *sent == bytes.len() {
                    self.unsent = Unsent::Nothing;
                }
                Ok(())
            }
        }
    }

    fn open(&mut self) -> Result<()> {
        let mut request = [0; 4096];
        let some = (&self.socket).read(&mut request)?;
        // A request comes in one piece here.
        if let Some(response) = handshake::response(&request[..some])? {
            (&self.socket).write_all(response.as_bytes())?;
            self.is_open = true;
            return Ok(());
        }
        bail!("half a request")
    }

    /// Reads once, and returns where the answers are.
    fn receive(&self, partial: &mut Partial, shared: &mut Shared) -> Result<Answer> {
        match (&self.socket).read(partial.room(shared)) {
            Ok(0) => bail!("closed"),
            Ok(some) => partial.answer(some, shared),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Answer::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes bytes, and keeps those that the socket does not take.
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = write(&self.socket, bytes)?;
        if sent < bytes.len() {
            self.unsent = Unsent::Copied(bytes[sent..].to_vec(), 0);
        }
        Ok(())
    }

    fn echo(&mut self, shared: &mut Shared) -> Result<()> {
        let mut partial = std::mem::take(&mut self.partial);
        let answer = self.receive(&mut partial, shared);
        self.partial = partial;
        let answer = answer?;
        let bytes = self.partial.bytes(shared, &answer);
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = write(&self.socket, bytes)?;
        if sent < bytes.len() {
            self.unsent = match answer {
                Answer::InPlace(range) if self.partial.is_own() => {
                    Unsent::InPlace(range.start + sent..range.end)
                }
                _ => Unsent::Copied(bytes[sent..].to_vec(), 0),
            };
        }
        Ok(())
    }
}

/// Writes as much as the socket takes.
fn write(mut socket: &TcpStream, bytes: &[u8]) -> Result<usize> {
    match socket.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => Ok(result?),
    }
}

const LISTENER: u64 = u64::MAX;
