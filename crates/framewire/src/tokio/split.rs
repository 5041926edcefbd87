//! A connection whose two directions are used by different tasks.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::shared::{Half, ReadEnd, Shared};
use super::{Reader, WebSocket, Writer};
use crate::connection::abort;
use crate::error::Closed;

/// The reading half of a [split](WebSocket::split) connection.
///
/// Until the connection ends, it does not wait for a task that writes. Its automatic replies go between the frames of
/// the writing tasks. While no task writes, it sends them itself before a read that waits, together with what was
/// [fed](Writer::feed).
///
/// A read that reports the end of the connection first waits until the Close frame that answers it is sent. That comes
/// after a frame that another task has begun: keep polling that task's future, or drop it. [`WriteHalf::abort`] ends
/// the wait.
pub type ReadHalf<S> = Reader<ReadEnd<S>>;

/// The writing half of a [split](WebSocket::split) connection. Clone it for each task that writes: a clone is a
/// reference to the same half.
///
/// # Examples
/// ```no_run
/// # async fn run(stream: tokio::io::DuplexStream) -> Result<(), framewire::Error> {
/// let (mut reading, mut writing) = framewire::tokio::WebSocket::client(stream, Default::default())?.split();
/// tokio::spawn(async move { writing.write("hello").await });
/// while let Some(message) = reading.next_message().await? {
///     println!("{:?}", message.text());
/// }
/// # Ok(())
/// # }
/// ```
pub type WriteHalf<S> = Writer<Half<S>>;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Splits the connection into a half that reads and a half that writes, in this order, over any stream. Starts
    /// nothing and does not wait. The halves share a lock that is held while the stream is polled.
    ///
    /// (futures' `StreamExt::split` gives the two in the other order, without replies between the frames.)
    #[must_use]
    pub fn split(self) -> (ReadHalf<S>, WriteHalf<S>) {
        let Reader { inbound, side } = self.reader;
        let shared = Arc::new(Shared::new(side.side));
        if inbound.has_ended() {
            shared.writer().heartbeat.end();
        }
        let side = ReadEnd::new(Arc::clone(&shared));
        let writing = Writer {
            side: Half::new(shared),
        };
        (Reader { inbound, side }, writing)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReadHalf<S> {
    /// Returns how the connection was closed; see [`Writer::closed`].
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        self.side.shared().writer().closed()
    }

    /// Calls `job` with the stream, to inspect it or to set its options. Neither half polls the stream
    /// meanwhile.
    pub fn with_stream<R>(&self, job: impl FnOnce(&mut S) -> R) -> R {
        self.side.shared().with_stream(job)
    }

    /// Joins both halves into one connection again, for [`WebSocket::shutdown`] or [`WebSocket::into_inner`].
    ///
    /// # Errors
    /// Returns both halves if they are not of one connection, if the writing half has other clones, or if as a
    /// `Sink` it still holds a message. In the last case flush it first.
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
        if !is_pair || !write_half.side.is_last_of_two() {
            return Err(Box::new((self, write_half)));
        }
        drop(self.side);
        let shared = Arc::clone(&write_half.side.shared);
        drop(write_half);
        let shared = Arc::into_inner(shared).expect("of two, one was dropped");
        let is_aborted = shared.is_aborted();
        let (mut inbound, mut whole) = (self.inbound, shared.into_whole());
        if is_aborted {
            abort(&mut inbound, &mut whole.outbound);
        }
        Ok(WebSocket::of(inbound, whole))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WriteHalf<S> {
    /// Ends the connection without a closing handshake: for a peer that is gone, as
    /// [`keep_alive`](Self::keep_alive) can tell.
    ///
    /// A call of either half that uses the stream or waits for it fails with
    /// [`ConnectionAborted`](std::io::ErrorKind::ConnectionAborted). The stream is closed when both halves are
    /// dropped.
    pub fn abort(&self) {
        self.side.shared.abort();
    }
}

impl<S> Clone for WriteHalf<S> {
    fn clone(&self) -> Self {
        Self {
            side: Half::new(Arc::clone(&self.side.shared)),
        }
    }
}
