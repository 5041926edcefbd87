//! Transformed messages that are read as a stream.

use std::ops::Range;

use super::inbound::{Inbound, Stop};
use super::replies::Replies;
use crate::frame::{Opcode, Violation};
use crate::protocol::Piece;

/// A piece of a transformed message, by its place in the read buffer.
#[derive(Debug)]
pub(crate) struct EncodedPiece {
    pub(crate) opcode: Opcode,
    pub(crate) place: Range<usize>,
    pub(crate) last: bool,
}

impl EncodedPiece {
    /// The place of a piece that ends where the used part of the read buffer does.
    pub(crate) fn new(piece: &Piece<'_>, end: usize) -> Self {
        Self {
            opcode: piece.opcode,
            place: end - piece.payload.len()..end,
            last: piece.last,
        }
    }
}

impl Inbound {
    /// Transforms back what is there of the piece that was decoded last: how many bytes of `output`
    /// that filled, 0 at the end of the message; `None` where more has to be decoded first.
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
            self.cold.fruitless = 0;
        } else {
            self.cold.fruitless += decoded.consumed as u64;
            if self.cold.fruitless > MOST_FRUITLESS {
                let most = MOST_FRUITLESS;
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

    /// Transforms a piece back and forgets it: later messages may refer to it.
    pub(crate) fn discard_encoded(&mut self, replies: &mut dyn Replies) -> Result<(), Stop> {
        let mut scratch = [0; SCRATCH];
        while self.cold.encoded.is_some() {
            self.decode_piece(&mut scratch, replies)?;
        }
        Ok(())
    }
}

const SCRATCH: usize = 4 << 10;
/// Of how many bytes in a row nothing may come out: a peer that has something to say needs some hundred at
/// most, and one that sends empty blocks for ever would keep a read busy for as long.
const MOST_FRUITLESS: u64 = 64 << 10;
