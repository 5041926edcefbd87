//! Compresses the messages that one end sends.

use std::fmt;

use super::Deflate;
use super::engine::{Compressor, EngineError, Flush};
use super::negotiate::{MAX_WINDOW_BITS, MIN_COMPRESSOR_WINDOW_BITS};
use crate::protocol::reserve;

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
    enabled: bool,
    /// What was compressed of a whole message and has to wait for what comes after it.
    held: Option<[u8; MIN_ROOM]>,
}

/// How far a call has come.
pub(crate) struct Deflated {
    /// Bytes taken off the input.
    pub(crate) consumed: usize,
    /// Bytes put into the output.
    pub(crate) produced: usize,
    /// All input was taken and, with a flush, put out.
    pub(crate) done: bool,
}

impl Deflater {
    pub(super) fn new(deflate: Deflate, takeover: bool, window_bits: u8) -> Self {
        Self {
            deflate,
            context: None,
            takeover,
            window_bits,
            started: false,
            enabled: true,
            held: None,
        }
    }

    /// Switches compression off, or on again, for the messages that begin from now on.
    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether a message of this length is to be compressed.
    pub(crate) fn wants(&self, len: usize) -> bool {
        self.enabled && len >= self.deflate.config().threshold
    }

    /// Whether messages refer to those before them, so that each has to be compressed for this
    /// connection.
    pub(crate) fn keeps_context(&self) -> bool {
        self.takeover
    }

    /// Which of the [`WINDOW_SIZES`] the peer's window has.
    pub(crate) fn window_size(&self) -> usize {
        usize::from(self.window_bits - MIN_COMPRESSOR_WINDOW_BITS)
    }

    /// Forgets what was compressed and not sent: no later message refers to it.
    pub(crate) fn start_over(&mut self) {
        self.started = false;
        self.held = None;
        if !self.takeover {
            self.release();
        } else if let Some(context) = &mut self.context {
            context.reset();
        }
    }

    /// Appends the next frame's payload of a whole message, compressed: as long as `output` stays
    /// within `bound` bytes, but at least a few. Says whether that is the end of the message; else
    /// it is called again, once `output` is empty or more may be in it.
    pub(crate) fn append(
        &mut self,
        message: &mut &[u8],
        bound: usize,
        output: &mut Vec<u8>,
    ) -> Result<bool, EngineError> {
        if message.is_empty() && !self.started {
            output.extend_from_slice(&EMPTY_BLOCK[..EMPTY_BLOCK.len() - TAIL_LEN]);
            self.end();
            return Ok(true);
        }
        let start = output.len();
        let mut step = (message.len() + LEAST_STEP).min(STEP);
        reserve(output, MIN_ROOM + step, bound);
        output.extend_from_slice(self.held.take().as_ref().map_or(&[], |held| &held[..]));
        loop {
            let filled = output.len();
            reserve(output, step, bound);
            output.resize(filled + step, 0);
            let compressed = self.compress(message, Flush::Sync, &mut output[filled..])?;
            *message = &message[compressed.consumed..];
            output.truncate(filled + compressed.produced);
            if compressed.done {
                // RFC 7692 7.2.1: what is cut off is the end of an empty stored block.
                if !output[start..].ends_with(TAIL) {
                    return Err(EngineError);
                }
                output.truncate(output.len() - TAIL_LEN);
                self.end();
                return Ok(true);
            }
            step = STEP;
            // The last bytes of the message are cut off, and a last frame is never empty: so what
            // may have to be cut off, and more, stays behind.
            if output.len().saturating_add(step) > bound
                && output.len() - start > MIN_ROOM
                && let Some((rest, held)) = output.split_last_chunk()
            {
                let rest = rest.len();
                self.held = Some(*held);
                output.truncate(rest);
                return Ok(false);
            }
        }
    }

    /// Begins a message; `false` where all of the pool's contexts are in use, so that it has to go
    /// out as it is.
    pub(crate) fn begin(&mut self) -> bool {
        if self.started {
            // What came of a message that was begun and not ended was never sent whole.
            self.start_over();
        }
        if self.context.is_none() {
            self.context = if self.takeover {
                Some(self.deflate.own_compressor(self.window_bits))
            } else {
                self.deflate.take_compressor(self.window_bits)
            };
        }
        self.context.is_some()
    }

    /// Compresses what comes next in the message. Repeated with what is left until it is done: all
    /// of it was taken, and with [`Flush::Sync`] put out, with an empty stored block behind it.
    /// `output` has room for [`MIN_ROOM`] bytes.
    ///
    /// A message ends with a flush and [`end`](Self::end); the last [`TAIL_LEN`] bytes of all that
    /// was put out for it are to be cut off (RFC 7692 7.2.1).
    pub(crate) fn compress(
        &mut self,
        input: &[u8],
        flush: Flush,
        output: &mut [u8],
    ) -> Result<Deflated, EngineError> {
        self.started |= !input.is_empty();
        let context = self.context.as_mut().ok_or(EngineError)?;
        let progress = context.compress(input, output, flush)?;
        if progress.consumed > input.len() || progress.produced > output.len() {
            return Err(EngineError);
        }
        let done = progress.consumed == input.len() && progress.produced < output.len();
        let stuck = progress.consumed == 0 && progress.produced == 0;
        if stuck && !done {
            return Err(EngineError);
        }
        Ok(Deflated {
            consumed: progress.consumed,
            produced: progress.produced,
            done,
        })
    }

    /// The message has ended, and was sent.
    pub(crate) fn end(&mut self) {
        self.started = false;
        if !self.takeover {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(context) = self.context.take() {
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

/// How many sizes of window a compressor may have.
pub(crate) const WINDOW_SIZES: usize = (MAX_WINDOW_BITS - MIN_COMPRESSOR_WINDOW_BITS + 1) as usize;

/// How much a sender cuts off each message's end: the last bytes of an empty stored block.
pub(crate) const TAIL_LEN: usize = TAIL.len();
pub(crate) const TAIL: &[u8] = &[0x00, 0x00, 0xFF, 0xFF];

/// With less, a flush may be cut off and come again (zlib's manual asks for more than six bytes).
pub(crate) const MIN_ROOM: usize = 16;

/// How much room a whole message is given at first, besides as much as it has, and how much at
/// most at a time.
const LEAST_STEP: usize = 4 * MIN_ROOM;
const STEP: usize = 4 << 10;

/// What an empty message is compressed to, before its end is cut off (RFC 7692 7.2.3.6): an empty
/// stored block, which a flush need not give where nothing came before it.
pub(crate) const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xFF, 0xFF];
