//! The two sides of a connection with its stream: the one that is written, and the one that is read.

use std::io::{self, IoSlice, Read, Write};
use std::task::{Poll, ready};

use crate::Socket;
use crate::connection::{Fragment, NotStaged, Outbound, Replies, Unsent};
use crate::error::{Error, blocked};
use crate::frame::Header;

/// A stream that is read from. Pending, it wakes the task of the call when there is more to read.
pub trait PollRead {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>>;
}

/// A stream that is written to. Pending, it wakes the task of the call when it takes more.
pub trait PollWrite {
    fn poll_write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>>;

    fn poll_write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    fn poll_flush(&mut self) -> Poll<io::Result<()>>;
}

/// A stream whose writing end can be closed. Pending, it wakes the task of the call when it goes on.
pub(crate) trait PollClose {
    fn poll_close(&mut self) -> Poll<io::Result<()>>;
}

impl<S: Socket> PollClose for S {
    fn poll_close(&mut self) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown_write())
    }
}

impl<S: Read> PollRead for S {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.read(buf))
    }
}

impl<S: Write> PollWrite for S {
    fn poll_write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(bytes))
    }

    fn poll_flush(&mut self) -> Poll<io::Result<()>> {
        Poll::Ready(self.flush())
    }
}

/// Returns the result of a call on a stream that is never pending.
///
/// Such a call is pending only where it waits for the end of another frame, which the blocking front end never leaves
/// begun.
#[inline]
pub(crate) fn now<T>(poll: Poll<Result<T, Error>>) -> Result<T, Error> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(blocked()),
    }
}

/// Returns whether a call has to wait for the stream, and can be repeated.
pub(crate) fn is_blocked<T>(poll: &Poll<Result<T, Error>>) -> bool {
    match poll {
        Poll::Pending => true,
        Poll::Ready(result) => matches!(result, Err(error) if error.is_would_block()),
    }
}

/// Returns the result of writing what may as well be written later.
#[inline]
fn or_later(poll: Poll<Result<(), Error>>) -> Result<(), Error> {
    match poll {
        Poll::Ready(Err(error)) if !error.is_would_block() => Err(error),
        _ => Ok(()),
    }
}

/// A sending side and the stream that it writes to.
pub trait WriteSide {
    type Stream: PollWrite;

    fn parts(&mut self) -> (&mut Outbound, &mut Self::Stream);

    fn outbound(&mut self) -> &mut Outbound {
        self.parts().0
    }

