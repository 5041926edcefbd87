//! A connection whose two directions are used by one task.

use std::ops::{Deref, DerefMut};

use tokio::io::{AsyncRead, AsyncWrite};

use super::receiving::next_message;
use super::whole::Whole;
use super::{BufferPool, Config, Reader, Writer};
use crate::connection::set_extension;
use crate::connection::{Buffers, Inbound, open};
use crate::error::{Error, or_end};
#[cfg(feature = "futures")]
use crate::frame::CloseCode;
#[cfg(feature = "futures")]
use crate::protocol::ToOutgoing;
use crate::protocol::{Agreement, Message, Role};

/// A WebSocket connection over a tokio stream.
///
/// It reads with the calls of its [`Reader`] and sends with those of its [`Writer`], to which it dereferences:
/// `websocket.next_message().await`, `websocket.write("text").await`. Its stream is that of its `Writer`, too:
/// [`stream`](Writer::stream), [`stream_mut`](Writer::stream_mut).
///
/// # Examples
/// ```no_run
/// # async fn serve(stream: tokio::net::TcpStream) -> Result<(), framewire::Error> {
/// let mut websocket = framewire::tokio::accept(stream).await?;
/// while let Some((message, writer)) = websocket.next_message_and_writer().await? {
///     writer.feed(message).await?;
/// }
/// println!("{:?}", websocket.closed());
/// # Ok(())
/// # }
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
        let buffers = Buffers::Pooled(BufferPool::per_thread());
        let (inbound, outbound) = open(leftover, role, &config, buffers)?;
        Ok(Self::of(inbound, Whole::new(outbound, stream)))
    }

    pub(super) fn of(inbound: Inbound, side: Whole<S>) -> Self {
        let side = Writer { side };
        Self {
            reader: Reader { inbound, side },
        }
    }

    /// Records the subprotocol that was agreed on.
    #[cfg(feature = "handshake")]
    pub(crate) fn set_subprotocol(&mut self, name: Option<Box<str>>) {
        self.reader.inbound.set_subprotocol(name);
    }

    /// Makes an extension transform messages in both directions from now on, as was agreed on.
    /// `from_established` does that by itself.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        let Reader { inbound, side } = &mut self.reader;
        set_extension(inbound, &mut side.side.outbound, agreed);
    }

    /// Makes the connection take its buffers from `pool` instead of the thread's pool.
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
    pub fn into_inner(self) -> (S, Vec<u8>) {
        let leftover = self.reader.inbound.leftover();
        (self.reader.side.side.stream, leftover)
    }

    /// Returns the writing side.
    pub fn writer(&mut self) -> &mut Writer<Whole<S>> {
        &mut self.reader.side
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Returns the next message, as [`next_message`](Reader::next_message) does, with the writing side to answer
    /// it; `None` once the connection was closed.
    ///
    /// What is [fed](Writer::feed) goes out before the next read that waits, so that a burst of
    /// messages is answered with one system call.
    ///
    /// # Errors
    /// As [`next_message`](Reader::next_message).
    ///
    /// # Cancel safety
    /// As [`next_message`](Reader::next_message). A message that was returned is not returned again: a future
    /// that reads a message and then feeds the answer loses the answer if it is dropped in between.
    pub async fn next_message_and_writer(
        &mut self,
    ) -> Result<Option<(Message<'_>, &mut Writer<Whole<S>>)>, Error> {
        let Reader { inbound, side } = &mut self.reader;
        let found = or_end(next_message(inbound, side).await)?;
        Ok(found.map(|found| (inbound.lend(&found), side)))
    }
}

/// The same as the calls of its writer, so that these are meant while futures' `SinkExt` is in scope, which has methods
/// of the same names.
#[cfg(feature = "futures")]
impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Stages a message for the next flush; see [`Writer::feed`].
    ///
    /// # Errors
    /// As [`Writer::feed`].
    pub async fn feed(&mut self, message: impl ToOutgoing) -> Result<(), Error> {
        self.reader.side.feed(message).await
    }

    /// Writes all that waits, and flushes the stream; see [`Writer::flush`].
    ///
    /// # Errors
    /// As [`Writer::flush`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.reader.side.flush().await
    }

    /// Sends a Close frame; see [`Writer::close`].
    ///
    /// # Errors
    /// As [`Writer::close`].
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.reader.side.close(code, reason).await
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
