//! Messages that an extension transforms on their way out.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::extension::{LEAST_ROOM, MessageEncoder, Until};
use super::{Encoder, SendError};
use crate::frame::{MAX_HEADER, Opcode, Rsv, mask};

/// The extension's encoder, and what is kept back of the message that goes out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) extension: Box<dyn MessageEncoder>,
    held: Option<[u8; HELD]>,
}

impl Outgoing {
    pub(crate) fn new(extension: Box<dyn MessageEncoder>) -> Self {
        Self {
            extension,
            held: None,
        }
    }

    /// Begins a message; `false` where it goes out as it is.
    pub(crate) fn begin(&mut self) -> bool {
        self.held = None;
        self.extension.begin()
    }

    /// Appends the next frame of a message to `output`, which may hold `bound`
    /// bytes or a few more then, and takes what went into it off `rest`. Says whether it was the last.
    ///
    /// # Errors
    /// The extension, or the keys: nothing was appended, and a message that had begun cannot be ended.
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
        // How long the header is will be known when the payload is there.
        let payload = start + MAX_HEADER;
        reserve(output, MAX_HEADER, bound);
        output.resize(payload, 0);
        let made = self.append(rest, bound, output).and_then(|last| {
            let header = encoder.frame(last, rsv, opcode, &output[payload..])?;
            Ok((last, header))
        });
        let (last, header) = made.inspect_err(|_| {
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

    /// Appends the payload of the next frame, and says whether it is the last.
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
            // A last frame is never empty: so some bytes stay behind.
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

/// How many bytes stay behind for the next frame of a message.
const HELD: usize = 16;
/// How much room the last bytes of a message are given at least, more than what its end may take.
const LEAST_STEP: usize = 64;
/// How much room a message is given at a time.
const STEP: usize = 4 << 10;

const _: () = assert!(LEAST_STEP > LEAST_ROOM);

/// Makes room for more, by doubling what there is, but to no more than `bound` bytes while that is
/// enough.
pub(crate) fn reserve(output: &mut Vec<u8>, additional: usize, bound: usize) {
    let needed = output.len() + additional;
    if needed > bound {
        output.reserve(additional);
    } else if needed > output.capacity() {
        let doubled = output.capacity().saturating_mul(2).min(bound);
        output.reserve_exact(needed.max(doubled) - output.len());
    }
}
