//! The two sides of a connection, joined with a stream for the duration of a call.
//!
//! A front end lends its stream for each call, as something that reads and writes and may return `WouldBlock`. The
//! blocking front end lends the stream itself; tokio's lends it together with the task to wake.

use std::io::{self, IoSlice, Read, Write};

use super::fragment::Fragment;
use super::inbound::{Inbound, Stop};
use super::outbound::Outbound;
use super::replies::{Replies, Reply};
use super::stage::{NotStaged, Unsent};
use crate::error::{Error, ErrorKind, would_block};
use crate::frame::Header;

/// A sending side and the stream that it writes to.
pub trait Drive {
    type Stream: Write;

    fn parts(&mut self) -> (&mut Outbound, &mut Self::Stream);

    fn outbound(&mut self) -> &mut Outbound {
        self.parts().0
    }

    /// Calls `stage`, and again after writing the write buffer while that has no room.
    #[inline]
    fn stage<T>(
        &mut self,
        mut stage: impl FnMut(&mut Outbound) -> Result<T, NotStaged>,
    ) -> Result<T, Error> {
        loop {
            match stage(self.outbound()) {
                Ok(staged) => return Ok(staged),
                Err(NotStaged::Full) => self.write_staged()?,
                Err(NotStaged::InFrame) => {
                    return Err(io::Error::from(io::ErrorKind::WouldBlock).into());
                }
                Err(NotStaged::Failed(error)) => return Err(error),
            }
        }
    }

    /// Writes the bytes in the write buffer.
    fn write_staged(&mut self) -> Result<(), Error> {
        let (outbound, stream) = self.parts();
        while let Some(bytes) = outbound.staged()? {
            let written = stream.write(bytes);
            outbound.wrote(written, &mut Unsent::Nothing)?;
        }
        Ok(())
    }

    /// Writes the bytes in the write buffer, then the rest of a frame. `WouldBlock` leaves what the stream did not
    /// take in `unsent`.
    fn write(&mut self, unsent: &mut Unsent<'_>) -> Result<(), Error> {
        let (outbound, stream) = self.parts();
        while let Some([staged, payload]) = outbound.next_write(unsent)? {
            let written = if payload.is_empty() {
                stream.write(staged)
            } else if staged.is_empty() {
                stream.write(payload)
            } else {
                stream.write_vectored(&[IoSlice::new(staged), IoSlice::new(payload)])
            };
            outbound.wrote(written, unsent)?;
        }
        Ok(())
    }

    /// Writes the rest of a frame, and buffers what the stream does not take now.
    fn write_or_buffer(&mut self, mut unsent: Unsent<'_>) -> Result<(), Error> {
        match self.write(&mut unsent) {
            Err(error) if error.is_would_block() => self.outbound().buffer_rest(&mut unsent),
            result => result,
        }
    }

    /// Stages a frame once there is room, then [writes or buffers](Self::write_or_buffer) the rest of it.
    #[inline]
    fn send<'p>(
        &mut self,
        stage: impl FnMut(&mut Outbound) -> Result<Unsent<'p>, NotStaged>,
    ) -> Result<(), Error> {
        let unsent = self.stage(stage)?;
        if unsent.is_nothing() {
            return Ok(());
        }
        self.write_or_buffer(unsent)
    }

    /// Sends the current fragment of a message that is written in pieces.
    fn send_fragment(&mut self, fragment: &mut Fragment, fin: bool) -> Result<(), Error> {
        let header: Header = self.stage(|outbound| outbound.stage_fragment(fragment, fin))?;
        let written = self.write_or_buffer(Unsent::Plain(fragment.frame(&header)));
        fragment.advance();
        written
    }

    /// Writes what waits, a reply included, and flushes the stream.
    fn flush(&mut self) -> Result<(), Error> {
        let (outbound, stream) = self.parts();
        while let Some(bytes) = outbound.staged_with_reply()? {
            let written = stream.write(bytes);
            outbound.wrote(written, &mut Unsent::Nothing)?;
        }
        while outbound.flushed(stream.flush())? {}
        Ok(())
    }

    /// As [`flush`](Self::flush), but succeeds where the stream would block: the rest leaves later.
    fn flush_staged(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            result => result,
        }
    }

    /// As [`flush_staged`](Self::flush_staged), unless the staged message may wait for later ones.
    fn flush_message(&mut self) -> Result<(), Error> {
        if self.outbound().may_coalesce() {
            return Ok(());
        }
        self.flush_staged()
    }

    /// Writes some of what waits, with one call. Returns whether anything still waits.
    fn write_some(&mut self) -> Result<bool, Error> {
        let (outbound, stream) = self.parts();
        if let Some(bytes) = outbound.staged_with_reply()? {
            let written = stream.write(bytes);
            outbound.wrote(written, &mut Unsent::Nothing)?;
        }
        if outbound.buffered() == 0 {
            while outbound.flushed(stream.flush())? {}
        }
        Ok(outbound.has_pending_output())
    }
}

/// What the receiving side reads from, and the way to send its replies.
pub trait Transport {
    /// Reads once.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Returns the receiver of automatic replies.
    fn replies(&mut self) -> &mut dyn Replies;

    /// Writes what waits, as far as the stream takes it.
    ///
    /// Drops errors: the next write fails with the same one and reports it, and what the peer has already sent can
    /// still be read.
    fn send_waiting(&mut self);

    /// Gives back memory that is not needed while a read has to wait.
    fn rest(&mut self) {}

    /// Records that nothing more will be read.
    fn end(&mut self) {}

    /// Returns whether this end has aborted the connection. Every read then reports the error of the stream itself.
    fn is_aborted(&self) -> bool {
        false
    }
}

