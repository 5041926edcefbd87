//! An open connection: bytes in, echoes out.

use std::io::{IoSlice, Read, Write};
use std::time::{Duration, Instant};

use framewire::connection::{BufferPool, Connection, Outbound};
use framewire::protocol::{Agreement, Message, Role};
use framewire::{CloseCode, Config, Error};

use super::stream;
use super::turn::Turn;
use crate::serve::server::GOODBYE;
use crate::serve::stall::Stall;
use crate::serve::traffic::Traffic;

/// The state of an open connection that is in the middle of something.
///
/// When it [is at rest](Self::is_at_rest), any other connection can use it.
#[derive(Debug)]
pub(super) struct Echo {
    connection: Connection,
    /// Whether messages that were read may still be unanswered, since the stream took no more.
    has_more: bool,
    /// How long the peer may take nothing.
    write_timeout: Duration,
    /// How long the peer has taken nothing; `None` while nothing waits.
    stalled: Option<Stall>,
}

impl Echo {
    /// Creates the state of a connection.
    ///
    /// # Errors
    /// If a size of the configuration is 0.
    pub(super) fn new(
        leftover: &[u8],
        config: &Config,
        pool: &BufferPool,
        write_timeout: Duration,
    ) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::new(Role::Server, leftover, config, pool)?,
            has_more: !leftover.is_empty(),
            write_timeout,
            stalled: None,
        })
    }

    pub(super) fn set_extension(&mut self, agreed: &dyn Agreement) {
        self.connection.set_extension(agreed);
    }

    /// Returns when to try again to write what waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.stalled?.next_try(self.write_timeout))
    }

    /// Returns whether the peer has taken nothing for too long.
    pub(super) fn is_given_up(&self) -> bool {
        let limit = self.write_timeout;
        self.stalled
            .is_some_and(|stall| stall.is_over(Instant::now(), limit))
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.connection.is_at_rest() && self.stalled.is_none() && !self.has_more
    }

    /// Returns the output that has not been written, to end the connection with.
    pub(super) fn into_waiting(mut self) -> Vec<u8> {
        let output = self.connection.outbound().output();
        output.ok().flatten().unwrap_or_default().to_vec()
    }

    /// Sends the answer to the handshake, and echoes what came with the request.
    pub(super) fn begin(
        &mut self,
        answer: &[u8],
        stream: &mut impl Write,
        traffic: &mut Traffic,
    ) -> Result<(), Error> {
        self.connection.outbound().begin_with(answer);
        self.echo(stream, traffic)
    }

    /// Reads about [`READ_IN_A_TURN`] bytes at most, and echoes what came. `is_drained` tells from the length of a read
    /// whether an event will report what comes after it.
    ///
    /// # Errors
    /// The connection's end, which may be a clean one.
    pub(super) fn turn(
        &mut self,
        stream: &mut (impl Read + Write),
        traffic: &mut Traffic,
        is_drained: impl Fn(usize, usize) -> bool,
    ) -> Result<Turn, Error> {
        // While the peer does not read, nothing is read from it, which bounds the output.
        if !self.send(stream)? {
            return Ok(Turn::Wait);
        }
        if self.has_more {
            self.echo(stream, traffic)?;
            // No event reports what the socket still has.
            return Ok(Turn::Again);
        }
        let mut read = 0;
        while read < READ_IN_A_TURN {
            let room = self.connection.room();
            let room_len = room.len();
            let Some(len) = stream::read(stream, room)? else {
                self.connection.rest();
                return Ok(Turn::Wait);
            };
            self.connection.filled(len);
            self.echo(stream, traffic)?;
            if is_drained(len, room_len) || self.stalled.is_some() {
                self.connection.rest();
                return Ok(Turn::Wait);
            }
            read += len;
        }
        self.connection.rest();
        Ok(Turn::Again)
    }

    /// Sends a Close frame with 1001.
    pub(super) fn close(&mut self, stream: &mut impl Write) -> Result<(), Error> {
        let outbound = self.connection.outbound();
        // A connection that was already closed needs no second Close frame.
        let _ = outbound.close(CloseCode::GOING_AWAY, GOODBYE);
        self.send(stream).map(drop)
    }

    /// Echoes the messages that were read, with one write unless they are many.
    fn echo(&mut self, stream: &mut impl Write, traffic: &mut Traffic) -> Result<(), Error> {
        self.has_more = true;
        loop {
            if self.connection.outbound().buffered() >= WRITTEN_AT_ONCE && !self.send(stream)? {
                return Ok(());
            }
            let (message, outbound) = match self.connection.next_message() {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(end) => return self.end(end, stream),
            };
            traffic.count(message.payload());
            match send_message(outbound, &message, stream) {
                Ok(()) => {}
                // After the server's Close frame nothing more is echoed.
                Err(error) if error.closed().is_some() => {}
                Err(error) => return Err(error),
            }
        }
        self.has_more = false;
        self.send(stream)?;
        Ok(())
    }

    /// Sends what was echoed before the end, and the reply to the end.
    fn end<R>(&mut self, end: Error, stream: &mut impl Write) -> Result<R, Error> {
        // The reason for the end is known. A failure to send the last bytes adds nothing.
        let _ = self.send(stream);
        Err(end)
    }

    /// Writes what waits. Returns whether all of it is written.
    fn send(&mut self, stream: &mut impl Write) -> Result<bool, Error> {
        let outbound = self.connection.outbound();
        let mut progress = false;
        while let Some(bytes) = outbound.output()? {
            let written = stream.write(bytes);
            progress |= written.is_ok();
            match outbound.written(written) {
                Err(error) if error.is_would_block() => {
                    self.stall(progress);
                    return Ok(false);
                }
                written => written?,
            }
        }
        if !stream::flush(stream)? {
            self.stall(progress);
            return Ok(false);
        }
        self.stalled = None;
        Ok(true)
    }

    fn stall(&mut self, progress: bool) {
        let now = Instant::now();
        match &mut self.stalled {
            Some(stall) if !progress => stall.failed(now),
            stalled => *stalled = Some(Stall::begin(now)),
        }
    }
}

/// Stages a short message. Writes a long one from where it lies as far as the stream takes it now, and copies the rest.
fn send_message(
    outbound: &mut Outbound,
    message: &Message<'_>,
    stream: &mut impl Write,
) -> Result<(), Error> {
    let mut begun = outbound.begin_message(message)?;
    while let Some(pieces) = outbound.output_of(&mut begun)? {
        let written = stream.write_vectored(&pieces.map(IoSlice::new));
        match outbound.written_of(written, &mut begun) {
            Err(error) if error.is_would_block() => return outbound.buffer(begun),
            written => written?,
        }
    }
    Ok(())
}

/// How many bytes of a connection that has more are read, about, before it is the turn of others: a long message is
/// then read while its memory is still in the cache.
const READ_IN_A_TURN: usize = 512 << 10;
/// How many bytes may wait to be written before echoing pauses.
const WRITTEN_AT_ONCE: usize = 64 << 10;

#[cfg(test)]
mod tests;
