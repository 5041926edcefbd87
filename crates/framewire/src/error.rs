//! The error of every call that does I/O.

use std::error::Error as StdError;
use std::{fmt, io};

use crate::Fault;
use crate::frame::{CloseCode, Violation};
use crate::protocol::SendError;
use framewire_upgrade::write_with_causes;

/// Why a call on a connection failed: what happened, whose fault it was, and the close code.
///
/// # Causes
/// The text of an error of this crate tells its causes too, down to the innermost: `{error}` is all there
/// is to print. So that nothing is told twice, [`source`](StdError::source) of each of them is `None`;
/// the cause itself, such as the [`io::Error`], comes from [`kind`](Self::kind) and [`cause`](Self::cause).
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer broke the protocol or a limit. The Close frame with its code was sent, or waits on
    /// a stream that would block, where one could still be sent.
    Violation(Violation),
    /// The connection was closed, by either end.
    Closed(Box<Closed>),
    /// The stream ended without a Close frame (1006), or an earlier read of it failed. From then on every
    /// call that reads, or begins to send something, says so.
    ConnectionLost,
    /// The stream failed. Where that [would block](Error::is_would_block), nothing is lost: the same
    /// call goes on.
    Io(io::Error),
    /// The reader that was to be streamed failed. The message is still open.
    Source(io::Error),
    /// The caller asked for a frame that may not be sent. Nothing was sent.
    Send(SendError),
    /// The next frame does not fit into the caller's buffer. Nothing was consumed.
    FrameBufferTooSmall {
        /// The frame's payload in bytes.
        needed: u64,
    },
    /// The chunk size is zero or over the connection's.
    ChunkSize {
        /// What was asked for, in bytes.
        requested: usize,
        /// The connection's chunk size, in bytes.
        limit: usize,
    },
    /// A message is being assembled: only the call that began it can go on.
    MessageInProgress,
    /// A configuration that cannot work, and why.
    Config(&'static str),
    /// The handshake failed. Where the peer was refused, the refusal was sent.
    #[cfg(feature = "handshake")]
    Handshake(crate::handshake::Error),
}

/// Why a message was not queued.
#[derive(Debug)]
pub enum TryFeedError<P> {
    /// The write buffer has no room for it now: the message itself.
    Full(P),
    /// It cannot be sent, now or later.
    Failed(Error),
}

/// How a connection was closed: the Close frame of each end, and whose was first. The same wherever it
/// is told: by reads, writes, both halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The Close frame that this end sent, or is about to send, also where the stream failed then; `None`
    /// where there is none yet.
    pub local: Option<Close>,
    /// The Close frame that the peer sent; `None` as long as none was received.
    pub peer: Option<Close>,
    /// Who sent the first Close frame. One that was not taken, as
    /// where `close` would block, does not count; while `close` waits for room, it does.
    pub by: Side,
}

/// What a Close frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code; [`CloseCode::NO_STATUS`] where the frame has none.
    pub code: CloseCode,
    /// The reason, which may be empty.
    pub reason: String,
}

/// One of the two ends, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This end.
    Local,
    /// The other end.
    Peer,
}

impl Error {
    /// What happened.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What happened, to take the details out.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        self.kind
    }

    /// What made it fail, where that is an error of its own: the [`io::Error`] of the stream or the
    /// reader, or the [cause](crate::handshake::Error::cause) of a handshake's.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) | ErrorKind::Source(error) => Some(error),
            #[cfg(feature = "handshake")]
            ErrorKind::Handshake(error) => error.cause(),
            _ => None,
        }
    }

    /// The code that tells how the connection ended: [`Closed::code`], the one that answered a
    /// violation, or 1006. `None` where the connection stands.
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        match &self.kind {
            ErrorKind::Violation(violation) => Some(violation.close_code()),
            ErrorKind::Closed(closed) => Some(closed.code()),
            ErrorKind::ConnectionLost => Some(CloseCode::ABNORMAL),
            ErrorKind::Io(_) if !self.is_would_block() => Some(CloseCode::ABNORMAL),
            _ => None,
        }
    }

    /// Whose doing it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match &self.kind {
            ErrorKind::Violation(_) => Fault::Peer,
            ErrorKind::Closed(_) | ErrorKind::ConnectionLost | ErrorKind::Io(_) => Fault::Transport,
            ErrorKind::Source(_)
            | ErrorKind::Send(_)
            | ErrorKind::FrameBufferTooSmall { .. }
            | ErrorKind::ChunkSize { .. }
            | ErrorKind::MessageInProgress
            | ErrorKind::Config(_) => Fault::Caller,
            #[cfg(feature = "handshake")]
            ErrorKind::Handshake(error) => error.fault(),
        }
    }

    /// Whether the stream, or the reader that is being streamed, had nothing to give or take in
    /// time: `WouldBlock`, or `TimedOut` where it is a blocking stream's. Nothing is lost: call again.
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        match &self.kind {
            ErrorKind::Io(error) | ErrorKind::Source(error) => would_block(error),
            _ => false,
        }
    }

    /// How the connection was closed, where it was closed with a Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        match &self.kind {
            ErrorKind::Closed(closed) => Some(closed),
            _ => None,
        }
    }
}

