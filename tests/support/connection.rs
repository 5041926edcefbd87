//! A connection by each of the ways to have one, behind one trait with the names of their methods:
//! so that one test of what a call does runs over all of them.

mod kinds;
mod pieces;

use std::io::{self, Read, Write};
use std::net;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite};

use framewire::blocking::{CloseReply, Frame, PingReply, PreparedMessage, Shutdown};
use framewire::frame::{Header, Rsv};
use framewire::protocol::{Agreement, Message, Role};
use framewire::{
    CloseCode, Closed, Config, Duplicate, Error, Opcode, Socket, TryFeedError, blocking, tokio,
};

use crate::compression::{self, Compression, Speaker};
use crate::frames::Frame as Said;

use self::kinds::{Blocking, BlockingHalves, Tokio, TokioHalves};
pub use self::pieces::{MessageReader, MessageWriter};

/// A stream for any kind of connection. Behind a box, so that what borrows a connection has one type,
/// and needs no box of its own: what a call allocates can be counted.
pub trait Stream: Socket + AsyncRead + AsyncWrite + Unpin + Send {
    /// `Duplicate::duplicate`.
    ///
    /// # Errors
    /// As that has.
    fn duplicated(&self) -> io::Result<Box<dyn Stream>>;

    /// `Duplicate::shutdown`.
    ///
    /// # Errors
    /// As that has.
    fn shut_down(&self, how: net::Shutdown) -> io::Result<()>;
}

impl<S: Duplicate + AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {
    fn duplicated(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.duplicate()?))
    }

    fn shut_down(&self, how: net::Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

impl Socket for Box<dyn Stream> {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).set_write_timeout(timeout)
    }
}

impl Duplicate for Box<dyn Stream> {
    fn duplicate(&self) -> io::Result<Self> {
        (**self).duplicated()
    }

    fn shutdown(&self, how: net::Shutdown) -> io::Result<()> {
        (**self).shut_down(how)
    }
}

/// A way to have a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `blocking::WebSocket`.
    Blocking,
    /// The halves of one.
    BlockingHalves,
    /// `tokio::WebSocket`, on a current-thread runtime.
    Tokio,
    /// The halves of one.
    TokioHalves,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Blocking,
        Self::BlockingHalves,
        Self::Tokio,
        Self::TokioHalves,
    ];

    /// One end of a connection on which the handshake is done.
    ///
    /// # Errors
    /// Where the configuration is not sound.
    pub fn open(
        self,
        stream: &(impl Stream + Clone + 'static),
        role: Role,
        config: Config,
    ) -> Result<Box<dyn Connection>, Error> {
        self.open_with(stream, role, config, None)
    }

    /// One with what was agreed on about compression.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(
        self,
        stream: &(impl Stream + Clone + 'static),
        role: Role,
        config: Config,
        agreed: Option<&dyn Agreement>,
    ) -> Result<Box<dyn Connection>, Error> {
        let stream: Box<dyn Stream> = Box::new(stream.clone());
        Ok(match self {
            Self::Blocking | Self::BlockingHalves => {
                let mut socket = blocking::WebSocket::with_leftover(stream, &[], role, config)?;
                agreed.inspect(|agreed| socket.set_extension(*agreed));
                if self == Self::Blocking {
                    return Ok(Box::new(Blocking { socket }));
                }
                let (reading, writing) = socket.split()?;
                Box::new(BlockingHalves { reading, writing })
            }
            Self::Tokio | Self::TokioHalves => {
                let mut socket = tokio::WebSocket::with_leftover(stream, &[], role, config)?;
                agreed.inspect(|agreed| socket.set_extension(*agreed));
                if self == Self::Tokio {
                    return Ok(Box::new(Tokio { socket }));
                }
                let (reading, writing) = socket.split();
                Box::new(TokioHalves { reading, writing })
            }
        })
    }

    /// The end of this role of a connection with the default configuration.
    #[must_use]
    pub fn with(self, stream: &(impl Stream + Clone + 'static), role: Role) -> Box<dyn Connection> {
        let connection = self.open(stream, role, Config::default());
        connection.expect("no size is zero")
    }

    /// Whether its calls wait where the stream finds nothing yet: then `WouldBlock` means that they
    /// would wait for ever, and that they were cancelled.
    #[must_use]
    pub fn waits(self) -> bool {
        matches!(self, Self::Tokio | Self::TokioHalves)
    }
}

/// Either end of a connection of every kind. The last one is the one at which a test failed.
pub fn ends() -> impl Iterator<Item = (Kind, Role)> {
    let roles = [Role::Server, Role::Client].into_iter();
    let ends = roles.flat_map(|role| Kind::ALL.map(|kind| (kind, role)));
    ends.inspect(|(kind, role)| println!("{kind:?}, {role:?}"))
}

/// One end of a connection of a kind, with what was agreed on about compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub struct Endpoint {
    pub kind: Kind,
    pub role: Role,
    pub compression: Compression,
}

/// Either end of a connection of every kind, without compression and with it. The last one is the one
/// at which a test failed.
pub fn endpoints() -> impl Iterator<Item = Endpoint> {
    Compression::ALL.into_iter().flat_map(endpoints_with)
}

