//! One connection, from accepting it until it is gone.

use std::mem;
use std::net::SocketAddr;
use std::time::Instant;

use framewire::connection::BufferPool;
use framewire::handshake::Parts;
use framewire::protocol::Agreement;
use framewire::{Config, Error};

use super::echo::Echo;
use super::ending::Ending;
use super::handshake::Handshake;
use super::stream::{self, Stream};
use super::turn::Turn;
use crate::serve::request::{NoRequest, Outcome, Refusal};
use crate::serve::server::Server;
use crate::serve::slots::{Slot, Slots};
use crate::serve::traffic::Traffic;

/// An entry in the table of connections. A connection at rest owns nothing beside it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    peer: SocketAddr,
    traffic: Traffic,
    state: State,
    /// Whether the peer has sent its last byte. No event reports that twice.
    read_closed: bool,
    /// Whether it needs another turn without an event.
    eager: bool,
}

#[derive(Debug)]
enum State {
    Handshake(Box<Handshake>),
    /// `None` at rest.
    Open(Option<Box<Echo>>),
    Ending(Box<Ending>),
}

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) server: Server,
    pub(super) slots: Slots<usize>,
    /// The bytes read last from a connection that is not open.
    input: Vec<u8>,
    config: Config,
    /// The buffers of the open connections.
    pool: BufferPool,
    /// Unused states, for connections that leave their rest.
    #[allow(clippy::vec_box, reason = "a connection takes the box as it is")]
    spare: Vec<Box<Echo>>,
}

impl Connection {
    /// Creates a connection before its handshake.
    pub(super) fn new(stream: Stream, peer: SocketAddr, slot: Slot) -> Self {
        let handshake = Handshake::new(slot, stream.is_handshaking());
        Self {
            stream,
            peer,
            traffic: Traffic::default(),
            state: State::Handshake(Box::new(handshake)),
            read_closed: false,
            eager: false,
        }
    }

