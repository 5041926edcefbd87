//! Decompresses the messages of one peer.

use std::fmt;

use super::Deflate;
use super::deflater::TAIL;
use super::engine::{Decompressor, EngineError};
use crate::frame::{Rsv, Violation};
use crate::protocol::{MessageDecoder, Transformed};

/// The decompressor of one peer's messages, as their payload arrives (RFC 7692 7.2.2).
///
/// With context takeover it has a context of its own from the first message on. Without, it takes one from the pool
/// for each message.
pub(super) struct Inflater {
    deflate: Deflate,
    context: Option<Box<dyn Decompressor>>,
    takeover: bool,
    window_bits: u8,
    /// How many bytes of [`TAIL`] the message under way has been given.
    tail: usize,
    /// Whether the stream's last block has ended, and nothing came after it.
    ended: bool,
    /// Whether the message under way has had any bytes.
    begun: bool,
}

impl Inflater {
    pub(super) fn new(deflate: Deflate, takeover: bool, window_bits: u8) -> Self {
        Self {
            deflate,
            context: None,
            takeover,
            window_bits,
            tail: 0,
            ended: false,
            begun: false,
        }
    }

    fn context(&mut self) -> Result<&mut dyn Decompressor, Violation> {
        let context = match self.context.take() {
            Some(context) => context,
            None if self.takeover => self.deflate.own_decompressor(self.window_bits),
            None => self
                .deflate
                .take_decompressor()
                .ok_or(Violation::NoDecompressor)?,
        };
        Ok(&mut **self.context.insert(context))
    }

    /// Ends the message.
    fn finish(&mut self) {
        self.tail = 0;
        self.ended = false;
        self.begun = false;
        if !self.takeover {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(context) = self.context.take() {
            self.deflate.give_decompressor(context);
        }
    }
}

impl MessageDecoder for Inflater {
    fn rsv(&self) -> Rsv {
        Rsv::RSV1
    }

    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        output: &mut [u8],
    ) -> Result<Transformed, Violation> {
        self.begun |= !input.is_empty();
        if last && !self.begun {
            // RFC 7692 7.2.3.6 makes an empty message otherwise, but some peers send this.
            self.finish();
            return Ok(Transformed {
                consumed: 0,
                produced: 0,
                done: true,
            });
        }
        let mut consumed = 0;
        let mut produced = 0;
        loop {
            let rest = &input[consumed..];
            // RFC 7692 7.2.2: the bytes that the sender cut off are appended.
            let source = if rest.is_empty() && last {
                &TAIL[self.tail..]
            } else {
                rest
            };
            // The tail of a message does not continue a stream that has ended. Data behind its last block does.
            if self.ended && rest.is_empty() {
                if last {
                    self.finish();
                }
                return Ok(Transformed {
                    consumed,
                    produced,
                    done: true,
                });
            }
            let context = self.context()?;
            let progress = context
                .decompress(source, &mut output[produced..])
                .map_err(|EngineError| Violation::InvalidDeflate)?;
            let room = output.len() - produced;
            if progress.consumed > source.len() || progress.produced > room {
                return Err(Violation::InvalidDeflate);
            }
            if progress.ended {
                context.reset();
            }
            self.ended = progress.ended;
            produced += progress.produced;
            if rest.is_empty() {
                self.tail += if last { progress.consumed } else { 0 };
            } else {
                consumed += progress.consumed;
            }
            let stuck = progress.consumed == 0 && progress.produced == 0;
            // An engine that ends again without taking anything would do so for ever.
            if self.ended && !stuck {
                continue;
            }
            if produced == output.len() {
                return Ok(Transformed {
                    consumed,
                    produced,
                    done: false,
                });
            }
            let all_taken = consumed == input.len() && (!last || self.tail == TAIL.len());
            if all_taken {
                if last {
                    self.finish();
                }
                return Ok(Transformed {
                    consumed,
                    produced,
                    done: true,
                });
            }
            if stuck {
                return Err(Violation::InvalidDeflate);
            }
        }
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        if !self.takeover {
            self.release();
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("takeover", &self.takeover)
            .field("window_bits", &self.window_bits)
            .field("has_context", &self.context.is_some())
            .finish_non_exhaustive()
    }
}
