//! Messages that are compressed as they go, whole or streamed (RFC 7692 7.2.1).

use std::io::{self, Read, Write};
use std::mem;
use std::ops::Range;

use super::fragment::Fragment;
use super::message_writer::Access;
use super::send::Rest;
use super::{Buffers, MessageWriter, Writer};
use crate::deflate::{EMPTY_BLOCK, Flush, TAIL, TAIL_LEN};
use crate::error::{Error, ErrorKind};
use crate::frame::{MAX_HEADER, Opcode};
use crate::protocol::{SendError, Utf8};

/// What goes into a compressed message.
#[derive(Debug, Default)]
pub(crate) struct Input {
    is_text: bool,
    /// What was read and, in `unread`, not yet compressed.
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// How much of the message was compressed.
    taken: u64,
    utf8: Utf8,
    /// Whether bytes were compressed that are not UTF-8: the message cannot be finished.
    is_invalid: bool,
    /// Whether bytes were taken since something came out last: a flush has to put them out.
    owes_output: bool,
}

impl Input {
    pub(crate) fn begin(&mut self, opcode: Opcode) {
        *self = Self {
            is_text: opcode == Opcode::Text,
            bytes: mem::take(&mut self.bytes),
            ..Self::default()
        };
    }

    /// Takes the memory for what is read, unless it was kept.
    fn take_buffer(&mut self, buffers: &Buffers) {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take_to_write();
        }
    }

    pub(crate) fn give_buffer(&mut self, buffers: &Buffers) {
        self.bytes.clear();
        buffers.give_write(&mut self.bytes);
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Notes what was compressed, which only here can be seen to be text.
    pub(crate) fn take(&mut self, taken: &[u8]) -> Result<(), SendError> {
        self.taken += taken.len() as u64;
        if self.is_text {
            self.is_invalid |= self.utf8.push(taken).is_err();
        }
        self.check()
    }

    /// Notes what came out of a call that took so much.
    fn put_out(&mut self, taken: usize, produced: usize) {
        self.owes_output = produced == 0 && (self.owes_output || taken > 0);
    }

    /// RFC 6455 8.1: what was compressed of a text is UTF-8.
    fn check(&self) -> Result<(), SendError> {
        if self.is_invalid {
            return Err(SendError::InvalidUtf8);
        }
        Ok(())
    }

    /// RFC 6455 8.1: a text as a whole is UTF-8.
    fn check_whole(&self) -> Result<(), SendError> {
        self.check()?;
        if !self.utf8.is_complete() {
            return Err(SendError::InvalidUtf8);
        }
        Ok(())
    }
}

impl<A: Access> MessageWriter<A> {
    /// Compresses what comes next; how much of it was taken, which is something of anything.
    pub(crate) fn write_compressed(&mut self, buf: &[u8]) -> Result<usize, Error> {
        self.compress_unread()?;
        loop {
            let (taken, _) = self.compress(buf, Flush::None)?;
            if taken > 0 || buf.is_empty() {
                return Ok(taken);
            }
        }
    }

