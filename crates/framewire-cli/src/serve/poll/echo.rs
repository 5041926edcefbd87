//! An open connection: bytes in, echoes out.

use std::io::{Read, Write};
use std::mem;
use std::time::Instant;

use framewire::deflate::Negotiated;
use framewire::protocol::{Event, Limits, MessageBuffer, SendError, Session};
use framewire::{CloseCode, Closed, Error, ErrorKind, Side};

use super::connection::Turn;
use super::stream;
use crate::serve::traffic::Traffic;
use crate::serve::{GOODBYE, STALL};

/// An open connection that is in the middle of something.
///
/// Where it is not, it [is at rest](Self::is_at_rest), and as good for any other connection.
#[derive(Debug)]
pub(super) struct Echo {
    session: Session,
    /// The message that is under way, if one is.
    message: MessageBuffer,
    /// What the stream has not taken, from `written` on.
    waiting: Vec<u8>,
    written: usize,
    /// What was read and has to wait until the stream takes more.
    unread: Vec<u8>,
    /// When the peer has taken nothing for too long; `None` while nothing waits.
    stalled: Option<Instant>,
    /// Whether this end has sent the first Close frame.
    has_closed: bool,
}

/// What every connection needs in its turn and none after it.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    output: Vec<u8>,
    message: MessageBuffer,
}

