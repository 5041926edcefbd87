//! Both ends of one connection.

use alloc::vec::Vec;

use super::sender::close_echo;
use super::{
    Agreement, Encoder, Event, Limits, MessageBuffer, PieceEvent, Receiver, Role, SendError,
    Sender, Transformed,
};
use crate::frame::mask::KeySource;
use crate::frame::{CloseCode, ControlPayload, Opcode, Rsv, Violation};

/// One connection without its I/O: for event loops, and for front ends of your own.
///
/// A session owns no buffer. The bytes that were read, the message that is being put together and
/// the bytes to be written are the caller's, so that an idle connection costs what this type
/// measures (less than 256 bytes) and one read buffer serves every connection of a thread.
///
/// ```
/// use framewire::protocol::{Event, Limits, MessageBuffer, Session};
///
/// let mut session = Session::server(Limits::default());
/// let mut message = MessageBuffer::new();
/// let mut output = Vec::new();
///
/// // RFC 6455 5.7: a masked text message, "Hello".
/// let mut input = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// let mut used = 0;
/// while used < input.len() {
///     let (taken, event) = session.receive(&mut input[used..], &mut message)?;
///     used += taken;
///     if let Some(Event::Message(message)) = event {
///         session.send(message.opcode(), message.payload(), &mut output)?;
///     }
///     session.write_reply(&mut output)?;
/// }
/// assert_eq!(output, b"\x81\x05Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    receiver: Receiver,
    sender: Sender,
    auto_pong: bool,
}

impl Session {
    /// The server's end.
    #[must_use]
    pub const fn server(limits: Limits) -> Self {
        Self::new(Receiver::new(Role::Server, limits), Encoder::server())
    }

    /// The client's end, with the source of its masking keys: `frame::os_key` where there is an
    /// operating system.
    #[must_use]
    pub const fn client(limits: Limits, keys: KeySource) -> Self {
        Self::new(Receiver::new(Role::Client, limits), Encoder::client(keys))
    }

    const fn new(receiver: Receiver, encoder: Encoder) -> Self {
        Self {
            receiver,
            sender: Sender::new(encoder),
            auto_pong: true,
        }
    }

    /// Whether a Ping is answered without being asked (the default). Switched off, the caller
    /// answers [`Event::Ping`] with a Pong of its own.
    pub fn set_auto_pong(&mut self, on: bool) {
        self.auto_pong = on;
    }

    /// Allows the reserved bits of a negotiated extension on the first frame of a message, in both
    /// directions.
    pub fn allow_rsv(&mut self, rsv: Rsv) {
        self.receiver.decoder_mut().allow_rsv(rsv);
        self.sender.encoder_mut().allow_rsv(rsv);
    }

