//! Messages that are read as a stream.

use super::cold::EncodedPiece;
use super::inbound::{Inbound, Stop};
use super::replies::Replies;
use crate::frame::{Opcode, Rsv, Violation};
use crate::protocol::{Owner, Piece, PieceEvent};

impl EncodedPiece {
    /// Returns the place of a piece that ends where the used part of the read buffer does.
    pub(crate) fn new(piece: &Piece<'_>, end: usize) -> Self {
        Self {
            opcode: piece.opcode,
            place: end - piece.payload.len()..end,
            last: piece.last,
        }
    }
}

impl Inbound {
    /// Begins the next message and returns its opcode and reserved bits. Skips what is left of a message that was
    /// streamed before.
    pub(crate) fn begin_stream(
        &mut self,
        replies: &mut dyn Replies,
    ) -> Result<(Opcode, Rsv), Stop> {
        self.begin_call(Owner::Pieces, replies)?;
        self.cold.without_output = 0;
        loop {
            let frame = self.receiver.decoder().frame();
            match frame.map(|frame| (frame.opcode(), frame.rsv())) {
                Some((opcode, rsv)) if !opcode.is_control() => {
                    return Ok((opcode, self.receiver.given_rsv(rsv)));
                }
                Some(_) => {
                    self.need_bytes()?;
                    self.control_piece(replies)?;
                }
                None => {
                    self.need_bytes()?;
                    self.decode_header(replies)?;
                }
            }
        }
    }

    /// Returns the opcode and reserved bits of the streamed message that has not been read to its end.
    pub(crate) fn streamed(&self) -> Option<(Opcode, Rsv)> {
        if self.receiver.owner() != Owner::Pieces || self.has_ended() {
            return None;
        }
        let decoder = self.receiver.decoder();
        let rsv = self.receiver.given_rsv(decoder.message_rsv());
        if let Some(piece) = &self.cold.encoded {
            return Some((piece.opcode, rsv));
        }
        Some((decoder.message()?, rsv))
    }

    /// Reads bytes of the streamed message; 0 at its end. Where it needs bytes, a read can go [straight](Self::direct)
    /// into the caller's buffer.
    pub(crate) fn read_stream(
        &mut self,
        output: &mut [u8],
        replies: &mut dyn Replies,
    ) -> Result<usize, Stop> {
        // A message that was cut short is an error, not the end of a message.
        self.check_ended(replies)?;
        if output.is_empty() || self.streamed().is_none() {
            return Ok(0);
        }
        let rsv = self.receiver.decoder().message_rsv();
        let is_encoded = self.receiver.is_encoded(rsv);
        loop {
            while self.cold.encoded.is_some() {
                if let Some(len) = self.decode_piece(output, replies)? {
                    return Ok(len);
                }
            }
            self.need_bytes()?;
            let mut end = self.unread.end;
            if !is_encoded {
                end = end.min(self.unread.start + output.len());
            }
            let input = &mut self.buffer[self.unread.start..end];
            let (used, event) = match self.receiver.receive_piece(input, &mut self.message) {
                Ok(received) => received,
                Err(violation) => return Err(self.fail(violation, replies).into()),
            };
            self.unread.start += used;
            match event {
                Some(PieceEvent::Data(piece)) if is_encoded => {
                    self.cold.encoded = Some(EncodedPiece::new(&piece, self.unread.start));
                }
                Some(PieceEvent::Data(piece)) => {
                    let (len, last) = (piece.payload.len(), piece.last);
                    output[..len].copy_from_slice(piece.payload);
                    if len > 0 || last {
                        return Ok(len);
                    }
                }
                Some(PieceEvent::Control(event)) if self.cold.answer(&event, replies) => {
                    return Err(self.end(replies).into());
                }
                Some(PieceEvent::Control(_)) | None => {}
            }
        }
    }

    /// Transforms back what is there of the piece that was decoded last. Returns how many bytes of `output` that
    /// filled, 0 at the end of the message; `None` where more must be decoded first.
    pub(crate) fn decode_piece(
        &mut self,
        output: &mut [u8],
        replies: &mut dyn Replies,
    ) -> Result<Option<usize>, Stop> {
        let Some(mut piece) = self.cold.encoded.take() else {
            return Ok(None);
        };
        let input = &self.buffer[piece.place.clone()];
        let decoded = self
            .receiver
            .decode(input, piece.opcode, piece.last, output);
        let decoded = decoded.map_err(|violation| self.fail(violation, replies))?;
        let ended = piece.last && decoded.done;
        if decoded.produced > 0 || ended {
            self.cold.without_output = 0;
        } else {
            self.cold.without_output += decoded.consumed as u64;
            if self.cold.without_output > MAX_WITHOUT_OUTPUT {
                let most = MAX_WITHOUT_OUTPUT;
                let violation = Violation::CompressedToNothing { most };
                return Err(self.fail(violation, replies).into());
            }
        }
        if !decoded.done {
            piece.place.start += decoded.consumed;
            self.cold.encoded = Some(piece);
        }
        Ok((decoded.produced > 0 || ended).then_some(decoded.produced))
    }

    /// Transforms a piece back and discards the result: later messages may refer to it.
    pub(crate) fn discard_encoded(&mut self, replies: &mut dyn Replies) -> Result<(), Stop> {
        let mut scratch = [0; SCRATCH];
        while self.cold.encoded.is_some() {
            self.decode_piece(&mut scratch, replies)?;
        }
        Ok(())
    }
}

const SCRATCH: usize = 4 << 10;
/// How many bytes in a row may give nothing. An honest peer needs some hundred at most; one that sends empty blocks
/// for ever would keep a read busy for as long.
const MAX_WITHOUT_OUTPUT: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Config, Outbound};
    use crate::frame::Header;
    use crate::pool::Buffers;
    use crate::protocol::{Encoder, Limits, MessageDecoder, Receiver, Role, Sender, Transformed};

    /// Makes nothing of all that it is given.
    #[derive(Debug)]
    struct Nothing;

    impl MessageDecoder for Nothing {
        fn rsv(&self) -> Rsv {
            Rsv::RSV1
        }

        fn decode(
            &mut self,
            input: &[u8],
            _last: bool,
            _output: &mut [u8],
        ) -> Result<Transformed, Violation> {
            Ok(Transformed {
                consumed: input.len(),
                produced: 0,
                done: true,
            })
        }
    }

    #[test]
    fn a_streamed_message_may_have_64_kib_that_give_nothing_and_no_more() {
        for (len, passes) in [(MAX_WITHOUT_OUTPUT, true), (MAX_WITHOUT_OUTPUT + 1, false)] {
            let header = Header::new(false, Rsv::RSV1, Opcode::Binary, None, len).unwrap();
            let mut read = Vec::new();
            header.append_to(&mut read);
            read.extend((0..len).map(|_| 0));
            let receiver = Receiver::new(Role::Client, Limits::default());
            let mut inbound = Inbound::new(receiver, &Config::default(), &read, Buffers::Kept);
            inbound.set_message_decoder(Box::new(Nothing));
            let sender = Sender::new(Encoder::server());
            let mut outbound = Outbound::new(sender, &Config::default(), Buffers::Kept);
            inbound.begin_stream(&mut outbound).unwrap();
            match inbound.read_stream(&mut [0; 10], &mut outbound) {
                Err(Stop::Bytes) => assert!(passes, "{len}"),
                Err(Stop::Failed(_)) => assert!(!passes, "{len}"),
                Ok(_) => panic!("nothing came of it"),
            }
        }
    }
}
