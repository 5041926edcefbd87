//! Both directions of one connection.

use alloc::vec::Vec;

use super::{
    Agreement, Encoder, Event, Limits, MessageBuffer, PieceEvent, Receiver, Role, SendError,
    Sender, ToOutgoing, Transformed,
};
use crate::frame::mask::KeySource;
use crate::frame::{CloseCode, ControlPayload, Opcode, Rsv, Violation};

/// One connection without its I/O and without its buffers: what every front end stands on.
///
/// A session owns no buffer. The bytes that were read, the message being assembled and the bytes to write are the
/// caller's. An idle connection costs the size of this type (less than 256 bytes), and one read buffer serves every
/// connection of a thread.
///
/// # Examples
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
///         session.send(message, &mut output)?;
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
    /// Creates the server's end.
    #[must_use]
    pub const fn server(limits: Limits) -> Self {
        Self::new(Receiver::new(Role::Server, limits), Encoder::server())
    }

    /// Creates the client's end, with the source of its masking keys: `frame::os_key` where there is an operating
    /// system.
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

    /// Sets whether a Ping is answered automatically (the default). If not, the caller answers [`Event::Ping`] with a
    /// Pong.
    pub fn set_auto_pong(&mut self, on: bool) {
        self.auto_pong = on;
    }

    /// Allows the reserved bits of a negotiated extension on the first frame of a message, in both
    /// directions.
    pub fn allow_rsv(&mut self, rsv: Rsv) {
        self.receiver.decoder_mut().allow_rsv(rsv);
        self.sender.encoder_mut().allow_rsv(rsv);
    }

    /// Transforms messages in both directions from now on, as was agreed on.
    ///
    /// A session then owns what the extension holds: see the module `deflate` for compression.
    pub fn set_extension(&mut self, agreed: &dyn Agreement) {
        let role = self.sender.encoder().role();
        self.receiver.set_message_decoder(agreed.decoder(role));
        self.sender.set_message_encoder(agreed.encoder(role));
    }

    /// Decodes from the front of `input`. Returns how many bytes were used up, with the event that they gave, if any.
    /// `None` asks for more input: then all of it is used up.
    ///
    /// A Ping leaves a Pong pending and a Close its echo; [`write_reply`](Self::write_reply) writes them. Allocates
    /// for the first reply, and in `message`, which belongs to this connection, where a message or a control frame
    /// arrives in more than one piece.
    ///
    /// # Errors
    /// The peer's violation. The Close frame with its code is pending. No byte of the bad frame was lent, and further
    /// input has no effect.
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

    /// As [`receive`](Self::receive), with messages in pieces as they arrive, of any size in constant memory. A
    /// message belongs to the call that began it; the other call skips what it is given of it.
    ///
    /// [`Limits::message`] applies here too: raise it through [`receiver_mut`](Self::receiver_mut) for messages that
    /// are not held in memory.
    ///
    /// The pieces of a compressed message are given as they were sent, and [`Limits::message`] does not apply to them.
    /// Where [`Receiver::is_encoded`] says so of a piece's reserved bits, give it to [`decode`](Self::decode), and so
    /// all other pieces of that message. Otherwise no later message can be decompressed.
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

    /// Transforms a piece of an encoded message, which [`receive_piece`](Self::receive_piece) gave, back as far as
    /// `output` has room. Repeat the call with the rest of the piece until it is done. No limit on the message applies
    /// here: nothing of it is held in memory.
    ///
    /// # Errors
    /// The peer's violation: the input is not what the extension produces, or its text is not UTF-8. The Close frame
    /// with its code is pending, and further input has no effect.
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
        let Some(answer) = event.answer() else {
            return;
        };
        if matches!(event, Event::Close(_)) {
            self.sender.queue_close(answer);
        } else if self.auto_pong {
            self.sender.queue_pong(answer);
        }
    }

    /// Appends a message in one frame to `output`.
    ///
    /// # Errors
    /// The caller's mistake; nothing was appended.
    #[inline]
    pub fn send(
        &mut self,
        message: impl ToOutgoing,
        output: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.sender.message(message, output)
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
    /// [`is_closed`](Self::is_closed) returns `true`.
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

    /// Appends the pending Pong or Close, if any, to `output`. Returns whether there was one.
    ///
    /// Call it after each [`receive`](Self::receive) while the peer takes what is sent. While the peer does not, and
    /// `output` is over a size that the caller finds enough, do not call it: then a flood of Pings leaves one pending
    /// Pong.
    ///
    /// # Errors
    /// Only [`SendError::NoEntropy`]; the reply is still pending.
    #[inline]
    pub fn write_reply(&mut self, output: &mut Vec<u8>) -> Result<bool, SendError> {
        self.sender.write_reply(output)
    }

    /// Returns whether a reply is pending.
    #[must_use]
    pub fn has_reply(&self) -> bool {
        self.sender.has_reply()
    }

    /// Returns whether Close frames went both ways, or a violation ended the connection, and nothing is left to write
    /// but `output`. The transport is then closed, by the server first (RFC 6455 7.1.1).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver.decoder().is_done() && self.sender.encoder().is_closed()
    }

    /// Returns whether the session is as it was created, apart from its settings: nothing has begun in either
    /// direction and nothing is pending. Any other session with the same settings can then take its place. An event
    /// loop thus needs sessions only for those of its connections that are in the middle of something.
    ///
    /// Never `true` where compression was agreed on, or once a Close frame was sent or received.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.receiver.is_at_rest() && self.sender.is_at_rest()
    }

    /// Takes the two directions apart, for a connection that is read and written by different threads or tasks. What
    /// the receiver gives is then [answered](Event::answer) by the caller.
    #[must_use]
    pub fn split(self) -> (Receiver, Sender) {
        (self.receiver, self.sender)
    }

    /// Returns the receiving end, to change its limits. What it receives directly is not answered.
    pub fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// Returns the sending end.
    pub fn sender_mut(&mut self) -> &mut Sender {
        &mut self.sender
    }
}