/// Non-blocking streams say `WouldBlock`, those with a time-out either, depending on the platform.
pub(crate) fn would_block(error: &io::Error) -> bool {
    let may_go_on = matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    );
    let is_lasting = error
        .get_ref()
        .is_some_and(<dyn StdError + Send + Sync>::is::<Lasting>);
    may_go_on && !is_lasting
}

/// The error of a stream that has failed for good, whatever its kind would mean otherwise.
#[derive(Debug)]
struct Lasting(io::Error);

/// An error of the same kind that no call goes on after.
pub(crate) fn lasting(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Lasting(error))
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Lasting {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Violation(violation) => violation.fmt(f),
            ErrorKind::Closed(closed) => closed.fmt(f),
            ErrorKind::ConnectionLost => f.write_str("connection ended without a close frame"),
            ErrorKind::Io(error) => self.write_io(f, "stream", error),
            ErrorKind::Source(error) => self.write_io(f, "reader of the message", error),
            ErrorKind::Send(error) => error.fmt(f),
            ErrorKind::FrameBufferTooSmall { needed } => {
                write!(f, "frame of {needed} bytes does not fit into the buffer")
            }
            ErrorKind::ChunkSize {
                requested: 0,
                limit: _,
            } => f.write_str("chunk size of 0 bytes"),
            ErrorKind::ChunkSize { requested, limit } => write!(
                f,
                "chunk size of {requested} bytes exceeds the connection's {limit}"
            ),
            ErrorKind::MessageInProgress => {
                f.write_str("a message is being assembled: finish it with the call that began it")
            }
            ErrorKind::Config(what) => f.write_str(what),
            #[cfg(feature = "handshake")]
            ErrorKind::Handshake(error) => write!(f, "handshake failed: {error}"),
        }
    }
}

impl Error {
    fn write_io(&self, f: &mut fmt::Formatter<'_>, whose: &str, error: &io::Error) -> fmt::Result {
        let what = if self.is_would_block() {
            format!("{whose} was not ready in time")
        } else {
            format!("{whose} failed")
        };
        write_with_causes(f, &what, Some(error))
    }
}

/// Without a source: the text tells the causes.
impl StdError for Error {}

impl<P> From<Error> for TryFeedError<P> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<P> fmt::Display for TryFeedError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("write buffer has no room for the message"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Without a source: the text tells the causes.
impl<P: fmt::Debug> StdError for TryFeedError<P> {}

impl Closed {
    /// The code of the peer's Close frame, which is the connection's (RFC 6455 7.1.5); as long as
    /// there is none, that of this end's.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        self.close().map_or(CloseCode::ABNORMAL, |close| close.code)
    }

    /// The reason of the peer's Close frame, which is the connection's (RFC 6455 7.1.6); as long as
    /// there is none, that of this end's.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.close().map_or("", |close| &close.reason)
    }

    fn close(&self) -> Option<&Close> {
        self.peer.as_ref().or(self.local.as_ref())
    }
}

/// `closed by this end with 4000: lunch; the peer with 4001`.
impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, first, other, answer) = match self.by {
            Side::Local => ("this end", &self.local, "the peer", &self.peer),
            Side::Peer => ("the peer", &self.peer, "this end", &self.local),
        };
        write!(f, "closed by {by}")?;
        if let Some(close) = first {
            write!(f, " with {close}")?;
        }
        match (first, answer) {
            // An answer is an echo of the code, without a reason, unless somebody wants it otherwise.
            (Some(first), Some(answer))
                if answer.code != first.code || !answer.reason.is_empty() =>
            {
                write!(f, "; {other} with {answer}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if self.reason.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.reason)
    }
}

impl Close {
    /// What a Close frame with this payload says.
    pub(crate) fn of(payload: &[u8]) -> Self {
        let (code, reason) = match payload.split_first_chunk() {
            Some((code, reason)) => (CloseCode::new(u16::from_be_bytes(*code)), reason),
            None => (CloseCode::NO_STATUS, payload),
        };
        let reason = String::from_utf8_lossy(reason).into_owned();
        Self { code, reason }
    }

    /// What the Close frame says that answers a violation.
    pub(crate) fn of_violation(violation: &Violation) -> Self {
        Self {
            code: violation.close_code(),
            reason: violation.to_string(),
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        ErrorKind::Io(error).into()
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        ErrorKind::Send(error).into()
    }
}

#[cfg(feature = "handshake")]
impl From<crate::handshake::Error> for Error {
    fn from(error: crate::handshake::Error) -> Self {
        ErrorKind::Handshake(error).into()
    }
}

/// For `Read` and `Write`, whose kinds callers look at.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::Io(error) | ErrorKind::Source(error) => return error,
            ErrorKind::ConnectionLost => io::ErrorKind::UnexpectedEof,
            ErrorKind::Closed(_) => io::ErrorKind::NotConnected,
            ErrorKind::Violation(_) => io::ErrorKind::InvalidData,
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, lasting, would_block};
    use std::error::Error as _;
    use std::io;

    #[test]
    fn a_stream_that_failed_for_good_tells_why_once() {
        let error = lasting(io::ErrorKind::TimedOut.into());
        assert!(!would_block(&error));
        assert!(error.source().is_none());
        let error = Error::from(lasting(error));
        assert_eq!(error.to_string(), "stream failed: timed out");
        assert!(error.source().is_none() && error.cause().is_some());
        let error = io::Error::from(error);
        assert_eq!(error.to_string(), "timed out");
        assert!(error.source().is_none());
    }
}
