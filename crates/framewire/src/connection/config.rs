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
/// # Examples
/// ```
/// use framewire::{CHUNK_SIZE_STREAMING, Config, Limits};
///
/// let config = Config {
///     limits: Limits { message: 64 << 10, ..Limits::default() },
///     chunk_size: CHUNK_SIZE_STREAMING,
///     ..Config::default()
/// };
/// # let _ = config;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The limits on what the peer may send. Default: messages of 1 MiB, frames of any length.
    pub limits: Limits,
    /// The longest fragment of a streamed message, and the longest payload that is copied into the write buffer and
    /// written together with its header. A server writes a longer message from the caller's memory. A client masks it
    /// in pieces of the write buffer's size.
    /// Default: [`CHUNK_SIZE_LOW_MEMORY`], 4 KiB.
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
    /// does anything else in between keeps its peer waiting. No effect on the halves of a split connection. Default:
    /// `false`, and each written message leaves at once.
    pub coalesce_writes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            chunk_size: CHUNK_SIZE_LOW_MEMORY,
            read_buffer: (16 << 10) + MAX_HEADER,
            write_buffer: 64 << 10,
            rsv: Rsv::NONE,
            coalesce_writes: false,
        }
    }
}

impl Config {
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
