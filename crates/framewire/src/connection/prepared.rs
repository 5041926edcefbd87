//! Messages for many connections.

use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::frame::{Header, MAX_HEADER, Opcode, Rsv};
use crate::protocol::{Encoder, Outgoing, SHARED_KINDS, SendError};

/// A message that is checked and framed once and sent to any number of connections.
///
/// Where connections compress each message by itself (no context takeover), it is compressed once for each number of
/// window bits among them. The first connection that sends it does that, by its own policy. Each result lives as long
/// as the message.
///
/// A clone shares the bytes.
#[derive(Debug, Clone)]
pub struct PreparedMessage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    opcode: Opcode,
    header_len: usize,
    frame: Box<[u8]>,
    /// The frames that extensions make of it, by [kind](crate::protocol::MessageEncoder::shared_kind).
    encoded: [OnceLock<Box<[u8]>>; SHARED_KINDS],
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
            shared: Arc::new(Shared {
                opcode,
                header_len,
                frame: [&encoded[..header_len], payload].concat().into(),
                encoded: Default::default(),
            }),
        })
    }

    /// Returns Text or Binary.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.shared.opcode
    }

    /// Returns the bytes of the message.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.shared.frame[self.shared.header_len..]
    }

    /// Returns the frame as a server sends it.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.shared.frame
    }

    /// Returns the transformed frame of this kind, as a server sends it. `None` where the message is sent as it is.
    pub(crate) fn encoded(&self, kind: usize, outgoing: &mut Outgoing) -> Option<&[u8]> {
        let cell = self.shared.encoded.get(kind)?;
        if let Some(frame) = cell.get() {
            return Some(frame);
        }
        if !outgoing.begin() {
            return None;
        }
        let mut encoder = Encoder::server();
        encoder.allow_rsv(outgoing.extension.rsv());
        let (opcode, mut rest) = (self.opcode(), self.payload());
        let mut frame = Vec::new();
        let appended =
            outgoing.append_frame(&mut encoder, opcode, &mut rest, usize::MAX, &mut frame);
        appended.ok()?;
        // Two threads may have made it at once: the first result stays.
        Some(cell.get_or_init(|| frame.into()))
    }
}
