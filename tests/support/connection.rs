//! A connection by each of the ways to have one, behind one trait with the names of their methods:
//! so that one test of what a call does runs over all of them.

mod by_hand;
mod kinds;
mod pieces;

use std::io::{self, Read, Write};
use std::time::Duration;

use framewire::blocking::{CloseReply, PingReply, PreparedMessage, Shutdown};
use framewire::frame::{Header, Rsv};
use framewire::protocol::{Agreement, Message, Role};
use framewire::{
    CloseCode, Closed, Config, Error, ErrorKind, MessageKind, Opcode, Outgoing, ToOutgoing,
    TryFeedError, blocking, tokio,
};

use crate::compression::{self, Compression, Speaker};
use crate::frames::Frame as Said;
use crate::peer::ScriptedPeer;
use crate::wait::{Threads, Waiting};

use self::by_hand::ByHand;
use self::kinds::{Blocking, OnlyThis, Tokio};
pub use self::pieces::{MessageReader, MessageWriter};

/// A way to have a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `blocking::WebSocket`.
    Blocking,
    /// The halves of one.
    BlockingHalves,
    /// `tokio::WebSocket`, on one thread.
    Tokio,
    /// The halves of one.
    TokioHalves,
    /// `tokio::WebSocket`, polled on another thread each time.
    TokioThreads,
    /// The halves of one.
    TokioHalvesThreads,
    /// `connection::Connection`, whose bytes are moved by hand.
    SansIo,
    /// `connection::Connection`, whose bytes an event loop moves.
    EventLoop,
}

impl Kind {
    /// Those with a stream of their own.
    pub const FRONT_ENDS: [Self; 6] = [
        Self::Blocking,
        Self::BlockingHalves,
        Self::Tokio,
        Self::TokioHalves,
        Self::TokioThreads,
        Self::TokioHalvesThreads,
    ];

    /// All of them.
    pub const ALL: [Self; 8] = {
        let [a, b, c, d, e, f] = Self::FRONT_ENDS;
        [a, b, c, d, e, f, Self::SansIo, Self::EventLoop]
    };

    /// One end of a connection on which the handshake is done, with what was agreed on about an extension.
    ///
    /// # Errors
    /// Where the configuration is not sound.
    pub fn open(
        self,
        stream: &ScriptedPeer,
        role: Role,
        config: Config,
        agreed: Option<&dyn Agreement>,
    ) -> Result<Box<dyn Connection>, Error> {
        self.open_after(&[], stream, role, config, agreed)
    }

    /// One that reads these bytes before the stream.
    fn open_after(
        self,
        leftover: &[u8],
        stream: &ScriptedPeer,
        role: Role,
        config: Config,
        agreed: Option<&dyn Agreement>,
    ) -> Result<Box<dyn Connection>, Error> {
        let stream = stream.clone();
        if !self.has_stream() {
            let is_looped = self == Self::EventLoop;
            let connection = ByHand::new(leftover, stream, role, config, agreed, is_looped)?;
            return Ok(Box::new(connection));
        }
        if !self.waits() {
            let mut socket = blocking::WebSocket::with_leftover(stream, leftover, role, config)?;
            agreed.inspect(|agreed| socket.set_extension(*agreed));
            let (threads, bytes) = (OnlyThis, socket.into_byte_stream());
            return Ok(self.whole_or_halves(Box::new(Blocking { threads, bytes })));
        }
        let mut socket = tokio::WebSocket::with_leftover(stream, leftover, role, config)?;
        agreed.inspect(|agreed| socket.set_extension(*agreed));
        let threads = self.threads();
        let bytes = Waiting(threads, socket.into_byte_stream());
        Ok(self.whole_or_halves(Box::new(Tokio { threads, bytes })))
    }

    /// The same for messages alone.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn messaging(
        self,
        stream: &ScriptedPeer,
        role: Role,
        config: Config,
        agreed: Option<&dyn Agreement>,
    ) -> Result<Box<dyn Messaging>, Error> {
        Ok(self.open(stream, role, config, agreed)?)
    }

    fn whole_or_halves(self, whole: Box<dyn Connection>) -> Box<dyn Connection> {
        if self.is_whole() {
            whole
        } else {
            whole.split_or_reunite()
        }
    }

    /// Whether it has a stream of its own: halves, a stream of bytes and a closing handshake that waits need one.
    #[must_use]
    pub fn has_stream(self) -> bool {
        Self::FRONT_ENDS.contains(&self)
    }

    /// Whether one value has both directions.
    #[must_use]
    pub fn is_whole(self) -> bool {
        use Kind::{BlockingHalves, TokioHalves, TokioHalvesThreads};
        !matches!(self, BlockingHalves | TokioHalves | TokioHalvesThreads)
    }

    /// On how many threads its calls are polled.
    #[must_use]
    pub fn threads(self) -> Threads {
        match self {
            Self::TokioThreads | Self::TokioHalvesThreads => Threads::Several,
            _ => Threads::One,
        }
    }

    /// Whether what its calls allocate can be counted, as they are all on one thread.
    #[must_use]
    pub fn is_counted(self) -> bool {
        self.threads() == Threads::One
    }

    /// Whether its calls wait where the stream finds nothing yet: then `WouldBlock` means that they
    /// would wait for ever, and that they were cancelled.
    #[must_use]
    pub fn waits(self) -> bool {
        use Kind::{Tokio, TokioHalves, TokioHalvesThreads, TokioThreads};
        matches!(
            self,
            Tokio | TokioHalves | TokioThreads | TokioHalvesThreads
        )
    }
}

