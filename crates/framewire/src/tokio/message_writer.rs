//! A message that is written in pieces.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::access::{Access as _, Sending, flush, poll_flush_fragments, poll_fragments, poll_push};
use super::polled::failed;
use crate::connection::{Buffers, Fragment};
use crate::drive::WriteSide as _;
use crate::error::{Error, ErrorKind};
use crate::protocol::MessageKind;

/// Writes one message in fragments of the connection's chunk size.
///
/// Holds one chunk and sends it when there is more, so that the last fragment carries FIN.
/// [`poll_flush`](AsyncWrite::poll_flush) sends what it holds at once; unless more is written, the message then
/// ends with an empty frame. [`poll_shutdown`](AsyncWrite::poll_shutdown) flushes and does not end the message:
/// [`finish`](Self::finish) does.
///
/// Dropped without `finish`, the message stays open, and
/// [`resume_message_writer`](super::Writer::resume_message_writer) goes on with it. Forgotten
/// ([`mem::forget`]), it stays open for good: control frames and a Close frame can still be sent.
///
/// # Cancel safety
/// A `write` that is cancelled has taken nothing, and after a `flush` that is cancelled the rest still waits.
/// tokio's `write_all` is not cancel-safe over any writer: nothing tells how many of its bytes were taken.
///
/// # Examples
/// ```no_run
/// # async fn send(mut websocket: framewire::tokio::WebSocket<tokio::io::DuplexStream>) -> std::io::Result<()> {
/// use framewire::Opcode;
/// use tokio::io::AsyncWriteExt;
///
/// let mut message = websocket.message_writer(Opcode::Binary).await?;
/// message.write_all(b"a piece").await?;
/// message.write_all(b" and another").await?;
/// message.finish().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MessageWriter<'a, T: Sending + 'a> {
    access: T::Turn<'a>,
    /// Moved out of the writer while this lives, and put back when it is dropped.
    fragment: Fragment,
}

impl<'a, T: Sending> MessageWriter<'a, T> {
    pub(super) fn open(
        mut access: T::Turn<'a>,
        kind: MessageKind,
        chunk_size: Option<usize>,
    ) -> Result<Self, Error> {
        let mut side = access.side(Waker::noop());
        let fragment = side.outbound().open_message(kind, chunk_size)?;
        drop(side);
        Ok(Self { access, fragment })
    }

    pub(super) fn resume(mut access: T::Turn<'a>) -> Option<Self> {
        let mut side = access.side(Waker::noop());
        let fragment = side.outbound().resume_message()?;
        drop(side);
        Some(Self { access, fragment })
    }

    /// Ends the message: sends its last fragment with FIN, and flushes all. Returns the number of bytes in the
    /// message.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). [`ErrorKind::Send`](crate::ErrorKind::Send) if a text ends
    /// inside a character: the message cannot be finished, close the connection.
    ///
    /// # Cancel safety
    /// Cancelled, either the message is still open, as if this was dropped, or it has ended and the rest of it
    /// goes out with the next call that writes.
    pub async fn finish(mut self) -> Result<u64, Error> {
        let Self { access, fragment } = &mut self;
        poll_fn(|cx| poll_fragments(access, cx, fragment, Fragment::finish)).await?;
        let len = fragment.close(access.side(Waker::noop()).outbound());
        flush(access).await?;
        Ok(len)
    }

    /// Sends all that a reader gives, and ends the message as [`finish`](Self::finish) does. Waits for the
    /// reader too.
    ///
    /// # Errors
    /// [`ErrorKind::Source`](crate::ErrorKind::Source) if the reader fails; otherwise as
    /// [`finish`](Self::finish).
    ///
    /// # Cancel safety
    /// As [`finish`](Self::finish); nothing of what was read is lost.
    pub async fn finish_from(mut self, mut reader: impl AsyncRead + Unpin) -> Result<u64, Error> {
        let buffers = {
            let mut side = self.access.side(Waker::noop());
            side.outbound().buffers().clone()
        };
        while poll_fn(|cx| self.poll_pull(cx, &mut reader, &buffers)).await? > 0 {}
        self.finish().await
    }

    /// Reads once from `reader` into the message. Returns 0 at the reader's end.
    fn poll_pull(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut (impl AsyncRead + Unpin),
        buffers: &Buffers,
    ) -> Poll<Result<usize, Error>> {
        let Self { access, fragment } = self;
        ready!(poll_fragments(access, cx, fragment, Fragment::make_room))?;
        let mut buf = ReadBuf::new(fragment.source_room(buffers));
        match ready!(Pin::new(reader).poll_read(cx, &mut buf)) {
            Ok(()) => {
                let len = buf.filled().len();
                fragment.source_filled(len);
                Poll::Ready(Ok(len))
            }
            Err(error) => Poll::Ready(Err(ErrorKind::Source(failed(error)).into())),
        }
    }
}

impl<'a, T: Sending> AsyncWrite for MessageWriter<'a, T>
where
    T::Turn<'a>: Unpin,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { access, fragment } = self.get_mut();
        poll_push(access, cx, fragment, buf).map_err(Error::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { access, fragment } = self.get_mut();
        poll_flush_fragments(access, cx, fragment).map_err(Error::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<T: Sending> Drop for MessageWriter<'_, T> {
    fn drop(&mut self) {
        let fragment = mem::take(&mut self.fragment);
        let mut side = self.access.side(Waker::noop());
        side.outbound().put_back(fragment);
    }
}
