//! What compresses and decompresses, whoever wrote it.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Makes compressors and decompressors of raw DEFLATE (RFC 1951).
///
/// To plug in another library, implement this and the two traits that it names: each is a call or
/// two into the library. `examples/custom_engine.rs` does so with zlib in C.
pub trait Engine: Send + Sync + RefUnwindSafe + fmt::Debug {
    /// A compressor with a window of 2^`window_bits` bytes, 9 to 15: it refers no further back. Where 8
    /// were agreed on it is asked for 9: see [`fits_window_of_8_bits`](Self::fits_window_of_8_bits). An
    /// engine whose window is larger, and cannot be had smaller, does without references then.
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor>;

    /// A decompressor for streams whose window has at most 2^`window_bits` bytes, 9 to 15. It may
    /// have a larger one. Where 8 were agreed on it is asked for 9, since that is what older zlib
    /// compresses with then.
    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor>;

    /// Whether a compressor that is asked for 9 window bits refers no further back than 256 bytes, so
    /// that it serves a peer whose window has 8 bits (RFC 7692 7.1.2). zlib's does: it goes 250 bytes
    /// back then. Default: false, and such a window is not agreed on.
    fn fits_window_of_8_bits(&self) -> bool {
        false
    }
}

/// Compresses into raw DEFLATE.
///
/// Has the auto traits that a connection has, so that it keeps them with compression.
pub trait Compressor: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Takes bytes off the front of `input` and puts compressed ones to the front of `output`, which
    /// has room for 16 bytes at least. Allocates nothing.
    ///
    /// With [`Flush::Sync`] everything taken so far is put out and followed by an empty stored
    /// block, 00 00 FF FF at its end. The flush is done when all input was taken and `output` was
    /// not filled; until then the call is repeated with what is left. One after which nothing was
    /// taken may put out nothing.
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

/// Decompresses raw DEFLATE. Has the auto traits of a [`Compressor`].
pub trait Decompressor: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Takes bytes off the front of `input` and puts decompressed ones to the front of `output`, which
    /// has room for one byte at least. Allocates nothing.
    ///
    /// Takes all input, and puts out all that comes of it, unless `output` is filled or the stream
    /// ends. Of a stream that has ended nothing more is taken until it is reset.
    ///
    /// # Errors
    /// What it was given is no DEFLATE, or refers to before its beginning. Further calls fail too.
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, EngineError>;

    /// Forgets everything put out so far: another connection may be next, and must not be able to
    /// refer to it.
    fn reset(&mut self);
}

/// When compressed bytes have to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// When the engine likes.
    None,
    /// Now, all of them.
    Sync,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken off the input.
    pub consumed: usize,
    /// Bytes put into the output.
    pub produced: usize,
    /// Whether a decompressor has put out all of the stream's last block (BFINAL).
    pub ended: bool,
}

/// The data, or the engine, is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineError;

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a DEFLATE stream")
    }
}

impl std::error::Error for EngineError {}
