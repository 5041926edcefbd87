//! A connection whose two directions are used by different threads.

use std::io;
use std::sync::Arc;

use super::shared::{Half, ReadEnd};
use super::{Reader, WebSocket, Writer};
use crate::Duplicate;
use crate::connection::abort;
use crate::error::{Closed, Error};

/// The reading half of a [split](WebSocket::split) connection.
///
/// Its automatic replies never wait for a thread that writes. If a thread holds the writing half, that thread
/// sends the latest reply when its write is done. Otherwise this half writes the reply itself. It also writes
/// what was [fed](Writer::feed), before a read that may block. Such a write blocks for as long as
/// the stream does.
pub type ReadHalf<S> = Reader<ReadEnd<S>>;

/// The writing half of a [split](WebSocket::split) connection. Clone it for each thread that writes: a clone is a
/// reference to the same half. Messages of different threads never interleave.
///
/// # Examples
/// ```no_run
/// let (mut reading, mut writing) = framewire::connect("ws://127.0.0.1:9001/")?.split()?;
/// std::thread::spawn(move || writing.write("hello"));
/// while let Some(message) = reading.next_message()? {
///     println!("{:?}", message.text());
/// }
/// # Ok::<(), framewire::Error>(())
/// ```
pub type WriteHalf<S> = Writer<Half<S>>;

impl<S: Duplicate> WebSocket<S> {
    /// Splits the connection into a half that reads and a half that writes, in this order. Starts nothing.
    ///
    /// Duplicates the stream twice: one handle to read from, one for [`abort`](WriteHalf::abort).
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the stream cannot be duplicated.
    pub fn split(self) -> Result<(ReadHalf<S>, WriteHalf<S>), Error> {
        let Reader { inbound, side } = self.reader;
        let mut whole = side.side;
        whole.stop_keep_alive();
        let read_end = ReadEnd::new(whole)?;
        if inbound.has_ended() {
            read_end.shared().writer().heartbeat.end();
        }
        let shared = Arc::clone(read_end.shared());
        let side = Half { shared };
        let reading = Reader {
            inbound,
            side: read_end,
        };
        Ok((reading, Writer { side }))
    }
}

impl<S: Duplicate> ReadHalf<S> {
    /// Returns the stream, to set its options. Reading from it breaks the connection.
    #[must_use]
    pub fn stream(&self) -> &S {
        self.side.stream()
    }

    /// Returns how the connection was closed; see [`Writer::closed`].
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.side.shared().writer().closed()
    }

    /// Joins both halves into one connection again, for [`WebSocket::shutdown`] or [`WebSocket::into_inner`].
    ///
    /// # Errors
    /// Returns both halves if they are not of one connection, or if the writing half has other clones.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the lines above prove it"
    )]
    pub fn reunite(
        self,
        write_half: WriteHalf<S>,
    ) -> Result<WebSocket<S>, Box<(Self, WriteHalf<S>)>> {
        let is_pair = Arc::ptr_eq(self.side.shared(), &write_half.side.shared);
        if !is_pair || Arc::strong_count(&write_half.side.shared) != 2 {
            return Err(Box::new((self, write_half)));
        }
        drop(self.side);
        let shared = Arc::into_inner(write_half.side.shared).expect("of two, one was dropped");
        let is_aborted = shared.is_aborted();
        let (mut inbound, mut whole) = (self.inbound, shared.into_writer().into_writer());
        if is_aborted {
            abort(&mut inbound, &mut whole.outbound);
        }
        Ok(WebSocket::of(inbound, whole))
    }
}

impl<S: Duplicate> WriteHalf<S> {
    /// Ends the connection without a closing handshake: for a peer that is gone, as
    /// [`keep_alive`](Self::keep_alive) can tell.
    ///
    /// A call that blocks fails at once: of the reading half with
    /// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted), of a thread that writes with the stream's own
    /// error.
    ///
    /// # Errors
    /// The error of the stream's shutdown.
    pub fn abort(&self) -> io::Result<()> {
        self.side.shared.abort()
    }
}

impl<S> Clone for WriteHalf<S> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.side.shared);
        Self {
            side: Half { shared },
        }
    }
}
