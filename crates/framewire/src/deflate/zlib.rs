//! The default engine.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::engine::{Compressor, Decompressor, Engine, EngineError, Flush, Progress};

/// zlib in Rust, the crate `zlib-rs`. Levels 0 to 9 are zlib's.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZlibRs;

impl Engine for ZlibRs {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        Box::new(Deflate::new_with_config(DeflateConfig {
            level: i32::from(level.min(9)),
            // Negative: raw, without zlib's header.
            window_bits: -i32::from(window_bits.clamp(9, 15)),
            mem_level: i32::from(memory_level.clamp(1, 9)),
            ..DeflateConfig::default()
        }))
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        Box::new(Inflate::new(false, window_bits.clamp(8, 15)))
    }
}

impl Compressor for Deflate {
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
        let (taken, put) = (self.total_in(), self.total_out());
        match Deflate::compress(self, input, output, flush) {
            Ok(_) => Ok(Progress {
                consumed: (self.total_in() - taken) as usize,
                produced: (self.total_out() - put) as usize,
                ended: false,
            }),
            Err(_) => Err(EngineError),
        }
    }

    fn reset(&mut self) {
        // zlib-rs 0.6.8 forgets neither that a block has begun nor where in its buffer it was, and
        // then leaves out a block's header, or panics: so all is put out before.
        let mut output = [0; 1 << 10];
        while let Ok(progress) = Compressor::compress(self, &[], &mut output, Flush::Sync)
            && progress.produced == output.len()
        {}
        Deflate::reset(self);
    }
}

impl Decompressor for Inflate {
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError> {
        let (taken, put) = (self.total_in(), self.total_out());
        match Inflate::decompress(self, input, output, InflateFlush::SyncFlush) {
            Ok(status) => Ok(Progress {
                consumed: (self.total_in() - taken) as usize,
                produced: (self.total_out() - put) as usize,
                ended: status == Status::StreamEnd,
            }),
            Err(_) => Err(EngineError),
        }
    }

    fn reset(&mut self) {
        Inflate::reset(self, false);
    }
}
