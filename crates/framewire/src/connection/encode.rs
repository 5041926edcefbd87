//! Messages that an extension transforms as they go, whole or streamed.

use std::mem;
use std::ops::Range;

use super::fragment::Fragment;
use super::stage::Unsent;
use super::{Buffers, Outbound};
use crate::error::Error;
use crate::frame::{MAX_HEADER, Opcode};
use crate::protocol::{SendError, Transformed, Until, Utf8};

/// What goes into a message that is transformed.
#[derive(Debug, Default)]
pub(crate) struct Input {
    is_text: bool,
    /// What was read and, in `unread`, not yet transformed.
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// How much of the message was transformed.
    taken: u64,
    utf8: Utf8,
    /// Whether all of the message was transformed, to its end.
    is_ended: bool,
    /// Whether bytes were transformed that are not UTF-8: the message cannot be finished.
    is_invalid: bool,
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

    /// Records what was transformed, which only here can be seen to be text.
    pub(crate) fn take(&mut self, taken: &[u8]) -> Result<(), SendError> {
        self.taken += taken.len() as u64;
        if self.is_text {
            self.is_invalid |= self.utf8.push(taken).is_err();
        }
        self.check()
    }

    /// RFC 6455 8.1: what was transformed of a text is UTF-8.
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
    /// Transforms all that was taken so far. `false` where a fragment has to be sent first.
    pub(super) fn encode_all(
        &mut self,
        outbound: &mut Outbound,
        until: Until,
    ) -> Result<bool, Error> {
        if !self.encode_unread(outbound)? {
            return Ok(false);
        }
        if until == Until::End {
            self.input.check_whole()?;
        }
        while until == Until::Flush || !self.input.is_ended {
            if self.is_full() {
                return Ok(false);
            }
            let is_done = self.encode(outbound, &[], until)?.done;
            self.input.is_ended = is_done && until == Until::End;
            if is_done {
                break;
            }
        }
        Ok(true)
    }

    /// Transforms what a source gave: it comes before what is written now. `false` where a fragment has to
    /// be sent first.
    pub(super) fn encode_unread(&mut self, outbound: &mut Outbound) -> Result<bool, Error> {
        while !self.input.unread.is_empty() {
            if self.is_full() {
                return Ok(false);
            }
            let bytes = mem::take(&mut self.input.bytes);
            let unread = self.input.unread.clone();
            let encoded = self.encode(outbound, &bytes[unread], Until::More);
            self.input.bytes = bytes;
            self.input.unread.start += encoded?.consumed;
        }
        Ok(true)
    }

    /// Transforms into the fragment, which is not full.
    pub(super) fn encode(
        &mut self,
        outbound: &mut Outbound,
        input: &[u8],
        until: Until,
    ) -> Result<Transformed, Error> {
        self.input.check()?;
        outbound.check_open()?;
        let extension = outbound.sender.message_encoder_mut();
        let extension = extension.ok_or(SendError::Compression)?;
        let encoded = extension.encode(input, until, self.room())?;
        self.input.is_ended = false;
        self.fill(encoded.produced);
        self.input.take(&input[..encoded.consumed])?;
        Ok(encoded)
    }
}

impl Outbound {
    /// Begins a message that goes out transformed, if this one is to be: in one frame, or in as many
    /// as the write buffer has to be emptied for.
    pub(super) fn stage_encoded<'p>(
        &mut self,
        opcode: Opcode,
        payload: &'p [u8],
    ) -> Result<Option<Unsent<'p>>, Error> {
        let begun = self.sender.begin_encoded(opcode, payload);
        if !begun.map_err(|error| self.send_error(error))? {
            return Ok(None);
        }
        let mut payload = payload;
        let last = self.append_encoded(opcode, &mut payload, self.most_kept())?;
        Ok(Some(if last {
            Unsent::Nothing
        } else {
            Unsent::Encoded { opcode, payload }
        }))
    }

    /// Appends the next frame of a transformed message to the write buffer, which may hold `bound`
    /// bytes or a few more then, and says whether it was the last.
    pub(super) fn append_encoded(
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
        let last = self.sender.encoded_frame(opcode, payload, bound, output);
        last.map_err(|error| self.send_error(error))
    }

    /// A transformed message that was written in pieces has been sent.
    pub(super) fn end_encoded(&mut self) {
        if let Some(extension) = self.sender.message_encoder_mut() {
            extension.end();
        }
    }
}