/// Returns why a code and a reason do not make a Close frame.
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

    /// Feeds a server's session. Returns whether it is then at rest.
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

    #[test]
    fn it_is_closed_once_close_frames_went_both_ways() {
        let mut session = Session::server(Limits::default());
        assert!(!session.is_closed());
        session
            .close(CloseCode::NORMAL, "", &mut Vec::new())
            .unwrap();
        assert!(!session.is_closed(), "the peer has not closed");
        rests_after(&mut session, &[0x88, 0x80, 0, 0, 0, 0]);
        assert!(session.is_closed());
        let mut session = Session::server(Limits::default());
        rests_after(&mut session, &[0x88, 0x80, 0, 0, 0, 0]);
        assert!(!session.is_closed(), "the answer is pending");
        assert!(session.write_reply(&mut Vec::new()).unwrap());
        assert!(session.is_closed());
    }

    #[test]
    fn a_ping_is_answered_unless_that_is_left_to_the_caller() {
        for auto_pong in [true, false] {
            let mut session = Session::server(Limits::default());
            session.set_auto_pong(auto_pong);
            rests_after(&mut session, &[0x89, 0x80, 0, 0, 0, 0]);
            assert_eq!(session.has_reply(), auto_pong);
            // A Close frame is answered in any case.
            rests_after(&mut session, &[0x88, 0x80, 0, 0, 0, 0]);
            assert!(session.has_reply());
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn it_is_never_at_rest_with_compression() {
        use crate::deflate::{Deflate, DeflateConfig, Parameters};
        let deflate = Deflate::new(DeflateConfig::default()).unwrap();
        let mut session = Session::server(Limits::default());
        session.set_extension(
            &deflate.negotiated(
                Parameters::default()
                    .server_no_context_takeover(true)
                    .client_no_context_takeover(true),
            ),
        );
        assert!(!session.is_at_rest());
    }
}
