//! The sending side of a connection, with its stream.

use std::io::Write;

use super::drive::Drive;
use super::outbound::Outbound;
use crate::error::Closed;

/// The writing side of a connection, with the stream that it writes to.
///
/// # What is taken and what is not
/// A call that fails with `WouldBlock` or `TimedOut` took nothing of its message: call again. A call that succeeds
/// took all of it. What the stream has not taken yet is buffered, and leaves with the next call of any kind, with
/// [`flush`](Self::flush), or before the next read; [`has_pending_output`](Self::has_pending_output) tells. Whatever
/// is called next, a frame is never left half-written.
///
/// # Memory
/// A write buffer, at most twice as large as what waits in it: [`Config::write_buffer`](super::Config::write_buffer)
/// bytes, or one frame where that is longer. Once a message was streamed, one chunk; two where
/// [`stream_message`](Self::stream_message) compressed it.
#[derive(Debug)]
pub struct Writer<S> {
    pub(crate) outbound: Outbound,
    pub(crate) stream: S,
}

impl<S> Writer<S> {
    /// Returns the stream.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the stream, to set its options. Reading from it or writing to it breaks the connection.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Switches the compression of messages off or on, for those that begin from now on. No effect where none was
    /// agreed on. [`write_frame`](Self::write_frame) sends a single message without compression.
    pub fn set_compression(&mut self, enabled: bool) {
        self.outbound.set_compression(enabled);
    }

    /// Returns whether the stream has yet to take or to flush anything.
    #[must_use]
    pub fn has_pending_output(&self) -> bool {
        self.outbound.has_pending_output()
    }

    /// Returns how many bytes in the write buffer the stream has not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.outbound.buffered()
    }

    /// Returns how the connection was closed, once either end has sent its Close frame.
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
