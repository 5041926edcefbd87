//! The frames that a connection sends: built once, and repeated.

use anyhow::{Result, ensure};
use flate2::{Compress, Compression, FlushCompress};

use crate::{Deflate, Payload};

/// A cycle of frames, twice in a row, so that a cycle from anywhere in the first copy lies in one piece.
#[derive(Debug)]
pub(crate) struct Script {
    bytes: Vec<u8>,
    /// Where each frame of the cycle begins, and where the last one ends.
    bounds: Vec<usize>,
    /// The payload of the first message, as it is before compression.
    pub(crate) first: Vec<u8>,
    pub(crate) opcode: u8,
}

/// What a script is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
    pub(crate) payload: Payload,
    pub(crate) deflate: Deflate,
    /// A client masks.
    pub(crate) masked: bool,
}

/// How much of a script a connection has sent.
#[derive(Debug, Default)]
pub(crate) struct Position {
    /// The frame of the cycle that is the next to be allowed.
    frame: usize,
    /// Where in the first copy of the cycle the next byte to send is.
    offset: usize,
    /// How many bytes are allowed and not sent.
    unsent: usize,
}

impl Script {
    pub(crate) fn new(recipe: Recipe) -> Result<Self> {
        let opcode = if recipe.payload == Payload::Binary {
            2
        } else {
            1
        };
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let most = (CYCLE_BYTES / recipe.bytes.max(1)).max(1);
        // Uncompressed messages are all the same one. Compressed ones differ, as otherwise all but the first would
        // be one reference to it.
        let distinct = match recipe.deflate {
            Deflate::None => 1,
            _ => most.min(COMPRESSED_CYCLE),
        };
        let payloads: Vec<Vec<u8>> = (0..distinct)
            .map(|_| random.payload(recipe.payload, recipe.bytes))
            .collect();
        let mut frames = Vec::with_capacity(payloads.len());
        let mut compress = Compress::new(Compression::new(6), false);
        for (number, payload) in payloads.iter().enumerate() {
            let last = number + 1 == payloads.len();
            frames.push(match recipe.deflate {
                Deflate::None => frame(0x80 | opcode, payload, recipe.masked),
                deflate => {
                    if deflate == Deflate::NoTakeover {
                        compress.reset();
                    }
                    // After a full flush nothing refers to what came before, so the cycle can begin again.
                    let flush = if last {
                        FlushCompress::Full
                    } else {
                        FlushCompress::Sync
                    };
                    let deflated = compressed(&mut compress, payload, flush)?;
                    frame(0xC0 | opcode, &deflated, recipe.masked)
                }
            });
        }
        if recipe.deflate == Deflate::None {
            let repeated = recipe.depth.min(most).max(1);
            frames.resize(repeated, frames[0].clone());
        }
        let mut bytes = Vec::new();
        let mut bounds = vec![0];
        for frame in &frames {
            bytes.extend_from_slice(frame);
            bounds.push(bytes.len());
        }
        bytes.extend_from_within(..);
        Ok(Self {
            bytes,
            bounds,
            first: payloads.into_iter().next().unwrap_or_default(),
            opcode,
        })
    }

    fn cycle(&self) -> usize {
        self.bytes.len() / 2
    }
}

impl Position {
    /// Allows the next `messages` of the script to be sent.
    pub(crate) fn allow(&mut self, script: &Script, messages: usize) {
        let cycle = script.bounds.len() - 1;
        self.unsent += messages / cycle * script.cycle();
        let (from, to) = (self.frame, self.frame + messages % cycle);
        self.unsent += match to.checked_sub(cycle) {
            None => script.bounds[to] - script.bounds[from],
            Some(wrapped) => script.cycle() - script.bounds[from] + script.bounds[wrapped],
        };
        self.frame = to % cycle;
    }

    /// Returns bytes to send, none if all that is allowed is sent.
    pub(crate) fn unsent<'a>(&self, script: &'a Script) -> &'a [u8] {
        let end = (self.offset + self.unsent).min(script.bytes.len());
        &script.bytes[self.offset..end]
    }

    pub(crate) fn sent(&mut self, script: &Script, bytes: usize) {
        self.unsent -= bytes;
        self.offset = (self.offset + bytes) % script.cycle();
    }
}

/// Builds a whole frame.
pub(crate) fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    let mask = if masked { 0x80 } else { 0 };
    frame.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => frame.push(mask | length),
        (_, Ok(length)) => {
            frame.push(mask | 0x7E);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(mask | 0x7F);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if masked {
        frame.extend(KEY);
        frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(b, k)| b ^ k));
    } else {
        frame.extend(payload);
    }
    frame
}

