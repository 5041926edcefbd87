//! A connection without its stream, for those who have their own way to read and write.

use std::io;

use super::inbound::{Found, Inbound, Stop};
use super::open::{open, set_extension};
use super::outbound::Outbound;
use super::replies::{Replies as _, Reply};
use super::stage::{NotStaged, Unsent, close_payload};
use super::{BufferPool, Buffers, CloseReply, Config, PingReply};
use crate::error::{Error, ErrorKind};
use crate::frame::{CloseCode, Opcode, Rsv};
use crate::protocol::{Agreement, Message, Role};

/// One connection without its I/O, with its buffers: for event loops, and for front ends of your own.
///
/// It is what the blocking front end and tokio's are built on. Bytes that were read go in, into its
/// [`room`](Self::room); messages come out, and bytes to be written, from its [`Outbound`] side. It answers
/// Pings and Close frames, holds the peer to RFC 6455 and the limits, and tells how the connection ended.
///
/// ```
/// use framewire::Config;
/// use framewire::connection::{BufferPool, Connection};
/// use framewire::protocol::Role;
///
/// let pool = BufferPool::per_thread();
/// let mut connection = Connection::new(Role::Server, &[], &Config::default(), &pool)?;
///
/// // RFC 6455 5.7: a masked text message, "Hello".
/// let read = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// connection.room()[..read.len()].copy_from_slice(read);
/// connection.filled(read.len());
/// while let Some((message, outbound)) = connection.next_message()? {
///     outbound.feed_message(message.opcode(), message.payload())?;
/// }
/// assert_eq!(connection.outbound().output()?, Some(&b"\x81\x05Hello"[..]));
/// connection.outbound().written(Ok(7))?;
/// assert_eq!(connection.outbound().output()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The order of calls
/// 1. [`next_message`](Self::next_message) until there is none. Feed what answers.
/// 2. [`Outbound::output`] and [`Outbound::written`] until nothing waits. A loop that does not read while its
///    peer takes nothing bounds what waits.
/// 3. Read into [`room`](Self::room) and call [`filled`](Self::filled), or, where nothing is there to be read,
///    [`rest`](Self::rest) and wait.
///
/// At the end `next_message` fails, with the same error at each call. What answers it, a Close frame, is still to be
/// written. Another order loses nothing: what is read before messages were taken is kept behind them.
///
/// # Memory
/// The buffers come from the pool while something is in them: one of [`Config::read_buffer`] bytes, one for
/// what waits to be written, and one for a message that came in parts, of at most twice the
/// [limit](crate::protocol::Limits::message). A connection that has to wait for its peer gives
/// them back with [`rest`](Self::rest); one that [is at rest](Self::is_at_rest) then can be dropped, and a new
/// one take its place when the peer says something.
///
/// # Cancel safety
/// No call waits, and between calls everything is in the connection.
#[derive(Debug)]
pub struct Connection {
    inbound: Inbound,
    outbound: Outbound,
    /// The message that is there and was not given yet.
    found: Option<Found>,
    /// Whether nothing more will be read.
    is_at_end: bool,
}

impl Connection {
    /// The end of this role of a connection on which the handshake is done; what came with its head is read
    /// first.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where a size is 0.
    pub fn new(
        role: Role,
        leftover: &[u8],
        config: &Config,
        pool: &BufferPool,
    ) -> Result<Self, Error> {
        let buffers = Buffers::Pooled(pool.clone());
        let (inbound, outbound, ()) = open((), leftover, role, config, buffers)?;
        Ok(Self {
            inbound,
            outbound,
            found: None,
            is_at_end: false,
        })
    }