    /// Returns the deadline at which the connection [expires](Self::expire), if it has one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(handshake) => Some(handshake.deadline),
            State::Open(echo) => echo.as_ref()?.deadline(),
            State::Ending(ending) => Some(ending.deadline()),
        }
    }

    pub(super) fn slot(&self) -> &Slot {
        match &self.state {
            State::Handshake(handshake) => &handshake.slot,
            State::Open(_) => &Slot::Open,
            State::Ending(ending) => &ending.slot,
        }
    }

    /// Records what an event says beside that there is something to do.
    pub(super) fn record_event(&mut self, read_closed: bool) {
        self.read_closed |= read_closed;
    }

    pub(super) fn is_eager(&self) -> bool {
        self.eager
    }

    pub(super) fn set_eager(&mut self, eager: bool) {
        self.eager = eager;
    }

    /// Reads and writes, as far as the socket allows.
    pub(super) fn turn(&mut self, shared: &mut Shared) -> Turn {
        match &mut self.state {
            State::Handshake(_) => self.shake_hands(shared),
            State::Open(echo) => {
                let echo = echo.take().map_or_else(|| shared.echo(), Ok);
                let mut echo = match echo {
                    Ok(echo) => echo,
                    Err(error) => return self.fail(&error, shared),
                };
                let tells = self.stream.tells_by_short_reads() && !self.read_closed;
                let turn = echo.turn(&mut self.stream, &mut self.traffic, |len, room| {
                    len < room && tells
                });
                self.finish_turn(echo, turn, shared)
            }
            State::Ending(ending) => ending.turn(&mut self.stream, &mut shared.input),
        }
    }

    /// Acts on a deadline that has passed.
    pub(super) fn expire(&mut self, shared: &mut Shared) -> Turn {
        match &self.state {
            State::Handshake(handshake) => {
                let refusal = handshake.expire();
                self.refuse(refusal, shared)
            }
            State::Open(_) | State::Ending(_) => self.try_again(shared),
        }
    }

    /// Tries to write again, and ends the connection if the peer has taken nothing for too long.
    fn try_again(&mut self, shared: &mut Shared) -> Turn {
        let turn = self.turn(shared);
        let is_given_up = match &self.state {
            State::Open(Some(echo)) => echo.is_given_up(),
            State::Ending(ending) => ending.is_given_up(),
            State::Handshake(_) | State::Open(None) => false,
        };
        if turn == Turn::Gone || !is_given_up {
            return turn;
        }
        match &self.state {
            State::Open(_) => {
                self.log_end(&shared.server.stalled(), shared);
                self.stream.reset_on_close();
            }
            State::Ending(ending) if ending.is_writing() => self.stream.reset_on_close(),
            State::Handshake(_) | State::Ending(_) => {}
        }
        Turn::Gone
    }

    /// Closes an open connection with 1001.
    pub(super) fn close(&mut self, shared: &mut Shared) -> Turn {
        let State::Open(echo) = &mut self.state else {
            return Turn::Wait;
        };
        let echo = echo.take().map_or_else(|| shared.echo(), Ok);
        let mut echo = match echo {
            Ok(echo) => echo,
            Err(error) => return self.fail(&error, shared),
        };
        let closed = echo.close(&mut self.stream);
        self.finish_turn(echo, closed.map(|()| Turn::Wait), shared)
    }

    /// Logs that the connection's slot was given to another.
    pub(super) fn log_displaced(&self, reason: &NoRequest, server: &Server) {
        // A refused connection has been logged already.
        if let State::Handshake(handshake) = &self.state {
            let why = handshake.fail(reason).why;
            server.log(format_args!("{} {why}", self.peer));
        }
    }

    /// Reads some of the request, and answers it once it is whole.
    fn shake_hands(&mut self, shared: &mut Shared) -> Turn {
        let State::Handshake(handshake) = &mut self.state else {
            return Turn::Wait;
        };
        let read = stream::read(&mut self.stream, &mut shared.input);
        handshake.record_securing(self.stream.is_handshaking());
        let len = match read {
            Ok(Some(0)) => {
                let refusal = handshake.fail(&NoRequest::Ended);
                return self.refuse(refusal, shared);
            }
            Ok(Some(len)) => len,
            Ok(None) => return Turn::Wait,
            Err(error) => {
                let refusal = handshake.fail(&NoRequest::of(&error));
                return self.refuse(refusal, shared);
            }
        };
        let tells = self.stream.tells_by_short_reads() && !self.read_closed;
        let turn = if len < shared.input.len() && tells {
            Turn::Wait
        } else {
            Turn::Again
        };
        let Handshake {
            slot, reception, ..
        } = &mut **handshake;
        let reserve = || shared.slots.open(slot);
        match reception.receive(&shared.input[..len], &shared.server, reserve) {
            Outcome::Unfinished => turn,
            Outcome::Refused(refusal) => self.refuse(refusal, shared),
            Outcome::Accepted {
                answer,
                established,
            } => {
                let Parts {
                    leftover,
                    extension,
                    ..
                } = established.into_parts();
                let opened = self.open(&answer, &leftover, extension.as_deref(), shared);
                if opened == Turn::Wait { turn } else { opened }
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal, shared: &mut Shared) -> Turn {
        let Refusal { why, answer } = refusal;
        shared.server.log(format_args!("{} {why}", self.peer));
        self.end(answer, shared)
    }

    /// Answers with a 101, and with echoes of what came after the request.
    fn open(
        &mut self,
        answer: &[u8],
        leftover: &[u8],
        extension: Option<&dyn Agreement>,
        shared: &mut Shared,
    ) -> Turn {
        shared.server.log(format_args!("{} open", self.peer));
        self.state = State::Open(None);
        let (config, limit) = (&shared.config, shared.server.write_timeout);
        let mut echo = match Echo::new(leftover, config, &shared.pool, limit) {
            Ok(echo) => Box::new(echo),
            Err(error) => return self.fail(&error, shared),
        };
        if let Some(agreed) = extension {
            echo.set_extension(agreed);
        }
        let begun = self.stream.set_nodelay().map_err(Error::from);
        let begun = begun.and_then(|()| echo.begin(answer, &mut self.stream, &mut self.traffic));
        self.finish_turn(echo, begun.map(|()| Turn::Wait), shared)
    }

    /// Stores the connection's state for its next turn, or ends the connection.
    fn finish_turn(
        &mut self,
        echo: Box<Echo>,
        turn: Result<Turn, Error>,
        shared: &mut Shared,
    ) -> Turn {
        match turn {
            Ok(turn) if echo.is_at_rest() => {
                shared.put_back(echo);
                self.state = State::Open(None);
                turn
            }
            Ok(turn) => {
                self.state = State::Open(Some(echo));
                turn
            }
            Err(error) => {
                self.log_end(&error, shared);
                self.end(echo.into_waiting(), shared)
            }
        }
    }

    /// Sends `output`, and ends the connection.
    fn end(&mut self, output: Vec<u8>, shared: &mut Shared) -> Turn {
        let slot = match mem::replace(&mut self.state, State::Open(None)) {
            State::Handshake(handshake) => handshake.slot,
            State::Open(_) => Slot::Open,
            State::Ending(ending) => ending.slot,
        };
        let mut ending = Ending::new(slot, output, shared.server.write_timeout);
        let turn = ending.turn(&mut self.stream, &mut shared.input);
        self.state = State::Ending(Box::new(ending));
        turn
    }

    /// Ends a connection after an error.
    fn fail(&mut self, error: &Error, shared: &mut Shared) -> Turn {
        self.log_end(error, shared);
        self.end(Vec::new(), shared)
    }

    fn log_end(&self, error: &Error, shared: &Shared) {
        let end = self.traffic.until(error);
        shared.server.log(format_args!("{} {end}", self.peer));
    }
}

impl Shared {
    pub(super) fn new(server: Server) -> Self {
        Self {
            slots: Slots::new(server.max_connections),
            input: vec![0; READ_AT_ONCE],
            config: server.config.read_buffer(READ_AT_ONCE),
            pool: BufferPool::per_thread(),
            server,
            spare: Vec::new(),
        }
    }

    fn echo(&mut self) -> Result<Box<Echo>, Error> {
        if let Some(echo) = self.spare.pop() {
            return Ok(echo);
        }
        let limit = self.server.write_timeout;
        let echo = Echo::new(&[], &self.config, &self.pool, limit)?;
        Ok(Box::new(echo))
    }

    fn put_back(&mut self, echo: Box<Echo>) {
        if self.spare.len() < SPARE {
            self.spare.push(echo);
        }
    }
}

/// How many bytes are read with one call.
const READ_AT_ONCE: usize = 64 << 10;
/// How many unused states are stored.
const SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_rest_is_96_bytes() {
        let size = size_of::<Connection>();
        assert!(size <= 96, "{size}");
    }
}