/// RFC 7692 7.2.1: flushed, and without the last four bytes of that.
fn compressed(compress: &mut Compress, payload: &[u8], flush: FlushCompress) -> Result<Vec<u8>> {
    let mut output = Vec::with_capacity(payload.len() + payload.len() / 8 + 64);
    let before = compress.total_in();
    compress.compress_vec(payload, &mut output, flush)?;
    ensure!(
        compress.total_in() - before == payload.len() as u64 && output.len() < output.capacity(),
        "a message did not compress in one go"
    );
    ensure!(
        output.ends_with(&[0, 0, 0xFF, 0xFF]),
        "the compressor did not flush"
    );
    output.truncate(output.len() - 4);
    Ok(output)
}

/// A generator of numbers without any claim to be random (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 33) % bound
    }

    fn payload(&mut self, payload: Payload, bytes: usize) -> Vec<u8> {
        let mut made = Vec::with_capacity(bytes + 128);
        while made.len() < bytes {
            match payload {
                Payload::Binary => made.extend(self.next().to_le_bytes()),
                Payload::Ascii => {
                    let (number, cents, size) = (
                        self.below(1_000_000),
                        self.below(1_000_000),
                        self.below(500),
                    );
                    let symbol = SYMBOLS[usize::from(self.next().to_le_bytes()[7]) % SYMBOLS.len()];
                    let (whole, part) = (cents / 100, cents % 100);
                    made.extend(
                        format!(
                            r#"{{"id":{number},"symbol":"{symbol}","price":{whole}.{part:02},"size":{size}}}"#
                        )
                        .bytes(),
                    );
                }
                Payload::Cjk => {
                    // The common ideographs, three bytes each.
                    let code = 0x4E00 + u32::try_from(self.below(3000)).unwrap_or(0);
                    let character = char::from_u32(code).unwrap_or('中');
                    if made.len() + character.len_utf8() > bytes {
                        made.resize(bytes, b'.');
                    } else {
                        made.extend(character.to_string().bytes());
                    }
                }
            }
        }
        made.truncate(bytes);
        made
    }
}

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const SYMBOLS: [&str; 8] = [
    "BTC-USD", "ETH-USD", "SOL-USD", "AAPL", "MSFT", "BTC-EUR", "ADA-USD", "XRP-USD",
];
/// The size of a cycle is about this at most.
const CYCLE_BYTES: usize = 4 << 20;
/// How many messages a cycle of compressed ones has at most.
const COMPRESSED_CYCLE: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Position, Recipe, Script};
    use crate::{Deflate, Payload};
    use flate2::{Decompress, FlushDecompress};

    fn recipe(bytes: usize, depth: usize, payload: Payload, deflate: Deflate) -> Recipe {
        Recipe {
            bytes,
            depth,
            payload,
            deflate,
            masked: false,
        }
    }

    #[test]
    fn positions_go_around_the_cycle() {
        let script = Script::new(recipe(3, 4, Payload::Binary, Deflate::None)).unwrap();
        let mut position = Position::default();
        for round in 0..50 {
            let messages = round % 9;
            position.allow(&script, messages);
            let mut sent = 0;
            while !position.unsent(&script).is_empty() {
                let some = position.unsent(&script).len().min(7);
                position.sent(&script, some);
                sent += some;
            }
            assert_eq!(sent, messages * 5);
        }
    }

    #[test]
    fn texts_are_utf8_of_the_size_asked_for() {
        for payload in [Payload::Ascii, Payload::Cjk] {
            for bytes in [0, 1, 20, 125, 1024] {
                let script = Script::new(recipe(bytes, 1, payload, Deflate::None)).unwrap();
                assert_eq!(script.first.len(), bytes);
                assert!(std::str::from_utf8(&script.first).is_ok());
            }
        }
    }

    #[test]
    fn a_compressed_cycle_can_begin_again() {
        let script = Script::new(recipe(100, 1, Payload::Ascii, Deflate::Takeover)).unwrap();
        let mut decompress = Decompress::new(false);
        let mut rounds = [Vec::new(), Vec::new()];
        for round in &mut rounds {
            for bounds in script.bounds.windows(2) {
                // These frames have headers of two bytes.
                let mut deflated = script.bytes[bounds[0] + 2..bounds[1]].to_vec();
                deflated.extend([0, 0, 0xFF, 0xFF]);
                let mut message = Vec::with_capacity(200);
                decompress
                    .decompress_vec(&deflated, &mut message, FlushDecompress::Sync)
                    .unwrap();
                assert_eq!(message.len(), 100);
                round.push(message);
            }
        }
        assert_eq!(rounds[0], rounds[1]);
        assert_eq!(rounds[0][0], script.first);
    }
}
