//! The closing handshake.

use std::io;
use std::time::{Duration, Instant};

use super::drive::{Drive, Transport, read, wait_for_end};
use super::inbound::Inbound;
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

/// A transport that is being closed, with a deadline.
pub(crate) trait Closing: Transport {
    type Drive: Drive;

    fn drive(&mut self) -> &mut Self::Drive;

    fn is_time_over(&self) -> bool;
}

/// Completes the closing handshake. After `WouldBlock` the next call goes on with it, until the deadline.
pub(crate) fn shut_down(
    inbound: &mut Inbound,
    closing: &mut impl Closing,
) -> Result<Shutdown, Error> {
    closing.drive().outbound().queue_normal_close();
    let closed = closing.replies().closed();
    let by = closed.map_or(Side::Local, |closed| closed.by);
    let mut closed = discard(inbound, closing);
    closing.send_waiting();
    let role = closing.drive().outbound().role();
    if must_wait_for_end(&closed, role)
        && let Err(error) = wait_for_end(inbound, closing)
        && would_block(&error)
        && !closing.is_time_over()
    {
        closed = Err(error.into());
    }
    let expired = closing.is_time_over();
    let outbound = closing.drive().outbound();
    let failure = outbound.failure();
    // Checked only now: waiting for the end sends, too.
    let sent = !outbound.has_pending_output() && failure.is_none();
    match closed {
        Ok(_) if !sent && !expired && failure.is_none() => {
            Err(io::Error::from(io::ErrorKind::WouldBlock).into())
        }
        Ok(closed) => Ok(Shutdown {
            code: closed.code(),
            reason: closed.reason().to_owned(),
            by: closed.by,
            clean: sent,
        }),
        Err(error) if error.is_would_block() && !expired => Err(error),
        Err(error) => match (failure, error.kind()) {
            (Some(failure), _) => Err(lasting(failure.into()).into()),
            (None, ErrorKind::Io(_)) if !error.is_would_block() => Err(error),
            (None, ErrorKind::Violation(violation)) => {
                let Close { code, reason } = Close::of_violation(violation);
                Ok(Shutdown {
                    code,
                    reason,
                    by,
                    clean: false,
                })
            }
            _ => Ok(Shutdown {
                code: error.close_code().unwrap_or(CloseCode::ABNORMAL),
                reason: String::new(),
                by,
                clean: false,
            }),
        },
    }
}

/// Discards everything until the connection ends. `Ok` where the peer sent a Close frame.
fn discard(inbound: &mut Inbound, closing: &mut impl Closing) -> Result<Closed, Error> {
    inbound.begin_discard();
    let Err(error) = read(inbound, closing, Inbound::discard);
    match error.into_kind() {
        ErrorKind::Closed(closed) => Ok(*closed),
        kind => Err(kind.into()),
    }
}

/// Returns whether to wait for the end of the stream. A client waits for the server to close the TCP connection first
/// (RFC 6455 7.1.1). After a violation either end waits: closing while the peer still sends would reset the
/// connection, and the peer might not receive the Close frame.
fn must_wait_for_end(closed: &Result<Closed, Error>, role: Role) -> bool {
    match closed {
        Ok(_) => role == Role::Client,
        Err(error) => matches!(error.kind(), ErrorKind::Violation(_)),
    }
}

/// Returns the time that lies `time` after `now`, or a century after it where that is less.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now + time.min(A_CENTURY)
}

/// Longer than any connection, and short enough to add to the current time.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
