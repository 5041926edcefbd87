//! The closing handshake.

use std::io;
use std::task::{Poll, ready};

use super::reading::{poll_end, poll_step};
use super::sides::{PollClose, PollRead, ReadSide, WriteSide};
use crate::connection::Inbound;
use crate::error::{Close, Closed, Error, ErrorKind, Side, lasting, would_block};
use crate::frame::CloseCode;
use crate::protocol::Role;

/// How a connection was shut down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// The code of the peer's Close frame, or of this end's answer to the peer's violation. 1006 where there was
    /// neither.
    pub code: CloseCode,
    /// The reason of that Close frame.
    pub reason: String,
    /// Which end sent the first Close frame.
    pub by: Side,
    /// Whether both ends have sent a Close frame (RFC 6455 7.1.4).
    pub clean: bool,
}

/// A connection that is being closed, as its reader sees it.
pub(crate) trait ClosingSide: ReadSide {
    /// Queues a Close frame with 1000, unless this end has sent one or can send nothing.
    fn queue_normal_close(&mut self);

    /// Returns how the connection was closed so far.
    fn closed(&mut self) -> Option<Closed>;

    /// Returns the error of the stream, after which nothing more can be written.
    fn failure(&mut self) -> Option<io::ErrorKind>;

    /// Returns whether anything waits to be written or flushed.
    fn has_pending_output(&mut self) -> bool;

    /// Closes the writing end of the stream, with the `close_notify` of TLS, unless something is not sent yet. Pending
    /// also while another thread may be sending.
    fn poll_close(&mut self) -> Poll<io::Result<()>>;
}

impl<W: WriteSide> ClosingSide for W
where
    W::Stream: PollRead + PollClose,
{
    fn queue_normal_close(&mut self) {
        self.outbound().queue_normal_close();
    }

    fn closed(&mut self) -> Option<Closed> {
        self.outbound().closed().cloned()
    }

    fn failure(&mut self) -> Option<io::ErrorKind> {
        self.outbound().failure()
    }

    fn has_pending_output(&mut self) -> bool {
        self.outbound().has_pending_output()
    }

    fn poll_close(&mut self) -> Poll<io::Result<()>> {
        let (outbound, stream) = self.parts();
        if outbound.is_sent() {
            stream.poll_close()
        } else {
            Poll::Ready(Ok(()))
        }
    }
}

/// A [`ClosingSide`] that is read and written until a deadline.
pub(crate) trait UntilDeadline: ReadSide {
    type Side: ClosingSide;

    fn side(&mut self) -> &mut Self::Side;

    fn is_time_over(&self) -> bool;

    /// As [`ClosingSide::poll_close`].
    fn poll_close(&mut self) -> Poll<io::Result<()>> {
        self.side().poll_close()
    }
}

/// Completes the closing handshake, then closes the writing end of the stream (RFC 6455 7.1.1). Where the stream
/// blocks, the next call goes on with it, until the deadline.
pub(crate) fn poll_shutdown(
    inbound: &mut Inbound,
    side: &mut impl UntilDeadline,
) -> Poll<Result<Shutdown, Error>> {
    let shutdown = ready!(poll_closing_handshake(inbound, side))?;
    // A stream that would end with half a frame, or cannot be closed, is cut when it is dropped.
    match side.poll_close() {
        Poll::Pending if !side.is_time_over() => Poll::Pending,
        Poll::Ready(Err(error)) if would_block(&error) && !side.is_time_over() => {
            Poll::Ready(Err(error.into()))
        }
        _ => Poll::Ready(Ok(shutdown)),
    }
}

fn poll_closing_handshake(
    inbound: &mut Inbound,
    side: &mut impl UntilDeadline,
) -> Poll<Result<Shutdown, Error>> {
    side.side().queue_normal_close();
    let by = side.side().closed().map_or(Side::Local, |closed| closed.by);
    let mut closed = poll_discard(inbound, side);
    side.send_waiting();
    if must_wait_for_end(&closed, inbound.role()) {
        match poll_end(inbound, side) {
            Poll::Pending if !side.is_time_over() => closed = Poll::Pending,
            Poll::Ready(Err(error)) if would_block(&error) && !side.is_time_over() => {
                closed = Poll::Ready(Err(error.into()));
            }
            _ => {}
        }
    }
    let expired = side.is_time_over();
    let failure = side.side().failure();
    // Checked only now: waiting for the end sends, too.
    let sent = !side.side().has_pending_output() && failure.is_none();
    let why = match closed {
        Poll::Pending if !expired => return Poll::Pending,
        Poll::Pending => ErrorKind::ConnectionLost,
        Poll::Ready(Ok(_)) if !sent && !expired && failure.is_none() => return Poll::Pending,
        Poll::Ready(Ok(closed)) => {
            return Poll::Ready(Ok(Shutdown {
                code: closed.code(),
                reason: closed.reason().to_owned(),
                by: closed.by,
                clean: sent,
            }));
        }
        Poll::Ready(Err(error)) if error.is_would_block() && !expired => {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Err(error)) => error.into_kind(),
    };
    if let Some(failure) = failure {
        return Poll::Ready(Err(lasting(failure.into()).into()));
    }
    let Close { code, reason } = match why {
        ErrorKind::Io(error) if !would_block(&error) => return Poll::Ready(Err(error.into())),
        ErrorKind::Violation(violation) => Close::of_violation(&violation),
        _ => Close {
            code: CloseCode::ABNORMAL,
            reason: String::new(),
        },
    };
    Poll::Ready(Ok(Shutdown {
        code,
        reason,
        by,
        clean: false,
    }))
}

/// Discards everything until the connection ends. `Ok` where the peer sent a Close frame.
fn poll_discard(inbound: &mut Inbound, side: &mut impl ReadSide) -> Poll<Result<Closed, Error>> {
    inbound.begin_discard();
    poll_step(inbound, side, Inbound::discard).map(|ended| {
        let Err(error) = ended;
        match error.into_kind() {
            ErrorKind::Closed(closed) => Ok(*closed),
            kind => Err(kind.into()),
        }
    })
}

/// Returns whether to wait for the end of the stream. A client waits for the server to close the TCP connection first
/// (RFC 6455 7.1.1). After a violation either end waits: closing while the peer still sends would reset the
/// connection, and the peer might not receive the Close frame.
fn must_wait_for_end(closed: &Poll<Result<Closed, Error>>, role: Role) -> bool {
    match closed {
        Poll::Pending => false,
        Poll::Ready(Ok(_)) => role == Role::Client,
        Poll::Ready(Err(error)) => matches!(error.kind(), ErrorKind::Violation(_)),
    }
}
