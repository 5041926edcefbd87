//! What comes back: frames, of which each header is checked, and the payload of the first message.

use anyhow::{Result, bail, ensure};
use flate2::{Decompress, FlushDecompress};

use crate::Deflate;
use crate::script::{Recipe, Script};

/// What every answer has to be.
#[derive(Debug)]
pub(crate) struct Expected {
    opcode: u8,
    payload: Vec<u8>,
    compressed: bool,
    /// A client's answers are masked.
    masked: bool,
}

impl Expected {
    pub(crate) fn new(script: &Script, recipe: Recipe) -> Self {
        Self {
            opcode: script.opcode,
            payload: script.first.clone(),
            compressed: recipe.deflate != Deflate::None,
            masked: !recipe.masked,
        }
    }
}

/// What is to be read next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// Whatever comes.
    All,
    /// A header of this length, and not yet the payload after it.
    Header(usize),
    /// None of the next bytes, this many.
    Nothing(usize),
}

/// The answers on one connection, decoded as they come.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The beginning of a header.
    head: Vec<u8>,
    /// How many bytes of the frame's payload are still to come.
    remaining: usize,
    /// A message began and did not end.
    in_message: bool,
    /// The frame is the last one of its message.
    last: bool,
    /// The size of the message so far.
    length: usize,
    messages: u64,
    /// The payload of the first message so far.
    first: Vec<u8>,
    key: [u8; 4],
}

impl Answers {
    /// Takes bytes that came, and returns how many messages end in them.
    pub(crate) fn take(&mut self, mut data: &[u8], expected: &Expected) -> Result<usize> {
        let mut messages = 0;
        loop {
            if self.remaining > 0 {
                let some = self.remaining.min(data.len());
                let (payload, rest) = data.split_at(some);
                if self.messages == 0 {
                    self.first.extend_from_slice(payload);
                }
                self.remaining -= some;
                data = rest;
                if self.remaining > 0 {
                    return Ok(messages);
                }
                messages += self.end_frame(expected)?;
            }
            if data.is_empty() {
                return Ok(messages);
            }
            let Some(used) = self.begin_frame(data, expected)? else {
                return Ok(messages);
            };
            data = &data[used..];
            if self.remaining == 0 {
                messages += self.end_frame(expected)?;
            }
        }
    }

    /// Returns what is worth reading: of long messages only the headers, once the first one was right.
    pub(crate) fn wanted(&self, expected: &Expected) -> Wanted {
        let length = expected.payload.len();
        if self.messages == 0 || expected.compressed || expected.masked || length < LONG {
            return Wanted::All;
        }
        if self.remaining >= LONG {
            return Wanted::Nothing(self.remaining);
        }
        let is_between = self.remaining == 0 && self.head.is_empty() && !self.in_message;
        if !is_between {
            return Wanted::All;
        }
        Wanted::Header(if u16::try_from(length).is_ok() { 4 } else { 10 })
    }

    /// Takes bytes of a payload that were not read, and returns how many messages end in them.
    pub(crate) fn skip(&mut self, bytes: usize, expected: &Expected) -> Result<usize> {
        self.remaining -= bytes;
        if self.remaining > 0 {
            return Ok(0);
        }
        self.end_frame(expected)
    }

    /// Returns the number of all messages that came.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Takes a header, and returns how many of the bytes belong to it; `None` if more are needed.
    fn begin_frame(&mut self, data: &[u8], expected: &Expected) -> Result<Option<usize>> {
        let before = self.head.len();
        if before == 0 {
            let header = self.header(data, expected)?;
            if header.is_none() {
                self.head.extend_from_slice(data);
            }
            return Ok(header);
        }
        let mut head = std::mem::take(&mut self.head);
        head.extend_from_slice(&data[..data.len().min(LONGEST_HEADER - before)]);
        let header = self.header(&head, expected)?;
        if header.is_none() {
            self.head = head;
        }
        Ok(header.map(|used| used - before))
    }

