//! Compressed messages on their way in.

use super::{MessageBuffer, Utf8};
use crate::deflate::{InflateError, Inflated, Inflater};
use crate::frame::{Opcode, Violation};

/// Decompresses the message under way, and holds what comes out to the rules: the limit counts
/// there, and text is UTF-8 there (RFC 7692 6.2).
#[derive(Debug)]
pub(super) struct Inflate {
    inflater: Inflater,
    utf8: Utf8,
    /// What has come out of the message so far, in bytes.
    len: u64,
}

impl Inflate {
    pub(super) fn new(inflater: Inflater) -> Self {
        Self {
            inflater,
            utf8: Utf8::new(),
            len: 0,
        }
    }

    /// Decompresses a piece of a message as far as `output` has room.
    pub(super) fn inflate(
        &mut self,
        piece: &[u8],
        opcode: Opcode,
        last: bool,
        output: &mut [u8],
    ) -> Result<Inflated, Violation> {
        let inflated = self.inflater.inflate(piece, last, output);
        let inflated = inflated.map_err(|error| match error {
            InflateError::Data => Violation::InvalidDeflate,
            InflateError::NoContext => Violation::NoDecompressor,
        })?;
        let end = last && inflated.done;
        if opcode == Opcode::Text {
            // RFC 6455 8.1: bytes that are not UTF-8 fail the connection.
            let valid = self.utf8.push(&output[..inflated.produced]).is_ok();
            if !valid || end && !self.utf8.is_complete() {
                return Err(Violation::InvalidUtf8);
            }
        }
        self.len += inflated.produced as u64;
        if end {
            self.utf8 = Utf8::new();
            self.len = 0;
        }
        Ok(inflated)
    }

    /// Decompresses a piece of a message behind what `message` has of it.
    pub(super) fn assemble(
        &mut self,
        mut piece: &[u8],
        opcode: Opcode,
        last: bool,
        limit: u64,
        message: &mut MessageBuffer,
    ) -> Result<(), Violation> {
        loop {
            // One byte over the limit is enough to know that it is broken.
            let left = limit.checked_sub(self.len);
            let left = left.ok_or(Violation::MessageTooBig { limit })?;
            let left = left.saturating_add(1);
            let room = message.room(left, STEP);
            let inflated = self.inflate(piece, opcode, last, room)?;
            message.fill(inflated.produced);
            if inflated.produced as u64 == left {
                return Err(Violation::MessageTooBig { limit });
            }
            if inflated.done {
                return Ok(());
            }
            piece = &piece[inflated.consumed..];
        }
    }
}

/// How much room the message is given at first. It doubles with what comes out.
const STEP: usize = 4 << 10;
