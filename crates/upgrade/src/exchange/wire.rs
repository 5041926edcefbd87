//! What an exchange needs from a stream, so that it is written once for all front ends.
//!
//! An exchange (read a head, answer it, go through a proxy, …) is an `async` function over a [`Wire`]. The compiler
//! makes a state machine of it, which does no I/O of its own: that is up to a front end. A blocking front end is never
//! pending, and needs nothing but [`finish`].

use super::deadline::Deadline;
use crate::error::{UpgradeError, UpgradeErrorKind};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

/// A stream, with the deadline for what is done with it.
pub trait Wire: Sized {
    /// The stream that the exchange uses.
    type Stream;

    /// Creates a wire over a stream, with a deadline.
    fn new(stream: Self::Stream, deadline: Deadline) -> Self;

    /// Returns the current time, by the clock of the deadlines.
    fn now() -> Instant;

    /// Reads once; 0 is the end of the stream.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, UpgradeError>>;

    /// Writes all of `unsent` and flushes. What was written is removed from `unsent`.
    fn poll_write_all(
        &mut self,
        context: &mut Context<'_>,
        unsent: &mut &[u8],
    ) -> Poll<Result<(), UpgradeError>>;

    /// Ends what is written, with the `close_notify` of TLS, as far as the stream takes it now.
    ///
    /// A failure is not reported: the stream is not used any more.
    fn end(&mut self);

    /// Returns the deadline for what follows.
    fn deadline(&self) -> Deadline;

    /// Sets another deadline for what follows.
    fn set_deadline(&mut self, deadline: Deadline);

    /// Restores what the deadline has changed on the stream.
    fn release(&self) -> Result<(), UpgradeError>;

    /// Returns the stream, with whatever the deadline has changed on it: see [`release`](Self::release).
    fn into_stream(self) -> Self::Stream;

    /// As [`new`](Self::new), with a deadline `time` from now.
    fn within(stream: Self::Stream, time: Duration) -> Self {
        Self::new(stream, Deadline::starting(Self::now(), time))
    }

    /// Sets a deadline `time` from now for what follows, whatever was left.
    fn set_time(&mut self, time: Duration) {
        self.set_deadline(Deadline::starting(Self::now(), time));
    }
}

/// A wire from which bytes can be read without being removed.
pub(crate) trait Peek: Wire {
    /// Reads bytes and leaves them in the stream.
    fn poll_peek(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, UpgradeError>>;
}

/// Runs an exchange over a stream that blocks, and returns its result.
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

/// Reads a piece and calls `take` with it: an empty one is the end of the stream.
///
/// The piece is on the stack during that call only, so that an exchange that waits holds none.
pub(crate) async fn read<W: Wire, T>(
    wire: &mut W,
    mut take: impl FnMut(&[u8]) -> Result<T, UpgradeError>,
) -> Result<T, UpgradeError> {
    poll_fn(|context| {
        let mut piece = [0; PIECE];
        let count = ready!(wire.poll_read(context, &mut piece))?;
        Poll::Ready(take(&piece[..count]))
    })
    .await
}

/// As [`read`], but leaves the piece in the stream.
pub(crate) async fn peek<W: Peek, T>(
    wire: &mut W,
    mut take: impl FnMut(&[u8]) -> Result<T, UpgradeError>,
) -> Result<T, UpgradeError> {
    poll_fn(|context| {
        let mut piece = [0; PIECE];
        let count = ready!(wire.poll_peek(context, &mut piece))?;
        Poll::Ready(take(&piece[..count]))
    })
    .await
}

/// Reads `count` bytes. The end of the stream before that is [`UpgradeErrorKind::Closed`].
pub(crate) async fn read_exact<W: Wire>(
    wire: &mut W,
    count: usize,
) -> Result<Vec<u8>, UpgradeError> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        let unfilled = &mut bytes[filled..];
        filled += match poll_fn(|context| wire.poll_read(context, unfilled)).await? {
            0 => return Err(UpgradeError::new(UpgradeErrorKind::Closed, "stream ended")),
            more => more,
        };
    }
    Ok(bytes)
}

pub(crate) async fn write_all<W: Wire>(wire: &mut W, bytes: &[u8]) -> Result<(), UpgradeError> {
    let mut unsent = bytes;
    poll_fn(|context| wire.poll_write_all(context, &mut unsent)).await
}

/// How many bytes are read at once, and so the most that can be left over after a head.
const PIECE: usize = 4096;
