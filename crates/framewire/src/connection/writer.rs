//! The sending side of a connection with its stream.

use std::io::Write;

use super::drive::Drive;
use super::outbound::Outbound;
use crate::error::Closed;

/// The writing side of a connection, with the stream that it writes to.
///
/// # What is taken and what is not
/// A call that fails with `WouldBlock` or `TimedOut` took nothing of its message: call again. A
/// call that succeeds took all of it; what the stream did not take yet is buffered, and goes out
/// with the next call of any kind, with [`flush`](Self::flush), or before the next read.
/// [`has_pending_output`](Self::has_pending_output) tells. A frame is thus never left half-written,
/// whatever is called next.
///
/// # Memory
/// The write buffer, at most twice as large as what waits in it, which is at most
/// [`Config::write_buffer`](super::Config::write_buffer) (or one frame where that is longer), and, once a
/// message was streamed, one chunk; two where [`stream_message`](Self::stream_message) compressed it.
#[derive(Debug)]
pub struct Writer<S> {
    pub(crate) outbound: Outbound,
    pub(crate) stream: S,
}

impl<S> Writer<S> {
    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Switches the compression of messages off, or on again, for those that begin from now on.
    /// No effect where none was agreed on. For one message there is also
    /// [`write_frame`](Self::write_frame), which is never compressed.
    pub fn set_compression(&mut self, enabled: bool) {
        self.outbound.set_compression(enabled);
    }

    /// Whether bytes wait that the stream has not taken, or not been made to pass on.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.outbound.has_pending_output()
    }

    /// How many bytes wait that the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.outbound.buffered()
    }

    /// How the connection was closed, once either end has sent its Close frame.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.outbound.closed()
    }
}

impl<S: Write> Drive for Writer<S> {
    type Stream = S;

    fn parts(&mut self) -> (&mut Outbound, &mut S) {
        (&mut self.outbound, &mut self.stream)
    }
}