    /// Has an extension transform messages both ways from now on, as was agreed on.
    ///
    /// A session then owns what the extension holds: see the module `deflate` for compression.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        let role = self.sender.encoder().role();
        self.receiver.set_message_decoder(agreed.decoder(role));
        self.sender.set_message_encoder(agreed.encoder(role));
    }

    /// Uses up bytes off the front of `input` and says how many, with the event that they made, if
    /// any. `None` asks for more input: then all of it is used up.
    ///
    /// A Ping leaves a Pong pending and a Close its echo; [`write_reply`](Self::write_reply)
    /// writes them. Allocates only where a message comes in more than one piece, in `message`,
    /// which belongs to this connection.
    ///
    /// # Errors
    /// The peer's violation. The Close frame with its code is pending; not one byte of the bad
    /// frame was lent, and further input has no effect.
    #[inline]
    pub fn receive<'a>(
        &mut self,
        input: &'a mut [u8],
        message: &'a mut MessageBuffer,
    ) -> Result<(usize, Option<Event<'a>>), Violation> {
        let received = self.receiver.receive(input, message);
        match &received {
            Ok((_, None)) => {}
            Ok((_, Some(event))) => self.answer(event),
            Err(violation) => self.sender.queue_violation(violation),
        }
        received
    }

    /// As [`receive`](Self::receive), with messages in pieces as they come, of any size in constant
    /// memory. A message belongs to the call that began it: what the other is given is skipped.
    ///
    /// [`Limits::message`] binds these too: raise it through
    /// [`receiver_mut`](Self::receiver_mut) for messages that are not held.
    ///
    /// The pieces of a compressed message come as they were sent, and no limit on the message binds
    /// them. Where [`Receiver::is_encoded`] says so of a piece's reserved bits, it is given to
    /// [`decode`](Self::decode), and so are all others of that message: or no later one can be decompressed.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    #[inline]
    pub fn receive_piece<'a>(
        &mut self,
        input: &'a mut [u8],
        message: &'a mut MessageBuffer,
    ) -> Result<(usize, Option<PieceEvent<'a>>), Violation> {
        let received = self.receiver.receive_piece(input, message);
        match &received {
            Ok((_, None | Some(PieceEvent::Data(_)))) => {}
            Ok((_, Some(PieceEvent::Control(event)))) => self.answer(event),
            Err(violation) => self.sender.queue_violation(violation),
        }
        received
    }

    /// Transforms a piece of an encoded message back, which
    /// [`receive_piece`](Self::receive_piece) gave, as far as `output` has room. Repeated with what
    /// is left of the piece until it is done. No limit on the message holds here: nothing of it is
    /// kept.
    ///
    /// # Errors
    /// The peer's violation: what came is not what the extension makes, or the text in it no UTF-8. The Close
    /// frame with its code is pending, and further input has no effect.
    pub fn decode(
        &mut self,
        piece: &[u8],
        opcode: Opcode,
        last: bool,
        output: &mut [u8],
    ) -> Result<Transformed, Violation> {
        let decoded = self.receiver.decode(piece, opcode, last, output);
        decoded.inspect_err(|violation| self.sender.queue_violation(violation))
    }

    fn answer(&mut self, event: &Event<'_>) {
        match event {
            Event::Message(_) | Event::Pong(_) => {}
            Event::Ping(payload) => {
                if self.auto_pong
                    && let Some(payload) = ControlPayload::new(payload)
                {
                    self.sender.queue_pong(payload);
                }
            }
            // RFC 6455 5.5.1: a Close frame is answered with one.
            Event::Close(frame) => self.sender.queue_close(close_echo(frame.code)),
        }
    }

    /// Appends a message in one frame to `output`.
    ///
    /// # Errors
    /// The caller's mistake; nothing was appended.
    #[inline]
    pub fn send(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.sender.message(opcode, payload, output)
    }

    /// Appends one frame to `output`: a fragment, or a control frame.
    ///
    /// # Errors
    /// The caller's mistake; nothing was appended.
    pub fn send_frame(
        &mut self,
        fin: bool,
        rsv: Rsv,
        opcode: Opcode,
        payload: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.sender.frame(fin, rsv, opcode, payload, output)
    }

    /// Appends a Close frame to `output`: the last frame of this end. The connection is over when
    /// [`is_closed`](Self::is_closed) says so.
    ///
    /// # Errors
    /// A code that is never sent, a reason of more than 123 bytes, or a second Close.
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let payload = ControlPayload::close(code, reason);
        let payload = payload.ok_or_else(|| close_error(code, reason))?;
        self.sender
            .frame(true, Rsv::NONE, Opcode::Close, payload.as_slice(), output)
    }

    /// Appends the pending Pong or Close, if any, to `output`, and says whether there was one.
    ///
    /// To call after each [`receive`](Self::receive) while the peer takes what is sent. While it
    /// does not, `output` is over a size that the caller finds enough: then not to call is what
    /// keeps a flood of Pings at one pending Pong.
    ///
    /// # Errors
    /// [`SendError::NoEntropy`] alone; the reply is still pending.
    #[inline]
    pub fn write_reply(&mut self, output: &mut Vec<u8>) -> Result<bool, SendError> {
        self.sender.write_reply(output)
    }

    /// Whether a reply is pending.
    #[must_use]
    pub fn has_reply(&self) -> bool {
        self.sender.has_reply()
    }

    /// Whether Close frames went both ways, or a violation ended the connection, and nothing is
    /// left to be written but `output`: now the transport is closed, by the server first
    /// (RFC 6455 7.1.1).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver.decoder().is_done() && self.sender.encoder().is_closed()
    }

    /// Whether it is as it was made, but for what was set: nothing has begun in either direction and
    /// nothing is pending. Any other session with the same settings can then go on in its place, so
    /// that an event loop needs sessions for those of its connections alone that are in the middle
    /// of something, and none for those at rest.
    ///
    /// Never where compression was agreed on, or a Close frame was sent or came.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.receiver.is_at_rest() && self.sender.is_at_rest()
    }

    /// The receiving end, to change its limits. What it is given to receive is not answered.
    pub fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// The sending end.
    pub fn sender_mut(&mut self) -> &mut Sender {
        &mut self.sender
    }
}

