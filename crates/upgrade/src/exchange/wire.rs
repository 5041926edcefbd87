//! What an exchange asks of a stream, so that it is written once for every front end.
//!
//! An exchange (read a head, answer it, go through a proxy, …) is an `async` function over a
//! [`Wire`]. The compiler makes a state machine of it, which does no I/O of its own; a front end
//! brings the I/O. One that blocks is ready whenever it is asked, and [`finish`] is all that it
//! needs.

use super::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

/// A stream, and the deadline for what is done with it.
pub trait Wire: Sized {
    /// What the exchange is over.
    type Stream;

    /// A stream, by a deadline.
    fn new(stream: Self::Stream, deadline: Deadline) -> Self;

    /// The time by which deadlines are measured.
    fn now() -> Instant;

    /// Reads once; 0 is the end of the stream.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, Error>>;

    /// Writes all of `unsent`, which then begins after what was written, and flushes.
    fn poll_write_all(
        &mut self,
        context: &mut Context<'_>,
        unsent: &mut &[u8],
    ) -> Poll<Result<(), Error>>;

    /// The deadline for what follows.
    fn deadline(&self) -> Deadline;

    /// Sets another deadline for what follows.
    fn set_deadline(&mut self, deadline: Deadline);

    /// Takes back what the deadline has set on the stream.
    fn release(&self) -> Result<(), Error>;

    /// The stream, with whatever the deadline has set on it: see [`release`](Self::release).
    fn into_stream(self) -> Self::Stream;

    /// As [`new`](Self::new), with so long from now.
    fn within(stream: Self::Stream, time: Duration) -> Self {
        Self::new(stream, Deadline::starting(Self::now(), time))
    }

    /// Gives what follows so long from now, whatever was left.
    fn set_time(&mut self, time: Duration) {
        self.set_deadline(Deadline::starting(Self::now(), time));
    }
}

/// A wire whose stream can be looked into.
pub(crate) trait Peek: Wire {
    /// Reads without taking what is read.
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, Error>>;
}

/// What comes of an exchange over a stream that blocks.
pub fn finish<T>(exchange: impl Future<Output = T>) -> T {
    let mut exchange = pin!(exchange);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        // Ready at once: nothing in it is ever pending.
        if let Poll::Ready(result) = exchange.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Reads a piece and gives it to `take`: an empty one is the end of the stream.
///
/// The piece is on the stack while it is looked at, so that an exchange that waits holds none.
pub(crate) async fn read<W: Wire, T>(
    wire: &mut W,
    mut take: impl FnMut(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    poll_fn(|context| {
        let mut piece = [0; PIECE];
        let count = ready!(wire.poll_read(context, &mut piece))?;
        Poll::Ready(take(&piece[..count]))
    })
    .await
}

/// As [`read`], without taking the piece from the stream.
pub(crate) async fn peek<W: Peek, T>(
    wire: &mut W,
    mut take: impl FnMut(&[u8]) -> Result<T, Error>,
) -> Result<T, Error> {
    poll_fn(|context| {
        let mut piece = [0; PIECE];
        let count = ready!(wire.poll_peek(context, &mut piece))?;
        Poll::Ready(take(&piece[..count]))
    })
    .await
}

/// Reads so many bytes; the end of the stream before that is
/// [`ErrorKind::Closed`].
pub(crate) async fn read_exact<W: Wire>(wire: &mut W, count: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        let unfilled = &mut bytes[filled..];
        filled += match poll_fn(|context| wire.poll_read(context, unfilled)).await? {
            0 => return Err(Error::new(ErrorKind::Closed, "stream ended")),
            more => more,
        };
    }
    Ok(bytes)
}

pub(crate) async fn write_all<W: Wire>(wire: &mut W, bytes: &[u8]) -> Result<(), Error> {
    let mut unsent = bytes;
    poll_fn(|context| wire.poll_write_all(context, &mut unsent)).await
}

/// How much is read at once, and so the most that can be left over after a head.
const PIECE: usize = 4096;
