//! A connection whose two directions are used by one thread.

use std::io::{Read, Write};
use std::ops::{Deref, DerefMut};

use super::receiving::next_message;
use super::whole::Whole;
use super::{BufferPool, Config, Reader, Writer};
use crate::connection::set_extension;
use crate::connection::{Buffers, Inbound, open};
use crate::error::{Error, end};
use crate::protocol::{Agreement, Message, Role};

/// A WebSocket connection over a blocking (or non-blocking) stream.
///
/// It reads with the calls of its [`Reader`] and sends with those of its [`Writer`], to which it dereferences:
/// `websocket.next_message()`, `websocket.write("text")`. Its stream is that of its `Writer`, too:
/// [`stream`](Writer::stream), [`stream_mut`](Writer::stream_mut).
///
/// # Examples
/// ```no_run
/// use std::net::TcpListener;
///
/// let (stream, _) = TcpListener::bind("127.0.0.1:9001")?.accept()?;
/// let mut websocket = framewire::accept(stream)?;
/// while let Some((message, writer)) = websocket.next_message_and_writer()? {
///     writer.feed(message)?;
/// }
/// println!("{:?}", websocket.closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    pub(super) reader: Reader<Writer<Whole<S>>>,
}

impl<S> WebSocket<S> {
    /// Creates the server's end of a connection, over a stream on which the handshake is done.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    pub fn server(stream: S, config: Config) -> Result<Self, Error> {
        Self::with_leftover(stream, &[], Role::Server, config)
    }

    /// Creates the client's end of a connection, over a stream on which the handshake is done.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    pub fn client(stream: S, config: Config) -> Result<Self, Error> {
        Self::with_leftover(stream, &[], Role::Client, config)
    }

    /// Creates either end of a connection. `leftover` is read first: bytes that came after the handshake and
    /// were read with it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a size is 0.
    pub fn with_leftover(
        stream: S,
        leftover: &[u8],
        role: Role,
        config: Config,
    ) -> Result<Self, Error> {
        let (inbound, outbound) = open(leftover, role, &config, Buffers::Kept)?;
        Ok(Self::of(inbound, Whole::new(outbound, stream)))
    }

    pub(super) fn of(inbound: Inbound, side: Whole<S>) -> Self {
        let side = Writer { side };
        Self {
            reader: Reader { inbound, side },
        }
    }

    /// Makes an extension transform messages in both directions from now on, as was agreed on.
    /// `from_established` does that by itself.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        let Reader { inbound, side } = &mut self.reader;
        set_extension(inbound, &mut side.side.outbound, agreed);
    }

    /// Makes the connection take its buffers from `pool` while it needs them, instead of owning its buffers.
    ///
    /// For many connections on non-blocking streams: a blocking read needs a buffer all the time. The memory of
    /// an assembled message goes back with the first read that would block.
    pub fn set_buffer_pool(&mut self, pool: &BufferPool) {
        let Reader { inbound, side } = &mut self.reader;
        inbound.set_buffers(Buffers::Pooled(pool.clone()));
        let outbound = &mut side.side.outbound;
        outbound.set_buffers(Buffers::Pooled(pool.clone()));
    }

    /// Returns the stream, and the bytes that were read from it and not used up.
    ///
    /// Between messages, another `WebSocket` can go on with these ([`with_leftover`](Self::with_leftover)).
    /// Compression that was agreed on must be set again (`set_extension`); its contexts are lost. In the middle
    /// of a message or control frame, its beginning is lost too. So is what waits to be written:
    /// [`flush`](Writer::flush) first.
    #[must_use]
    pub fn into_inner(mut self) -> (S, Vec<u8>) {
        self.reader.side.side.stop_keep_alive();
        let leftover = self.reader.inbound.leftover();
        (self.reader.side.side.stream, leftover)
    }

    /// Returns the writing side.
    pub fn writer(&mut self) -> &mut Writer<Whole<S>> {
        &mut self.reader.side
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// Returns the next message, as [`next_message`](Reader::next_message) does, with the writing side to answer
    /// it; `None` once the connection was closed.
    ///
    /// What is [fed](Writer::feed) goes out before the next read that may block, so that a burst of
    /// messages is answered with one system call.
    ///
    /// # Errors
    /// As [`next_message`](Reader::next_message).
    #[expect(clippy::type_complexity, reason = "a message and a writer, or neither")]
    #[inline]
    pub fn next_message_and_writer(
        &mut self,
    ) -> Result<Option<(Message<'_>, &mut Writer<Whole<S>>)>, Error> {
        let Reader { inbound, side } = &mut self.reader;
        match next_message(inbound, side) {
            Ok(found) => Ok(Some((inbound.lend(&found), side))),
            Err(error) => end(error),
        }
    }
}

/// The calls that read are those of its [`Reader`], and those that send of its [`Writer`].
impl<S> Deref for WebSocket<S> {
    type Target = Reader<Writer<Whole<S>>>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl<S> DerefMut for WebSocket<S> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.reader
    }
}
