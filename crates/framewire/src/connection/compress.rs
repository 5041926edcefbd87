//! Messages that are compressed as they go, whole or streamed (RFC 7692 7.2.1).

use std::mem;
use std::ops::Range;

use super::fragment::{Fragment, Next};
use super::stage::Unsent;
use super::{Buffers, Outbound};
use crate::deflate::{EMPTY_BLOCK, Flush, TAIL, TAIL_LEN};
use crate::error::Error;
use crate::frame::{MAX_HEADER, Opcode};
use crate::protocol::{SendError, Utf8};

/// What goes into a compressed message.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
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
    /// Whether all that was taken was put out.
    is_flushed: bool,
}

impl Input {
    pub(crate) fn begin(&mut self, opcode: Opcode) {
        *self = Self {
            is_text: opcode == Opcode::Text,
            bytes: mem::take(&mut self.bytes),
            ..Self::default()
        };
    }

    /// Where a source is read to.
    pub(crate) fn room(&mut self, buffers: &Buffers, chunk_size: usize) -> &mut [u8] {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers.take_to_write();
        }
        self.bytes.resize(chunk_size, 0);
        &mut self.bytes
    }

    /// Takes in what a source has put there.
    pub(crate) fn filled(&mut self, len: usize) {
        self.unread = 0..len;
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

impl Fragment {
    /// Compresses some of what comes next.
    pub(crate) fn compress(
        &mut self,
        outbound: &mut Outbound,
        input: &[u8],
    ) -> Result<usize, Error> {
        let (taken, _) = self.compress_with(outbound, input, Flush::None)?;
        Ok(taken)
    }

    /// Puts out all that was taken so far but for the bytes that are cut off where the message
    /// ends here: without them a peer can decompress it as well.
    pub(crate) fn flush_compressed(&mut self, outbound: &mut Outbound) -> Result<Next, Error> {
        if !self.compress_unread(outbound)? || !self.flush_deflater(outbound)? {
            return Ok(Next::Send { fin: false });
        }
        self.hold_tail()?;
        if !self.is_empty() {
            return Ok(Next::Send { fin: false });
        }
        self.hold(0);
        Ok(Next::Done)
    }

    /// Makes of what is there the message's last fragment, with what must not be sent held back.
    /// More may still be written then. `false` where a fragment has to be sent first.
    pub(crate) fn finish_compressed(&mut self, outbound: &mut Outbound) -> Result<bool, Error> {
        if !self.compress_unread(outbound)? {
            return Ok(false);
        }
        self.input.check_whole()?;
        if !self.flush_deflater(outbound)? {
            return Ok(false);
        }
        if self.is_untouched() {
            self.room()[..EMPTY_BLOCK.len()].copy_from_slice(&EMPTY_BLOCK);
            self.fill(EMPTY_BLOCK.len());
        }
        self.hold_tail()?;
        Ok(self.fits())
    }

    /// Keeps back what a flush ends with and a message does not (RFC 7692 7.2.1).
    fn hold_tail(&mut self) -> Result<(), Error> {
        let is_flushed = self.is_untouched() || self.ends_with(TAIL);
        // The end of an earlier flush does not stand for this one.
        if !is_flushed || self.input.owes_output {
            return Err(SendError::Compression.into());
        }
        self.hold(TAIL_LEN);
        Ok(())
    }

    /// Puts out all that was compressed; `false` where a fragment has to be sent first.
    fn flush_deflater(&mut self, outbound: &mut Outbound) -> Result<bool, Error> {
        while self.input.taken() > 0 && !self.input.is_flushed {
            if self.is_full() {
                return Ok(false);
            }
            self.input.is_flushed = self.compress_with(outbound, &[], Flush::Sync)?.1;
        }
        Ok(true)
    }

    /// Compresses what a source gave: it comes before what is written now. `false` where a fragment has to
    /// be sent first.
    pub(crate) fn compress_unread(&mut self, outbound: &mut Outbound) -> Result<bool, Error> {
        while !self.input.unread.is_empty() {
            if self.is_full() {
                return Ok(false);
            }
            let bytes = mem::take(&mut self.input.bytes);
            let unread = self.input.unread.clone();
            let compressed = self.compress_with(outbound, &bytes[unread], Flush::None);
            self.input.bytes = bytes;
            self.input.unread.start += compressed?.0;
        }
        Ok(true)
    }

    /// Compresses into the fragment, which is not full: how much was taken, and whether that is all and,
    /// with a flush, put out.
    fn compress_with(
        &mut self,
        outbound: &mut Outbound,
        input: &[u8],
        flush: Flush,
    ) -> Result<(usize, bool), Error> {
        self.input.check()?;
        self.hold(0);
        self.input.is_flushed = false;
        outbound.check_open()?;
        let deflater = outbound.sender.deflater_mut();
        let deflater = deflater.ok_or(SendError::Compression)?;
        let compressed = deflater.compress(input, flush, self.room());
        let compressed = compressed.map_err(|_| SendError::Compression)?;
        self.fill(compressed.produced);
        self.input.put_out(compressed.consumed, compressed.produced);
        self.input.take(&input[..compressed.consumed])?;
        Ok((compressed.consumed, compressed.done))
    }
}

impl Outbound {
    /// Begins a message that goes out compressed, if this one is to be: in one frame, or in as many
    /// as the write buffer has to be emptied for.
    pub(super) fn stage_compressed<'p>(
        &mut self,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<Option<Unsent<'p>>, Error> {
        let begun = self.sender.begin_compressed(opcode, payload);
        if !begun.map_err(|error| self.send_error(error))? {
            return Ok(None);
        }
        let mut payload = payload;
        let last = self.append_compressed(opcode, &mut payload, self.most_kept())?;
        Ok(Some(if last {
            Unsent::Nothing
        } else {
            Unsent::Compressed { opcode, payload }
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

    /// The compressed message that was streamed has been sent.
    pub(super) fn end_compressed(&mut self) {
        if let Some(deflater) = self.sender.deflater_mut() {
            deflater.end();
        }
    }
}
