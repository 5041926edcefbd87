//! From masked frames to unmasked ones, in the simplest way that copies no more than it must.

use std::ops::Range;

use anyhow::{Result, bail};

/// The memory that all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) input: Vec<u8>,
    /// The answers to one read, where they are more than one.
    pub(super) output: Vec<u8>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            input: vec![0; READ],
            output: Vec::with_capacity(READ),
        }
    }
}

/// What a connection keeps: nothing, as long as whole frames come.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// Empty until a frame did not come in one piece. As long as the longest such frame since.
    own: Vec<u8>,
    /// How much of it is filled.
    filled: usize,
}

/// Where the answers to one read are.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Nothing,
    /// In the buffer that was read into.
    InPlace(Range<usize>),
    /// In the shared output.
    Output,
}

impl Partial {
    /// Returns where to read to.
    pub(super) fn room<'a>(&'a mut self, shared: &'a mut Shared) -> &'a mut [u8] {
        if self.own.is_empty() {
            &mut shared.input
        } else {
            &mut self.own[self.filled..]
        }
    }

    /// Returns the bytes of an answer.
    pub(super) fn bytes<'a>(&'a self, shared: &'a Shared, answer: &Answer) -> &'a [u8] {
        match answer {
            Answer::Nothing => &[],
            Answer::Output => &shared.output,
            Answer::InPlace(range) if self.own.is_empty() => &shared.input[range.clone()],
            Answer::InPlace(range) => &self.own[range.clone()],
        }
    }

    /// Returns whether the connection has a buffer of its own.
    pub(super) fn is_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Returns bytes of the connection's own buffer.
    pub(super) fn own(&self, begin: usize, end: usize) -> &[u8] {
        &self.own[begin..end]
    }

    /// Answers the frames that are complete after bytes were read.
    ///
    /// A frame that came alone is unmasked where it is, and its new header, which is shorter, put before its payload.
    pub(super) fn answer(&mut self, read: usize, shared: &mut Shared) -> Result<Answer> {
        shared.output.clear();
        let filled = self.filled + read;
        let input = if self.own.is_empty() {
            &mut shared.input[..filled]
        } else {
            &mut self.own[..filled]
        };
        let first = Frame::parse(input)?;
        if let Some(frame) = &first
            && frame.end() == filled
        {
            self.filled = 0;
            let begin = frame.payload - frame.header().len();
            unmask(&mut input[frame.payload..filled], frame.key);
            input[begin..frame.payload].copy_from_slice(frame.header().bytes());
            return Ok(Answer::InPlace(begin..filled));
        }
        let mut used = 0;
        let mut next = first;
        while let Some(frame) = next {
            if frame.end() > filled - used {
                next = Some(frame);
                break;
            }
            let payload = &input[used + frame.payload..used + frame.end()];
            shared.output.extend_from_slice(frame.header().bytes());
            let begin = shared.output.len();
            shared.output.extend_from_slice(payload);
            unmask(&mut shared.output[begin..], frame.key);
            used += frame.end();
            next = Frame::parse(&input[used..])?;
        }
        self.keep(used, filled, next.map_or(0, |frame| frame.end()), shared);
        Ok(if shared.output.is_empty() {
            Answer::Nothing
        } else {
            Answer::Output
        })
    }

    /// Keeps the bytes of a frame that is not complete, in a buffer that holds all of it.
    fn keep(&mut self, used: usize, filled: usize, frame: usize, shared: &Shared) {
        self.filled = filled - used;
        if self.filled == 0 {
            return;
        }
        let room = frame.max(LEAST);
        if self.own.is_empty() {
            self.own.reserve_exact(room);
            self.own.extend_from_slice(&shared.input[used..filled]);
        } else if used > 0 {
            self.own.copy_within(used..filled, 0);
        }
        if self.own.len() < room {
            self.own.resize(room, 0);
        }
    }
}

/// A masked frame.
#[derive(Debug)]
struct Frame {
    first: u8,
    /// Where the payload begins.
    payload: usize,
    length: usize,
    key: [u8; 4],
}

impl Frame {
    /// Returns a frame if all of its header is there.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let &[first, second, ..] = bytes else {
            return Ok(None);
        };
        if !matches!(first, 0x81 | 0x82) || second < 0x80 {
            bail!("not a masked data frame in one piece");
        }
        let (length, key_at) = match second & 0x7F {
            126 => match bytes[2..].first_chunk() {
                Some(length) => (usize::from(u16::from_be_bytes(*length)), 4),
                None => return Ok(None),
            },
            127 => match bytes[2..].first_chunk() {
                Some(length) => (usize::try_from(u64::from_be_bytes(*length))?, 10),
                None => return Ok(None),
            },
            length => (usize::from(length), 2),
        };
        if length > LONGEST {
            bail!("a frame of {length} bytes");
        }
        Ok(bytes[key_at..].first_chunk().map(|key| Self {
            first,
            payload: key_at + 4,
            length,
            key: *key,
        }))
    }

    /// Returns where it ends.
    fn end(&self) -> usize {
        self.payload + self.length
    }

    fn header(&self) -> Header {
        let mut bytes = [0; 10];
        bytes[0] = self.first;
        let len = match (u8::try_from(self.length), u16::try_from(self.length)) {
            (Ok(length @ ..=125), _) => {
                bytes[1] = length;
                2
            }
            (_, Ok(length)) => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&(self.length as u64).to_be_bytes());
                10
            }
        };
        Header { bytes, len }
    }
}

/// The header of an unmasked frame.
struct Header {
    bytes: [u8; 10],
    len: usize,
}

impl Header {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn len(&self) -> usize {
        self.len
    }
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    // Blocks of a known size become vector instructions.
    let mut block = [0; 32];
    block
        .chunks_exact_mut(4)
        .for_each(|b| b.copy_from_slice(&key));
    let mut blocks = payload.chunks_exact_mut(32);
    for bytes in &mut blocks {
        bytes.iter_mut().zip(&block).for_each(|(b, k)| *b ^= k);
    }
    let rest = blocks.into_remainder();
    rest.iter_mut().zip(&block).for_each(|(b, k)| *b ^= k);
}

/// How much is read at once.
const READ: usize = 64 << 10;
/// The size of a connection's own buffer, unless a frame is longer.
const LEAST: usize = 16 << 10;
const LONGEST: usize = 64 << 20;
