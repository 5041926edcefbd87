//! The engines: ours, and somebody else's, which also judges what ours put out.

use flate2::{Decompress, FlushDecompress, Status};
use framewire::deflate::Miniz;
use framewire::deflate::{Deflate, DeflateConfig, Engine, ZlibRs};

#[path = "../../crates/framewire/examples/custom_engine.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod custom_engine;
pub(crate) use custom_engine::Zlib;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ZlibRs,
    Miniz,
    /// The example's.
    Custom,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[Self::ZlibRs, Self::Miniz, Self::Custom];

    pub(crate) fn engine(self) -> Box<dyn Engine> {
        match self {
            Self::ZlibRs => Box::new(ZlibRs),
            Self::Miniz => Box::new(Miniz),
            Self::Custom => Box::new(Zlib),
        }
    }

    pub(crate) fn deflate(self, config: DeflateConfig) -> Deflate {
        let deflate = match self {
            Self::ZlibRs => Deflate::with_engine(config, ZlibRs, 4),
            Self::Miniz => Deflate::with_engine(config, Miniz, 4),
            Self::Custom => Deflate::with_engine(config, Zlib, 4),
        };
        deflate.unwrap()
    }
}

/// zlib in C, which reads what was compressed and refuses what refers beyond the window.
pub(crate) struct Judge {
    zlib: Decompress,
}

impl Judge {
    /// A window of 2^`window_bits` bytes, 9 to 15.
    pub(crate) fn new(window_bits: u8) -> Self {
        let zlib = Decompress::new_with_window_bits(false, window_bits);
        Self { zlib }
    }

    /// What comes out of a part of a stream that is not its end.
    pub(crate) fn read(&mut self, mut compressed: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        // zlib also takes references into the output of the same call, however far back: so that
        // is kept short.
        let mut output = [0; 16];
        loop {
            let (taken, put) = (self.zlib.total_in(), self.zlib.total_out());
            let flush = FlushDecompress::Sync;
            let status = self.zlib.decompress(compressed, &mut output, flush);
            let status = status.expect("DEFLATE within the window");
            assert_ne!(status, Status::StreamEnd);
            let put = (self.zlib.total_out() - put) as usize;
            compressed = &compressed[(self.zlib.total_in() - taken) as usize..];
            message.extend_from_slice(&output[..put]);
            if put < output.len() {
                assert!(compressed.is_empty());
                return message;
            }
        }
    }

    pub(crate) fn forget(&mut self) {
        self.zlib.reset(false);
    }
}
