//! Messages in pieces, of connections of every kind.

use std::fmt;
use std::io::{self, Read, Write};

use framewire::frame::Rsv;
use framewire::{Error, Opcode, blocking, tokio};

use super::Messaging;
use super::by_hand::ByHand;
use crate::peer::ScriptedPeer;
use crate::wait::{Asking, Waiting, wait_on};

/// `blocking::MessageReader`.
pub struct MessageReader<'a> {
    pub(super) reader: Reading<'a>,
    pub(super) opcode: Opcode,
    pub(super) rsv: Rsv,
}

pub(super) enum Reading<'a> {
    Blocking(blocking::MessageReader<'a, blocking::Writer<blocking::Whole<ScriptedPeer>>>),
    BlockingHalves(blocking::MessageReader<'a, blocking::ReadEnd<ScriptedPeer>>),
    Tokio(Waiting<tokio::MessageReader<'a, tokio::Writer<tokio::Whole<ScriptedPeer>>>>),
    TokioHalves(Waiting<tokio::MessageReader<'a, tokio::ReadEnd<ScriptedPeer>>>),
    ByHand(&'a mut ByHand),
}

impl MessageReader<'_> {
    /// Text or Binary.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// The reserved bits of the first frame.
    #[must_use]
    pub fn rsv(&self) -> Rsv {
        self.rsv
    }
}

impl fmt::Debug for MessageReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader")
            .field("opcode", &self.opcode)
            .field("rsv", &self.rsv)
            .finish_non_exhaustive()
    }
}

impl Read for MessageReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.reader {
            Reading::Blocking(reader) => reader.read(buf),
            Reading::BlockingHalves(reader) => reader.read(buf),
            Reading::Tokio(reader) => reader.read(buf),
            Reading::TokioHalves(reader) => reader.read(buf),
            Reading::ByHand(connection) => Ok(connection.read_piece(buf)?),
        }
    }
}

/// `blocking::MessageWriter`.
pub struct MessageWriter<'a>(pub(super) Writing<'a>);

pub(super) enum Writing<'a> {
    Blocking(blocking::MessageWriter<'a, blocking::Whole<ScriptedPeer>>),
    BlockingHalves(blocking::MessageWriter<'a, blocking::Half<ScriptedPeer>>),
    Tokio(Waiting<tokio::MessageWriter<'a, tokio::Whole<ScriptedPeer>>>),
    TokioHalves(Waiting<tokio::MessageWriter<'a, tokio::Half<ScriptedPeer>>>),
    ByHand(&'a mut ByHand),
}

impl MessageWriter<'_> {
    /// Ends the message.
    ///
    /// # Errors
    /// As `blocking::MessageWriter::finish`.
    pub fn finish(self) -> Result<u64, Error> {
        match self.0 {
            Writing::Blocking(writer) => writer.finish(),
            Writing::BlockingHalves(writer) => writer.finish(),
            Writing::Tokio(Waiting(threads, writer)) => wait_on(threads, writer.finish()),
            Writing::TokioHalves(Waiting(threads, writer)) => wait_on(threads, writer.finish()),
            Writing::ByHand(connection) => connection.finish(),
        }
    }

    /// Ends the message with what a reader gives.
    ///
    /// # Errors
    /// As `blocking::MessageWriter::finish_from`.
    pub fn finish_from(self, reader: &mut (dyn Read + Send)) -> Result<u64, Error> {
        match self.0 {
            Writing::Blocking(writer) => writer.finish_from(reader),
            Writing::BlockingHalves(writer) => writer.finish_from(reader),
            Writing::Tokio(Waiting(threads, writer)) => {
                wait_on(threads, writer.finish_from(Asking(reader)))
            }
            Writing::TokioHalves(Waiting(threads, writer)) => {
                wait_on(threads, writer.finish_from(Asking(reader)))
            }
            Writing::ByHand(connection) => connection.finish_from(reader),
        }
    }

    fn as_write(&mut self) -> &mut dyn Write {
        match &mut self.0 {
            Writing::Blocking(writer) => writer,
            Writing::BlockingHalves(writer) => writer,
            Writing::Tokio(writer) => writer,
            Writing::TokioHalves(writer) => writer,
            Writing::ByHand(connection) => connection,
        }
    }
}

impl Write for ByHand {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.write_piece(buf)?)
    }

    /// What is less than a fragment waits in the message.
    fn flush(&mut self) -> io::Result<()> {
        Ok(Messaging::flush(self)?)
    }
}

impl fmt::Debug for MessageWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter").finish_non_exhaustive()
    }
}

impl Write for MessageWriter<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.as_write().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.as_write().flush()
    }
}
