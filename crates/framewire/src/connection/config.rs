//! What an application decides for a connection.

use crate::error::{Error, ErrorKind};
use crate::frame::Rsv;
use crate::protocol::Limits;

/// 4 KiB: the default.
pub const CHUNK_SIZE_LOW_MEMORY: usize = 4 << 10;
/// 8 KiB.
pub const CHUNK_SIZE_BALANCED: usize = 8 << 10;
/// 32 KiB: few system calls for long streams.
pub const CHUNK_SIZE_STREAMING: usize = 32 << 10;

/// The sizes and bounds of one connection. Every field has a default that it states, and zero is
/// never taken for it. Sizes of 4 GiB and more count as one byte less than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// What the peer may send at most. Default: messages of 1 MiB, frames of any length.
    pub limits: Limits,
    /// The longest fragment of a streamed message, and how many bytes of payload are copied to be
    /// written with their header. A message up to this size goes through the write buffer; a longer
    /// one is written from where it lies (by a server) or masked in pieces of the write buffer's size
    /// (by a client).
    /// Default: [`CHUNK_SIZE_LOW_MEMORY`], 4 KiB.
    pub chunk_size: usize,
    /// How many bytes are read at a time. A message that comes in one read is lent from there.
    /// Default: 16 KiB.
    pub read_buffer: usize,
    /// How many bytes may wait to be written before feeding more has to flush first, and how many a
    /// client masks for one write of a long message.
    /// Default: 64 KiB.
    pub write_buffer: usize,
    /// The reserved bits that a negotiated extension uses on the first frame of a message.
    /// Default: none.
    pub rsv: Rsv,
    /// Whether a message that is written waits for those after it while another frame of the peer's,
    /// which was read with the last message, is there whole. The answers to a burst then leave
    /// together, however they are written.
    ///
    /// What waits leaves with the next write that need not wait, with a flush, or before the next
    /// read; a program that does anything else meanwhile keeps its peer waiting. No effect on the
    /// halves of a split connection. Default: false, and each message that is written leaves at once.
    pub coalesce_writes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            chunk_size: CHUNK_SIZE_LOW_MEMORY,
            read_buffer: 16 << 10,
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
