//! The configuration of a connection.

use crate::error::{Error, ErrorKind};
use crate::frame::{MAX_HEADER, Rsv};
use crate::protocol::Limits;

/// 4 KiB: the default.
pub const CHUNK_SIZE_LOW_MEMORY: usize = 4 << 10;
/// 8 KiB.
pub const CHUNK_SIZE_BALANCED: usize = 8 << 10;
/// 32 KiB: few system calls for long streams.
pub const CHUNK_SIZE_STREAMING: usize = 32 << 10;

/// The sizes and limits of one connection. Each field states its default; a size of 0 is an error. A `chunk_size` or
/// `write_buffer` of 4 GiB or more counts as 4 GiB less one byte.
///
/// Each field has a setter of its name, which takes and returns the configuration. There are presets for a
/// `chunk_size`, [`CHUNK_SIZE_LOW_MEMORY`], [`CHUNK_SIZE_BALANCED`] and [`CHUNK_SIZE_STREAMING`], and for the longest
/// message, [`READ_LIMIT_SMALL`](crate::READ_LIMIT_SMALL), [`READ_LIMIT_STANDARD`](crate::READ_LIMIT_STANDARD) and
/// [`READ_LIMIT_LARGE`](crate::READ_LIMIT_LARGE).
///
/// # Examples
/// ```
/// use framewire::{CHUNK_SIZE_STREAMING, Config, Limits, READ_LIMIT_SMALL};
///
/// let config = Config::default()
///     .limits(Limits::default().message(READ_LIMIT_SMALL))
///     .chunk_size(CHUNK_SIZE_STREAMING);
/// # let _ = config;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The limits on what the peer may send. Default: messages of 1 MiB, frames of any length.
    pub limits: Limits,
    /// The longest fragment of a streamed message, and the longest payload that is copied into the write buffer,
    /// where other messages can join it. A server writes a longer message at once, from the caller's memory, even
    /// where it is fed; what the stream does not take then is copied where the call does not wait. `try_feed` copies
    /// any message, and so does an [`Outbound`](crate::connection::Outbound) that feeds. A client masks a longer
    /// message in pieces of the write buffer's size. Default: [`CHUNK_SIZE_LOW_MEMORY`], 4 KiB.
    pub chunk_size: usize,
    /// How many bytes are read at a time. A message that arrives in one read is lent from the read buffer.
    /// Default: 16 KiB and the longest header, so that a message of 16 KiB is lent too.
    pub read_buffer: usize,
    /// How many bytes may wait before feeding more writes them first, and how many bytes of a long message a client
    /// masks for one write. Default: 64 KiB.
    pub write_buffer: usize,
    /// The reserved bits that a negotiated extension uses on the first frame of a message. Default: none.
    pub rsv: Rsv,
    /// Whether a written message waits for later ones while the read buffer holds another whole frame of the peer. The
    /// answers to a burst then leave together, however they are written.
    ///
    /// What waits leaves with the next write that need not wait, with a flush, or before the next read. A program that
    /// does anything else in between keeps its peer waiting. No effect on the halves of a split connection.
    ///
    /// The fragments of a streamed message wait too, in halves as well, until they fill the write buffer or the message
    /// ends: short chunks then cost a copy, and a system call for each [`write_buffer`](field@Self::write_buffer). A
    /// source that is slow keeps the peer waiting, and one that waits for the peer's answer to a fragment waits for
    /// ever. Default: `false`, and each written message, and each fragment, leaves at once.
    pub coalesce_writes: bool,
}

impl Config {
    /// Creates the default configuration. Unlike [`Default`], it works in constants too.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            limits: Limits::new(),
            chunk_size: CHUNK_SIZE_LOW_MEMORY,
            read_buffer: (16 << 10) + MAX_HEADER,
            write_buffer: 64 << 10,
            rsv: Rsv::NONE,
            coalesce_writes: false,
        }
    }

    /// Sets the [limits](field@Self::limits) on what the peer may send, by default messages of 1 MiB and frames of any
    /// length.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the longest [fragment](field@Self::chunk_size) of a streamed message, in bytes, 4 KiB by default.
    #[must_use]
    pub const fn chunk_size(mut self, chunk_size: usize) -> Self {
        self.chunk_size = chunk_size;
        self
    }

    /// Sets how many bytes are [read](field@Self::read_buffer) at a time, 16 KiB and the longest header by default.
    #[must_use]
    pub const fn read_buffer(mut self, read_buffer: usize) -> Self {
        self.read_buffer = read_buffer;
        self
    }

    /// Sets how many bytes may [wait](field@Self::write_buffer) to be written, 64 KiB by default.
    #[must_use]
    pub const fn write_buffer(mut self, write_buffer: usize) -> Self {
        self.write_buffer = write_buffer;
        self
    }

    /// Sets the [reserved bits](field@Self::rsv) that a negotiated extension uses, by default none.
    #[must_use]
    pub const fn rsv(mut self, rsv: Rsv) -> Self {
        self.rsv = rsv;
        self
    }

    /// Sets whether a written message may [wait](field@Self::coalesce_writes) for later ones, by default `false`.
    #[must_use]
    pub const fn coalesce_writes(mut self, coalesce_writes: bool) -> Self {
        self.coalesce_writes = coalesce_writes;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let config = |what| Err(ErrorKind::Config(what).into());
        if self.chunk_size == 0 {
            return config("chunk size of 0 bytes");
        }
        if self.read_buffer == 0 {
            return config("read buffer of 0 bytes");
        }
        if self.write_buffer == 0 {
            return config("write buffer of 0 bytes");
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_and_the_defaults_are_those_of_the_documentation() {
        let presets = [
            CHUNK_SIZE_LOW_MEMORY,
            CHUNK_SIZE_BALANCED,
            CHUNK_SIZE_STREAMING,
        ];
        assert_eq!(presets, [4096, 8192, 32_768]);
        let config = Config::default();
        let sizes = [config.chunk_size, config.read_buffer, config.write_buffer];
        assert_eq!(sizes, [4096, 16_384 + 14, 65_536]);
        assert_eq!(config.limits.message, 1_048_576);
    }
}
