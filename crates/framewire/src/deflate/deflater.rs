//! Compresses the messages that one end sends.

use std::fmt;

use super::Deflate;
use super::engine::{Compressor, Flush};
use super::negotiate::{MAX_WINDOW_BITS, MIN_COMPRESSOR_WINDOW_BITS};
use crate::frame::Rsv;
use crate::protocol::{LEAST_ROOM, MessageEncoder, SHARED_KINDS, SendError, Transformed, Until};

/// The compressor of the messages that one end sends (RFC 7692 7.2.1).
///
/// With context takeover it has a context of its own from the first message on. Without, it takes one from the pool
/// for each message.
pub(super) struct Deflater {
    deflate: Deflate,
    context: Option<Box<dyn Compressor>>,
    takeover: bool,
    window_bits: u8,
    enabled: bool,
    message: Message,
}

/// The state of the message under way.
#[derive(Default)]
struct Message {
    /// Whether anything was put in or out.
    started: bool,
    /// Whether bytes were taken that no flush has put out.
    unflushed: bool,
    /// Whether bytes were taken since the last output: a flush must put them out.
    needs_output: bool,
    /// The last bytes that a flush put out. They go before what follows, and are cut off where nothing does.
    held: [u8; TAIL_LEN],
    held_len: usize,
}

impl Deflater {
    pub(super) fn new(deflate: Deflate, takeover: bool, window_bits: u8) -> Self {
        Self {
            deflate,
            context: None,
            takeover,
            window_bits,
            enabled: true,
            message: Message::default(),
        }
    }

    /// Compresses into `output`, behind the bytes that were held back from the last flush.
    fn compress(
        &mut self,
        input: &[u8],
        flush: Flush,
        output: &mut [u8],
    ) -> Result<Transformed, SendError> {
        let message = &mut self.message;
        message.started |= !input.is_empty();
        let (held, room) = output
            .split_at_mut_checked(message.held_len)
            .ok_or(SendError::Compression)?;
        held.copy_from_slice(&message.held[..message.held_len]);
        let context = self.context.as_mut().ok_or(SendError::Compression)?;
        let progress = context.compress(input, room, flush);
        let progress = progress.map_err(|_| SendError::Compression)?;
        let (consumed, produced) = (progress.consumed, progress.produced);
        if consumed > input.len() || produced > room.len() {
            return Err(SendError::Compression);
        }
        let done = consumed == input.len() && produced < room.len();
        if consumed == 0 && produced == 0 && !done {
            return Err(SendError::Compression);
        }
        message.needs_output = produced == 0 && (message.needs_output || consumed > 0);
        message.unflushed |= consumed > 0;
        let produced = message.held_len + produced;
        message.held_len = 0;
        Ok(Transformed {
            consumed,
            produced,
            done,
        })
    }

    /// Holds back the last bytes of a flush (RFC 7692 7.2.1).
    fn hold_back(
        &mut self,
        output: &[u8],
        mut flushed: Transformed,
    ) -> Result<Transformed, SendError> {
        let message = &mut self.message;
        let output = &output[..flushed.produced];
        message.held_len = TAIL_LEN.min(output.len());
        flushed.produced -= message.held_len;
        message.held[..message.held_len].copy_from_slice(&output[flushed.produced..]);
        if flushed.done {
            // The end of an earlier flush does not count for this one.
            if message.held[..message.held_len] != *TAIL || message.needs_output {
                return Err(SendError::Compression);
            }
            message.unflushed = false;
        }
        Ok(flushed)
    }

    fn release(&mut self) {
        if let Some(context) = self.context.take() {
            self.deflate.give_compressor(self.window_bits, context);
        }
    }
}

impl MessageEncoder for Deflater {
    fn rsv(&self) -> Rsv {
        Rsv::RSV1
    }

    fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    fn wants(&self, len: Option<usize>) -> bool {
        self.enabled && len.is_none_or(|len| len >= self.deflate.config().threshold)
    }

    fn begin(&mut self) -> bool {
        if self.message.started {
            // The message that was begun before was never sent to its end.
            self.abandon();
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

    fn encode(
        &mut self,
        input: &[u8],
        until: Until,
        output: &mut [u8],
    ) -> Result<Transformed, SendError> {
        let nothing = Transformed {
            consumed: 0,
            produced: 0,
            done: true,
        };
        if until == Until::More {
            if input.is_empty() {
                return Ok(nothing);
            }
            return self.compress(input, Flush::None, output);
        }
        if !input.is_empty() || self.message.unflushed {
            let flushed = self.compress(input, Flush::Sync, output)?;
            return self.hold_back(output, flushed);
        }
        if until == Until::End && !self.message.started {
            // RFC 7692 7.2.3.6: an empty message is an empty block, whose end is cut off.
            self.message.started = true;
            output[0] = 0x00;
            self.message.held.copy_from_slice(TAIL);
            self.message.held_len = TAIL_LEN;
            return Ok(Transformed {
                produced: 1,
                ..nothing
            });
        }
        Ok(nothing)
    }

    fn end(&mut self) {
        self.message = Message::default();
        if !self.takeover {
            self.release();
        }
    }

    fn abandon(&mut self) {
        self.message = Message::default();
        if !self.takeover {
            self.release();
        } else if let Some(context) = &mut self.context {
            context.reset();
        }
    }

    fn shared_kind(&self) -> Option<usize> {
        let size = self.window_bits - MIN_COMPRESSOR_WINDOW_BITS;
        (!self.takeover).then_some(usize::from(size))
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

/// The bytes that are cut off the end of a compressed message (RFC 7692 7.2.1).
pub(super) const TAIL: &[u8; TAIL_LEN] = &[0x00, 0x00, 0xFF, 0xFF];
const TAIL_LEN: usize = 4;

/// The least room that a compressor is given, in bytes. A flush ends within it.
pub(super) const MIN_ROOM: usize = 16;

const _: () = assert!(MIN_ROOM + TAIL_LEN <= LEAST_ROOM);
const _: () = assert!(((MAX_WINDOW_BITS - MIN_COMPRESSOR_WINDOW_BITS) as usize) < SHARED_KINDS);