/// One end of a connection of a kind, with what was agreed on about compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub struct Endpoint {
    pub kind: Kind,
    pub role: Role,
    pub compression: Compression,
}

/// Either end of a connection of every kind with a stream of its own, without compression and with it. The last one
/// is the one at which a test failed.
pub fn endpoints() -> impl Iterator<Item = Endpoint> {
    Compression::ALL.into_iter().flat_map(endpoints_with)
}

/// Those with this.
pub fn endpoints_with(compression: Compression) -> impl Iterator<Item = Endpoint> {
    all_endpoints_with(compression).filter(|endpoint| endpoint.kind.has_stream())
}

/// Those without compression.
pub fn ends() -> impl Iterator<Item = Endpoint> {
    endpoints_with(Compression::None)
}

/// Either end of a connection of every kind.
pub fn all_endpoints() -> impl Iterator<Item = Endpoint> {
    Compression::ALL.into_iter().flat_map(all_endpoints_with)
}

/// Those with this.
pub fn all_endpoints_with(compression: Compression) -> impl Iterator<Item = Endpoint> {
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

/// Those without compression.
pub fn all_ends() -> impl Iterator<Item = Endpoint> {
    all_endpoints_with(Compression::None)
}

impl Endpoint {
    /// A connection on which the handshake is done.
    ///
    /// # Errors
    /// Where the configuration is not sound.
    pub fn open(self, stream: &ScriptedPeer, config: Config) -> Result<Box<dyn Connection>, Error> {
        self.open_after(&[], stream, config)
    }

    /// One that reads these bytes before the stream.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_after(
        self,
        leftover: &[u8],
        stream: &ScriptedPeer,
        config: Config,
    ) -> Result<Box<dyn Connection>, Error> {
        let agreed = self.compression.negotiated();
        let agreed = agreed.as_ref().map(|agreed| agreed as _);
        let Self { kind, role, .. } = self;
        kind.open_after(leftover, stream, role, config, agreed)
    }

    /// One for messages alone.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn messaging(
        self,
        stream: &ScriptedPeer,
        config: Config,
    ) -> Result<Box<dyn Messaging>, Error> {
        let agreed = self.compression.negotiated();
        let agreed = agreed.as_ref().map(|agreed| agreed as _);
        self.kind.messaging(stream, self.role, config, agreed)
    }

    /// One with the default configuration.
    #[must_use]
    pub fn with(self, stream: &ScriptedPeer) -> Box<dyn Connection> {
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

/// What every connection can do, by the names and with the meaning of `blocking::WebSocket`.
#[expect(missing_docs, reason = "they are those of `blocking::WebSocket`")]
pub trait Messaging: InOneCall {
    fn next_message(&mut self) -> Result<Option<Message<'_>>, Error>;
    fn append_message<'b>(&mut self, buf: &'b mut Vec<u8>) -> Result<Option<Message<'b>>, Error>;

    fn on_ping(&mut self, handler: OnPing);
    fn on_pong(&mut self, handler: OnPong);
    fn on_close(&mut self, handler: OnClose);

    fn write_any(&mut self, message: Outgoing<'_>) -> Result<(), Error>;
    fn feed_any(&mut self, message: Outgoing<'_>) -> Result<(), Error>;
    fn flush(&mut self) -> Result<(), Error>;
    fn ping(&mut self, payload: &[u8]) -> Result<(), Error>;
    fn pong(&mut self, payload: &[u8]) -> Result<(), Error>;
    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error>;

    fn has_pending_output(&mut self) -> bool;
    fn buffered(&mut self) -> usize;
    fn closed(&mut self) -> Option<Closed>;

    /// The same connection with all its calls.
    fn with_stream(&mut self) -> Option<&mut dyn Connection>;
}

/// What it can do besides, where it [has](Kind::has_stream) what a call needs.
#[expect(missing_docs, reason = "they are those of `blocking::WebSocket`")]
pub trait Connection: Messaging {
    fn message_reader(&mut self) -> Result<Option<MessageReader<'_>>, Error>;
    fn resume_message_reader(&mut self) -> Option<MessageReader<'_>>;
    fn read_header(&mut self) -> Result<Option<Header>, Error>;
    fn read_frame<'b>(&mut self, buf: &'b mut [u8]) -> Result<Option<Frame<'b>>, Error>;

    fn try_feed_any<'p>(&mut self, message: Outgoing<'p>)
    -> Result<(), TryFeedError<Outgoing<'p>>>;
    fn write_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
    ) -> Result<(), Error>;
    fn write_prepared(&mut self, message: &PreparedMessage) -> Result<(), Error>;
    fn stream_any(
        &mut self,
        kind: MessageKind,
        chunk_size: usize,
        reader: &mut (dyn Read + Send),
    ) -> Result<u64, Error>;
    fn any_message_writer(&mut self, kind: MessageKind) -> Result<MessageWriter<'_>, Error>;
    fn resume_message_writer(&mut self) -> Option<MessageWriter<'_>>;
    fn set_compression(&mut self, enabled: bool);

    /// Of the halves, once they are one connection again.
    fn shutdown(self: Box<Self>, deadline: Duration) -> Result<Shutdown, Error>;
    /// Of the halves, once they are one connection again: the bytes that `into_inner` gives.
    fn into_leftover(self: Box<Self>) -> Vec<u8>;
    /// Of the halves, once they are one connection again.
    fn into_byte_stream(self: Box<Self>) -> Box<dyn ByteStream>;
    /// The halves of what is whole, and the whole of what is halves.
    fn split_or_reunite(self: Box<Self>) -> Box<dyn Connection>;
}