    /// Has an extension transform messages both ways from now on, as was agreed on: to be called before the
    /// first message.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        set_extension(&mut self.inbound, &mut self.outbound, agreed);
    }

    /// Calls `handler` for each Ping, and answers with what it returns. Default: a Pong with the same payload.
    /// Boxed once.
    pub fn on_ping(&mut self, handler: impl FnMut(&[u8]) -> PingReply + Send + 'static) {
        self.inbound.handlers_mut().ping = Some(Box::new(handler));
    }

    /// Calls `handler` for each Pong. Boxed once.
    pub fn on_pong(&mut self, handler: impl FnMut(&[u8]) + Send + 'static) {
        self.inbound.handlers_mut().pong = Some(Box::new(handler));
    }

    /// Calls `handler` for the peer's Close frame, and answers with what it returns. Default: a Close frame with
    /// the same code. Boxed once.
    pub fn on_close(
        &mut self,
        handler: impl FnMut(Option<CloseCode>, &str) -> CloseReply + Send + 'static,
    ) {
        self.inbound.handlers_mut().close = Some(Box::new(handler));
    }

    /// Returns where to read to: never empty. The rest of a long frame goes straight into the memory of its message.
    pub fn room(&mut self) -> &mut [u8] {
        if self.is_used_up() {
            self.inbound.room()
        } else {
            self.inbound.room_behind()
        }
    }

    /// Takes in the bytes that were read into the [`room`](Self::room). A `len` of 0 says that the stream has ended
    /// or failed. [`next_message`](Self::next_message) tells that, or a violation, after the messages that were read before it.
    ///
    /// # Panics
    /// Where `len` is more than the room was, this call or a later one panics.
    pub fn filled(&mut self, len: usize) {
        if len == 0 {
            self.is_at_end = true;
        } else if !self.is_used_up() {
            self.inbound.filled_behind(len);
        } else if self.inbound.filled(len, &mut self.outbound).is_ok() {
            // A message that this has completed is found before its memory can be given back.
            let _ = self.has_message();
        }
    }

    fn is_used_up(&self) -> bool {
        self.found.is_none() && self.inbound.is_used_up()
    }

    /// Returns the next message, and the side by which it is answered; `None` where more has to be read.
    ///
    /// # Errors
    /// How the connection ended, once and again: [`ErrorKind::Closed`], [`ErrorKind::Violation`],
    /// [`ErrorKind::ConnectionLost`]. What answers that is still to be [written](Outbound::output).
    pub fn next_message(&mut self) -> Result<Option<(Message<'_>, &mut Outbound)>, Error> {
        self.has_message()?;
        let found = self.found.take();
        Ok(found.map(|found| (self.inbound.lend(&found), &mut self.outbound)))
    }

    /// Returns whether [`next_message`](Self::next_message) gives a message without more being read: for front
    /// ends that lend messages themselves.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    #[inline]
    pub fn has_message(&mut self) -> Result<bool, Error> {
        if self.found.is_none() {
            match self.inbound.next_message(&mut self.outbound) {
                Ok(found) => self.found = Some(found),
                Err(Stop::Bytes) if self.is_at_end => {
                    self.inbound.lose();
                    self.outbound.reply(Reply::Lost);
                    return Err(ErrorKind::ConnectionLost.into());
                }
                Err(Stop::Bytes) => return Ok(false),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The sending side.
    pub fn outbound(&mut self) -> &mut Outbound {
        &mut self.outbound
    }

    /// Gives the memory back that nothing is held in.
    pub fn rest(&mut self) {
        if self.found.is_none() {
            self.inbound.wait();
        }
        self.outbound.rest();
    }

    /// Whether it is as it was made: nothing has begun in either direction, nothing waits, no extension is used.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.is_used_up()
            && !self.is_at_end
            && self.inbound.is_as_new()
            && self.outbound.is_as_new()
    }
}

/// For a connection without a stream. Nothing here waits.
impl Outbound {
    /// Takes a message. What waits then is not bound: look at [`buffered`](Self::buffered) before.
    ///
    /// # Errors
    /// [`ErrorKind::Send`] and nothing was taken, unless an extension or the source of masking keys fails in the
    /// middle of a message: no other can be sent then. [`ErrorKind::Closed`] after a Close frame of this end;
    /// [`ErrorKind::ConnectionLost`] after the end of the stream; [`ErrorKind::Io`] after it failed to be written to.
    pub fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.take(|outbound| outbound.stage_unbounded(opcode, payload))
    }

    /// Takes a Ping.
    ///
    /// # Errors
    /// As [`feed_message`](Self::feed_message).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.take(|outbound| outbound.append_frame(Opcode::Ping, payload))
    }

    /// Takes a Pong: one that the peer did not ask for, or where [`on_ping`](Connection::on_ping) answers nothing.
    ///
    /// # Errors
    /// As [`feed_message`](Self::feed_message).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.take(|outbound| outbound.append_frame(Opcode::Pong, payload))
    }

    /// Takes a Close frame: the last frame of this end (RFC 6455 5.5.1).
    ///
    /// # Errors
    /// As [`feed_message`](Self::feed_message), and where the code is never sent or the reason is over 123 bytes.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let payload = close_payload(code, reason)?;
        self.take(|outbound| outbound.append_frame(Opcode::Close, payload.as_slice()))
    }

    /// Takes bytes as they are: the answer of a handshake, to be called before anything else is.
    pub fn begin_with(&mut self, head: &[u8]) {
        self.append_raw(head);
    }

    /// Returns the bytes to be written next; `None` where nothing waits. A reply that waits is among them.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] after the stream failed, and [`ErrorKind::Send`] where there is no masking key.
    pub fn output(&mut self) -> Result<Option<&[u8]>, Error> {
        self.staged_with_reply()
    }

    /// Records what came of writing [`output`](Self::output).
    ///
    /// # Errors
    /// That of the stream; final, unless it would block. A stream that took 0 bytes has failed.
    pub fn written(&mut self, written: io::Result<usize>) -> Result<(), Error> {
        self.wrote(written, &mut Unsent::Nothing)?;
        // To flush the stream is up to those who have it.
        self.unflushed = false;
        Ok(())
    }

    fn take<'p>(
        &mut self,
        stage: impl FnOnce(&mut Self) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<(), Error> {
        match stage(self) {
            Ok(mut unsent) => self.buffer_rest(&mut unsent),
            Err(NotStaged::Failed(error)) => Err(error),
            // It is never asked for, and no frame is ever left half-taken.
            Err(NotStaged::Full | NotStaged::InFrame) => {
                Err(io::Error::from(io::ErrorKind::WouldBlock).into())
            }
        }
    }

    /// Stages a message whatever waits already.
    fn stage_unbounded<'p>(
        &mut self,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<Unsent<'p>, NotStaged> {
        self.check_message(opcode)?;
        let _ = self.stage_reply();
        if let Some(unsent) = self.stage_encoded(opcode, payload)? {
            return Ok(unsent);
        }
        self.append(true, Rsv::NONE, opcode, payload)?;
        Ok(Unsent::Nothing)
    }

    /// Stages a control frame whatever waits already.
    fn append_frame<'p>(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<Unsent<'p>, NotStaged> {
        self.check_open()?;
        let _ = self.stage_reply();
        self.append(true, Rsv::NONE, opcode, payload)?;
        if opcode == Opcode::Close {
            self.record_close(payload);
        }
        Ok(Unsent::Nothing)
    }
}
