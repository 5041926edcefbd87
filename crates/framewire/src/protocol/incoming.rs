//! Messages that an extension transforms back as they arrive.

use alloc::boxed::Box;

use super::extension::{MessageDecoder, Transformed};
use super::{MessageBuffer, Utf8};
use crate::frame::{Opcode, Rsv, Violation};

/// The extension's decoder, and the rules that apply to its output: the message limit, and UTF-8 in a text (RFC 7692
/// 6.2).
#[derive(Debug)]
pub(super) struct Incoming {
    extension: Box<dyn MessageDecoder>,
    utf8: Utf8,
    /// How many bytes of the message have come out so far.
    len: u64,
}

impl Incoming {
    pub(super) fn new(extension: Box<dyn MessageDecoder>) -> Self {
        Self {
            extension,
            utf8: Utf8::new(),
            len: 0,
        }
    }

    /// Returns the reserved bits of the messages that are transformed.
    pub(super) fn rsv(&self) -> Rsv {
        self.extension.rsv()
    }

    /// Transforms a piece of a message back, as far as `output` has room.
    pub(super) fn decode(
        &mut self,
        piece: &[u8],
        opcode: Opcode,
        last: bool,
        output: &mut [u8],
    ) -> Result<Transformed, Violation> {
        let decoded = self.extension.decode(piece, last, output)?;
        let end = last && decoded.done;
        if opcode == Opcode::Text {
            // RFC 6455 8.1: bytes that are not UTF-8 fail the connection.
            let valid = self.utf8.push(&output[..decoded.produced]).is_ok();
            if !valid || end && !self.utf8.is_complete() {
                return Err(Violation::InvalidUtf8);
            }
        }
        self.len += decoded.produced as u64;
        if end {
            self.utf8 = Utf8::new();
            self.len = 0;
        }
        Ok(decoded)
    }

    /// Transforms a piece of a message back and appends the result to `message`.
    pub(super) fn assemble(
        &mut self,
        mut piece: &[u8],
        opcode: Opcode,
        last: bool,
        limit: u64,
        message: &mut MessageBuffer,
    ) -> Result<(), Violation> {
        loop {
            // One byte over the limit is enough to know that it is exceeded.
            let left = limit.checked_sub(self.len);
            let left = left.ok_or(Violation::MessageTooBig { limit })?;
            let left = left.saturating_add(1);
            let room = message.room(left, STEP);
            let decoded = self.decode(piece, opcode, last, room)?;
            message.fill(decoded.produced);
            if decoded.produced as u64 == left {
                return Err(Violation::MessageTooBig { limit });
            }
            if decoded.done {
                return Ok(());
            }
            piece = &piece[decoded.consumed..];
        }
    }
}

/// How much room the message is given at first, in bytes. It doubles with the output.
const STEP: usize = 4 << 10;