/// Those with this.
pub fn endpoints_with(compression: Compression) -> impl Iterator<Item = Endpoint> {
    let roles = [Role::Server, Role::Client].into_iter();
    let all = roles.flat_map(move |role| {
        Kind::ALL.map(|kind| Endpoint {
            kind,
            role,
            compression,
        })
    });
    all.inspect(|endpoint| println!("{endpoint:?}"))
}

impl Endpoint {
    /// A connection on which the handshake is done.
    ///
    /// # Errors
    /// Where the configuration is not sound.
    pub fn open(
        self,
        stream: &(impl Stream + Clone + 'static),
        config: Config,
    ) -> Result<Box<dyn Connection>, Error> {
        let agreed = self.compression.negotiated();
        self.kind.open_with(
            stream,
            self.role,
            config,
            agreed.as_ref().map(|agreed| agreed as _),
        )
    }

    /// One with the default configuration.
    #[must_use]
    pub fn with(self, stream: &(impl Stream + Clone + 'static)) -> Box<dyn Connection> {
        let connection = self.open(stream, Config::default());
        connection.expect("no size is zero")
    }

    /// The peer, which has said nothing yet.
    #[must_use]
    pub fn peer(self) -> Speaker {
        Speaker::new(self.compression)
    }

    /// The bytes of a peer that says these frames and has said nothing before them.
    #[must_use]
    pub fn said(self, frames: &[Said]) -> Vec<u8> {
        self.compression.said(frames)
    }

    /// What the peer makes of all that it was sent: frames without compression.
    #[must_use]
    pub fn heard(self, sent: &[u8]) -> Vec<u8> {
        compression::heard(self.compression, sent)
    }
}

/// What a connection can do, by the names and with the meaning of `blocking::WebSocket`.
#[expect(missing_docs, reason = "they are those of `blocking::WebSocket`")]
pub trait Connection: InOneCall {
    fn next_message(&mut self) -> Result<Message<'_>, Error>;
    fn read_message(&mut self, buf: &mut Vec<u8>) -> Result<Opcode, Error>;
    fn read_message_ext(&mut self, buf: &mut Vec<u8>) -> Result<(Opcode, Rsv), Error>;
    fn message_reader(&mut self) -> Result<MessageReader<'_>, Error>;
    fn resume_message_reader(&mut self) -> Option<MessageReader<'_>>;
    fn read_header(&mut self) -> Result<Header, Error>;
    fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Frame<'b>, Error>;

    fn on_ping(&mut self, handler: OnPing);
    fn on_pong(&mut self, handler: OnPong);
    fn on_close(&mut self, handler: OnClose);

    fn write_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error>;
    fn write_message_ext(&mut self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error>;
    fn feed_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error>;
    fn feed_message_ext(&mut self, opcode: Opcode, rsv: Rsv, payload: &[u8]) -> Result<(), Error>;
    fn try_feed_message<'p>(
        &mut self,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<(), TryFeedError<&'p [u8]>>;
    fn flush(&mut self) -> Result<(), Error>;
    fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error>;
    fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error>;
    fn stream_message(
        &mut self,
        opcode: Opcode,
        chunk_size: usize,
        reader: &mut dyn Read,
    ) -> Result<u64, Error>;
    fn stream_message_ext(
        &mut self,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: usize,
        reader: &mut dyn Read,
    ) -> Result<u64, Error>;
    fn message_writer(&mut self, opcode: Opcode) -> Result<MessageWriter<'_>, Error>;
    fn message_writer_ext(&mut self, opcode: Opcode, rsv: Rsv) -> Result<MessageWriter<'_>, Error>;
    fn resume_message_writer(&mut self) -> Option<MessageWriter<'_>>;
    fn ping(&mut self, payload: &[u8]) -> Result<(), Error>;
    fn pong(&mut self, payload: &[u8]) -> Result<(), Error>;
    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error>;

    fn has_pending_output(&mut self) -> bool;
    fn buffered(&mut self) -> usize;
    /// `closed` of the writing side.
    fn sent_close(&mut self) -> Option<Closed>;
    /// Of the halves, once they are one connection again.
    fn shutdown(self: Box<Self>, deadline: Duration) -> Result<Shutdown, Error>;
    /// Of the halves, once they are one connection again.
    fn into_byte_stream(self: Box<Self>) -> Box<dyn ByteStream>;
}

/// What takes both directions: one call of a whole connection.
pub trait InOneCall {
    /// `next_message_and_writer` with the message sent back, and appended to what was seen; of the
    /// halves, `next_message` of one and the sending by the other.
    ///
    /// # Errors
    /// As those have.
    fn echo_message(&mut self, back: Back, seen: &mut Vec<u8>) -> Result<Opcode, Error>;

    /// `shutdown` of a connection that is whole, which can be gone on with.
    fn shutdown_whole(&mut self, _deadline: Duration) -> Option<Result<Shutdown, Error>> {
        None
    }
}

/// How a message is sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// By `feed_message`.
    Fed,
    /// By `write_message`.
    Written,
}

/// A handler of Pings.
pub type OnPing = Box<dyn FnMut(&[u8]) -> PingReply + Send>;
/// A handler of Pongs.
pub type OnPong = Box<dyn FnMut(&[u8]) + Send>;
/// A handler of Close frames.
pub type OnClose = Box<dyn FnMut(Option<CloseCode>, &str) -> CloseReply + Send>;

/// `blocking::ByteStream`.
pub trait ByteStream: Read + Write {}

impl<T: Read + Write> ByteStream for T {}
