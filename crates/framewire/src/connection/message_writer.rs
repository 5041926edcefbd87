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
    pub(crate) access: A,
    /// The writer's own, borrowed for as long as this lives.
    pub(crate) fragment: Fragment,
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
    pub(crate) fn open(
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

    pub(crate) fn resume(mut access: A) -> Option<Self> {
        let fragment = access.with(Writer::resume_stream)?;
        Some(Self { access, fragment })
    }

    /// Ends the message: its last fragment goes out with FIN. After `WouldBlock` the message is open
    /// still.
    pub(crate) fn end(&mut self) -> Result<u64, Error> {
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
        Ok(self.fragment.close())
    }

    /// Takes what a reader gives until its end.
    pub(crate) fn pull(&mut self, reader: &mut impl Read) -> Result<(), Error> {
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            return self.compress_all(reader);
        }
        loop {
            self.send_full()?;
            match reader.read(self.fragment.room()) {
                Ok(0) => return Ok(()),
                Ok(len) => self.fragment.fill(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ErrorKind::Source(error).into()),
            }
        }
    }

    /// Takes some of what comes next, and something of anything.
    pub(crate) fn push(&mut self, buf: &[u8]) -> Result<usize, Error> {
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            return self.write_compressed(buf);
        }
        self.send_full()?;
        let room = self.fragment.room();
        let len = room.len().min(buf.len());
        room[..len].copy_from_slice(&buf[..len]);
        self.fragment.fill(len);
        Ok(len)
    }

    /// Sends all that was taken so far.
    pub(crate) fn push_out(&mut self) -> Result<(), Error> {
        #[cfg(feature = "deflate")]
        if self.fragment.is_compressed() {
            self.flush_compressed()?;
            return self.access.with(Writer::write_all_out);
        }
        while !self.fragment.is_empty() {
            self.send_fragment(false)?;
        }
        self.access.with(Writer::write_all_out)
    }

    /// Makes room: sends what is known not to be the end of the message.
    pub(crate) fn send_full(&mut self) -> Result<(), Error> {
        while self.fragment.is_full() {
            self.send_fragment(false)?;
        }
        Ok(())
    }

    pub(crate) fn send_fragment(&mut self, fin: bool) -> Result<(), Error> {
        let fragment = &mut self.fragment;
        self.access
            .with(|writer| writer.send_fragment(fragment, fin))
    }
}

impl<A: Access> Drop for MessageWriter<A> {
    fn drop(&mut self) {
        let fragment = mem::take(&mut self.fragment);
        self.access.with(|writer| writer.put_back(fragment));
    }
}
