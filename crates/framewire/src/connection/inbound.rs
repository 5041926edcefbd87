//! The receiving side of a connection, without the stream that it reads from.

use std::convert::Infallible;
use std::mem;
use std::ops::Range;

use super::Config;
use super::cold::{Cold, Pongs};
use super::handlers::Handlers;
use super::replies::{Replies, Reply};
use crate::error::{Error, ErrorKind};
use crate::frame::{Header, MAX_HEADER, Opcode, Rsv, Violation};
use crate::pool::Buffers;
use crate::protocol::{
    Event, Limits, Message, MessageBuffer, MessageDecoder, Owner, PieceEvent, Receiver, Role,
};

/// What was read and not yet returned: the read buffer, the message that is being assembled, and the kind of call that
/// began it.
///
/// Each way to read is a step that has a result or needs [bytes](Stop::Bytes). Those are read into the
/// [`room`](Self::room), and then the step is repeated. Nothing is lost in between, whichever step comes next.
#[derive(Debug)]
pub struct Inbound {
    pub(crate) receiver: Receiver,
    pub(crate) buffer: Vec<u8>,
    /// The part of the buffer that was read and not used up.
    pub(crate) unread: Range<usize>,
    pub(crate) message: MessageBuffer,
    /// How many events in a row did not need the memory of `message`.
    pub(super) unused: u8,
    pub(crate) cold: Box<Cold>,
}

/// Why a step has no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The step needs bytes.
    Bytes,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<ErrorKind> for Stop {
    fn from(kind: ErrorKind) -> Self {
        Self::Failed(kind.into())
    }
}

/// A message, by its place.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    opcode: Opcode,
    rsv: Rsv,
    /// The place in the read buffer; `None` where the message was assembled.
    pub(super) place: Option<Range<usize>>,
}

impl Inbound {
    pub(crate) fn new(
        receiver: Receiver,
        config: &Config,
        leftover: &[u8],
        buffers: Buffers,
    ) -> Self {
        Self {
            receiver,
            buffer: leftover.to_vec(),
            unread: 0..leftover.len(),
            message: MessageBuffer::new(),
            unused: 0,
            cold: Box::new(Cold {
                handlers: None,
                buffers,
                limits: config.limits,
                read_buffer: config.read_buffer,
                coalesce_writes: config.coalesce_writes,
                has_unsent_reply: false,
                arrived: None,
                #[cfg(feature = "futures")]
                reported_end: false,
                rare: None,
                encoded: None,
                without_output: 0,
            }),
        }
    }

    /// Transforms messages back from now on, as was agreed on with the peer.
    pub(crate) fn set_message_decoder(&mut self, extension: Box<dyn MessageDecoder>) {
        self.receiver.set_message_decoder(extension);
    }

    /// Returns what was read and not used up. That includes a header, whole or not, of whose payload nothing has
    /// arrived.
    pub(crate) fn leftover(&self) -> Vec<u8> {
        let decoder = self.receiver.decoder();
        let mut header = [0; MAX_HEADER];
        let len = match decoder.frame() {
            Some(frame) if decoder.is_untouched() => frame.encode(&mut header),
            _ => 0,
        };
        let unread = &self.buffer[self.unread.clone()];
        [&header[..len], decoder.partial_header(), unread].concat()
    }

    pub(crate) fn set_buffers(&mut self, buffers: Buffers) {
        self.cold.buffers = buffers;
    }

    /// Returns the application's handlers, to set them.
    pub(crate) fn handlers_mut(&mut self) -> &mut Handlers {
        self.cold.handlers.get_or_insert_default().get_mut()
    }

    /// Returns the numbers of a keep-alive's Pings.
    pub(crate) fn pongs(&mut self) -> &mut Pongs {
        &mut self.cold.rare.get_or_insert_default().pongs
    }