impl Echo {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            session: Session::server(limits),
            message: MessageBuffer::new(),
            waiting: Vec::new(),
            written: 0,
            unread: Vec::new(),
            stalled: None,
            has_closed: false,
        }
    }

    pub(super) fn set_deflate(&mut self, negotiated: &Negotiated) {
        self.session.set_deflate(negotiated);
    }

    /// When the connection is to be ended because its peer takes nothing.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.stalled
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.session.is_at_rest() && self.stalled.is_none() && self.unread.is_empty()
    }

    /// What has not been written, to end the connection with.
    pub(super) fn into_waiting(mut self) -> Vec<u8> {
        self.waiting.drain(..self.written);
        self.waiting
    }

    /// Sends the answer to the handshake, and echoes what came with the request.
    pub(super) fn begin(
        &mut self,
        answer: &[u8],
        leftover: &mut [u8],
        stream: &mut impl Write,
        scratch: &mut Scratch,
        traffic: &mut Traffic,
    ) -> Result<(), Error> {
        scratch.output.clear();
        scratch.output.extend_from_slice(answer);
        self.echo(leftover, stream, scratch, traffic)
    }

    /// Reads once, into `input`, and echoes what that gave. `is_drained` says of the length of a
    /// read whether an event will tell of what comes after it.
    ///
    /// # Errors
    /// The connection's end, which may be a clean one.
    pub(super) fn turn(
        &mut self,
        input: &mut [u8],
        stream: &mut (impl Read + Write),
        scratch: &mut Scratch,
        traffic: &mut Traffic,
        is_drained: impl FnOnce(usize) -> bool,
    ) -> Result<Turn, Error> {
        // A peer that does not read is not read from, so that what waits for it is bounded.
        if !self.send_waiting(stream)? {
            return Ok(Turn::Wait);
        }
        scratch.output.clear();
        if !self.unread.is_empty() {
            let mut unread = mem::take(&mut self.unread);
            self.echo(&mut unread, stream, scratch, traffic)?;
            return Ok(Turn::Again);
        }
        let len = match stream::read(stream, input)? {
            Some(0) => return Err(ErrorKind::ConnectionLost.into()),
            Some(len) => len,
            None => return Ok(Turn::Wait),
        };
        self.echo(&mut input[..len], stream, scratch, traffic)?;
        Ok(if is_drained(len) {
            Turn::Wait
        } else {
            Turn::Again
        })
    }

    /// Sends a Close frame with 1001.
    pub(super) fn close(
        &mut self,
        stream: &mut impl Write,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let output = &mut scratch.output;
        output.clear();
        let (code, reason) = (CloseCode::GOING_AWAY, GOODBYE);
        // One that has closed already needs no other.
        if self.session.close(code, reason, output).is_ok() {
            self.has_closed = true;
        }
        if self.stalled.is_some() {
            self.waiting.append(output);
            return Ok(());
        }
        self.send(stream, output).map(drop)
    }

    /// Echoes the messages in `input`, with one write unless they are many.
    fn echo(
        &mut self,
        input: &mut [u8],
        stream: &mut impl Write,
        scratch: &mut Scratch,
        traffic: &mut Traffic,
    ) -> Result<(), Error> {
        let Scratch { output, message } = scratch;
        let was_under_way = !self.message.is_empty();
        if was_under_way {
            mem::swap(message, &mut self.message);
        }
        let echoed = self.echo_with(message, input, stream, output, traffic);
        // What was echoed before the end goes out before it.
        let echoed = echoed.and_then(|()| self.send(stream, output).map(drop));
        if !message.is_empty() {
            mem::swap(message, &mut self.message);
        } else if was_under_way {
            self.message.release();
        }
        if message.capacity() > KEPT {
            message.release();
        }
        if output.capacity() > KEPT {
            *output = Vec::new();
        }
        echoed
    }

    fn echo_with(
        &mut self,
        message: &mut MessageBuffer,
        input: &mut [u8],
        stream: &mut impl Write,
        output: &mut Vec<u8>,
        traffic: &mut Traffic,
    ) -> Result<(), Error> {
        let mut used = 0;
        while used < input.len() {
            if output.len() >= WRITTEN_AT_ONCE && !self.send(stream, output)? {
                self.unread.extend_from_slice(&input[used..]);
                return Ok(());
            }
            let end = match self.session.receive(&mut input[used..], message) {
                Ok((taken, event)) => {
                    used += taken;
                    match event {
                        Some(Event::Message(message)) => {
                            let (opcode, payload) = (message.opcode(), message.payload());
                            traffic.count(payload);
                            match self.session.send(opcode, payload, output) {
                                // Nothing follows the Close frame that ends the server.
                                Ok(()) | Err(SendError::Closed) => None,
                                Err(error) => return Err(error.into()),
                            }
                        }
                        Some(Event::Close(frame)) => Some(ErrorKind::Closed(Closed {
                            code: frame.code.unwrap_or(CloseCode::NO_STATUS),
                            reason: frame.reason.to_owned(),
                            by: if self.has_closed {
                                Side::Local
                            } else {
                                Side::Peer
                            },
                        })),
                        Some(Event::Ping(_) | Event::Pong(_)) | None => None,
                    }
                }
                Err(violation) => Some(ErrorKind::Violation(violation)),
            };
            self.session.write_reply(output)?;
            if let Some(end) = end {
                // Why it ends is known: that the last bytes cannot be sent adds nothing.
                let _ = self.send(stream, output);
                return Err(end.into());
            }
        }
        Ok(())
    }

    /// Writes `output`, and keeps what the stream does not take. Says whether it took all.
    fn send(&mut self, stream: &mut impl Write, output: &mut Vec<u8>) -> Result<bool, Error> {
        if self.stalled.is_some() {
            self.waiting.append(output);
            return Ok(false);
        }
        let mut written = 0;
        let sent = stream::write(stream, output, &mut written);
        if let Ok(false) = sent {
            self.waiting.extend_from_slice(&output[written..]);
            self.stalled = Some(Instant::now() + STALL);
        }
        output.clear();
        Ok(sent?)
    }

    /// Writes what waits, and says whether nothing does any more.
    fn send_waiting(&mut self, stream: &mut impl Write) -> Result<bool, Error> {
        if self.stalled.is_none() {
            return Ok(true);
        }
        let before = self.written;
        if stream::write(stream, &self.waiting, &mut self.written)? {
            self.waiting = Vec::new();
            self.written = 0;
            self.stalled = None;
            return Ok(true);
        }
        if self.written > before {
            self.stalled = Some(Instant::now() + STALL);
        }
        Ok(false)
    }
}

/// How much may be there to be written before more is echoed.
const WRITTEN_AT_ONCE: usize = 64 << 10;
/// How much memory the buffers keep that all connections share.
const KEPT: usize = 256 << 10;
