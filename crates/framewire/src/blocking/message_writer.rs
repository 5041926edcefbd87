//! A message that is written in pieces.

use std::io::{self, Read, Write};
use std::mem;

use super::Writer;
use super::fragment::Fragment;
use crate::error::{Error, ErrorKind};
use crate::frame::{Opcode, Rsv};

/// Writes one message in fragments of the connection's chunk size.
///
/// Holds one chunk and sends it when more is known to follow, so that the last fragment carries
/// FIN. [`flush`](Write::flush) sends what there is at once; the message then ends with an empty
/// frame unless more is written.
///
/// Dropped without [`finish`](Self::finish) the message stays open, and
/// [`resume_message_writer`](Writer::resume_message_writer) goes on with it.
#[derive(Debug)]
pub struct MessageWriter<A: Access> {
    pub(super) access: A,
    /// The writer's own, borrowed for as long as this lives.
    pub(super) fragment: Fragment,
}

/// Access to the writing side: it is owned, or shared with other threads.
pub trait Access {
    /// What is written to.
    type Stream: Write;

    /// Has the writing side for as long as `job` lasts.
    fn with<R>(&mut self, job: impl FnOnce(&mut Writer<Self::Stream>) -> R) -> R;
}

impl<S: Write> Access for &mut Writer<S> {
    type Stream = S;

    fn with<R>(&mut self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        job(self)
    }
}

impl<A: Access> MessageWriter<A> {
    pub(super) fn open(
        mut access: A,
        opcode: Opcode,
        rsv: Rsv,
        chunk_size: Option<usize>,
    ) -> Result<Self, Error> {
        let fragment = access.with(|writer| {
            let chunk_size = chunk_size.unwrap_or(writer.chunk_size());
            writer.open_stream(opcode, rsv, chunk_size)
        })?;
        Ok(Self { access, fragment })
    }

    pub(super) fn resume(mut access: A) -> Option<Self> {
        let fragment = access.with(Writer::resume_stream)?;
        Some(Self { access, fragment })
    }

    /// Ends the message: its last fragment goes out with FIN, and everything is flushed. Returns
    /// the number of bytes in the message.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]. After `WouldBlock` the message is open still, as if this was dropped.
    /// [`ErrorKind::Send`] where a text ends inside a character: the message cannot be finished,
    /// close the connection.
    pub fn finish(mut self) -> Result<u64, Error> {
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            self.finish_compressed()?;
        }
        self.send_full()?;
        self.send_fragment(true)?;
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            self.access.with(Writer::end_compressed);
        }
        let len = self.fragment.close();
        self.access.with(Writer::flush_taken)?;
        Ok(len)
    }

    /// Sends what a reader gives until its end, and ends the message as [`finish`](Self::finish)
    /// does. Blocks on the reader too.
    ///
    /// # Errors
    /// [`ErrorKind::Source`] where the reader fails; else those of `finish`.
    pub fn finish_from(mut self, mut reader: impl Read) -> Result<u64, Error> {
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            self.compress_all(&mut reader)?;
            return self.finish();
        }
        loop {
            self.send_full()?;
            match reader.read(self.fragment.room()) {
                Ok(0) => return self.finish(),
                Ok(len) => self.fragment.fill(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ErrorKind::Source(error).into()),
            }
        }
    }

    /// Makes room: sends what is known not to be the end of the message.
    pub(super) fn send_full(&mut self) -> Result<(), Error> {
        while self.fragment.is_full() {
            self.send_fragment(false)?;
        }
        Ok(())
    }

    pub(super) fn send_fragment(&mut self, fin: bool) -> Result<(), Error> {
        let fragment = &mut self.fragment;
        self.access
            .with(|writer| writer.send_fragment(fragment, fin))
    }
}

impl<A: Access> Write for MessageWriter<A> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            return Ok(self.write_compressed(buf)?);
        }
        self.send_full()?;
        let room = self.fragment.room();
        let len = room.len().min(buf.len());
        room[..len].copy_from_slice(&buf[..len]);
        self.fragment.fill(len);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            self.flush_compressed()?;
            self.access.with(Writer::flush)?;
            return Ok(());
        }
        while !self.fragment.is_empty() {
            self.send_fragment(false)?;
        }
        self.access.with(Writer::flush)?;
        Ok(())
    }
}

impl<A: Access> Drop for MessageWriter<A> {
    fn drop(&mut self) {
        let fragment = mem::take(&mut self.fragment);
        self.access.with(|writer| writer.put_back(fragment));
    }
}
