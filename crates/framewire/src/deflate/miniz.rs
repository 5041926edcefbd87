//! The engine of the crate `miniz_oxide`.

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{
    CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::engine::{Compressor, Decompressor, Engine, EngineError, Flush, Progress};

/// miniz in Rust, the crate `miniz_oxide`, which is safe Rust alone.
///
/// Its window always has 2^15 bytes. Where a smaller one was agreed on, it compresses by Huffman codes and runs of one
/// byte alone; [`ZlibRs`](super::ZlibRs) does better there. The memory level has no effect.
///
/// It builds tables for each block with Huffman codes, even an empty one, which takes microseconds. Where a peer sends
/// nothing but empty blocks, each the last of its stream or not, a megabyte costs it seconds; it costs `ZlibRs`
/// hundredths of a second. The cost is linear in what is received.
#[derive(Debug, Clone, Copy, Default)]
pub struct Miniz;

struct Deflating {
    miniz: CompressorOxide,
    /// Whether an empty stored block follows everything that was taken.
    flushed: bool,
}

struct Inflating {
    miniz: DecompressorOxide,
    /// The latest output, in a ring.
    window: Box<[u8]>,
    /// The part of the window that is not yet put out.
    start: usize,
    end: usize,
    /// Whether the window has been filled, so that every distance leads to bytes that were there.
    filled: bool,
    ended: bool,
}

impl Engine for Miniz {
    fn compressor(&self, level: u8, window_bits: u8, _memory_level: u8) -> Box<dyn Compressor> {
        let (level, strategy) = match (window_bits, level) {
            (WINDOW_BITS.., _) => (level, CompressionStrategy::Default),
            // miniz 0.9.1 does not keep to the window that it is told, and at level 1 it also ignores the strategy.
            (_, 1) => (2, CompressionStrategy::RLE),
            _ => (level, CompressionStrategy::RLE),
        };
        Box::new(Deflating {
            miniz: CompressorOxide::with_params(DataFormat::Raw, level, strategy, WINDOW_BITS),
            flushed: false,
        })
    }

    fn decompressor(&self, _window_bits: u8) -> Box<dyn Decompressor> {
        Box::new(Inflating {
            miniz: DecompressorOxide::new(),
            window: vec![0; WINDOW].into(),
            start: 0,
            end: 0,
            filled: false,
            ended: false,
        })
    }

    fn fits_window_of_8_bits(&self) -> bool {
        true
    }
}

impl Compressor for Deflating {
    /// miniz holds what the output has no room for, and does nothing else until all of it is put out. It does not say
    /// whether a sync flush has reached its empty block by then. So the block is asked for alone, once everything else
    /// is out.
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError> {
        let mut progress = Progress {
            consumed: 0,
            produced: 0,
            ended: false,
        };
        self.step(&[], output, TDEFLFlush::None, &mut progress)?;
        if flush == Flush::None {
            self.step(input, output, TDEFLFlush::None, &mut progress)?;
            return Ok(progress);
        }
        self.step(input, output, TDEFLFlush::NoSync, &mut progress)?;
        if !self.flushed && progress.produced < output.len() {
            self.step(&[], output, TDEFLFlush::Sync, &mut progress)?;
            self.flushed = true;
        }
        Ok(progress)
    }

    fn reset(&mut self) {
        self.miniz.reset();
        self.flushed = false;
    }
}

impl Deflating {
    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: TDEFLFlush,
        progress: &mut Progress,
    ) -> Result<(), EngineError> {
        let output = &mut output[progress.produced..];
        let (status, consumed, produced) = compress(&mut self.miniz, input, output, flush);
        if status != TDEFLStatus::Okay {
            return Err(EngineError);
        }
        self.flushed &= consumed == 0;
        progress.consumed += consumed;
        progress.produced += produced;
        Ok(())
    }
}

impl Decompressor for Inflating {
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError> {
        let mut consumed = 0;
        let mut produced = 0;
        loop {
            produced += self.put(&mut output[produced..]);
            if produced == output.len() || self.ended {
                break;
            }
            let (taken, put) = self.fill(&input[consumed..])?;
            consumed += taken;
            if put == 0 && !self.ended {
                break;
            }
        }
        Ok(Progress {
            consumed,
            produced,
            ended: self.ended && self.start == self.end,
        })
    }

    fn reset(&mut self) {
        self.miniz.init();
        self.start = 0;
        self.end = 0;
        self.filled = false;
        self.ended = false;
    }
}

impl Inflating {
    /// Copies decompressed bytes to `output`. Returns how many.
    fn put(&mut self, output: &mut [u8]) -> usize {
        let len = output.len().min(self.end - self.start);
        output[..len].copy_from_slice(&self.window[self.start..self.start + len]);
        self.start += len;
        len
    }

    /// Decompresses into the window, all of which was put out.
    fn fill(&mut self, input: &[u8]) -> Result<(usize, usize), EngineError> {
        if self.end == WINDOW {
            self.start = 0;
            self.end = 0;
            self.filled = true;
        }
        let flags = if self.filled {
            inflate_flags::TINFL_FLAG_HAS_MORE_INPUT
        } else {
            // Distances to before the beginning are refused: what an earlier user of this context had in the window
            // stays unseen.
            inflate_flags::TINFL_FLAG_HAS_MORE_INPUT
                | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        };
        let (status, taken, put) =
            decompress(&mut self.miniz, input, &mut self.window, self.end, flags);
        self.end += put;
        self.ended = status == TINFLStatus::Done;
        match status {
            TINFLStatus::Done | TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {
                Ok((taken, put))
            }
            _ => Err(EngineError),
        }
    }
}

const WINDOW_BITS: u8 = 15;
const WINDOW: usize = 1 << WINDOW_BITS;
