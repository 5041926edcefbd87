//! Messages for many connections.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::frame::{Header, MAX_HEADER, Opcode};
use crate::protocol::{
    Encoder, Encoding, MessageEncoder, MessageKind, Outgoing, SHARED_KINDS, SendError, ToOutgoing,
};

/// A message that is checked and framed once and sent to any number of connections.
///
/// Where connections compress each message by itself (no context takeover), it is compressed once for each number of
/// window bits among them. The first connection that sends it does that, by its own policy. Each result lives as long
/// as the message.
///
/// A clone shares the bytes.
///
/// # Examples
/// ```
/// use framewire::{Config, PreparedMessage, WebSocket};
///
/// # let streams = [(); 2].map(|()| std::io::Cursor::new(Vec::new()));
/// let message = PreparedMessage::new("to all")?;
/// for stream in streams {
///     let mut websocket = WebSocket::server(stream, Config::default())?;
///     websocket.write_prepared(&message)?;
/// }
/// # Ok::<(), framewire::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PreparedMessage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kind: MessageKind,
    header_len: usize,
    frame: Box<[u8]>,
    /// The frames that extensions make of it, by [kind](MessageEncoder::shared_kind): each of the extension that
    /// was the first to use that kind.
    encoded: [OnceLock<Encoded>; SHARED_KINDS],
}

/// A frame that an extension has made.
#[derive(Debug)]
struct Encoded {
    extension: TypeId,
    frame: Box<[u8]>,
}

impl PreparedMessage {
    /// Copies and frames a message.
    ///
    /// # Errors
    /// [`ErrorKind::Send`](crate::ErrorKind::Send): the opcode is not Text or Binary, the text
    /// is not UTF-8, or there are reserved bits.
    pub fn new(message: impl ToOutgoing) -> Result<Self, Error> {
        let message = message.to_outgoing();
        if !message.opcode().begins_message() {
            return Err(SendError::NotAMessage(message.opcode()).into());
        }
        let header: Header = Encoder::server().header(true, &message)?;
        let mut encoded = [0; MAX_HEADER];
        let header_len = header.encode(&mut encoded);
        Ok(Self {
            shared: Arc::new(Shared {
                kind: message.kind(),
                header_len,
                frame: [&encoded[..header_len], message.payload()].concat().into(),
                encoded: Default::default(),
            }),
        })
    }

    /// Returns Text or Binary.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.shared.kind.opcode()
    }

    /// Returns the bytes of the message.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.shared.frame[self.shared.header_len..]
    }

    /// Returns the message that was framed. Its text was checked then.
    pub(crate) fn message(&self) -> Outgoing<'_> {
        let mut message = Outgoing::new(self.shared.kind, self.payload());
        message.is_utf8 = message.opcode() == Opcode::Text;
        message
    }

    /// Returns the frame as a server sends it.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.shared.frame
    }

    /// Returns the kind of the transformed frame that this extension can use. `None` where it has none, or where
    /// another extension has a frame of that kind.
    pub(crate) fn kind_for(&self, extension: &dyn MessageEncoder) -> Option<usize> {
        let kind = extension.shared_kind()?;
        let made = self.shared.encoded.get(kind)?.get();
        let is_its_own = |made: &Encoded| made.extension == type_of(extension);
        made.is_none_or(is_its_own).then_some(kind)
    }

    /// Returns the transformed frame of this kind, as a server sends it. `None` where the message is sent as it is.
    pub(crate) fn encoded(&self, kind: usize, encoding: &mut Encoding) -> Option<&[u8]> {
        let cell = self.shared.encoded.get(kind)?;
        let extension = type_of(&*encoding.extension);
        if let Some(made) = cell.get() {
            return (made.extension == extension).then_some(&made.frame);
        }
        if !encoding.begin() {
            return None;
        }
        let mut encoder = Encoder::server();
        encoder.allow_rsv(encoding.extension.rsv());
        let (opcode, mut rest) = (self.opcode(), self.payload());
        let mut frame = Vec::new();
        let appended =
            encoding.append_frame(&mut encoder, opcode, &mut rest, usize::MAX, &mut frame);
        appended.ok()?;
        let frame = frame.into();
        // Two threads may have made one at once: the first result stays.
        let made = cell.get_or_init(|| Encoded { extension, frame });
        (made.extension == extension).then_some(&made.frame)
    }
}

fn type_of(extension: &dyn MessageEncoder) -> TypeId {
    let any: &dyn Any = extension;
    any.type_id()
}