    fn header(&mut self, data: &[u8], expected: &Expected) -> Result<Option<usize>> {
        let &[first, second, ref rest @ ..] = data else {
            return Ok(None);
        };
        let (length, rest) = match second & 0x7F {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (usize::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (usize::try_from(u64::from_be_bytes(*length))?, rest),
                None => return Ok(None),
            },
            length => (usize::from(length), rest),
        };
        let rest = if expected.masked {
            match rest.split_first_chunk() {
                Some((key, rest)) => {
                    self.key = *key;
                    rest
                }
                None => return Ok(None),
            }
        } else {
            rest
        };
        let masked = second & 0x80 != 0;
        ensure!(
            masked == expected.masked,
            "a frame that is masked or not as it should be: {second:#04x}"
        );
        let wanted = match (self.in_message, expected.compressed) {
            (true, _) => 0,
            (false, true) => 0x40 | expected.opcode,
            (false, false) => expected.opcode,
        };
        if first & 0x7F != wanted {
            bail!(
                "a frame that begins with {first:#04x} instead of {wanted:#04x}: {:?}",
                String::from_utf8_lossy(&data[..data.len().min(64)])
            );
        }
        self.last = first & 0x80 != 0;
        self.in_message = true;
        self.remaining = length;
        self.length += length;
        Ok(Some(data.len() - rest.len()))
    }

    fn end_frame(&mut self, expected: &Expected) -> Result<usize> {
        if !self.last {
            ensure!(!expected.masked, "a client's answer is in one frame here");
            return Ok(0);
        }
        if !expected.compressed {
            ensure!(
                self.length == expected.payload.len(),
                "an answer of {} bytes instead of {}",
                self.length,
                expected.payload.len()
            );
        }
        if self.messages == 0 {
            self.check_first(expected)?;
        }
        self.messages += 1;
        self.in_message = false;
        self.length = 0;
        Ok(1)
    }

    fn check_first(&mut self, expected: &Expected) -> Result<()> {
        let mut first = std::mem::take(&mut self.first);
        if expected.masked {
            let key = self.key.iter().cycle();
            first.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        }
        if expected.compressed {
            first.extend([0, 0, 0xFF, 0xFF]);
            let mut inflated = Vec::with_capacity(expected.payload.len() + 1);
            Decompress::new(false).decompress_vec(&first, &mut inflated, FlushDecompress::Sync)?;
            first = inflated;
        }
        ensure!(
            first == expected.payload,
            "the first answer is another payload"
        );
        Ok(())
    }
}

/// A payload that it costs less to throw away than to read.
const LONG: usize = 8 << 10;
/// The header of a client's frame of 64 KiB or more.
const LONGEST_HEADER: usize = 14;

#[cfg(test)]
mod tests {
    use super::{Answers, Expected};
    use crate::script::frame;

    fn expected(masked: bool) -> Expected {
        Expected {
            opcode: 2,
            payload: vec![7; 200],
            compressed: false,
            masked,
        }
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        for masked in [false, true] {
            let bytes = frame(0x82, &[7; 200], masked).repeat(5);
            for chunk in 1..bytes.len() {
                let mut answers = Answers::default();
                let taken = bytes
                    .chunks(chunk)
                    .map(|data| answers.take(data, &expected(masked)).unwrap());
                assert_eq!(taken.sum::<usize>(), 5, "in chunks of {chunk}");
            }
        }
    }

    #[test]
    fn fragments_are_one_message() {
        let mut answers = Answers::default();
        let mut bytes = frame(0x02, &[7; 150], false);
        bytes.extend(frame(0x00, &[], false));
        bytes.extend(frame(0x80, &[7; 50], false));
        assert_eq!(answers.take(&bytes, &expected(false)).unwrap(), 1);
    }

    #[test]
    fn wrong_answers_are_errors() {
        for wrong in [
            frame(0x81, &[7; 200], false),
            frame(0xC2, &[7; 200], false),
            frame(0x82, &[7; 199], false),
            frame(0x82, &[8; 200], false),
            frame(0x82, &[7; 200], true),
            frame(0x89, &[], false),
            frame(0x80, &[7; 200], false),
        ] {
            let mut answers = Answers::default();
            assert!(answers.take(&wrong, &expected(false)).is_err());
        }
    }
}
