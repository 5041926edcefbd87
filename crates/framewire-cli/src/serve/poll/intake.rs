//! Accepting connections, with a pause after an error.

use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::time::Instant;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use crate::serve::server::{PAUSE, is_of_one_connection};

/// The listener, and whether a connection may be waiting.
#[derive(Debug)]
pub(super) struct Intake {
    listener: TcpListener,
    state: State,
    /// Whether the last attempt failed. Only the first failure is logged.
    failing: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The listener had no connection.
    Empty,
    Ready,
    /// Accepting failed. Not to be tried again before this time.
    Paused(Instant),
}

impl Intake {
    pub(super) fn new(
        listener: net::TcpListener,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        registry.register(&mut listener, token, Interest::READABLE)?;
        Ok(Self {
            listener,
            state: State::Ready,
            failing: false,
        })
    }

    /// Records an event of the listener.
    pub(super) fn record_event(&mut self) {
        if let State::Empty = self.state {
            self.state = State::Ready;
        }
    }

    /// Returns whether a connection may be waiting, and it is time to try.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Returns when to try again after an error.
    pub(super) fn resumes(&self) -> Option<Instant> {
        match self.state {
            State::Paused(time) => Some(time),
            State::Empty | State::Ready => None,
        }
    }

    /// Accepts a connection, if one waits and it is time.
    ///
    /// # Errors
    /// No descriptors or memory are left, even if no connection waits: the next attempt is later. Holds the reason at
    /// the first of several failures in a row.
    pub(super) fn accept(&mut self) -> Result<Option<(TcpStream, SocketAddr)>, Option<io::Error>> {
        match self.state {
            State::Empty => return Ok(None),
            State::Paused(time) if time > Instant::now() => return Ok(None),
            State::Paused(_) | State::Ready => {}
        }
        loop {
            match self.listener.accept() {
                Ok(taken) => {
                    self.state = State::Ready;
                    self.failing = false;
                    return Ok(Some(taken));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.state = State::Empty;
                    return Ok(None);
                }
                Err(error) => {
                    self.state = State::Paused(Instant::now() + PAUSE);
                    let is_first = !self.failing;
                    self.failing = true;
                    return Err(is_first.then_some(error));
                }
            }
        }
    }
}