impl<D: Drive> Transport for D
where
    D::Stream: Read,
{
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.parts().1.read(buf)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        self.outbound()
    }

    fn send_waiting(&mut self) {
        if self.outbound().has_pending_output() {
            self.outbound().retain_buffer(true);
            let _ = self.flush();
            self.outbound().retain_buffer(false);
        }
    }

    fn rest(&mut self) {
        self.outbound().rest();
    }
}

/// Repeats `step` until it has a result, and reads whenever it needs bytes.
pub(crate) fn read<R>(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    mut step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Result<R, Error> {
    loop {
        let stepped = step(inbound, transport.replies());
        if let Some(result) = outcome(inbound, transport, stepped)? {
            return Ok(result);
        }
        fill(inbound, transport)?;
    }
}

/// As [`read`], for a step that has already said that it needs bytes.
#[cfg(feature = "tokio")]
pub(crate) fn read_on<R>(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    mut step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Result<R, Error> {
    loop {
        fill(inbound, transport)?;
        let stepped = step(inbound, transport.replies());
        if let Some(result) = outcome(inbound, transport, stepped)? {
            return Ok(result);
        }
    }
}

/// Reads bytes of the streamed message. A long payload goes straight into the caller's buffer.
pub(crate) fn read_stream(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    output: &mut [u8],
) -> Result<usize, Error> {
    loop {
        let stepped = inbound.read_stream(output, transport.replies());
        if let Some(len) = outcome(inbound, transport, stepped)? {
            return Ok(len);
        }
        match inbound.direct(output.len()) {
            Some(most) => return read_direct(inbound, transport, &mut output[..most]),
            None => fill(inbound, transport)?,
        }
    }
}

/// Reads a whole frame into the caller's buffer and returns its header.
pub(crate) fn read_frame(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    output: &mut [u8],
) -> Result<Header, Error> {
    let header = read(inbound, transport, Inbound::read_header)?;
    let needed = header.payload_len();
    let Some(output) = usize::try_from(needed)
        .ok()
        .and_then(|needed| output.get_mut(..needed))
    else {
        return Err(ErrorKind::FrameBufferTooSmall { needed }.into());
    };
    if header.opcode().is_control() {
        read(inbound, transport, |inbound, replies| {
            inbound.read_control_frame(output, replies)
        })?;
        return Ok(header);
    }
    let mut done = 0;
    let result = read_data_frame(inbound, transport, output, &mut done);
    if result.is_err() && done > 0 {
        inbound.buffer_frame(&output[..done]);
    }
    result.map(|()| header)
}

/// Reads a data frame straight into the caller's buffer. After an interruption, reads into the memory that holds the
/// first part, so that no byte is moved more than twice.
fn read_data_frame(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    output: &mut [u8],
    done: &mut usize,
) -> Result<(), Error> {
    loop {
        let stepped = inbound.read_data_frame(output, done, transport.replies());
        if outcome(inbound, transport, stepped)?.is_some() {
            return Ok(());
        }
        match inbound.direct_of_frame(output.len() - *done) {
            Some(most) => {
                *done += read_direct(inbound, transport, &mut output[*done..*done + most])?;
            }
            None => fill(inbound, transport)?,
        }
    }
}

/// Reads until the stream ends: after the Close frames, the server closes it (RFC 6455 7.1.1).
pub(crate) fn wait_for_end(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
) -> io::Result<()> {
    let waited = loop {
        match read_once(transport, inbound.room_to_forget()) {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    inbound.give_memory();
    waited
}

/// Returns the result of a step, or `None` where it needs bytes, and sends the replies that the step queued.
fn outcome<R>(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    stepped: Result<R, Stop>,
) -> Result<Option<R>, Error> {
    match stepped {
        Ok(result) => {
            if inbound.take_unsent_reply() {
                transport.send_waiting();
                // A Close frame that is read as a raw frame is a result, and the end.
                if inbound.has_ended() {
                    transport.end();
                }
            }
            Ok(Some(result))
        }
        Err(Stop::Bytes) => Ok(None),
        Err(Stop::Failed(error)) => {
            if inbound.take_unsent_reply() {
                transport.send_waiting();
            }
            if inbound.has_ended() {
                transport.end();
            }
            Err(error)
        }
    }
}

fn fill(inbound: &mut Inbound, transport: &mut impl Transport) -> Result<(), Error> {
    let read = read_once(transport, inbound.room());
    let len = check_read(inbound, transport, read)?;
    let filled = inbound.filled(len, transport.replies());
    outcome(inbound, transport, filled.map_err(Stop::Failed)).map(drop)
}

fn read_direct(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    output: &mut [u8],
) -> Result<usize, Error> {
    let read = read_once(transport, output);
    let len = check_read(inbound, transport, read)?;
    let filled = inbound.filled_direct(&mut output[..len], transport.replies());
    outcome(inbound, transport, filled.map_err(Stop::Failed))?;
    Ok(len)
}

fn read_once(transport: &mut impl Transport, buf: &mut [u8]) -> io::Result<usize> {
    transport.send_waiting();
    loop {
        match transport.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Returns how many bytes a read gave. Handles the end of the stream and a read that has to wait.
fn check_read(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    read: io::Result<usize>,
) -> Result<usize, Error> {
    let error = match read {
        Ok(0) => ErrorKind::ConnectionLost.into(),
        Ok(len) => return Ok(len),
        Err(error) if would_block(&error) => {
            inbound.wait();
            transport.rest();
            return Err(error.into());
        }
        Err(error) => error.into(),
    };
    // After an abort every call reports the error of the stream itself.
    if !transport.is_aborted() {
        inbound.lose();
        transport.replies().reply(Reply::Lost);
    }
    transport.end();
    Err(error)
}
