//! The closing handshake.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::{Reader, Transport, Writer};
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
    type Stream: Write;

    fn writer(&mut self) -> &mut Writer<Self::Stream>;

    fn is_time_over(&self) -> bool;
}

/// Completes the closing handshake, or says `WouldBlock`: then it goes on with the next call, until
/// the time is over.
pub(crate) fn shut_down(
    reader: &mut Reader,
    closing: &mut impl Closing,
) -> Result<Shutdown, Error> {
    closing.writer().queue_normal_close();
    let by = closing.closed().map_or(Side::Local, |closed| closed.by);
    let mut closed = reader.discard(closing);
    closing.settle();
    if must_wait_for_end(&closed, closing.writer().role())
        && let Err(error) = reader.wait_for_end(closing)
        && would_block(&error)
        && !closing.is_time_over()
    {
        closed = Err(error.into());
    }
    let expired = closing.is_time_over();
    let writer = closing.writer();
    let failure = writer.failure();
    // Only here: what waits for the end sends, too.
    let sent = !writer.has_pending_output() && failure.is_none();
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
