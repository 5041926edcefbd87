//! One connection, from the moment it was taken until it is gone.

use std::mem;
use std::net::SocketAddr;
use std::time::Instant;

use framewire::Error;
use framewire::protocol::Agreement;

use super::echo::{Echo, Scratch};
use super::ending::Ending;
use super::handshake::Handshake;
use super::stream::{self, Stream};
use crate::serve::Server;
use crate::serve::places::{Place, Places};
use crate::serve::request::{Lack, Outcome, Refusal};
use crate::serve::traffic::Traffic;

/// An entry in the table of connections. One at rest has nothing beside it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    peer: SocketAddr,
    traffic: Traffic,
    state: State,
    /// Whether the peer has sent its last byte: no event will tell of that again.
    read_closed: bool,
    /// Whether it is to have another turn without an event.
    eager: bool,
}

#[derive(Debug)]
enum State {
    Handshake(Box<Handshake>),
    /// `None` at rest.
    Open(Option<Box<Echo>>),
    Ending(Box<Ending>),
}

/// What a connection needs after it has had its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing until an event comes.
    Wait,
    /// Another turn, when the others have had theirs.
    Again,
    /// To be forgotten.
    Gone,
}

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) server: Server,
    pub(super) places: Places<usize>,
    /// What was read last.
    input: Vec<u8>,
    scratch: Scratch,
    /// Those that are at rest, for connections that have something to say.
    #[allow(clippy::vec_box, reason = "a connection takes the box as it is")]
    spare: Vec<Box<Echo>>,
}

impl Connection {
    /// A connection before its handshake.
    pub(super) fn new(stream: Stream, peer: SocketAddr, place: Place) -> Self {
        let handshake = Handshake::new(place, stream.is_handshaking());
        Self {
            stream,
            peer,
            traffic: Traffic::default(),
            state: State::Handshake(Box::new(handshake)),
            read_closed: false,
            eager: false,
        }
    }

