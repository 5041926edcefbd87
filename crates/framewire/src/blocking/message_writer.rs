//! A message that is written in pieces.

use std::io::{self, Read, Write};
use std::mem;

use super::whole::{Access as _, Sending};
use crate::connection::{Buffers, Fragment, Outbound, PieceStep};
use crate::drive::{WriteSide as _, now};
use crate::error::{Error, ErrorKind};
use crate::protocol::MessageKind;

/// Writes one message in fragments of the connection's chunk size.
///
/// Holds one chunk and sends it when there is more, so that the last fragment carries FIN.
/// [`flush`](Write::flush) sends what it holds at once; unless more is written, the message then ends with an
/// empty frame.
///
/// Dropped without [`finish`](Self::finish), the message stays open, and
/// [`resume_message_writer`](super::Writer::resume_message_writer) goes on with it. Forgotten
/// ([`mem::forget`]), it stays open for good: control frames and a Close frame can still be sent.
///
/// # Examples
/// ```
/// use std::io::Write;
///
/// use framewire::{Config, Opcode, WebSocket};
///
/// let mut websocket = WebSocket::server(std::io::Cursor::new(Vec::new()), Config::default())?;
/// let mut message = websocket.message_writer(Opcode::Text)?;
/// write!(message, "{} and ", "so")?;
/// write!(message, "on")?;
/// message.finish()?;
/// assert_eq!(websocket.stream().get_ref(), b"\x81\x09so and on");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MessageWriter<'a, T: Sending + 'a> {
    access: T::Turn<'a>,
    /// Moved out of the writer while this lives, and put back when it is dropped.
    fragment: Fragment,
}

impl<'a, T: Sending> MessageWriter<'a, T> {
    pub(super) fn open(
        mut access: T::Turn<'a>,
        kind: MessageKind,
        chunk_size: Option<usize>,
    ) -> Result<Self, Error> {
        let open = |outbound: &mut Outbound| outbound.open_message(kind, chunk_size);
        let fragment = access.with(|writer| open(writer.outbound()))?;
        Ok(Self { access, fragment })
    }

    pub(super) fn resume(mut access: T::Turn<'a>) -> Option<Self> {
        let fragment = access.with(|writer| writer.outbound().resume_message())?;
        Some(Self { access, fragment })
    }

    /// Ends the message: sends its last fragment with FIN, and flushes all. Returns the number of bytes in the
    /// message.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). After `WouldBlock` the message is still open, as if this was
    /// dropped. [`ErrorKind::Send`](crate::ErrorKind::Send) if a text ends inside a character: the message
    /// cannot be finished, close the connection.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.send_all(Fragment::finish)?;
        let fragment = &mut self.fragment;
        self.access.with(|writer| {
            let len = fragment.close(writer.outbound());
            writer.flush_staged()?;
            Ok(len)
        })
    }

    /// Sends all that a reader gives, and ends the message as [`finish`](Self::finish) does. Blocks on the
    /// reader too.
    ///
    /// # Errors
    /// [`ErrorKind::Source`](crate::ErrorKind::Source) if the reader fails; otherwise as
    /// [`finish`](Self::finish).
    pub fn finish_from(mut self, mut reader: impl Read) -> Result<u64, Error> {
        let buffers = self
            .access
            .with(|writer| writer.outbound().buffers().clone());
        while self.pull(&mut reader, &buffers)? > 0 {}
        self.finish()
    }

    /// Reads once from `reader` into the message. Returns 0 at the reader's end.
    fn pull(&mut self, reader: &mut impl Read, buffers: &Buffers) -> Result<usize, Error> {
        self.send_all(Fragment::make_room)?;
        loop {
            match reader.read(self.fragment.source_room(buffers)) {
                Ok(len) => {
                    self.fragment.source_filled(len);
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ErrorKind::Source(error).into()),
            }
        }
    }

    /// Sends fragments until `step` is done or the last fragment is sent.
    fn send_all(
        &mut self,
        step: impl Fn(&mut Fragment, &mut Outbound) -> Result<PieceStep, Error>,
    ) -> Result<(), Error> {
        let fragment = &mut self.fragment;
        loop {
            let next = self.access.with(|writer| {
                let next = step(fragment, writer.outbound())?;
                if let PieceStep::Send { fin } = next {
                    now(writer.poll_send_fragment(fragment, fin))?;
                }
                Ok::<_, Error>(next)
            })?;
            if next != (PieceStep::Send { fin: false }) {
                return Ok(());
            }
        }
    }

    /// Copies part of `input` into the message, at least one byte unless it is empty.
    fn push(&mut self, input: &[u8]) -> Result<usize, Error> {
        loop {
            self.send_all(Fragment::make_room)?;
            let fragment = &mut self.fragment;
            let taken = self
                .access
                .with(|writer| fragment.take(writer.outbound(), input))?;
            if taken > 0 || input.is_empty() {
                return Ok(taken);
            }
        }
    }
}

impl<T: Sending> Write for MessageWriter<'_, T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.push(buf)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_all(Fragment::flush)?;
        Ok(self.access.with(|writer| now(writer.poll_flush()))?)
    }
}

impl<T: Sending> Drop for MessageWriter<'_, T> {
    fn drop(&mut self) {
        let fragment = mem::take(&mut self.fragment);
        self.access
            .with(|writer| writer.outbound().put_back(fragment));
    }
}
