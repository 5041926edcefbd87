//! Messages that are written in pieces.

use std::mem;

use super::Outbound;
use super::fragment::Fragment;
use crate::error::Error;
use crate::protocol::{SendError, Transformed, Until};

/// What to do next for a message that is written in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceStep {
    /// Send the fragment and ask again. After the last fragment, which has FIN, there is nothing to ask.
    Send {
        fin: bool,
    },
    Done,
}

impl Fragment {
    /// Makes room for more of the message.
    pub(crate) fn make_room(&mut self, outbound: &mut Outbound) -> Result<PieceStep, Error> {
        if self.is_encoded && !self.encode_unread(outbound)? {
            return Ok(PieceStep::Send { fin: false });
        }
        Ok(if self.is_full() {
            PieceStep::Send { fin: false }
        } else {
            PieceStep::Done
        })
    }

    /// Takes some of `input`, where there is [room](Self::make_room). Takes nothing where earlier input has used up
    /// the room.
    pub(crate) fn take(&mut self, outbound: &mut Outbound, input: &[u8]) -> Result<usize, Error> {
        if self.is_encoded {
            return Ok(self.encode(outbound, input, Until::More)?.consumed);
        }
        let room = self.room();
        let len = room.len().min(input.len());
        room[..len].copy_from_slice(&input[..len]);
        self.filled += len;
        Ok(len)
    }

    /// Says what to do to send all that was taken so far.
    pub(crate) fn flush(&mut self, outbound: &mut Outbound) -> Result<PieceStep, Error> {
        if self.is_encoded && !self.encode_all(outbound, Until::Flush)? {
            return Ok(PieceStep::Send { fin: false });
        }
        Ok(if self.is_empty() {
            PieceStep::Done
        } else {
            PieceStep::Send { fin: false }
        })
    }

    /// Says what to do to send the rest, the last fragment with FIN. The caller then [closes](Self::close) the
    /// message.
    pub(crate) fn finish(&mut self, outbound: &mut Outbound) -> Result<PieceStep, Error> {
        if self.is_encoded && !self.encode_all(outbound, Until::End)? {
            return Ok(PieceStep::Send { fin: false });
        }
        Ok(PieceStep::Send {
            fin: self.filled <= self.chunk_size,
        })
    }

    /// Ends the message, whose last fragment was sent, and returns its length.
    pub(crate) fn close(&mut self, outbound: &mut Outbound) -> u64 {
        self.chunk_size = 0;
        if self.is_encoded {
            outbound.end_encoded();
            return self.input.taken();
        }
        self.sent
    }

    /// Transforms all that was taken so far. `false` where a fragment must be sent first.
    pub(super) fn encode_all(
        &mut self,
        outbound: &mut Outbound,
        until: Until,
    ) -> Result<bool, Error> {
        if !self.encode_unread(outbound)? {
            return Ok(false);
        }
        if until == Until::End {
            self.input.check_whole()?;
        }
        while until == Until::Flush || !self.input.is_ended {
            if self.is_full() {
                return Ok(false);
            }
            let is_done = self.encode(outbound, &[], until)?.done;
            self.input.is_ended = is_done && until == Until::End;
            if is_done {
                break;
            }
        }
        Ok(true)
    }

    /// Transforms what came from a source, which precedes what is written now. `false` where a fragment must be sent
    /// first.
    pub(super) fn encode_unread(&mut self, outbound: &mut Outbound) -> Result<bool, Error> {
        while !self.input.unread.is_empty() {
            if self.is_full() {
                return Ok(false);
            }
            let bytes = mem::take(&mut self.input.bytes);
            let unread = self.input.unread.clone();
            let encoded = self.encode(outbound, &bytes[unread], Until::More);
            self.input.bytes = bytes;
            self.input.unread.start += encoded?.consumed;
        }
        Ok(true)
    }

    /// Transforms `input` into the fragment, which is not full.
    pub(super) fn encode(
        &mut self,
        outbound: &mut Outbound,
        input: &[u8],
        until: Until,
    ) -> Result<Transformed, Error> {
        self.input.check()?;
        outbound.check_open()?;
        let extension = outbound.sender.message_encoder_mut();
        let extension = extension.ok_or(SendError::Compression)?;
        let encoded = extension.encode(input, until, self.room())?;
        self.input.is_ended = false;
        self.fill(encoded.produced);
        self.input.take(&input[..encoded.consumed])?;
        Ok(encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Config;
    use crate::frame::{Opcode, Rsv};
    use crate::pool::Buffers;
    use crate::protocol::{Encoder, MessageEncoder, Sender};

    /// Leaves messages as they are, and writes down where they are flushed and ended.
    #[derive(Debug, Default)]
    struct Marks {
        messages: u8,
    }

    impl MessageEncoder for Marks {
        fn rsv(&self) -> Rsv {
            Rsv::RSV1
        }

        fn set_enabled(&mut self, _enabled: bool) {}

        fn wants(&self, _len: Option<usize>) -> bool {
            true
        }

        fn begin(&mut self) -> bool {
            true
        }

        fn encode(
            &mut self,
            input: &[u8],
            until: Until,
            output: &mut [u8],
        ) -> Result<Transformed, SendError> {
            let mark: &[u8] = match until {
                Until::More => b"",
                Until::Flush => b"F",
                Until::End => b"E",
            };
            let produced = input.len() + mark.len();
            output[..produced].copy_from_slice(&[input, mark].concat());
            Ok(Transformed {
                consumed: input.len(),
                produced,
                done: true,
            })
        }

        fn end(&mut self) {
            self.messages += 1;
        }

        fn abandon(&mut self) {}
    }

    #[test]
    fn a_message_is_flushed_each_time_and_ended_once_unless_more_follows() {
        let sender = Sender::new(Encoder::server());
        let mut outbound = Outbound::new(sender, &Config::default(), Buffers::Kept);
        outbound.set_message_encoder(Box::<Marks>::default());
        let mut fragment = outbound.open_message(Opcode::Binary.into(), None).unwrap();
        let (send, last) = (
            PieceStep::Send { fin: false },
            PieceStep::Send { fin: true },
        );
        assert_eq!(fragment.take(&mut outbound, b"a").unwrap(), 1);
        for payload in [&b"aF"[..], b"aFF"] {
            assert_eq!(fragment.flush(&mut outbound).unwrap(), send);
            assert_eq!(fragment.payload(), payload);
        }
        for _ in 0..2 {
            assert_eq!(fragment.finish(&mut outbound).unwrap(), last);
            assert_eq!(fragment.payload(), b"aFFE");
        }
        assert_eq!(fragment.take(&mut outbound, b"b").unwrap(), 1);
        assert_eq!(fragment.finish(&mut outbound).unwrap(), last);
        assert_eq!(fragment.payload(), b"aFFEbE");
        assert_eq!(fragment.close(&mut outbound), 2);
        let extension = format!("{:?}", outbound.sender.message_encoder_mut());
        assert!(extension.contains("messages: 1"), "{extension}");
    }
}