    /// Compresses what a reader gives until its end.
    pub(crate) fn compress_all(&mut self, reader: &mut impl Read) -> Result<(), Error> {
        loop {
            self.compress_unread()?;
            let chunk_size = self.fragment.chunk_size();
            let input = &mut self.fragment.input;
            self.access
                .with(|writer| input.take_buffer(&writer.buffers));
            input.bytes.resize(chunk_size, 0);
            match reader.read(&mut input.bytes) {
                Ok(0) => return Ok(()),
                Ok(len) => input.unread = 0..len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ErrorKind::Source(error).into()),
            }
        }
    }

    /// Puts out all that was written so far but for the bytes that are cut off where the message
    /// ends here: without them a peer can decompress it as well.
    pub(crate) fn flush_compressed(&mut self) -> Result<(), Error> {
        self.compress_unread()?;
        self.flush_deflater()?;
        self.hold_tail()?;
        while !self.fragment.is_empty() {
            self.send_fragment(false)?;
        }
        self.fragment.hold(0);
        Ok(())
    }

    /// Makes of what is there the message's last fragment, with what must not be sent held back.
    /// More may still be written then.
    pub(crate) fn finish_compressed(&mut self) -> Result<(), Error> {
        self.compress_unread()?;
        self.fragment.input.check_whole()?;
        self.flush_deflater()?;
        if self.fragment.is_untouched() {
            self.fragment.room()[..EMPTY_BLOCK.len()].copy_from_slice(&EMPTY_BLOCK);
            self.fragment.fill(EMPTY_BLOCK.len());
        }
        self.hold_tail()?;
        while !self.fragment.fits() {
            self.send_fragment(false)?;
        }
        Ok(())
    }

    /// Keeps back what a flush ends with and a message does not (RFC 7692 7.2.1).
    fn hold_tail(&mut self) -> Result<(), Error> {
        let is_flushed = self.fragment.is_untouched() || self.fragment.ends_with(TAIL);
        // The end of an earlier flush does not stand for this one.
        if !is_flushed || self.fragment.input.owes_output {
            return Err(SendError::Compression.into());
        }
        self.fragment.hold(TAIL_LEN);
        Ok(())
    }

    /// Puts out all that was compressed.
    fn flush_deflater(&mut self) -> Result<(), Error> {
        while self.fragment.input.taken() > 0 && !self.compress(&[], Flush::Sync)?.1 {}
        Ok(())
    }

    /// Compresses what a reader gave before it was interrupted: it comes before what is written now.
    fn compress_unread(&mut self) -> Result<(), Error> {
        while !self.fragment.input.unread.is_empty() {
            let bytes = mem::take(&mut self.fragment.input.bytes);
            let unread = self.fragment.input.unread.clone();
            let compressed = self.compress(&bytes[unread], Flush::None);
            self.fragment.input.bytes = bytes;
            self.fragment.input.unread.start += compressed?.0;
        }
        Ok(())
    }

    /// Compresses into the fragment, which is sent before where it is full: how much was taken, and
    /// whether that is all and, with a flush, put out.
    fn compress(&mut self, input: &[u8], flush: Flush) -> Result<(usize, bool), Error> {
        self.fragment.input.check()?;
        self.send_full()?;
        let fragment = &mut self.fragment;
        fragment.hold(0);
        self.access
            .with(|writer| writer.compress(fragment, input, flush))
    }
}

impl<S: Write> Writer<S> {
    /// Begins a message that goes out compressed, if this one is to be: in one frame, or in as many
    /// as the write buffer has to be emptied for.
    pub(super) fn begin_compressed<'p>(
        &mut self,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<Option<Rest<'p>>, Error> {
        let begun = self.sender.begin_compressed(opcode, payload);
        if !begun.map_err(|error| self.send_error(error))? {
            return Ok(None);
        }
        let mut payload = payload;
        let last = self.append_compressed(opcode, &mut payload, self.most_kept())?;
        Ok(Some(if last {
            Rest::Nothing
        } else {
            Rest::Compressed { opcode, payload }
        }))
    }

    /// Appends the next frame of a compressed message to the write buffer, which may hold `bound`
    /// bytes or a few more then, and says whether it was the last.
    pub(super) fn append_compressed(
        &mut self,
        opcode: Opcode,
        payload: &mut &[u8],
        bound: usize,
    ) -> Result<bool, Error> {
        if self.sender.encoder().is_closed() {
            return Err(self.send_error(SendError::Closed));
        }
        self.reserve(MAX_HEADER);
        let output = &mut self.output;
        let last = self.sender.compressed_frame(opcode, payload, bound, output);
        last.map_err(|error| self.send_error(error))
    }

    /// Compresses into a fragment that is not full.
    pub(crate) fn compress(
        &mut self,
        fragment: &mut Fragment,
        input: &[u8],
        flush: Flush,
    ) -> Result<(usize, bool), Error> {
        self.check_open()?;
        let deflater = self.sender.deflater_mut().ok_or(SendError::Compression)?;
        let compressed = deflater.compress(input, flush, fragment.room());
        let compressed = compressed.map_err(|_| SendError::Compression)?;
        fragment.fill(compressed.produced);
        fragment
            .input
            .put_out(compressed.consumed, compressed.produced);
        fragment.input.take(&input[..compressed.consumed])?;
        Ok((compressed.consumed, compressed.done))
    }

    /// The compressed message that was streamed has been sent.
    pub(crate) fn end_compressed(&mut self) {
        if let Some(deflater) = self.sender.deflater_mut() {
            deflater.end();
        }
    }
}
