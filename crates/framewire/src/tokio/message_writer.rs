//! A message that is written in pieces.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::access::{Access, poll_job, with_writer};
use super::polled::{Job, Polled};
use crate::connection::{self, Writer};
use crate::error::Error;
use crate::frame::{Opcode, Rsv};

/// Writes one message in fragments of the connection's chunk size.
///
/// Holds one chunk and sends it when more is known to follow, so that the last fragment carries
/// FIN. [`poll_flush`](AsyncWrite::poll_flush) sends what there is at once; the message then ends
/// with an empty frame unless more is written. [`poll_shutdown`](AsyncWrite::poll_shutdown) flushes
/// and does not end the message: [`finish`](Self::finish) does.
///
/// A `write` that is cancelled has taken nothing, and of a `flush` the rest still waits. tokio's
/// `write_all` is not cancel-safe, over this as over any writer: how much of its bytes was taken nobody
/// knows.
///
/// Dropped without `finish` the message stays open, and
/// [`resume_message_writer`](super::Writer::resume_message_writer) goes on with it.
#[derive(Debug)]
pub struct MessageWriter<A: Access> {
    core: connection::MessageWriter<A>,
}

impl<A: Access> MessageWriter<A> {
    pub(super) fn open(
        access: A,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: Option<usize>,
    ) -> Result<Self, Error> {
        let core = connection::MessageWriter::open(access, opcode, rsv, chunk_size)?;
        Ok(Self { core })
    }

    pub(super) fn resume(access: A) -> Option<Self> {
        let core = connection::MessageWriter::resume(access)?;
        Some(Self { core })
    }

    /// Ends the message: its last fragment goes out with FIN, and everything is flushed. Returns
    /// the number of bytes in the message.
    ///
    /// # Cancellation
    /// Dropped before its end, the message is still open, as if this was dropped, or it is ended and
    /// what is left of it goes out with the next call that writes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). [`ErrorKind::Send`](crate::ErrorKind::Send) where a
    /// text ends inside a character: the message cannot be finished, close the connection.
    pub async fn finish(mut self) -> Result<u64, Error> {
        let len = poll_fn(|cx| self.poll(cx, connection::MessageWriter::end)).await?;
        with_writer(&mut self.core.access, Writer::write_all_out).await?;
        Ok(len)
    }

    /// Sends what a reader gives until its end, and ends the message as [`finish`](Self::finish)
    /// does. Waits for the reader too.
    ///
    /// # Cancellation
    /// As for `finish`; nothing of what was read is lost.
    ///
    /// # Errors
    /// [`ErrorKind::Source`](crate::ErrorKind::Source) where the reader fails; else those of
    /// `finish`.
    pub async fn finish_from(mut self, reader: impl AsyncRead + Unpin) -> Result<u64, Error> {
        let mut reader = Polled::new(reader);
        poll_fn(|cx| {
            reader.wake_by(cx, Job::Reading);
            self.poll(cx, |message| message.pull(&mut reader))
        })
        .await?;
        self.finish().await
    }

    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        job: impl FnMut(&mut connection::MessageWriter<A>) -> Result<R, Error>,
    ) -> Poll<Result<R, Error>> {
        poll_job(&mut self.core, |core| &mut core.access, cx, job)
    }
}

impl<A: Access + Unpin> AsyncWrite for MessageWriter<A> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.get_mut().poll(cx, |message| message.push(buf));
        written.map_err(Error::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.get_mut().poll(cx, connection::MessageWriter::push_out);
        flushed.map_err(Error::into)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
