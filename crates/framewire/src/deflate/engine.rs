//! The interface to libraries that compress and decompress.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A source of compressors and decompressors for raw DEFLATE (RFC 1951).
///
/// To plug in another library, implement this trait and the two that it names: each takes a call or two into the
/// library. `examples/custom_engine.rs` does so with zlib in C.
pub trait Engine: Send + Sync + RefUnwindSafe + fmt::Debug {
    /// Creates a compressor with a window of 2^`window_bits` bytes, 9 to 15: it refers no further back. Where 8 bits
    /// were agreed on, 9 are asked for: see [`fits_window_of_8_bits`](Self::fits_window_of_8_bits). An engine whose
    /// window is larger, and cannot be made smaller, must then compress without references.
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor>;

    /// Creates a decompressor for streams whose window has at most 2^`window_bits` bytes, 9 to 15. Its own window may
    /// be larger. Where 8 bits were agreed on, 9 are asked for, since older zlib then compresses with 9.
    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor>;

    /// Returns whether a compressor for 9 window bits refers no further back than 256 bytes, so that it serves a peer
    /// whose window has 8 bits (RFC 7692 7.1.2). zlib's does: it then goes 250 bytes back. Default: `false`, and such
    /// a window is not agreed on.
    fn fits_window_of_8_bits(&self) -> bool {
        false
    }
}

/// A compressor into raw DEFLATE.
///
/// It has the auto traits that a connection has, so that a connection keeps them with compression.
pub trait Compressor: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Takes bytes from the front of `input` and puts compressed ones at the front of `output`, which has room for 16
    /// bytes at least. Allocates nothing.
    ///
    /// With [`Flush::Sync`] everything taken so far is put out, followed by an empty stored block that ends in 00 00
    /// FF FF. The flush is done when all input was taken and `output` was not filled. Until then the call is repeated
    /// with the rest. Where nothing was taken since the last flush, nothing need be put out.
    ///
    /// # Errors
    /// The engine is broken: the connection cannot go on.
    fn compress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: Flush,
    ) -> Result<Progress, EngineError>;

    /// Forgets everything taken so far, in the middle of a message as well.
    fn reset(&mut self);
}

/// A decompressor of raw DEFLATE, with the auto traits of a [`Compressor`].
pub trait Decompressor: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Takes bytes from the front of `input` and puts decompressed ones at the front of `output`, which has room for
    /// one byte at least. Allocates nothing.
    ///
    /// Takes all input, and puts out all that it gives, unless `output` is filled or the stream ends. After the end of
    /// the stream nothing more is taken until a reset.
    ///
    /// # Errors
    /// The input is not DEFLATE, or refers to data before its beginning. Further calls fail too.
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError>;

    /// Forgets everything put out so far. Another connection may be next, and must not be able to refer to it.
    fn reset(&mut self);
}

/// When compressed bytes must be put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// When the engine likes.
    None,
    /// Now, all of them.
    Sync,
}

/// How much a call took and put out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken off the input.
    pub consumed: usize,
    /// Bytes put into the output.
    pub produced: usize,
    /// Whether a decompressor has put out all of the stream's last block (BFINAL).
    pub ended: bool,
}

/// Broken data, or a broken engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineError;

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a DEFLATE stream")
    }
}

impl std::error::Error for EngineError {}
