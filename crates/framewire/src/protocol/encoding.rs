//! Messages that an extension transforms while they are sent.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::extension::{LEAST_ROOM, MessageEncoder, Until};
use super::{Encoder, SendError};
use crate::frame::{MAX_HEADER, Opcode, Rsv, mask};

/// The extension's encoder, and the bytes that are held back of the message under way.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) extension: Box<dyn MessageEncoder>,
    held: Option<[u8; HELD]>,
}

impl Encoding {
    pub(crate) fn new(extension: Box<dyn MessageEncoder>) -> Self {
        Self {
            extension,
            held: None,
        }
    }

    /// Begins a message. Returns `false` where it is sent as it is.
    pub(crate) fn begin(&mut self) -> bool {
        self.held = None;
        self.extension.begin()
    }

    /// Appends the next frame of a message to `output`, which then holds `bound` bytes at most, or a few more. Removes
    /// what went into the frame from `rest`. Returns whether it was the last frame.
    ///
    /// # Errors
    /// The extension or the key source failed. Nothing was appended, and a message that had begun cannot be ended.
    pub(crate) fn append_frame(
        &mut self,
        encoder: &mut Encoder,
        opcode: Opcode,
        rest: &mut &[u8],
        bound: usize,
        output: &mut Vec<u8>,
    ) -> Result<bool, SendError> {
        let (opcode, rsv) = match encoder.message() {
            Some(_) => (Opcode::Continuation, Rsv::NONE),
            None => (opcode, self.extension.rsv()),
        };
        let start = output.len();
        // The length of the header is not known before the payload is.
        let payload = start + MAX_HEADER;
        reserve(output, MAX_HEADER, bound);
        output.resize(payload, 0);
        let appended = self.append(rest, bound, output).and_then(|last| {
            let header = encoder.frame(last, rsv, opcode, &output[payload..])?;
            Ok((last, header))
        });
        let (last, header) = appended.inspect_err(|_| {
            output.truncate(start);
            self.held = None;
            self.extension.abandon();
        })?;
        if let Some(key) = header.mask() {
            mask::apply(&mut output[payload..], key, 0);
        }
        let mut bytes = [0; MAX_HEADER];
        let len = header.encode(&mut bytes);
        output[start..start + len].copy_from_slice(&bytes[..len]);
        output.copy_within(payload.., start + len);
        output.truncate(output.len() - (MAX_HEADER - len));
        Ok(last)
    }

    /// Appends the payload of the next frame. Returns whether it is the last.
    fn append(
        &mut self,
        rest: &mut &[u8],
        bound: usize,
        output: &mut Vec<u8>,
    ) -> Result<bool, SendError> {
        let start = output.len();
        let mut step = (rest.len() + LEAST_STEP).min(STEP);
        reserve(output, HELD + step, bound);
        output.extend_from_slice(self.held.take().as_ref().map_or(&[], |held| &held[..]));
        loop {
            let filled = output.len();
            reserve(output, step, bound);
            output.resize(filled + step, 0);
            let encoded = self
                .extension
                .encode(rest, Until::End, &mut output[filled..])?;
            *rest = &rest[encoded.consumed..];
            output.truncate(filled + encoded.produced);
            if encoded.done {
                self.extension.end();
                return Ok(true);
            }
            step = STEP;
            // Some bytes are held back, so that the last frame is never empty.
            if output.len().saturating_add(step) > bound
                && output.len() - start > HELD
                && let Some((sent, held)) = output.split_last_chunk()
            {
                let sent = sent.len();
                self.held = Some(*held);
                output.truncate(sent);
                return Ok(false);
            }
        }
    }
}

/// How many bytes are held back for the next frame of a message.
const HELD: usize = 16;
/// The least room for the last bytes of a message, more than its end may take.
const LEAST_STEP: usize = 64;
/// How much room a message is given at a time.
const STEP: usize = 4 << 10;

const _: () = assert!(LEAST_STEP > LEAST_ROOM);

/// Makes room for more by doubling the capacity, but not over `bound` bytes while that is enough.
pub(crate) fn reserve(output: &mut Vec<u8>, additional: usize, bound: usize) {
    let needed = output.len() + additional;
    if needed > bound {
        output.reserve(additional);
    } else if needed > output.capacity() {
        let doubled = output.capacity().saturating_mul(2).min(bound);
        output.reserve_exact(needed.max(doubled) - output.len());
    }
}
