//! A message for many connections.

use std::sync::Arc;

use crate::error::Error;
use crate::frame::{Header, MAX_HEADER, Opcode, Rsv};
use crate::protocol::{Encoder, SendError};

/// A message that is checked and framed once and sent to any number of connections.
///
/// A clone shares the bytes.
#[derive(Debug, Clone)]
pub struct PreparedMessage {
    opcode: Opcode,
    header_len: usize,
    frame: Arc<[u8]>,
}

impl PreparedMessage {
    /// Copies and frames a message.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send): the opcode is not Text or Binary, or the text
    /// is not UTF-8.
    pub fn new(opcode: Opcode, payload: &[u8]) -> Result<Self, Error> {
        if !opcode.begins_message() {
            return Err(SendError::NotAMessage(opcode).into());
        }
        let header: Header = Encoder::server().frame(true, Rsv::NONE, opcode, payload)?;
        let mut encoded = [0; MAX_HEADER];
        let header_len = header.encode(&mut encoded);
        Ok(Self {
            opcode,
            header_len,
            frame: [&encoded[..header_len], payload].concat().into(),
        })
    }

    /// Text or Binary.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// The bytes of the message.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.header_len..]
    }

    /// The frame as a server sends it.
    pub(super) fn frame(&self) -> &[u8] {
        &self.frame
    }
}