/// The calls that take more than one type.
#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "they are those of `blocking::Writer`"
)]
impl dyn Messaging + '_ {
    pub fn write(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        self.write_any(message.to_outgoing())
    }

    pub fn feed(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        self.feed_any(message.to_outgoing())
    }

    /// How the connection ended, after a call that reads has returned `None`: as the error that it is to those who
    /// compare the ends of connections.
    pub fn end(&mut self) -> Error {
        let closed = self.closed().expect("a connection that has ended says how");
        assert!(closed.peer.is_some(), "{closed:?}");
        ErrorKind::Closed(Box::new(closed)).into()
    }

    /// Reads how the connection ended: what `next_message` fails with, or, where that returns `None`, [the same as an
    /// error](Self::end).
    pub fn read_end(&mut self) -> Error {
        match self.next_message() {
            Ok(Some(message)) => panic!("{message:?}"),
            Ok(None) => self.end(),
            Err(error) => error,
        }
    }
}

/// The calls that take more than one type.
#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "they are those of `blocking::Writer`"
)]
impl dyn Connection + '_ {
    pub fn write(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        self.write_any(message.to_outgoing())
    }

    pub fn feed(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        self.feed_any(message.to_outgoing())
    }

    pub fn end(&mut self) -> Error {
        <dyn Messaging>::end(self)
    }

    pub fn read_end(&mut self) -> Error {
        <dyn Messaging>::read_end(self)
    }

    pub fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>> {
        match self.try_feed_any(message.to_outgoing()) {
            Ok(()) => Ok(()),
            Err(TryFeedError::Full(_)) => Err(TryFeedError::Full(message)),
            Err(TryFeedError::Failed(error)) => Err(TryFeedError::Failed(error)),
        }
    }

    pub fn stream_message(
        &mut self,
        kind: impl Into<MessageKind>,
        chunk_size: usize,
        reader: &mut (dyn Read + Send),
    ) -> Result<u64, Error> {
        self.stream_any(kind.into(), chunk_size, reader)
    }

    pub fn message_writer(
        &mut self,
        kind: impl Into<MessageKind>,
    ) -> Result<MessageWriter<'_>, Error> {
        self.any_message_writer(kind.into())
    }
}

/// `blocking::Frame`.
#[derive(Debug)]
pub struct Frame<'b> {
    header: Header,
    payload: &'b mut [u8],
}

impl Frame<'_> {
    /// Its header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What is in it.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload
    }
}

/// What takes both directions: one call of a whole connection.
pub trait InOneCall {
    /// `next_message_and_writer` with the message sent back, maybe changed, and appended to what was seen; of the
    /// halves, `next_message` of one and the sending by the other.
    ///
    /// # Errors
    /// As those have.
    fn echo_message(
        &mut self,
        back: Back,
        change: Option<Change>,
        seen: &mut Vec<u8>,
    ) -> Result<Option<Opcode>, Error>;

    /// `shutdown` of a connection that is whole, which can be gone on with.
    fn shutdown_whole(&mut self, _deadline: Duration) -> Option<Result<Shutdown, Error>> {
        None
    }

    /// A connection that is whole as a stream of bytes.
    fn bytes(&mut self) -> Option<&mut dyn ByteStream> {
        None
    }
}

/// What changes the payload of a message.
pub type Change = fn(&mut [u8]);

/// How a message is sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// By `feed`.
    Fed,
    /// By `write`.
    Written,
}

/// A handler of Pings.
pub type OnPing = Box<dyn FnMut(&[u8]) -> PingReply + Send>;
/// A handler of Pongs.
pub type OnPong = Box<dyn FnMut(&[u8]) + Send>;
/// A handler of Close frames.
pub type OnClose = Box<dyn FnMut(Option<CloseCode>, &str) -> CloseReply + Send>;

/// `tokio::ByteStream`, by the names of the standard library.
pub trait ByteStream: Read + Write {
    /// `AsyncWrite::poll_shutdown`.
    ///
    /// # Errors
    /// As that has.
    fn shut_down(&mut self) -> io::Result<()>;

    /// `into_inner`: the whole connection.
    fn into_messages(self: Box<Self>) -> Box<dyn Connection>;
}
