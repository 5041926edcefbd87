//! Writing a message in pieces, as calls that block for as long as the stream does.

use std::io::{self, Read, Write};

use crate::connection::{Access, MessageWriter, Writer};
use crate::error::Error;

impl<A: Access> MessageWriter<A> {
    /// Ends the message: its last fragment goes out with FIN, and everything is flushed. Returns
    /// the number of bytes in the message.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). After `WouldBlock` the message is open still, as if
    /// this was dropped. [`ErrorKind::Send`](crate::ErrorKind::Send) where a text ends inside a
    /// character: the message cannot be finished, close the connection.
    pub fn finish(mut self) -> Result<u64, Error> {
        let len = self.end()?;
        self.access.with(Writer::flush_taken)?;
        Ok(len)
    }

    /// Sends what a reader gives until its end, and ends the message as [`finish`](Self::finish)
    /// does. Blocks on the reader too.
    ///
    /// # Errors
    /// [`ErrorKind::Source`](crate::ErrorKind::Source) where the reader fails; else those of
    /// `finish`.
    pub fn finish_from(mut self, mut reader: impl Read) -> Result<u64, Error> {
        self.pull(&mut reader)?;
        self.finish()
    }
}

impl<A: Access> Write for MessageWriter<A> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.push(buf)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.push_out()?)
    }
}
