//! Messages that an extension transforms while they are sent.

use super::Outbound;
use super::stage::Unsent;
use crate::error::Error;
use crate::frame::{MAX_HEADER, Opcode};
use crate::protocol::{Outgoing, SendError};

impl Outbound {
    /// Begins a message if the extension transforms it: in one frame, or in one for each time that the write buffer
    /// must be emptied. Returns `None` for a message that is sent as it is.
    pub(super) fn stage_encoded<'p>(
        &mut self,
        message: &Outgoing<'p>,
    ) -> Result<Option<Unsent<'p>>, Error> {
        let begun = self.sender.begin_encoded(message);
        if !begun.map_err(|error| self.send_error(error))? {
            return Ok(None);
        }
        let (opcode, mut payload) = (message.opcode(), message.payload());
        let last = self.append_encoded(opcode, &mut payload, self.most_retained())?;
        if last {
            return Ok(Some(Unsent::Nothing));
        }
        self.in_encoded = Some(opcode);
        Ok(Some(Unsent::Encoded { opcode, payload }))
    }

    /// Appends the next frame of a transformed message to the write buffer, which then holds `bound` bytes at most, or
    /// a few more. Returns whether it was the last frame.
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

    /// Ends a transformed message that was written in pieces.
    pub(super) fn end_encoded(&mut self) {
        if let Some(extension) = self.sender.message_encoder_mut() {
            extension.end();
        }
    }
}