/// Why a code and a reason do not make a Close frame.
pub(crate) fn close_error(code: CloseCode, reason: &str) -> SendError {
    if code.is_sendable() {
        SendError::ReasonTooLarge { len: reason.len() }
    } else {
        SendError::CloseCodeUnsendable(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_fits_in_256_bytes() {
        let size = size_of::<Session>();
        assert!(size <= 256, "{size}");
    }

    /// Feeds a server's session, and says whether it is at rest then.
    fn rests_after(session: &mut Session, input: &[u8]) -> bool {
        let mut input = input.to_vec();
        let (used, _) = session
            .receive(&mut input, &mut MessageBuffer::new())
            .unwrap();
        assert_eq!(used, input.len());
        session.is_at_rest()
    }

    #[test]
    fn it_is_at_rest_between_messages_alone() {
        let mut session = Session::server(Limits::default());
        assert!(session.is_at_rest());
        // RFC 6455 5.2: the first byte of a header, the rest of it, and a payload of two bytes.
        assert!(!rests_after(&mut session, &[0x02]));
        assert!(!rests_after(&mut session, &[0x82, 0, 0, 0, 0]));
        assert!(!rests_after(&mut session, b"a"));
        assert!(!rests_after(&mut session, b"b"));
        // A Ping between two fragments, and the last one.
        assert!(!rests_after(&mut session, &[0x89, 0x80, 0, 0, 0, 0]));
        assert!(session.write_reply(&mut Vec::new()).unwrap());
        assert!(!session.is_at_rest());
        assert!(rests_after(&mut session, &[0x80, 0x80, 0, 0, 0, 0]));
    }

    #[test]
    fn it_is_not_at_rest_while_a_reply_is_pending_or_a_message_is_open() {
        let mut session = Session::server(Limits::default());
        assert!(!rests_after(&mut session, &[0x89, 0x80, 0, 0, 0, 0]));
        let output = &mut Vec::new();
        assert!(session.write_reply(output).unwrap());
        assert!(session.is_at_rest());
        for (fin, opcode) in [(false, Opcode::Text), (true, Opcode::Continuation)] {
            session
                .send_frame(fin, Rsv::NONE, opcode, b"", output)
                .unwrap();
            assert_eq!(session.is_at_rest(), fin);
        }
    }

    #[test]
    fn it_is_not_at_rest_after_a_close_frame_of_either_end() {
        let mut session = Session::server(Limits::default());
        assert!(!rests_after(&mut session, &[0x88, 0x80, 0, 0, 0, 0]));
        let mut session = Session::server(Limits::default());
        session
            .close(CloseCode::NORMAL, "", &mut Vec::new())
            .unwrap();
        assert!(!session.is_at_rest());
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn it_is_never_at_rest_with_compression() {
        use crate::deflate::{Deflate, DeflateConfig, Parameters};
        let deflate = Deflate::new(DeflateConfig::default()).unwrap();
        let mut session = Session::server(Limits::default());
        session.set_extension(&deflate.negotiated(Parameters {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }));
        assert!(!session.is_at_rest());
    }
}
