//! A connection without its stream, for programs that read and write in their own way.

use super::inbound::{Found, Inbound, Stop};
use super::open::{open, set_extension};
use super::outbound::Outbound;
use super::raw_frames::payload_room;
use super::replies::Replies;
use super::{CloseReply, Config, PingReply};
use crate::error::{Error, ErrorKind};
use crate::frame::{CloseCode, Header, Opcode, Rsv};
#[cfg(feature = "handshake")]
use crate::handshake::Established;
use crate::pool::{BufferPool, Buffers};
use crate::protocol::{Agreement, Message, Role};

/// A connection without its I/O but with its buffers: for event loops, and for front ends of your own.
///
/// It has the same two sides as the blocking front end and tokio's. Bytes that were read go into its
/// [`room`](Self::room). Messages come out, and so do the bytes to write, from its [`Outbound`] side. It answers Pings
/// and Close frames, holds the peer to RFC 6455 and the limits, and reports how the connection ended.
///
/// Calls come in this order:
/// 1. Call [`next_message`](Self::next_message) until it returns `None`, or one of the calls that read in another way.
///    Feed the answers.
/// 2. Call [`Outbound::output`] and [`Outbound::written`] until nothing waits. A loop that does not read while its
///    peer takes nothing bounds what waits.
/// 3. Read into [`room`](Self::room) and call [`filled`](Self::filled). Where there is nothing to read, call
///    [`rest`](Self::rest) and wait.
///
/// At the end `next_message` fails, with the same error at each call. The Close frame that answers it must still be
/// written. Another order loses nothing: bytes that are read while earlier messages wait are stored behind them. To
/// close first, feed a Close frame and [`discard`](Self::discard) what comes.
///
/// [`Config::coalesce_writes`] has no effect here: the caller decides when it writes, and flushes its stream itself.
///
/// # Cancel safety
/// No call waits, and between calls everything is in the connection.
///
/// # Memory
/// The buffers come from the pool while something is in them: one of [`Config::read_buffer`] bytes, one for what waits
/// to be written, and one for a message that arrived in parts, of at most twice the
/// [limit](crate::protocol::Limits::message). A connection that has to wait for its peer gives them back with
/// [`rest`](Self::rest). One that then [is at rest](Self::is_at_rest) can be dropped, and a new one can take its place
/// when the peer sends something.
///
/// # Examples
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
///     outbound.feed(message)?;
/// }
/// assert_eq!(connection.outbound().output()?, Some(&b"\x81\x05Hello"[..]));
/// connection.outbound().written(Ok(7))?;
/// assert_eq!(connection.outbound().output()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    inbound: Inbound,
    outbound: Outbound,
    /// The next message, which was not returned yet.
    found: Option<Found>,
    /// Whether nothing more will be read.
    is_at_end: bool,
    /// Whether the room is behind bytes that were not used up when it was lent.
    is_room_behind: bool,
}

