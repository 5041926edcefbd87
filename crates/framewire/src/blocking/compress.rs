//! Streamed messages that are compressed as they go (RFC 7692 7.2.1).

use std::io::{self, Read, Write};
use std::mem;
use std::ops::Range;

use super::fragment::Fragment;
use super::message_writer::Access;
use super::{MessageWriter, Writer};
use crate::deflate::TAIL_LEN;
use crate::error::{Error, ErrorKind};
use crate::frame::Opcode;
use crate::protocol::{SendError, Utf8};

/// What goes into a compressed message.
#[derive(Debug, Default)]
pub(super) struct Input {
    is_text: bool,
    /// What was read and, in `unread`, not yet compressed.
    bytes: Vec<u8>,
    unread: Range<usize>,
    /// How much of the message was compressed.
    taken: u64,
    utf8: Utf8,
    /// Whether the compressor has put out all of the message.
    ended: bool,
}

impl Input {
    pub(super) fn begin(&mut self, opcode: Opcode) {
        *self = Self {
            is_text: opcode == Opcode::Text,
            bytes: mem::take(&mut self.bytes),
            ..Self::default()
        };
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Notes what was compressed, which only here can be seen to be text.
    pub(super) fn take(&mut self, taken: &[u8]) -> Result<(), SendError> {
        self.taken += taken.len() as u64;
        if self.is_text {
            self.utf8.push(taken)?;
        }
        Ok(())
    }
}

impl<A: Access> MessageWriter<A> {
    /// Compresses what comes next; how much of it was taken, which is something of anything.
    pub(super) fn write_compressed(&mut self, buf: &[u8]) -> Result<usize, Error> {
        loop {
            let (taken, _) = self.compress(buf, false)?;
            if taken > 0 || buf.is_empty() {
                return Ok(taken);
            }
        }
    }

    /// Compresses what a reader gives until its end.
    pub(super) fn compress_all(&mut self, reader: &mut impl Read) -> Result<(), Error> {
        loop {
            self.compress_unread()?;
            let chunk_size = self.fragment.chunk_size();
            let input = &mut self.fragment.input;
            input.bytes.resize(chunk_size, 0);
            match reader.read(&mut input.bytes) {
                Ok(0) => return Ok(()),
                Ok(len) => input.unread = 0..len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ErrorKind::Source(error).into()),
            }
        }
    }

    /// Puts out all that was written so far but for the bytes that are cut off where the message
    /// ends here: without them a peer can decompress it as well.
    pub(super) fn flush_compressed(&mut self) -> Result<(), Error> {
        loop {
            self.send_full()?;
            let fragment = &mut self.fragment;
            if self.access.with(|writer| writer.flush_deflater(fragment))? {
                break;
            }
        }
        self.fragment.hold(TAIL_LEN);
        while !self.fragment.is_empty() {
            self.send_fragment(false)?;
        }
        self.fragment.hold(0);
        Ok(())
    }

    /// Puts out the end of the message into the fragment that will be its last.
    pub(super) fn finish_compressed(&mut self) -> Result<(), Error> {
        self.compress_unread()?;
        while !self.fragment.input.ended {
            // RFC 6455 8.1: the message as a whole is UTF-8.
            if !self.fragment.input.utf8.is_complete() {
                return Err(SendError::InvalidUtf8.into());
            }
            let (_, done) = self.compress(&[], true)?;
            if done {
                self.fragment.hold(TAIL_LEN);
                self.fragment.cut();
                self.fragment.input.ended = true;
            }
        }
        while !self.fragment.fits() {
            self.send_fragment(false)?;
        }
        Ok(())
    }

    fn compress_unread(&mut self) -> Result<(), Error> {
        while !self.fragment.input.unread.is_empty() {
            let bytes = mem::take(&mut self.fragment.input.bytes);
            let unread = self.fragment.input.unread.clone();
            let compressed = self.compress(&bytes[unread], false);
            self.fragment.input.bytes = bytes;
            self.fragment.input.unread.start += compressed?.0;
        }
        Ok(())
    }

    /// Compresses into the fragment, which is sent before where it is full.
    fn compress(&mut self, input: &[u8], last: bool) -> Result<(usize, bool), Error> {
        self.send_full()?;
        let fragment = &mut self.fragment;
        fragment.hold(0);
        self.access
            .with(|writer| writer.compress(fragment, input, last))
    }
}

impl<S: Write> Writer<S> {
    /// Compresses into a fragment that is not full: how much was taken, and whether that is all
    /// and, if it was the last, put out.
    pub(super) fn compress(
        &mut self,
        fragment: &mut Fragment,
        input: &[u8],
        last: bool,
    ) -> Result<(usize, bool), Error> {
        let deflater = self.sender.deflater_mut().ok_or(SendError::Compression)?;
        let compressed = deflater.compress(input, last, fragment.room());
        let compressed = compressed.map_err(|_| SendError::Compression)?;
        fragment.fill(compressed.produced);
        fragment.input.take(&input[..compressed.consumed])?;
        Ok((compressed.consumed, compressed.done))
    }

    /// Puts out what the compressor has, into a fragment that is not full, and says whether that
    /// was all.
    pub(super) fn flush_deflater(&mut self, fragment: &mut Fragment) -> Result<bool, Error> {
        let deflater = self.sender.deflater_mut().ok_or(SendError::Compression)?;
        let flushed = deflater.flush(fragment.room());
        let flushed = flushed.map_err(|_| SendError::Compression)?;
        fragment.fill(flushed.produced);
        Ok(flushed.done)
    }
}
