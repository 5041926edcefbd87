//! How far back an engine refers: what its output says, read bit by bit.

use framewire::deflate::Flush;
use support::compression::{HELLO, HELLO_AGAIN, TAIL};
use support::pattern;

use crate::engine_kinds::Kind;

/// The measure, by hand: RFC 7692 7.2.3.2 says "Hello" again as a reference to the five bytes before it.
#[test]
fn hello_again_goes_back_five_bytes() {
    for (block, farthest) in [(&HELLO[..], 0), (&HELLO_AGAIN, 5)] {
        let bytes = [block, &TAIL].concat();
        assert_eq!(Reader { bytes, bit: 0 }.largest_distance(5), farthest);
    }
}

/// Where 9 window bits are asked for and 8 were agreed on, nothing goes back over 256 bytes.
#[test]
fn an_engine_that_claims_a_window_of_8_bits_goes_back_256_bytes_at_most() {
    for &kind in Kind::ALL {
        assert!(kind.engine().fits_window_of_8_bits());
        for level in 0..=9 {
            for memory_level in [1, 8, 9] {
                let farthest = farthest(kind, level, 9, memory_level);
                let what = format!("{kind:?}, level {level}, memory level {memory_level}");
                assert!(farthest <= 256, "{what}: {farthest}");
            }
        }
    }
}

/// The same data tempts a larger window: the measure would see it.
#[test]
fn in_a_large_window_references_go_far_back() {
    assert!(farthest(Kind::ZlibRs, 6, 15, 8) > 10_000);
    assert!(farthest(Kind::Custom, 6, 10, 8) > 600);
}

/// The largest distance that stands in what an engine makes of data which repeats itself at distances
/// around every window's size.
fn farthest(kind: Kind, level: u8, window_bits: u8, memory_level: u8) -> usize {
    let mut compressor = kind.engine().compressor(level, window_bits, memory_level);
    let periods = [
        100, 240, 249, 250, 251, 255, 256, 257, 300, 511, 512, 513, 700, 20_000,
    ];
    let mut farthest = 0;
    let mut reader = Reader::default();
    for period in periods {
        let message = pattern(period).repeat(3);
        let mut output = vec![0; 2 * message.len() + 1000];
        let progress = compressor
            .compress(&message, &mut output, Flush::Sync)
            .unwrap();
        assert_eq!(progress.consumed, message.len());
        reader.bytes = output[..progress.produced].to_vec();
        reader.bit = 0;
        farthest = farthest.max(reader.largest_distance(message.len()));
    }
    farthest
}

/// DEFLATE (RFC 1951), read for its distances alone.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
    bit: usize,
}

impl Reader {
    /// Reads blocks to the end, which are to make so many bytes.
    fn largest_distance(&mut self, expected: usize) -> usize {
        let (mut largest, mut made) = (0, 0);
        while self.bit + 3 <= 8 * self.bytes.len() {
            assert_eq!(self.bits(1), 0, "the last block");
            match self.bits(2) {
                0 => {
                    self.bit = self.bit.next_multiple_of(8);
                    let len = self.bits(16);
                    assert_eq!(self.bits(16), len ^ 0xFFFF);
                    self.bit += 8 * len;
                    made += len;
                }
                1 => {
                    let lengths: Vec<usize> = (0..288)
                        .map(|symbol| match symbol {
                            144..256 => 9,
                            256..280 => 7,
                            _ => 8,
                        })
                        .collect();
                    self.block(
                        &Code::new(&lengths),
                        &Code::new(&[5; 30]),
                        &mut largest,
                        &mut made,
                    );
                }
                2 => {
                    let (literals, distances) = self.codes();
                    self.block(&literals, &distances, &mut largest, &mut made);
                }
                _ => panic!("a block of no kind"),
            }
        }
        assert_eq!(made, expected);
        largest
    }

    fn codes(&mut self) -> (Code, Code) {
        const ORDER: [usize; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        let literals = self.bits(5) + 257;
        let distances = self.bits(5) + 1;
        let mut lengths = [0; 19];
        for &symbol in &ORDER[..self.bits(4) + 4] {
            lengths[symbol] = self.bits(3);
        }
        let code = Code::new(&lengths);
        let mut lengths = vec![];
        while lengths.len() < literals + distances {
            let (length, times) = match self.symbol(&code) {
                16 => (*lengths.last().unwrap(), 3 + self.bits(2)),
                17 => (0, 3 + self.bits(3)),
                18 => (0, 11 + self.bits(7)),
                length => (length, 1),
            };
            lengths.extend(std::iter::repeat_n(length, times));
        }
        let (literals, distances) = lengths.split_at(literals);
        (Code::new(literals), Code::new(distances))
    }

    fn block(&mut self, literals: &Code, distances: &Code, largest: &mut usize, made: &mut usize) {
        const LENGTHS: [usize; 29] = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99,
            115, 131, 163, 195, 227, 258,
        ];
        loop {
            match self.symbol(literals) {
                256 => return,
                literal @ 0..256 => *made += usize::from(literal < 256),
                symbol => {
                    let extra = match symbol {
                        265..285 => (symbol - 261) / 4,
                        _ => 0,
                    };
                    *made += LENGTHS[symbol - 257] + self.bits(extra);
                    let symbol = self.symbol(distances);
                    let extra = (symbol / 2).saturating_sub(1);
                    let start = if symbol < 4 {
                        symbol + 1
                    } else {
                        ((2 + symbol % 2) << extra) + 1
                    };
                    *largest = (*largest).max(start + self.bits(extra));
                }
            }
        }
    }

    fn symbol(&mut self, code: &Code) -> usize {
        let mut prefix = 0;
        for length in 1..=15 {
            prefix = prefix << 1 | self.bits(1);
            if let Some(symbol) = code.symbol(length, prefix) {
                return symbol;
            }
        }
        panic!("no symbol");
    }

    fn bits(&mut self, count: usize) -> usize {
        let mut value = 0;
        for place in 0..count {
            value |= usize::from(self.bytes[self.bit / 8] >> (self.bit % 8) & 1) << place;
            self.bit += 1;
        }
        value
    }
}

/// A Huffman code by the lengths of its symbols (RFC 1951 3.2.2).
struct Code {
    /// For each length the first code, and the symbols in their order.
    of_length: Vec<(usize, Vec<usize>)>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut first = 0;
        let of_length = (0..=15)
            .map(|length| {
                let symbols: Vec<usize> = (0..lengths.len())
                    .filter(|&symbol| length > 0 && lengths[symbol] == length)
                    .collect();
                let begin = first << 1;
                first = begin + symbols.len();
                (begin, symbols)
            })
            .collect();
        Self { of_length }
    }

    fn symbol(&self, length: usize, code: usize) -> Option<usize> {
        let (first, symbols) = &self.of_length[length];
        symbols.get(code.checked_sub(*first)?).copied()
    }
}
