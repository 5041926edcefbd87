//! The reading side of a connection, without the stream that it reads from.

use std::io;
use std::mem;
use std::ops::Range;

use super::handlers::{Handlers, Slot, get_mut, handle};
#[cfg(feature = "deflate")]
use super::inflate::CompressedPiece;
use super::transport::{Reply, Transport};
use super::{Buffers, Config};
#[cfg(feature = "deflate")]
use crate::deflate::Inflater;
use crate::error::{Closed, Error, ErrorKind, would_block};
use crate::frame::{Header, MAX_HEADER, Opcode, Rsv, Violation};
use crate::protocol::{Event, Limits, Message, MessageBuffer, PieceEvent, Receiver, Role};

/// The read buffer, the message that is being put together, and whose it is.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) receiver: Receiver,
    pub(crate) buffer: Vec<u8>,
    /// What of the buffer was read and not used up.
    pub(crate) unread: Range<usize>,
    pub(crate) message: MessageBuffer,
    /// Which kind of call began what is under way: no other can go on with it.
    pub(super) owner: Owner,
    /// How many events in a row had no use for the memory of `message`.
    pub(super) unused: u8,
    pub(crate) apart: Box<Apart>,
}

/// What the steps of decoding do not look at. A task's size is rounded up by its runtime: with this
/// in its own memory, that of a connection is less by a step.
#[derive(Debug)]
pub(crate) struct Apart {
    pub(crate) ended: Option<Box<Ended>>,
    pub(super) handlers: Slot,
    pub(super) buffers: Buffers,
    pub(super) limits: Limits,
    pub(super) read_buffer: usize,
    coalesce_writes: bool,
    /// Whether a Ping was answered since replies were sent last.
    pub(super) owes_reply: bool,
    #[cfg(feature = "futures")]
    told_end: bool,
    /// What was read of a compressed message that is streamed, and not yet decompressed.
    #[cfg(feature = "deflate")]
    pub(crate) compressed: Option<CompressedPiece>,
    /// How many bytes of it in a row gave nothing.
    #[cfg(feature = "deflate")]
    pub(crate) fruitless: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// `next_message` and `read_message`, which hold what has come of it.
    Assembly,
    /// `message_reader`.
    Stream,
    /// `read_header` and `read_frame`.
    Frames,
    /// None: what is left of it is being skipped.
    Nobody,
}

/// Why nothing more will come.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// By a Close frame of the peer's: the transport knows more.
    Closed,
    Violation(Violation),
    Lost,
}

/// A message, by where it is.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    opcode: Opcode,
    rsv: Rsv,
    /// Its place in the read buffer; `None` where it was assembled.
    place: Option<Range<usize>>,
}

impl Reader {
    pub(crate) fn new(role: Role, config: &Config, leftover: &[u8], buffers: Buffers) -> Self {
        let mut receiver = Receiver::new(role, config.limits);
        receiver.decoder_mut().allow_rsv(config.rsv);
        Self {
            receiver,
            buffer: leftover.to_vec(),
            unread: 0..leftover.len(),
            message: MessageBuffer::new(),
            owner: Owner::Assembly,
            unused: 0,
            apart: Box::new(Apart {
                ended: None,
                handlers: None,
                buffers,
                limits: config.limits,
                read_buffer: config.read_buffer,
                coalesce_writes: config.coalesce_writes,
                owes_reply: false,
                #[cfg(feature = "futures")]
                told_end: false,
                #[cfg(feature = "deflate")]
                compressed: None,
                #[cfg(feature = "deflate")]
                fruitless: 0,
            }),
        }
    }

    /// Has compressed messages decompressed from now on.
    #[cfg(feature = "deflate")]
    pub(crate) fn set_inflater(&mut self, inflater: Inflater) {
        self.receiver.set_inflater(inflater);
    }

