//! The default engine.

use std::panic::AssertUnwindSafe;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::engine::{Compressor, Decompressor, Engine, EngineError, Flush, Progress};

/// zlib in Rust, the crate `zlib-rs`. Levels 0 to 9 are zlib's.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZlibRs;

/// Unwind safe as a `Box` is: zlib-rs holds its state by a reference that nothing else has.
struct Deflating(AssertUnwindSafe<Deflate>);

/// As [`Deflating`].
struct Inflating(AssertUnwindSafe<Inflate>);

impl Engine for ZlibRs {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        let config = DeflateConfig {
            level: i32::from(level.min(9)),
            // Negative: raw, without zlib's header.
            window_bits: -i32::from(window_bits.clamp(9, 15)),
            mem_level: i32::from(memory_level.clamp(1, 9)),
            ..DeflateConfig::default()
        };
        let deflate = Deflate::new_with_config(config);
        Box::new(Deflating(AssertUnwindSafe(deflate)))
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        // A larger window is never wrong.
        let inflate = Inflate::new(false, window_bits.clamp(9, 15));
        Box::new(Inflating(AssertUnwindSafe(inflate)))
    }

    fn fits_window_of_8_bits(&self) -> bool {
        true
    }
}

impl Compressor for Deflating {
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError> {
        let flush = match flush {
            Flush::None => DeflateFlush::NoFlush,
            Flush::Sync => DeflateFlush::SyncFlush,
        };
        let (taken, put) = (self.0.total_in(), self.0.total_out());
        match self.0.compress(input, output, flush) {
            Ok(_) => Ok(Progress {
                consumed: (self.0.total_in() - taken) as usize,
                produced: (self.0.total_out() - put) as usize,
                ended: false,
            }),
            Err(_) => Err(EngineError),
        }
    }

    fn reset(&mut self) {
        // zlib-rs 0.6.8 forgets neither that a block has begun nor where in its buffer it was. It then leaves out a
        // block's header, or panics. So everything is put out first.
        let mut output = [0; 1 << 10];
        while let Ok(progress) = self.compress(&[], &mut output, Flush::Sync)
            && progress.produced == output.len()
        {}
        self.0.reset();
    }
}

impl Decompressor for Inflating {
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError> {
        let (taken, put) = (self.0.total_in(), self.0.total_out());
        match self.0.decompress(input, output, InflateFlush::SyncFlush) {
            Ok(status) => Ok(Progress {
                consumed: (self.0.total_in() - taken) as usize,
                produced: (self.0.total_out() - put) as usize,
                ended: status == Status::StreamEnd,
            }),
            Err(_) => Err(EngineError),
        }
    }

    fn reset(&mut self) {
        self.0.reset(false);
    }
}
