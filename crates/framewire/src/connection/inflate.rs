//! Compressed messages that are read as a stream.

use std::ops::Range;

use super::reader::Reader;
use super::transport::Transport;
use crate::error::Error;
use crate::frame::{Opcode, Violation};
use crate::protocol::Piece;

/// A piece of a compressed message, by its place in the read buffer.
#[derive(Debug)]
pub(crate) struct CompressedPiece {
    pub(crate) opcode: Opcode,
    pub(crate) place: Range<usize>,
    pub(crate) last: bool,
}

impl CompressedPiece {
    /// The place of a piece that ends where the used part of the read buffer does.
    pub(crate) fn new(piece: &Piece<'_>, end: usize) -> Self {
        Self {
            opcode: piece.opcode,
            place: end - piece.payload.len()..end,
            last: piece.last,
        }
    }
}

impl Reader {
    /// Decompresses what is there of the piece that was decoded last: how many bytes of `output`
    /// that filled, 0 at the end of the message; `None` where more has to be decoded first.
    pub(crate) fn inflate_piece(
        &mut self,
        output: &mut [u8],
        transport: &mut impl Transport,
    ) -> Result<Option<usize>, Error> {
        let Some(mut piece) = self.apart.compressed.take() else {
            return Ok(None);
        };
        let input = &self.buffer[piece.place.clone()];
        let inflated = self
            .receiver
            .inflate(input, piece.opcode, piece.last, output);
        let inflated = inflated.map_err(|violation| self.fail(violation, transport))?;
        let ended = piece.last && inflated.done;
        if inflated.produced > 0 || ended {
            self.apart.fruitless = 0;
        } else {
            self.apart.fruitless += inflated.consumed as u64;
            if self.apart.fruitless > MOST_FRUITLESS {
                let most = MOST_FRUITLESS;
                return Err(self.fail(Violation::CompressedToNothing { most }, transport));
            }
        }
        if !inflated.done {
            piece.place.start += inflated.consumed;
            self.apart.compressed = Some(piece);
        }
        Ok((inflated.produced > 0 || ended).then_some(inflated.produced))
    }

    /// Decompresses and forgets a piece: later messages may refer to it.
    pub(crate) fn discard_compressed(
        &mut self,
        transport: &mut impl Transport,
    ) -> Result<(), Error> {
        let mut scratch = [0; SCRATCH];
        while self.apart.compressed.is_some() {
            self.inflate_piece(&mut scratch, transport)?;
        }
        Ok(())
    }
}

const SCRATCH: usize = 4 << 10;
/// Of how many bytes in a row nothing may come out: a peer that has something to say needs some hundred at
/// most, and one that sends empty blocks for ever would keep a read busy for as long.
const MOST_FRUITLESS: u64 = 64 << 10;