    /// Prepares a read of the stream.
    fn before_read(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Calls `stage`, and again after writing the write buffer while that has no room.
    #[inline]
    fn poll_stage<T>(
        &mut self,
        mut stage: impl FnMut(&mut Outbound) -> Result<T, NotStaged>,
    ) -> Poll<Result<T, Error>> {
        loop {
            match stage(self.outbound()) {
                Ok(staged) => return Poll::Ready(Ok(staged)),
                Err(NotStaged::Full) => ready!(self.poll_write_staged())?,
                Err(NotStaged::InFrame) => return Poll::Pending,
                Err(NotStaged::Failed(error)) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes the bytes in the write buffer.
    fn poll_write_staged(&mut self) -> Poll<Result<(), Error>> {
        let (outbound, stream) = self.parts();
        while let Some(bytes) = outbound.staged()? {
            let written = stream.poll_write(bytes);
            ready!(outbound.polled_write(written, &mut Unsent::Nothing))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the bytes in the write buffer, then the rest of a frame. What the stream does not take is left in
    /// `unsent`.
    fn poll_write(&mut self, unsent: &mut Unsent<'_>) -> Poll<Result<(), Error>> {
        let (outbound, stream) = self.parts();
        while let Some([staged, payload]) = outbound.next_write(unsent)? {
            let written = if payload.is_empty() {
                stream.poll_write(staged)
            } else if staged.is_empty() {
                stream.poll_write(payload)
            } else {
                stream.poll_write_vectored(&[IoSlice::new(staged), IoSlice::new(payload)])
            };
            ready!(outbound.polled_write(written, unsent))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes the rest of a frame, and buffers what the stream does not take now.
    fn write_or_buffer(&mut self, mut unsent: Unsent<'_>) -> Result<(), Error> {
        let written = self.poll_write(&mut unsent);
        if is_blocked(&written) {
            return self.outbound().buffer_rest(&mut unsent);
        }
        now(written)
    }

    /// Stages a frame once there is room, then [writes or buffers](Self::write_or_buffer) the rest of it.
    #[inline]
    fn poll_send<'p>(
        &mut self,
        stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Poll<Result<(), Error>> {
        let unsent = ready!(self.poll_stage(stage))?;
        Poll::Ready(if unsent.is_nothing() {
            Ok(())
        } else {
            self.write_or_buffer(unsent)
        })
    }

    /// Sends the current fragment of a message that is written in pieces.
    fn poll_send_fragment(
        &mut self,
        fragment: &mut Fragment,
        fin: bool,
    ) -> Poll<Result<(), Error>> {
        let staged = self.poll_stage(|outbound| outbound.stage_fragment(fragment, fin));
        let header: Header = ready!(staged)?;
        let frame = fragment.frame(&header);
        let written = if self.outbound().append_fragment(frame) {
            Ok(())
        } else {
            self.write_or_buffer(Unsent::Plain(frame))
        };
        fragment.advance();
        Poll::Ready(written)
    }

    /// Writes what waits, a reply included, and flushes the stream.
    fn poll_flush(&mut self) -> Poll<Result<(), Error>> {
        let (outbound, stream) = self.parts();
        while let Some(bytes) = outbound.staged_with_reply()? {
            let written = stream.poll_write(bytes);
            ready!(outbound.polled_write(written, &mut Unsent::Nothing))?;
            if outbound.end_write() {
                break;
            }
        }
        while ready!(outbound.polled_flush(stream.poll_flush()))? {}
        Poll::Ready(Ok(()))
    }

    /// As [`poll_flush`](Self::poll_flush), but succeeds where the stream would block: the rest leaves later.
    fn flush_staged(&mut self) -> Result<(), Error> {
        or_later(self.poll_flush())
    }

    /// As [`flush_staged`](Self::flush_staged), unless the staged message may wait for later ones.
    fn flush_message(&mut self) -> Result<(), Error> {
        if self.outbound().may_coalesce() {
            return Ok(());
        }
        self.flush_staged()
    }

    /// Writes some of what waits, with one call. Returns whether anything still waits.
    fn poll_write_some(&mut self) -> Poll<Result<bool, Error>> {
        let (outbound, stream) = self.parts();
        if let Some(bytes) = outbound.staged_with_reply()? {
            let written = stream.poll_write(bytes);
            ready!(outbound.polled_write(written, &mut Unsent::Nothing))?;
        }
        if outbound.buffered() == 0 {
            while ready!(outbound.polled_flush(stream.poll_flush()))? {}
        }
        Poll::Ready(Ok(outbound.has_pending_output()))
    }
}

/// What the receiving side reads from, and the way to send its replies.
pub trait ReadSide {
    /// Reads once.
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Returns the receiver of automatic replies.
    fn replies(&mut self) -> &mut dyn Replies;

    /// Writes what waits, as far as the stream takes it.
    ///
    /// Drops errors: the next write fails with the same one and reports it, and what the peer has already sent can
    /// still be read.
    fn send_waiting(&mut self);

    /// Gives back memory that is not needed while a read has to wait.
    fn rest(&mut self) {}

    /// Records that nothing more will be read.
    fn end(&mut self) {}

    /// Returns whether this end has aborted the connection. Every read then reports the error of the stream itself.
    fn is_aborted(&self) -> bool {
        false
    }
}

impl<W: WriteSide> ReadSide for W
where
    W::Stream: PollRead,
{
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.before_read()?;
        self.parts().1.poll_read(buf)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        self.outbound()
    }

    fn send_waiting(&mut self) {
        if self.outbound().has_pending_output() {
            self.outbound().retain_buffer(true);
            let _ = self.poll_flush();
            self.outbound().retain_buffer(false);
        }
    }

    fn rest(&mut self) {
        self.outbound().rest();
    }
}
