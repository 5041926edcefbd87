//! The two sides of a connection and a stream, brought together for as long as a call lasts.
//!
//! A front end lends its stream for each call, as something that reads and writes and may say
//! `WouldBlock`: a blocking one as it is, one of tasks with the task that is to be woken.

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

    /// Stages something, once there is room for it.
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

    /// Writes what is in the write buffer.
    fn write_staged(&mut self) -> Result<(), Error> {
        let (outbound, stream) = self.parts();
        while let Some(bytes) = outbound.staged()? {
            let written = stream.write(bytes);
            outbound.wrote(written, &mut Unsent::Nothing)?;
        }
        Ok(())
    }

    /// Writes what is left of a frame, and what waits before it. After `WouldBlock` less may be left.
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

    /// Writes what is left of a frame, and keeps what the stream does not take now.
    fn write_or_buffer(&mut self, mut unsent: Unsent<'_>) -> Result<(), Error> {
        match self.write(&mut unsent) {
            Err(error) if error.is_would_block() => self.outbound().buffer_rest(&mut unsent),
            result => result,
        }
    }

    /// Stages a frame once there is room for it, and writes it or keeps it.
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

    /// Sends what there is of a message that is written in pieces.
    fn send_fragment(&mut self, fragment: &mut Fragment, fin: bool) -> Result<(), Error> {
        let header: Header = self.stage(|outbound| outbound.stage_fragment(fragment, fin))?;
        let written = self.write_or_buffer(Unsent::Plain(fragment.frame(&header)));
        fragment.advance();
        written
    }

    /// Writes what waits, and flushes the stream.
    fn flush(&mut self) -> Result<(), Error> {
        let (outbound, stream) = self.parts();
        while let Some(bytes) = outbound.staged_with_reply()? {
            let written = stream.write(bytes);
            outbound.wrote(written, &mut Unsent::Nothing)?;
        }
        while outbound.flushed(stream.flush())? {}
        Ok(())
    }

    /// As [`flush`](Self::flush): what the stream does not take now goes out later.
    fn flush_staged(&mut self) -> Result<(), Error> {
        match self.flush() {
            Err(error) if error.is_would_block() => Ok(()),
            result => result,
        }
    }

    /// As [`flush_staged`](Self::flush_staged), unless what was staged may wait.
    fn flush_message(&mut self) -> Result<(), Error> {
        if self.outbound().may_coalesce() {
            return Ok(());
        }
        self.flush_staged()
    }

    /// Writes some of what waits, with one call. Says whether anything waits still.
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

/// What the receiving side reads from, and how its replies are sent.
pub trait Transport {
    /// Reads once.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Where replies go.
    fn replies(&mut self) -> &mut dyn Replies;

    /// Sends what waits, as far as the stream takes it.
    ///
    /// What fails here fails again with the next write, which reports it; what the peer has
    /// already sent can still be read.
    fn send_waiting(&mut self);

    /// Gives back memory that is not needed while a read has to wait.
    fn rest(&mut self) {}

    /// Records that nothing more will be read.
    fn end(&mut self) {}

    /// Whether this end has aborted the connection: what its stream then fails with is what is told.
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

/// Does what the step says, reading for as long as it needs bytes.
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

/// As [`read`], once the step has said that it needs bytes.
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

/// Reads bytes of the message that is streamed: a long payload straight into the caller's buffer.
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

/// Reads a whole frame into the caller's buffer, and gives its header.
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

/// Reads a data frame: straight into the caller's buffer until it is interrupted, then into the
/// memory that holds what came before, so that no byte is moved more than twice.
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

/// Reads until the stream ends: after the Close frames, the server closes it
/// (RFC 6455 7.1.1).
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

/// What a step has come to; `None` where it needs bytes. What it owes to the peer is sent.
fn outcome<R>(
    inbound: &mut Inbound,
    transport: &mut impl Transport,
    stepped: Result<R, Stop>,
) -> Result<Option<R>, Error> {
    match stepped {
        Ok(result) => {
            if inbound.take_unsent_reply() {
                transport.send_waiting();
                // As after a Close frame that is given as a frame.
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

/// Looks for the end of the stream, and for a read that has to wait.
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
    // What aborting does to the stream is told by every call, by itself.
    if !transport.is_aborted() {
        inbound.lose();
        transport.replies().reply(Reply::Lost);
    }
    transport.end();
    Err(error)
}