    /// Returns the subprotocol that the handshake agreed on.
    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.cold.rare.as_ref()?.subprotocol.as_deref()
    }

    #[cfg(feature = "handshake")]
    pub(crate) fn set_subprotocol(&mut self, name: Option<Box<str>>) {
        if name.is_some() {
            self.cold.rare.get_or_insert_default().subprotocol = name;
        }
    }

    /// Records that a `Stream` has reported its end. Nothing more is returned then, even where the last error was not
    /// final.
    #[cfg(feature = "futures")]
    pub(crate) fn report_end(&mut self) {
        self.cold.reported_end = true;
        self.receiver.end();
    }

    #[cfg(feature = "futures")]
    pub(crate) fn has_reported_end(&self) -> bool {
        self.cold.reported_end
    }

    /// Returns whether nothing more is read. The sending side knows [why](Replies::read_error).
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.receiver.decoder().is_done()
    }

    /// Returns the next message where it lies whole in the read buffer, in one frame, and nothing else has to be done.
    ///
    /// `None` changes nothing: [`next_message`](Self::next_message) then gives the same, or what is wrong, in more
    /// steps.
    #[inline]
    pub(crate) fn buffered_message(&mut self) -> Option<Found> {
        if self.unread.is_empty()
            || self.receiver.owner() != Owner::Whole
            || self.cold.coalesce_writes
        {
            return None;
        }
        let input = &mut self.buffer[self.unread.clone()];
        let (opcode, place) = self.receiver.receive_whole(input, &mut self.message)?;
        let start = self.unread.start + place.start;
        self.unread.start += place.end;
        self.record_use(false);
        Some(Found {
            opcode,
            rsv: Rsv::NONE,
            place: Some(start..self.unread.start),
        })
    }

    /// Returns the next whole message; [`lend`](Self::lend) gives its bytes.
    #[inline]
    pub(crate) fn next_message(&mut self, replies: &mut dyn Replies) -> Result<Found, Stop> {
        match self.buffered_message() {
            Some(found) => Ok(found),
            None if self.is_between_messages() => Err(Stop::Bytes),
            None => self.next_in_steps(replies),
        }
    }

    /// Returns whether all that was read is used up, up to the end of a message, and more may arrive.
    #[inline]
    pub(crate) fn is_between_messages(&self) -> bool {
        self.unread.is_empty()
            && self.receiver.decoder().is_at_rest()
            && self.receiver.owner() == Owner::Whole
            && self.cold.arrived.is_none()
    }

    /// As [`next_message`](Self::next_message), whatever has arrived.
    pub(crate) fn next_in_steps(&mut self, replies: &mut dyn Replies) -> Result<Found, Stop> {
        self.begin_call(Owner::Whole, replies)?;
        let found = match self.decode_buffered(replies)? {
            Some(found) => found,
            None => match self.cold.arrived.take() {
                Some((opcode, rsv)) => Found {
                    opcode,
                    rsv,
                    place: None,
                },
                None => return Err(Stop::Bytes),
            },
        };
        if self.cold.coalesce_writes {
            replies.expect_more(self.has_whole_frame());
        }
        Ok(found)
    }

    /// Returns whether a reply must be sent before the result of a step is returned, and forgets it. The application
    /// may take long with the result, and the peer must not conclude that the connection is dead.
    pub(crate) fn take_unsent_reply(&mut self) -> bool {
        self.cold.has_unsent_reply && mem::take(&mut self.cold.has_unsent_reply)
    }

    /// Returns whether another frame can be decoded without a read.
    fn has_whole_frame(&self) -> bool {
        let unread = &self.buffer[self.unread.clone()];
        match Header::decode(unread) {
            Ok(Some((header, len))) => header.payload_len() <= (unread.len() - len) as u64,
            Ok(None) | Err(_) => false,
        }
    }

    #[inline]
    pub(crate) fn lend(&mut self, found: &Found) -> Message<'_> {
        let payload = match &found.place {
            Some(place) => &mut self.buffer[place.clone()],
            None => self.message.message(),
        };
        Message::new(found.opcode, found.rsv, payload)
    }

    /// Appends the message to `output`. Where `output` is empty, an assembled message brings its memory, at whose
    /// front it then lies.
    pub(crate) fn append<'b>(&mut self, found: &Found, output: &'b mut Vec<u8>) -> Message<'b> {
        let start = output.len();
        match &found.place {
            Some(place) => output.extend_from_slice(&self.buffer[place.clone()]),
            None if output.is_empty() => self.message.swap(output),
            None => output.extend_from_slice(self.message.message()),
        }
        Message::new(found.opcode, found.rsv, &mut output[start..])
    }

    /// Forgets what is under way, so that [`discard`](Self::discard) can follow.
    pub(crate) fn begin_discard(&mut self) {
        self.receiver.set_owner(Owner::NoCall);
        self.message.forget();
        self.cold.without_output = 0;
        *self.receiver.decoder_mut().limits_mut() = Limits::UNLIMITED;
    }

    /// Discards everything that arrives until the connection ends.
    pub(crate) fn discard(&mut self, replies: &mut dyn Replies) -> Result<Infallible, Stop> {
        loop {
            self.discard_piece(replies)?;
        }
    }

    /// Switches to this kind of call. Skips what a call of another kind has left, or fails where that call holds part
    /// of a message that would be lost.
    #[inline]
    pub(crate) fn begin_call(
        &mut self,
        owner: Owner,
        replies: &mut dyn Replies,
    ) -> Result<(), Stop> {
        self.check_ended(replies)?;
        if self.cold.coalesce_writes {
            replies.expect_more(false);
        }
        if self.receiver.owner() == owner && owner != Owner::Pieces {
            return Ok(());
        }
        self.take_over(owner, replies)
    }

    fn take_over(&mut self, owner: Owner, replies: &mut dyn Replies) -> Result<(), Stop> {
        if self.receiver.owner() == Owner::Whole {
            self.message.rest();
            let is_begun = self.receiver.decoder().message().is_some();
            if is_begun || self.cold.arrived.is_some() {
                return Err(ErrorKind::MessageInProgress.into());
            }
        }
        // A header that was read alone belongs to the next call of any kind. A second `message_reader` skips what the
        // first has left.
        if !(self.receiver.owner() == Owner::Frames && self.receiver.decoder().is_untouched()) {
            self.receiver.set_owner(Owner::NoCall);
            self.message.forget();
            self.skip_message(replies)?;
        }
        self.receiver.set_owner(owner);
        let limits = self.receiver.decoder_mut().limits_mut();
        *limits = self.cold.limits;
        if owner != Owner::Whole {
            // The limit is on memory, and such a message is not held in memory.
            limits.message = Limits::UNLIMITED.message;
            return Ok(());
        }
        let checked = self.receiver.decoder_mut().check_message_limit();
        checked.map_err(|violation| self.fail(violation, replies).into())
    }

    /// Returns whether nothing has begun or ended, all that was read is used up, and no extension is used.
    pub(super) fn is_as_new(&self) -> bool {
        self.receiver.is_at_rest()
            && self.unread.is_empty()
            && self.message.is_empty()
            && self.cold.arrived.is_none()
            && !self.has_ended()
    }

    /// Returns which end this is.
    pub(crate) fn role(&self) -> Role {
        self.receiver.decoder().role()
    }

    pub(super) fn is_in_data_frame(&self) -> bool {
        let frame = self.receiver.decoder().frame();
        frame.is_some_and(|frame| !frame.opcode().is_control())
    }

    fn skip_message(&mut self, replies: &mut dyn Replies) -> Result<(), Stop> {
        loop {
            self.discard_encoded(replies)?;
            if self.receiver.decoder().message().is_none() {
                return Ok(());
            }
            self.discard_piece(replies)?;
        }
    }

    /// Decodes what has been read, up to the end of the next message.
    #[inline]
    fn decode_buffered(&mut self, replies: &mut dyn Replies) -> Result<Option<Found>, Stop> {
        while !self.unread.is_empty() || self.has_event() {
            let input = &mut self.buffer[self.unread.clone()];
            let (used, event) = match self.receiver.receive(input, &mut self.message) {
                Ok(received) => received,
                Err(violation) => return Err(self.fail(violation, replies).into()),
            };
            self.unread.start += used;
            match event {
                Some(Event::Message(message)) => {
                    let (opcode, rsv, len) =
                        (message.opcode(), message.rsv(), message.payload().len());
                    let end = self.unread.start;
                    let place = (!self.message.is_complete()).then(|| end - len..end);
                    self.record_use(place.is_none());
                    return Ok(Some(Found { opcode, rsv, place }));
                }
                Some(control) if self.cold.answer(&control, replies) => {
                    return Err(self.end(replies).into());
                }
                Some(_) | None => {}
            }
        }
        Ok(None)
    }

    pub(crate) fn decode_header(&mut self, replies: &mut dyn Replies) -> Result<(), Stop> {
        let input = &self.buffer[self.unread.clone()];
        match self.receiver.decoder_mut().decode_header(input) {
            Ok(used) => {
                self.unread.start += used;
                Ok(())
            }
            Err(violation) => Err(self.fail(violation, replies).into()),
        }
    }

    /// Handles what has been read of the control frame under way, and no more.
    pub(super) fn control_piece(&mut self, replies: &mut dyn Replies) -> Result<(), Stop> {
        let decoder = self.receiver.decoder();
        let len = usize::try_from(decoder.remaining()).unwrap_or(usize::MAX);
        let end = self.unread.end.min(self.unread.start.saturating_add(len));
        let input = &mut self.buffer[self.unread.start..end];
        let (used, event) = match self.receiver.receive_piece(input, &mut self.message) {
            Ok(received) => received,
            Err(violation) => return Err(self.fail(violation, replies).into()),
        };
        self.unread.start += used;
        if let Some(PieceEvent::Control(event)) = event
            && self.cold.answer(&event, replies)
        {
            return Err(self.end(replies).into());
        }
        Ok(())
    }

    /// Handles what has been read and discards the data in it.
    fn discard_piece(&mut self, replies: &mut dyn Replies) -> Result<(), Stop> {
        self.check_ended(replies)?;
        self.discard_encoded(replies)?;
        self.need_bytes()?;
        let input = &mut self.buffer[self.unread.clone()];
        let (used, event) = match self.receiver.skip_piece(input, &mut self.message) {
            Ok(skipped) => skipped,
            Err(violation) => return Err(self.fail(violation, replies).into()),
        };
        self.unread.start += used;
        if let Some(event) = event
            && self.cold.answer(&event, replies)
        {
            return Err(self.end(replies).into());
        }
        Ok(())
    }

    /// Stops unless something is left to decode.
    pub(super) fn need_bytes(&self) -> Result<(), Stop> {
        if self.unread.is_empty() && !self.has_event() {
            return Err(Stop::Bytes);
        }
        Ok(())
    }

    /// Returns whether the frame under way is empty, and so needs no further byte.
    fn has_event(&self) -> bool {
        let decoder = self.receiver.decoder();
        decoder.frame().is_some() && decoder.remaining() == 0
    }

    /// Gives back memory that holds nothing while a read has to wait.
    pub(crate) fn wait(&mut self) {
        self.give_read_buffer();
        self.record_wait();
    }

    /// Records that the stream has failed, or ended without a Close frame: nothing more will arrive.
    pub(crate) fn lose(&mut self, replies: &mut dyn Replies) {
        self.give_read_buffer();
        self.receiver.end();
        replies.reply(Reply::Lost);
    }

    fn give_read_buffer(&mut self) {
        if self.unread.is_empty() && self.cold.encoded.is_none() {
            // An old place would lie outside the buffer that comes next.
            self.unread = 0..0;
            if self.buffer.len() > self.cold.read_buffer {
                // It grew for this connection alone, and would be too long for others.
                self.buffer = Vec::new();
            }
            self.cold.buffers.give_read(&mut self.buffer);
        }
    }

    /// Gives back all memory.
    pub(crate) fn give_memory(&mut self) {
        self.unread = 0..0;
        self.give_read_buffer();
        self.give_message_memory();
    }

    #[inline]
    pub(crate) fn check_ended(&self, replies: &dyn Replies) -> Result<(), Error> {
        if self.has_ended() {
            return Err(replies.read_error());
        }
        Ok(())
    }

    /// Ends the reading after a violation, and has it answered.
    pub(crate) fn fail(&mut self, violation: Violation, replies: &mut dyn Replies) -> Error {
        replies.reply(Reply::Violation(violation));
        self.end(replies)
    }

    /// Ends the reading after a Close frame or a violation that was answered, and returns the error that says so.
    pub(crate) fn end(&mut self, replies: &dyn Replies) -> Error {
        self.cold.has_unsent_reply = true;
        self.cold.buffers.give_read(&mut self.buffer);
        self.buffer = Vec::new();
        self.unread = 0..0;
        self.message = MessageBuffer::new();
        self.receiver.end();
        replies.read_error()
    }
}