    /// What was read and not used up: a header of whose payload nothing has come, too, whole or not.
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
        self.apart.buffers = buffers;
    }

    /// The application's handlers, to be set.
    pub(crate) fn handlers_mut(&mut self) -> &mut Handlers {
        get_mut(self.apart.handlers.get_or_insert_default())
    }

    /// Notes that a `Stream` has told its end. Nothing more comes, after an error of the stream that need
    /// not be the last, too.
    #[cfg(feature = "futures")]
    pub(crate) fn tell_end(&mut self) {
        self.apart.told_end = true;
        self.apart
            .ended
            .get_or_insert_with(|| Box::new(Ended::Lost));
    }

    #[cfg(feature = "futures")]
    pub(crate) fn has_told_end(&self) -> bool {
        self.apart.told_end
    }

    /// Gives nothing any more: this end has aborted the connection.
    pub(crate) fn abort(&mut self) {
        self.apart.ended = Some(Box::new(Ended::Lost));
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.apart.ended.is_some()
    }

    /// The next whole message. [`lend`](Self::lend) gives its bytes.
    pub(crate) fn next_message(&mut self, transport: &mut impl Transport) -> Result<Found, Error> {
        self.own(Owner::Assembly, transport)?;
        loop {
            if let Some(found) = self.decode_buffered(transport)? {
                self.send_replies(transport);
                if self.apart.coalesce_writes {
                    transport.hold_back(self.has_whole_frame());
                }
                return Ok(found);
            }
            if let Some(found) = self.read_into_message(transport)? {
                return Ok(found);
            }
        }
    }

    /// Sends the Pongs that are owed before something is handed over: the application may take its time
    /// with that, and the peer is not to think that nobody is here.
    pub(super) fn send_replies(&mut self, transport: &mut impl Transport) {
        if mem::take(&mut self.apart.owes_reply) {
            transport.settle();
        }
    }

    /// Whether another frame can be decoded without a read.
    fn has_whole_frame(&self) -> bool {
        let unread = &self.buffer[self.unread.clone()];
        match Header::decode(unread) {
            Ok(Some((header, len))) => header.payload_len() <= (unread.len() - len) as u64,
            Ok(None) | Err(_) => false,
        }
    }

    pub(crate) fn lend(&mut self, found: &Found) -> Message<'_> {
        let payload = match &found.place {
            Some(place) => &mut self.buffer[place.clone()],
            None => self.message.message(),
        };
        Message::new(found.opcode, found.rsv, payload)
    }

    /// Appends the message to `output`, or gives it the memory where `output` is empty.
    pub(crate) fn hand_over(&mut self, found: &Found, output: &mut Vec<u8>) -> (Opcode, Rsv) {
        match &found.place {
            Some(place) => output.extend_from_slice(&self.buffer[place.clone()]),
            None if output.is_empty() => self.message.swap(output),
            None => output.extend_from_slice(self.message.message()),
        }
        (found.opcode, found.rsv)
    }

    /// Begins the next message and says what it is. What is left of one that was streamed before
    /// is skipped.
    pub(crate) fn begin_stream(
        &mut self,
        transport: &mut impl Transport,
    ) -> Result<(Opcode, Rsv), Error> {
        self.own(Owner::Stream, transport)?;
        #[cfg(feature = "deflate")]
        {
            self.apart.fruitless = 0;
        }
        loop {
            let frame = self.receiver.decoder().frame();
            match frame.map(|frame| (frame.opcode(), frame.rsv())) {
                Some((opcode, rsv)) if !opcode.is_control() => {
                    self.send_replies(transport);
                    return Ok((opcode, self.given_rsv(rsv)));
                }
                Some(_) => {
                    self.fill_if_empty(transport)?;
                    self.control_piece(transport)?;
                }
                None => {
                    self.fill_if_empty(transport)?;
                    self.decode_header(transport)?;
                }
            }
        }
    }

    /// The message that was begun as a stream and has not been read to its end.
    pub(crate) fn streamed(&self) -> Option<(Opcode, Rsv)> {
        if self.owner != Owner::Stream || self.apart.ended.is_some() {
            return None;
        }
        let decoder = self.receiver.decoder();
        let rsv = self.given_rsv(decoder.message_rsv());
        #[cfg(feature = "deflate")]
        if let Some(piece) = &self.apart.compressed {
            return Some((piece.opcode, rsv));
        }
        Some((decoder.message()?, rsv))
    }

    /// The reserved bits that the caller has to know of: not that of a compression that is undone.
    fn given_rsv(&self, rsv: Rsv) -> Rsv {
        if self.receiver.is_compressed(rsv) {
            rsv.without(Rsv::RSV1)
        } else {
            rsv
        }
    }

    /// Reads bytes of the streamed message; 0 at its end.
    pub(crate) fn read_stream(
        &mut self,
        output: &mut [u8],
        transport: &mut impl Transport,
    ) -> Result<usize, Error> {
        // A message that was cut short has no end to tell.
        self.check_ended(transport)?;
        if output.is_empty() || self.streamed().is_none() {
            return Ok(0);
        }
        let rsv = self.receiver.decoder().message_rsv();
        let is_compressed = self.receiver.is_compressed(rsv);
        loop {
            #[cfg(feature = "deflate")]
            if let Some(len) = self.inflate_piece(output, transport)? {
                self.send_replies(transport);
                return Ok(len);
            }
            let mut end = self.unread.end;
            if !is_compressed {
                if let Some(len) = self.read_payload_into(output, transport)? {
                    return Ok(len);
                }
                end = end.min(self.unread.start + output.len());
            }
            let input = &mut self.buffer[self.unread.start..end];
            let (used, event) = match self.receiver.receive_piece(input, &mut self.message) {
                Ok(received) => received,
                Err(violation) => return Err(self.fail(violation, transport)),
            };
            self.unread.start += used;
            match event {
                #[cfg(feature = "deflate")]
                Some(PieceEvent::Data(piece)) if is_compressed => {
                    self.apart.compressed = Some(CompressedPiece::new(&piece, self.unread.start));
                    continue;
                }
                Some(PieceEvent::Data(piece)) => {
                    let (len, last) = (piece.payload.len(), piece.last);
                    output[..len].copy_from_slice(piece.payload);
                    if len > 0 || last {
                        self.send_replies(transport);
                        return Ok(len);
                    }
                }
                Some(PieceEvent::Control(event)) if handle(&mut self.apart, &event, transport) => {
                    return Err(self.close(transport));
                }
                Some(PieceEvent::Control(_)) | None => {}
            }
            self.fill_if_empty(transport)?;
        }
    }

    /// Reads and forgets everything until the connection ends; `Ok` where a Close frame came.
    pub(crate) fn discard(&mut self, transport: &mut impl Transport) -> Result<Closed, Error> {
        self.owner = Owner::Nobody;
        self.message.forget();
        #[cfg(feature = "deflate")]
        {
            self.apart.fruitless = 0;
        }
        *self.receiver.decoder_mut().limits_mut() = Limits::UNLIMITED;
        loop {
            match self.discard_piece(transport) {
                Ok(()) => {}
                Err(error) => match error.into_kind() {
                    ErrorKind::Closed(closed) => return Ok(closed),
                    kind => return Err(kind.into()),
                },
            }
        }
    }

    /// Reads until the stream ends: after the Close frames, the server closes it
    /// (RFC 6455 7.1.1).
    pub(crate) fn wait_for_end(&mut self, transport: &mut impl Transport) -> io::Result<()> {
        self.unread = 0..0;
        self.take_buffer();
        let waited = loop {
            match read_once(&mut self.buffer[..self.apart.read_buffer], transport) {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        self.apart.buffers.give_read(&mut self.buffer);
        self.give_message_memory();
        waited
    }

    /// Takes over from another kind of call: skips what that one has left, or refuses where it
    /// holds a part of a message that would be lost.
    pub(crate) fn own(
        &mut self,
        owner: Owner,
        transport: &mut impl Transport,
    ) -> Result<(), Error> {
        self.check_ended(transport)?;
        transport.hold_back(false);
        if self.owner == Owner::Assembly {
            self.message.rest();
        }
        // A second message_reader skips what the first has left.
        if self.owner != owner || owner == Owner::Stream {
            let decoder = self.receiver.decoder();
            if self.owner == Owner::Assembly && decoder.message().is_some() {
                return Err(ErrorKind::MessageInProgress.into());
            }
            // A header that was only looked at belongs to the next call of any kind.
            if !(self.owner == Owner::Frames && decoder.is_untouched()) {
                self.owner = Owner::Nobody;
                self.message.forget();
                self.skip_message(transport)?;
            }
            self.owner = owner;
        }
        *self.receiver.decoder_mut().limits_mut() = self.apart.limits;
        if owner != Owner::Assembly {
            // A message that is not held is not bound by what may be held.
            self.receiver.decoder_mut().limits_mut().message = Limits::UNLIMITED.message;
            return Ok(());
        }
        let checked = self.receiver.decoder_mut().check_message_limit();
        checked.map_err(|violation| self.fail(violation, transport))
    }

    /// Nothing is under way, and nothing is held for the next call.
    pub(super) fn is_at_rest(&self) -> bool {
        let decoder = self.receiver.decoder();
        decoder.message().is_none() && decoder.frame().is_none() && self.message.is_empty()
    }

    fn is_in_data_frame(&self) -> bool {
        let frame = self.receiver.decoder().frame();
        frame.is_some_and(|frame| !frame.opcode().is_control())
    }

    fn skip_message(&mut self, transport: &mut impl Transport) -> Result<(), Error> {
        loop {
            #[cfg(feature = "deflate")]
            self.discard_compressed(transport)?;
            if self.receiver.decoder().message().is_none() {
                return Ok(());
            }
            self.discard_piece(transport)?;
        }
    }

    /// Decodes what has been read until it gives a message.
    fn decode_buffered(&mut self, transport: &mut impl Transport) -> Result<Option<Found>, Error> {
        while !self.unread.is_empty() || self.has_event() {
            let input = &mut self.buffer[self.unread.clone()];
            let (used, event) = match self.receiver.receive(input, &mut self.message) {
                Ok(received) => received,
                Err(violation) => return Err(self.fail(violation, transport)),
            };
            self.unread.start += used;
            match event {
                Some(Event::Message(message)) => {
                    let (opcode, rsv, len) =
                        (message.opcode(), message.rsv(), message.payload().len());
                    let end = self.unread.start;
                    let place = (!self.message.is_complete()).then(|| end - len..end);
                    self.note_use(place.is_none());
                    return Ok(Some(Found { opcode, rsv, place }));
                }
                Some(control) if handle(&mut self.apart, &control, transport) => {
                    return Err(self.close(transport));
                }
                Some(_) | None => {}
            }
        }
        Ok(None)
    }

    /// Reads once: straight into the message where the rest of its frame is long, else into the
    /// read buffer.
    fn read_into_message(
        &mut self,
        transport: &mut impl Transport,
    ) -> Result<Option<Found>, Error> {
        let decoder = self.receiver.decoder();
        let remaining = decoder.remaining();
        let is_compressed = self.receiver.is_compressed(decoder.message_rsv());
        if !self.is_in_data_frame() || is_compressed || remaining < self.apart.read_buffer as u64 {
            self.fill(transport)?;
            return Ok(None);
        }
        self.take_message_memory();
        let room = self.message.room(remaining, self.apart.read_buffer);
        let len = read_once(room, transport);
        let len = self.check_read(len, transport)?;
        let received = self.receiver.received(len, &mut self.message);
        match received {
            Ok(None) => Ok(None),
            Ok(Some((opcode, rsv))) => {
                self.note_use(true);
                Ok(Some(Found {
                    opcode,
                    rsv,
                    place: None,
                }))
            }
            Err(violation) => Err(self.fail(violation, transport)),
        }
    }

    /// Reads a long payload straight into the caller's buffer, where nothing is in between.
    pub(crate) fn read_payload_into(
        &mut self,
        output: &mut [u8],
        transport: &mut impl Transport,
    ) -> Result<Option<usize>, Error> {
        let remaining = self.receiver.decoder().remaining();
        let room = usize::try_from(remaining).map_or(output.len(), |n| n.min(output.len()));
        if !self.is_in_data_frame() || !self.unread.is_empty() || room < self.apart.read_buffer {
            return Ok(None);
        }
        let len = read_once(&mut output[..room], transport);
        let len = self.check_read(len, transport)?;
        match self.receiver.raw_payload(&mut output[..len]) {
            Ok(_) => Ok(Some(len)),
            Err(violation) => Err(self.fail(violation, transport)),
        }
    }

    pub(crate) fn decode_header(&mut self, transport: &mut impl Transport) -> Result<(), Error> {
        let input = &self.buffer[self.unread.clone()];
        match self.receiver.decoder_mut().decode_header(input) {
            Ok(used) => {
                self.unread.start += used;
                Ok(())
            }
            Err(violation) => Err(self.fail(violation, transport)),
        }
    }

    /// Handles what has been read of the control frame that is under way, and no more.
    fn control_piece(&mut self, transport: &mut impl Transport) -> Result<(), Error> {
        let decoder = self.receiver.decoder();
        let len = usize::try_from(decoder.remaining()).unwrap_or(usize::MAX);
        let end = self.unread.end.min(self.unread.start.saturating_add(len));
        let input = &mut self.buffer[self.unread.start..end];
        let (used, event) = match self.receiver.receive_piece(input, &mut self.message) {
            Ok(received) => received,
            Err(violation) => return Err(self.fail(violation, transport)),
        };
        self.unread.start += used;
        if let Some(PieceEvent::Control(event)) = event
            && handle(&mut self.apart, &event, transport)
        {
            return Err(self.close(transport));
        }
        Ok(())
    }

    /// Handles what has been read and forgets the data in it.
    fn discard_piece(&mut self, transport: &mut impl Transport) -> Result<(), Error> {
        self.check_ended(transport)?;
        #[cfg(feature = "deflate")]
        self.discard_compressed(transport)?;
        self.fill_if_empty(transport)?;
        let input = &mut self.buffer[self.unread.clone()];
        let (used, event) = match self.receiver.skip_piece(input, &mut self.message) {
            Ok(skipped) => skipped,
            Err(violation) => return Err(self.fail(violation, transport)),
        };
        self.unread.start += used;
        if let Some(event) = event
            && handle(&mut self.apart, &event, transport)
        {
            return Err(self.close(transport));
        }
        Ok(())
    }

    pub(crate) fn fill_if_empty(&mut self, transport: &mut impl Transport) -> Result<(), Error> {
        if self.unread.is_empty() && !self.has_event() {
            self.fill(transport)?;
        }
        Ok(())
    }

    /// Whether the frame under way needs no further byte: it is empty.
    fn has_event(&self) -> bool {
        let decoder = self.receiver.decoder();
        decoder.frame().is_some() && decoder.remaining() == 0
    }

    pub(crate) fn fill(&mut self, transport: &mut impl Transport) -> Result<(), Error> {
        self.unread = 0..0;
        self.take_buffer();
        let len = read_once(&mut self.buffer[..self.apart.read_buffer], transport);
        let len = self.check_read(len, transport)?;
        self.unread = 0..len;
        Ok(())
    }

    /// The end of the stream, and a read that has to wait, which is when the connection may be at rest.
    fn check_read(
        &mut self,
        read: io::Result<usize>,
        transport: &mut impl Transport,
    ) -> Result<usize, Error> {
        match read {
            Ok(0) => {
                self.lose(transport);
                Err(ErrorKind::ConnectionLost.into())
            }
            Ok(len) => Ok(len),
            Err(error) => {
                if self.unread.is_empty() {
                    // Where it ended is no place in an empty buffer.
                    self.unread = 0..0;
                    self.apart.buffers.give_read(&mut self.buffer);
                }
                if would_block(&error) {
                    self.note_wait();
                } else if transport.is_aborted() {
                    // Every call says so, by itself.
                    transport.note_end();
                } else {
                    self.lose(transport);
                }
                Err(error.into())
            }
        }
    }

    /// The stream is of no use any more: it has ended without a Close frame, or failed.
    fn lose(&mut self, transport: &mut impl Transport) {
        self.apart.ended = Some(Box::new(Ended::Lost));
        #[cfg(feature = "deflate")]
        self.receiver.end();
        transport.reply(Reply::Lost);
        transport.note_end();
    }

    pub(crate) fn check_ended(&self, transport: &mut impl Transport) -> Result<(), Error> {
        match self.apart.ended.as_deref() {
            None => Ok(()),
            Some(Ended::Closed) => Err(closed_error(transport)),
            Some(Ended::Violation(violation)) => Err(ErrorKind::Violation(*violation).into()),
            Some(Ended::Lost) => Err(ErrorKind::ConnectionLost.into()),
        }
    }

    pub(crate) fn close(&mut self, transport: &mut impl Transport) -> Error {
        self.end(Ended::Closed, transport);
        closed_error(transport)
    }

    pub(crate) fn fail(&mut self, violation: Violation, transport: &mut impl Transport) -> Error {
        transport.reply(Reply::Violation(violation));
        self.end(Ended::Violation(violation), transport);
        ErrorKind::Violation(violation).into()
    }

    fn end(&mut self, ended: Ended, transport: &mut impl Transport) {
        self.apart.ended = Some(Box::new(ended));
        self.apart.buffers.give_read(&mut self.buffer);
        self.buffer = Vec::new();
        self.unread = 0..0;
        self.message = MessageBuffer::new();
        #[cfg(feature = "deflate")]
        self.receiver.end();
        transport.settle();
        transport.note_end();
    }
}

fn closed_error(transport: &mut impl Transport) -> Error {
    let closed = transport.closed();
    closed
        .map_or(ErrorKind::ConnectionLost, ErrorKind::Closed)
        .into()
}

fn read_once(buf: &mut [u8], transport: &mut impl Transport) -> io::Result<usize> {
    transport.settle();
    loop {
        match transport.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
