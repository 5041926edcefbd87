//! The error of every call that does I/O.

use std::error::Error as StdError;
use std::{fmt, io};

use crate::Fault;
use crate::frame::{CloseCode, Violation};
use crate::protocol::SendError;
use framewire_upgrade::write_with_causes;

/// The error of a call on a connection: what happened, whose fault it was, and the close code.
///
/// The text of an error of this crate includes its causes, down to the innermost: `{error}` is all there is to
/// print. So that no cause is printed twice, [`source`](StdError::source) is always `None`. Get the cause
/// itself, such as the [`io::Error`], from [`kind`](Self::kind) or [`cause`](Self::cause).
///
/// # Examples
/// ```
/// use framewire::{CloseCode, Config, ErrorKind, Fault, WebSocket};
///
/// // A frame without a mask, from a client (RFC 6455 5.1).
/// let stream = std::io::Cursor::new(b"\x81\x02hi".to_vec());
/// let mut websocket = WebSocket::server(stream, Config::default())?;
/// let error = websocket.next_message().unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::Violation(_)));
/// assert_eq!(error.fault(), Fault::Peer);
/// assert_eq!(error.close_code(), Some(CloseCode::PROTOCOL_ERROR));
/// # Ok::<(), framewire::Error>(())
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer broke the protocol or a limit. The Close frame with its code was sent, or waits because the
    /// stream would block. If no Close frame could be sent any more, none was.
    Violation(Violation),
    /// The connection was closed, by either end.
    Closed(Box<Closed>),
    /// The stream ended without a Close frame (1006), or an earlier read of it failed. From then on every call
    /// that reads, or begins to send something, fails with this.
    ConnectionLost,
    /// No Pong has answered a Ping of the [keep-alive](crate::WebSocket::set_keep_alive) in time: the peer is gone, or
    /// does not read.
    NoPong,
    /// The stream failed. If it [would block](Error::is_would_block), nothing is lost: the same call goes on.
    Io(io::Error),
    /// The reader of a streamed message failed. The message is still open.
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
        /// The size asked for, in bytes.
        requested: usize,
        /// The connection's chunk size, in bytes.
        limit: usize,
    },
    /// A message is being assembled. Only the kind of call that began it can go on.
    MessageInProgress,
    /// The configuration cannot work. Says why.
    Config(&'static str),
    /// The handshake failed. If this end refused the peer, the refusal was sent.
    #[cfg(feature = "handshake")]
    Handshake(crate::handshake::HandshakeError),
}

/// Why a message was not staged.
#[derive(Debug)]
pub enum TryFeedError<P> {
    /// The write buffer has no room for the message now. Holds the message.
    Full(P),
    /// The message cannot be sent, now or later.
    Failed(Error),
}

/// How a connection was closed: the Close frame of each end, and which was first. Reads, writes and both halves
/// report the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The Close frame that this end sent, or is about to send, even if the stream failed then; `None` if there
    /// is none yet.
    pub local: Option<Close>,
    /// The Close frame that the peer sent; `None` if none was received.
    pub peer: Option<Close>,
    /// Which end sent the first Close frame. This end's counts while `close` waits for room. It does not count
    /// if it was not taken, as when `close` would block.
    pub by: Side,
}

/// The content of a Close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The code; [`CloseCode::NO_STATUS`] if the frame has none.
    pub code: CloseCode,
    /// The reason, which may be empty.
    pub reason: String,
}

/// One of the two ends of a connection, seen from this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This end.
    Local,
    /// The other end.
    Peer,
}

impl Error {
    /// Returns what happened.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Returns what happened, to take the details out.
    #[must_use]
    pub fn into_kind(self) -> ErrorKind {
        self.kind
    }

    /// Returns the underlying error, if there is one: the [`io::Error`] of the stream or the reader, or the
    /// [cause](crate::handshake::HandshakeError::cause) of a handshake error.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        match &self.kind {
            ErrorKind::Io(error) | ErrorKind::Source(error) => Some(error),
            #[cfg(feature = "handshake")]
            ErrorKind::Handshake(error) => error.cause(),
            _ => None,
        }
    }

    /// Returns the close code of the connection: [`Closed::code`], the code that answered a violation, or 1006.
    /// `None` if the connection still stands.
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        match &self.kind {
            ErrorKind::Violation(violation) => Some(violation.close_code()),
            ErrorKind::Closed(closed) => Some(closed.code()),
            ErrorKind::ConnectionLost | ErrorKind::NoPong => Some(CloseCode::ABNORMAL),
            ErrorKind::Io(_) if !self.is_would_block() => Some(CloseCode::ABNORMAL),
            _ => None,
        }
    }

    /// Returns whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match &self.kind {
            ErrorKind::Violation(_) => Fault::Peer,
            ErrorKind::Closed(_)
            | ErrorKind::ConnectionLost
            | ErrorKind::NoPong
            | ErrorKind::Io(_) => Fault::Transport,
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

    /// Returns whether the stream, or the reader that is being streamed, was not ready in time. Nothing is
    /// lost: call again. The stream's error is `WouldBlock`, or `TimedOut` from a blocking stream.
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        match &self.kind {
            ErrorKind::Io(error) | ErrorKind::Source(error) => would_block(error),
            _ => false,
        }
    }

    /// Returns how the connection was closed, if it was closed with a Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        match &self.kind {
            ErrorKind::Closed(closed) => Some(closed),
            _ => None,
        }
    }
}

