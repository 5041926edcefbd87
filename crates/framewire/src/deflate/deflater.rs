//! Compresses the messages that one end sends.

use std::fmt;

use super::Deflate;
use super::engine::{Compressor, EngineError, Flush};

/// Compresses the messages that one end sends (RFC 7692 7.2.1).
///
/// With context takeover it has a context of its own from the first message on; without, one of
/// the pool's for the length of a message.
pub struct Deflater {
    deflate: Deflate,
    context: Option<Box<dyn Compressor>>,
    takeover: bool,
    window_bits: u8,
    /// Whether the message under way has had any bytes.
    started: bool,
}

impl Deflater {
    pub(super) fn new(deflate: Deflate, takeover: bool, window_bits: u8) -> Self {
        Self {
            deflate,
            context: None,
            takeover,
            window_bits,
            started: false,
        }
    }

    /// Messages of fewer bytes are sent as they are.
    pub(crate) fn threshold(&self) -> usize {
        self.deflate.config().threshold
    }

    /// Begins a message; `false` where all of the pool's contexts are in use, so that it has to go
    /// out as it is.
    pub(crate) fn begin(&mut self) -> bool {
        self.started = false;
        if self.context.is_none() {
            self.context = if self.takeover {
                Some(self.deflate.own_compressor(self.window_bits))
            } else {
                self.deflate.take_compressor(self.window_bits)
            };
        }
        self.context.is_some()
    }

    /// Compresses what comes next in the message: how much of `input` was taken, and how much of
    /// `output` was filled.
    pub(crate) fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(usize, usize), EngineError> {
        self.started |= !input.is_empty();
        let context = self.context.as_mut().ok_or(EngineError)?;
        let progress = context.compress(input, output, Flush::None)?;
        Ok((progress.consumed, progress.produced))
    }

    /// Puts out the end of the message: how much of `output` was filled, and whether that was all.
    /// The last four bytes of all output together are to be cut off.
    pub(crate) fn finish(&mut self, output: &mut [u8]) -> Result<(usize, bool), EngineError> {
        let context = self.context.as_mut().ok_or(EngineError)?;
        if !self.started {
            // RFC 7692 7.2.3.6: an empty message is an empty stored block, which a flush does not
            // give when nothing came before it.
            let Some(block) = output.first_chunk_mut() else {
                return Ok((0, false));
            };
            *block = EMPTY_BLOCK;
            self.end();
            return Ok((EMPTY_BLOCK.len(), true));
        }
        let progress = context.compress(&[], output, Flush::Sync)?;
        let done = progress.produced < output.len();
        if done {
            self.end();
        }
        Ok((progress.produced, done))
    }

    /// The message has ended.
    fn end(&mut self) {
        self.started = false;
        if !self.takeover {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(mut context) = self.context.take() {
            context.reset();
            self.deflate.give_compressor(self.window_bits, context);
        }
    }
}

impl Drop for Deflater {
    fn drop(&mut self) {
        if !self.takeover {
            self.release();
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("takeover", &self.takeover)
            .field("window_bits", &self.window_bits)
            .field("has_context", &self.context.is_some())
            .finish_non_exhaustive()
    }
}

/// What a sender cuts off each message's end: the last four bytes of an empty stored block.
pub(crate) const TAIL_LEN: usize = 4;

/// An empty stored block, not the last of the stream (RFC 1951 3.2.4).
const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xFF, 0xFF];