impl Connection {
    /// Creates one end, in this role, of a connection on which the handshake is done. `leftover` is what was read with
    /// the head of the handshake; it is decoded first.
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
        let (inbound, mut outbound) = open(leftover, role, config, buffers)?;
        outbound.is_unbounded = true;
        Ok(Self {
            inbound,
            outbound,
            found: None,
            is_at_end: false,
            is_room_behind: false,
        })
    }

    /// Creates the end that a handshake has established, such as one [without I/O](crate::handshake::Acceptor::decode):
    /// with its role, its extension, and what came with the head.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[cfg(feature = "handshake")]
    pub fn from_established(
        established: Established<()>,
        config: &Config,
        pool: &BufferPool,
    ) -> Result<Self, Error> {
        let parts = established.into_parts();
        let mut connection = Self::new(parts.role, &parts.leftover, config, pool)?;
        if let Some(agreed) = parts.extension {
            connection.set_extension(&*agreed);
        }
        connection.inbound.set_subprotocol(parts.subprotocol);
        Ok(connection)
    }

    /// Returns the subprotocol that the handshake agreed on; `None` if there is none, or the connection was made with
    /// [`new`](Self::new).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.inbound.subprotocol()
    }

    /// Transforms messages in both directions from now on, as was agreed on. To be called before the first message.
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
        self.is_room_behind = !self.is_used_up();
        if self.is_room_behind {
            self.inbound.room_behind(self.found.as_mut())
        } else {
            self.inbound.room()
        }
    }

    /// Records that `len` bytes were read into the [`room`](Self::room). A `len` of 0 says that the stream has ended
    /// or failed. [`next_message`](Self::next_message) reports that, or a violation, after the messages that were read
    /// before it.
    ///
    /// # Panics
    /// This call or a later one panics where `len` is more than the length of the room.
    pub fn filled(&mut self, len: usize) {
        if len == 0 {
            self.is_at_end = true;
        } else if self.is_room_behind {
            self.inbound.filled_behind(len);
        } else if self.inbound.filled(len, &mut self.outbound).is_ok() && self.inbound.has_arrived()
        {
            // The message that this has completed is taken before its memory can be given back.
            let _ = self.has_message();
        }
    }

    fn is_used_up(&self) -> bool {
        self.found.is_none() && self.inbound.is_used_up()
    }

    /// Returns the next message, and the side that answers it; `None` where more must be read.
    ///
    /// # Errors
    /// How the connection ended, the same at each call: [`ErrorKind::Closed`], [`ErrorKind::Violation`] or
    /// [`ErrorKind::ConnectionLost`]. The Close frame that answers it must still be [written](Outbound::output).
    pub fn next_message(&mut self) -> Result<Option<(Message<'_>, &mut Outbound)>, Error> {
        self.has_message()?;
        Ok(self.message())
    }

    /// Returns whether [`next_message`](Self::next_message) has a message without a further read. For front ends that
    /// lend messages themselves.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    #[inline]
    pub fn has_message(&mut self) -> Result<bool, Error> {
        if self.found.is_none() {
            self.found = self.step(Inbound::next_message)?;
        }
        Ok(self.found.is_some())
    }

    /// Returns the message that [`has_message`](Self::has_message) found, and the side that answers it.
    pub fn message(&mut self) -> Option<(Message<'_>, &mut Outbound)> {
        let found = self.found.take()?;
        Some((self.inbound.lend(&found), &mut self.outbound))
    }

    /// Appends the next message to `buf`, and lends it from there; `None` where more must be read. Where `buf` is
    /// empty, an assembled message is moved into it.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    pub fn append_message<'b>(
        &mut self,
        buf: &'b mut Vec<u8>,
    ) -> Result<Option<Message<'b>>, Error> {
        self.has_message()?;
        let found = self.found.take();
        Ok(found.map(|found| self.inbound.append(&found, buf)))
    }

    /// Begins to read the next message in pieces, of any size in constant memory, and returns its opcode and its
    /// reserved bits; `None` where more must be read. [`read_stream`](Self::read_stream) gives its payload. Skips what
    /// is left of the message before it.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message). [`ErrorKind::MessageInProgress`] while that has part of a message.
    pub fn next_stream(&mut self) -> Result<Option<(Opcode, Rsv)>, Error> {
        self.check_none_found()?;
        self.step(Inbound::begin_stream)
    }

    /// Reads payload of the message that [`next_stream`](Self::next_stream) began into `output`. Returns how many bytes
    /// there are, 0 at its end, and `None` where more must be read.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message).
    pub fn read_stream(&mut self, output: &mut [u8]) -> Result<Option<usize>, Error> {
        self.step(|inbound, replies| inbound.read_stream(output, replies))
    }

    /// Returns the opcode and the reserved bits of the message that [`next_stream`](Self::next_stream) began, where
    /// it was not read to its end.
    #[must_use]
    pub fn streamed(&self) -> Option<(Opcode, Rsv)> {
        self.inbound.streamed()
    }

    /// Discards what was read, without limits, for a connection that is being closed: after a Close frame of this end
    /// until the peer's has come.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message): the connection has ended. A client then waits for the server to end the
    /// stream first (RFC 6455 7.1.1).
    pub fn discard(&mut self) -> Result<(), Error> {
        self.found = None;
        self.inbound.begin_discard();
        self.step(Inbound::discard).map(drop)
    }

    /// Returns the bytes that were read and not used up, for another connection over the same stream. What waits to be
    /// written is lost, and so is a message that [`has_message`](Self::has_message) found and that was not taken.
    #[must_use]
    pub fn into_leftover(self) -> Vec<u8> {
        self.inbound.leftover()
    }

    /// Returns the header of the next raw frame; `None` where more must be read. Consumes nothing: any other call may
    /// read the frame.
    ///
    /// # Errors
    /// As [`next_stream`](Self::next_stream).
    pub fn next_header(&mut self) -> Result<Option<Header>, Error> {
        self.check_none_found()?;
        self.step(Inbound::read_header)
    }

    /// Reads the next raw frame into `output`, once it is whole, and returns its header; `None` where more must be
    /// read. Control frames are answered, and returned too.
    ///
    /// # Errors
    /// As [`next_stream`](Self::next_stream). [`ErrorKind::FrameBufferTooSmall`] where `output` is shorter than the
    /// payload: nothing is consumed.
    pub fn read_frame(&mut self, output: &mut [u8]) -> Result<Option<Header>, Error> {
        let Some(header) = self.next_header()? else {
            return Ok(None);
        };
        let output = payload_room(&header, output)?;
        let read = if header.opcode().is_control() {
            self.step(|inbound, replies| inbound.read_control_frame(output, replies))?
        } else {
            let mut done = 0;
            let read =
                self.step(|inbound, replies| inbound.read_data_frame(output, &mut done, replies));
            if !matches!(read, Ok(Some(()))) {
                self.inbound.buffer_frame(&output[..done]);
            }
            read?
        };
        Ok(read.map(|()| header))
    }

    /// Takes a step. Returns `None` where it needs bytes.
    fn step<R>(
        &mut self,
        step: impl FnOnce(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
    ) -> Result<Option<R>, Error> {
        match step(&mut self.inbound, &mut self.outbound) {
            Ok(result) => Ok(Some(result)),
            Err(Stop::Bytes) if self.is_at_end => {
                self.inbound.lose(&mut self.outbound);
                Err(ErrorKind::ConnectionLost.into())
            }
            Err(Stop::Bytes) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Fails where a whole message was found and not returned.
    fn check_none_found(&self) -> Result<(), Error> {
        match self.found {
            Some(_) => Err(ErrorKind::MessageInProgress.into()),
            None => Ok(()),
        }
    }

    /// Returns the sending side.
    pub fn outbound(&mut self) -> &mut Outbound {
        &mut self.outbound
    }

    /// Gives back memory that holds nothing.
    pub fn rest(&mut self) {
        if self.found.is_none() {
            self.inbound.wait();
        }
        self.outbound.rest();
    }

    /// Returns whether the connection is as it was created: nothing has begun in either direction, nothing waits, no
    /// extension is used.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.is_used_up()
            && !self.is_at_end
            && self.inbound.is_as_new()
            && self.outbound.is_as_new()
    }
}

#[cfg(all(test, feature = "handshake"))]
mod tests {
    use super::*;
    use crate::handshake::Acceptor;
    use crate::upgrade::{Limits, RequestDecoder};

    #[test]
    fn a_connection_has_the_subprotocol_that_its_handshake_agreed_on_and_what_came_with_the_head() {
        for (offer, agreed) in [
            ("", None),
            ("Sec-WebSocket-Protocol: chat\r\n", Some("chat")),
        ] {
            let head = format!(
                "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
            );
            let message = b"\x81\x81\0\0\0\0a";
            let mut decoder = RequestDecoder::new(&Limits::default());
            let acceptor = Acceptor::new().subprotocols(["chat"]).unwrap();
            let pending = acceptor.decode(&mut decoder, &[head.as_bytes(), message].concat());
            let (_, established) = pending.unwrap().unwrap().into_answer();
            let (config, pool) = (Config::default(), BufferPool::per_thread());
            let mut connection =
                Connection::from_established(established.unwrap(), &config, &pool).unwrap();
            assert_eq!(connection.subprotocol(), agreed);
            let (message, _) = connection.next_message().unwrap().unwrap();
            assert_eq!(message.payload(), b"a");
        }
    }
}