/// Returns whether the same call can go on later. Non-blocking streams fail with `WouldBlock`, those with a
/// time-out with `WouldBlock` or `TimedOut`, depending on the platform.
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

/// As [`or_end`], of what failed.
#[cold]
pub(crate) fn end<T>(error: Error) -> Result<Option<T>, Error> {
    or_end(Err(error))
}

/// Returns `None` where a read failed only because the peer's Close frame has ended the connection.
#[inline]
pub(crate) fn or_end<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind, ErrorKind::Closed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the error of a call that has to wait.
#[cold]
pub(crate) fn blocked() -> Error {
    io::Error::from(io::ErrorKind::WouldBlock).into()
}

/// The error of a stream that failed for good, whatever its kind would otherwise mean.
#[derive(Debug)]
struct Lasting(io::Error);

/// Returns an error of the same kind after which no call goes on.
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
            ErrorKind::NoPong => f.write_str("no pong answered a ping in time"),
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
            ErrorKind::Handshake(error) => error.fmt(f),
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
    /// Returns the code of the peer's Close frame, which is the connection's (RFC 6455 7.1.5). If there is
    /// none, returns the code of this end's.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        self.close().map_or(CloseCode::ABNORMAL, |close| close.code)
    }

    /// Returns the reason of the peer's Close frame, which is the connection's (RFC 6455 7.1.6). If there is
    /// none, returns the reason of this end's.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.close().map_or("", |close| &close.reason)
    }

    /// Returns whether the connection was closed as planned: with 1000, 1001 or no code (RFC 6455 7.4.1).
    #[must_use]
    pub fn is_normal(&self) -> bool {
        let normal = [
            CloseCode::NORMAL,
            CloseCode::GOING_AWAY,
            CloseCode::NO_STATUS,
        ];
        normal.contains(&self.code())
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
            // The second Close frame is only shown if it is more than an echo of the first one's code.
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
    /// Reads the payload of a Close frame.
    pub(crate) fn of(payload: &[u8]) -> Self {
        let (code, reason) = match payload.split_first_chunk() {
            Some((code, reason)) => (CloseCode::new(u16::from_be_bytes(*code)), reason),
            None => (CloseCode::NO_STATUS, payload),
        };
        let reason = String::from_utf8_lossy(reason).into_owned();
        Self { code, reason }
    }

    /// Returns the content of the Close frame that answers a violation.
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
impl From<crate::handshake::HandshakeError> for Error {
    fn from(error: crate::handshake::HandshakeError) -> Self {
        ErrorKind::Handshake(error).into()
    }
}

/// A handshake that failed while heads were exchanged.
#[cfg(feature = "handshake")]
impl From<crate::upgrade::UpgradeError> for Error {
    fn from(error: crate::upgrade::UpgradeError) -> Self {
        crate::handshake::HandshakeError::from(error).into()
    }
}

/// A request or response that cannot be built: of kind
/// [`InvalidArgument`](crate::handshake::HandshakeErrorKind::InvalidArgument).
#[cfg(feature = "handshake")]
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        crate::handshake::HandshakeError::invalid(error.to_string()).into()
    }
}

/// A field of a [`DeflateConfig`](crate::deflate::DeflateConfig) is out of its range.
impl From<crate::deflate::InvalidConfig> for Error {
    fn from(invalid: crate::deflate::InvalidConfig) -> Self {
        ErrorKind::Config(invalid.reason()).into()
    }
}

/// For implementations of `Read` and `Write`, whose callers check the kind.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::Io(error) | ErrorKind::Source(error) => return error,
            ErrorKind::ConnectionLost => io::ErrorKind::UnexpectedEof,
            ErrorKind::NoPong => io::ErrorKind::TimedOut,
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
