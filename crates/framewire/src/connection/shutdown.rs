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
    /// The code of the peer's Close frame, or of the one that ended the connection; 1006 where the
    /// peer sent none.
    pub code: CloseCode,
    /// The reason of that Close frame.
    pub reason: String,
    /// Who sent the first Close frame.
    pub by: Side,
    /// Whether Close frames went both ways (RFC 6455 7.1.4).
    pub clean: bool,
}

/// A transport that is being closed, within a time.
pub(crate) trait Closing: Transport {
    type Drive: Drive;

    fn drive(&mut self) -> &mut Self::Drive;

    fn is_time_over(&self) -> bool;
}

/// Completes the closing handshake, or says `WouldBlock`: then it goes on with the next call, until
/// the time is over.
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
    // Only here: what waits for the end sends, too.
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

/// Reads and forgets everything until the connection ends; `Ok` where a Close frame came.
fn discard(inbound: &mut Inbound, closing: &mut impl Closing) -> Result<Closed, Error> {
    inbound.begin_discard();
    let Err(error) = read(inbound, closing, Inbound::discard);
    match error.into_kind() {
        ErrorKind::Closed(closed) => Ok(*closed),
        kind => Err(kind.into()),
    }
}

/// A client waits for the server to close the TCP connection first (RFC 6455 7.1.1). After a
/// violation either waits: what the peer still sends would reset the connection, and could take the
/// Close frame from it.
fn must_wait_for_end(closed: &Result<Closed, Error>, role: Role) -> bool {
    match closed {
        Ok(_) => role == Role::Client,
        Err(error) => matches!(error.kind(), ErrorKind::Violation(_)),
    }
}

/// A time from now, or one that is as good as never.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now + time.min(A_CENTURY)
}

/// Longer than any connection, and not too long to be added to the time.
const A_CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