    /// By when something has to have happened, or else it [expires](Self::expire).
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(handshake) => Some(handshake.deadline),
            State::Open(echo) => echo.as_ref()?.deadline(),
            State::Ending(ending) => Some(ending.deadline()),
        }
    }

    pub(super) fn place(&self) -> &Place {
        match &self.state {
            State::Handshake(handshake) => &handshake.place,
            State::Open(_) => &Place::Open,
            State::Ending(ending) => &ending.place,
        }
    }

    /// Takes note of what an event says beside that there is something to do.
    pub(super) fn note_event(&mut self, read_closed: bool) {
        self.read_closed |= read_closed;
    }

    pub(super) fn is_eager(&self) -> bool {
        self.eager
    }

    pub(super) fn set_eager(&mut self, eager: bool) {
        self.eager = eager;
    }

    /// Reads once and writes once, where that is possible now.
    pub(super) fn turn(&mut self, shared: &mut Shared) -> Turn {
        match &mut self.state {
            State::Handshake(_) => self.shake_hands(shared),
            State::Open(echo) => {
                let mut echo = echo.take().unwrap_or_else(|| shared.echo());
                let room = shared.input.len();
                let tells = self.stream.tells_by_short_reads() && !self.read_closed;
                let turn = echo.turn(
                    &mut shared.input,
                    &mut self.stream,
                    &mut shared.scratch,
                    &mut self.traffic,
                    |len| len < room && tells,
                );
                self.settle(echo, turn, shared)
            }
            State::Ending(ending) => ending.turn(&mut self.stream, &mut shared.input),
        }
    }

    /// Goes on when the deadline is over.
    pub(super) fn expire(&mut self, shared: &mut Shared) -> Turn {
        match &self.state {
            State::Handshake(handshake) => {
                let refusal = handshake.expire();
                self.refuse(refusal, shared)
            }
            State::Open(_) | State::Ending(_) => self.try_again(shared),
        }
    }

    /// Tries again, and ends the connection whose peer has taken nothing for too long.
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
        let mut echo = echo.take().unwrap_or_else(|| shared.echo());
        let closed = echo.close(&mut self.stream, &mut shared.scratch);
        self.settle(echo, closed.map(|()| Turn::Wait), shared)
    }

    /// Takes note of that its place goes to another.
    pub(super) fn log_displaced(&self, lack: &Lack, server: &Server) {
        // One that was refused has had its line.
        if let State::Handshake(handshake) = &self.state {
            let why = handshake.fail(lack).why;
            server.log(format_args!("{} {why}", self.peer));
        }
    }

    /// Reads some of the request, and answers it once it is whole.
    fn shake_hands(&mut self, shared: &mut Shared) -> Turn {
        let State::Handshake(handshake) = &mut self.state else {
            return Turn::Wait;
        };
        let read = stream::read(&mut self.stream, &mut shared.input);
        handshake.note_securing(self.stream.is_handshaking());
        let len = match read {
            Ok(Some(0)) => {
                let refusal = handshake.fail(&Lack::Ended);
                return self.refuse(refusal, shared);
            }
            Ok(Some(len)) => len,
            Ok(None) => return Turn::Wait,
            Err(error) => {
                let refusal = handshake.fail(&Lack::of(&error));
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
            place, reception, ..
        } = &mut **handshake;
        let reserve = || shared.places.open(place);
        match reception.receive(&shared.input[..len], &shared.server, reserve) {
            Outcome::Unfinished => turn,
            Outcome::Refused(refusal) => self.refuse(refusal, shared),
            Outcome::Accepted {
                used,
                answer,
                extension,
            } => {
                let opened = self.open(&answer, used..len, extension.as_deref(), shared);
                if opened == Turn::Wait { turn } else { opened }
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal, shared: &mut Shared) -> Turn {
        let Refusal { why, answer } = refusal;
        shared.server.log(format_args!("{} {why}", self.peer));
        self.end(answer, shared)
    }

    /// Answers with a 101, and with echoes to what came behind the request.
    fn open(
        &mut self,
        answer: &[u8],
        leftover: std::ops::Range<usize>,
        extension: Option<&dyn Agreement>,
        shared: &mut Shared,
    ) -> Turn {
        shared.server.log(format_args!("{} open", self.peer));
        self.state = State::Open(None);
        let mut echo = shared.echo();
        if let Some(agreed) = extension {
            echo.set_extension(agreed);
        }
        let begun = self.stream.set_nodelay().map_err(Error::from);
        let begun = begun.and_then(|()| {
            echo.begin(
                answer,
                &mut shared.input[leftover],
                &mut self.stream,
                &mut shared.scratch,
                &mut self.traffic,
            )
        });
        self.settle(echo, begun.map(|()| Turn::Wait), shared)
    }

    /// Keeps what the connection has to remember until its next turn, or ends it.
    fn settle(&mut self, echo: Box<Echo>, turn: Result<Turn, Error>, shared: &mut Shared) -> Turn {
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

    /// Sends this, and ends the connection.
    fn end(&mut self, output: Vec<u8>, shared: &mut Shared) -> Turn {
        let place = match mem::replace(&mut self.state, State::Open(None)) {
            State::Handshake(handshake) => handshake.place,
            State::Open(_) => Place::Open,
            State::Ending(ending) => ending.place,
        };
        let mut ending = Ending::new(place, output, shared.server.write_timeout);
        let turn = ending.turn(&mut self.stream, &mut shared.input);
        self.state = State::Ending(Box::new(ending));
        turn
    }

    fn log_end(&self, error: &Error, shared: &Shared) {
        let end = self.traffic.until(error);
        shared.server.log(format_args!("{} {end}", self.peer));
    }
}

impl Shared {
    pub(super) fn new(server: Server) -> Self {
        Self {
            places: Places::new(server.max_connections),
            server,
            input: vec![0; READ_AT_ONCE],
            scratch: Scratch::default(),
            spare: Vec::new(),
        }
    }

    fn echo(&mut self) -> Box<Echo> {
        let (limits, write_timeout) = (self.server.config.limits, self.server.write_timeout);
        self.spare
            .pop()
            .unwrap_or_else(|| Box::new(Echo::new(limits, write_timeout)))
    }

    fn put_back(&mut self, echo: Box<Echo>) {
        if self.spare.len() < SPARE {
            self.spare.push(echo);
        }
    }
}

/// How much is read with one call.
const READ_AT_ONCE: usize = 64 << 10;
/// How many of those at rest are kept.
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
