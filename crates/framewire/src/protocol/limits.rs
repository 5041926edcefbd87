//! Limits on what a peer may send.

use crate::frame::MAX_PAYLOAD;
use core::num::NonZeroU64;

/// 64 KiB: messages of devices and chats.
pub const READ_LIMIT_SMALL: u64 = 64 << 10;
/// 1 MiB: the default.
pub const READ_LIMIT_STANDARD: u64 = 1 << 20;
/// 16 MiB: documents and images.
pub const READ_LIMIT_LARGE: u64 = 16 << 20;

/// Limits on what the peer sends. Exceeding one is a [`Violation`](crate::frame::Violation). It is detected in the
/// header, before any memory is spent; the `message` limit on a compressed message, while that is decompressed.
///
/// 0 is a limit like any other: only empty messages or frames pass.
///
/// # Examples
/// ```
/// use framewire::{Limits, READ_LIMIT_LARGE};
///
/// let limits = Limits::default().message(READ_LIMIT_LARGE).frame(1 << 20);
/// # let _ = limits;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes in one message, all fragments together. Default: [`READ_LIMIT_STANDARD`]. The front ends lift
    /// this limit for messages that are read as a stream, which are not held in memory.
    pub message: u64,
    /// The most bytes in the frames of one compressed message (RFC 7692), however few they decompress to. Default:
    /// `None`, which is 64 KiB over twice `message`, and no limit for messages that are read as a stream. A limit that
    /// is set applies to those too. Of a streamed message the front ends accept 64 KiB in a row that decompress to
    /// nothing, whatever is set.
    pub compressed: Option<NonZeroU64>,
    /// The most bytes in one data frame, however it is read. Default: 2^63 − 1, the most that a header can state.
    pub frame: u64,
}

impl Limits {
    /// No limit but the wire format's: for data that is never held in memory, or a trusted peer.
    pub const UNLIMITED: Self = Self {
        message: u64::MAX,
        compressed: None,
        frame: MAX_PAYLOAD,
    };

    /// Creates the default limits. Unlike [`Default`], it works in constants too.
    #[must_use]
    pub const fn new() -> Self {
        Self::UNLIMITED.message(READ_LIMIT_STANDARD)
    }

    /// Sets the most bytes in one [message](field@Self::message), 1 MiB by default.
    #[must_use]
    pub const fn message(mut self, message: u64) -> Self {
        self.message = message;
        self
    }

    /// Sets the most bytes in the frames of one [compressed message](field@Self::compressed), by default 64 KiB over
    /// twice `message`.
    #[must_use]
    pub const fn compressed(mut self, compressed: Option<NonZeroU64>) -> Self {
        self.compressed = compressed;
        self
    }

    /// Sets the most bytes in one [data frame](field@Self::frame), 2^63 − 1 by default.
    #[must_use]
    pub const fn frame(mut self, frame: u64) -> Self {
        self.frame = frame;
        self
    }

    /// Returns the limit on the frames of a compressed message. Compression that gains nothing, and is flushed now and
    /// then, adds a few per cent.
    pub(crate) fn compressed_bound(&self) -> u64 {
        const SLACK: u64 = 64 << 10;
        let derived = self.message.saturating_mul(2).saturating_add(SLACK);
        self.compressed.map_or(derived, NonZeroU64::get)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_those_of_the_documentation() {
        let presets = [READ_LIMIT_SMALL, READ_LIMIT_STANDARD, READ_LIMIT_LARGE];
        assert_eq!(presets, [65_536, 1_048_576, 16_777_216]);
    }

    #[test]
    fn a_compressed_message_may_have_64_kib_over_twice_the_limit_unless_it_has_a_limit_of_its_own()
    {
        let limits = Limits::new().message(1000);
        assert_eq!(limits.compressed_bound(), 2000 + 65_536);
        let own = limits.compressed(NonZeroU64::new(10));
        assert_eq!(own.compressed_bound(), 10);
        assert_eq!(Limits::UNLIMITED.compressed_bound(), u64::MAX);
    }
}
