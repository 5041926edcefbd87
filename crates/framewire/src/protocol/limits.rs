//! What a peer may send at most.

use crate::frame::MAX_PAYLOAD;
use core::num::NonZeroU64;

/// 64 KiB: messages of devices and chats.
pub const READ_LIMIT_SMALL: u64 = 64 << 10;
/// 1 MiB: the default.
pub const READ_LIMIT_STANDARD: u64 = 1 << 20;
/// 16 MiB: documents and images.
pub const READ_LIMIT_LARGE: u64 = 16 << 20;

/// Bounds on what the peer sends. Going over one is a
/// [`Violation`](crate::frame::Violation) that is seen in the header, before any memory is spent.
///
/// 0 is a bound like any other: only empty ones pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes in one message, all fragments together. Default: [`READ_LIMIT_STANDARD`].
    /// The front ends lift it for messages that are read as a stream, which are not held.
    pub message: u64,
    /// The most bytes of frames in one message that is compressed (RFC 7692), however few they decompress
    /// to. Default: `None`, which is 64 KiB over twice `message`, and no bound for messages that are read
    /// as a stream; a bound that is set holds for those too. Of a streamed message the front ends take
    /// 64 KiB in a row that decompress to nothing, whatever is set.
    pub compressed: Option<NonZeroU64>,
    /// The most bytes in one data frame, however it is read. Default: 2^63 − 1, what a header can
    /// say.
    pub frame: u64,
}

impl Limits {
    /// No bound but the wire format's: for data that is never held, or a peer that is trusted.
    pub const UNLIMITED: Self = Self {
        message: u64::MAX,
        compressed: None,
        frame: MAX_PAYLOAD,
    };

    /// The bound on the frames of a compressed message. Compression that gains nothing, and is flushed
    /// now and then, adds some per cent.
    pub(crate) fn compressed_bound(&self) -> u64 {
        const SLACK: u64 = 64 << 10;
        let derived = self.message.saturating_mul(2).saturating_add(SLACK);
        self.compressed.map_or(derived, NonZeroU64::get)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: READ_LIMIT_STANDARD,
            ..Self::UNLIMITED
        }
    }
}
