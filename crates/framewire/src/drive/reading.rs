//! The ways to read, repeated until they have a result.

use std::io;
use std::task::{Poll, ready};

use super::sides::{ReadSide, is_blocked};
use crate::connection::{Found, Inbound, Replies, Stop, payload_room};
use crate::error::{Error, ErrorKind};
use crate::frame::Header;

/// Repeats `step` until it has a result, and reads whenever it needs bytes.
pub(crate) fn poll_step<R>(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
    mut step: impl FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Poll<Result<R, Error>> {
    loop {
        let stepped = step(inbound, side.replies());
        if let Some(result) = outcome(inbound, side, stepped)? {
            return Poll::Ready(Ok(result));
        }
        ready!(poll_fill(inbound, side))?;
    }
}

/// Reads the next whole message. The caller has found that none is [buffered](Inbound::buffered_message).
pub(crate) fn poll_message(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
) -> Poll<Result<Found, Error>> {
    loop {
        if !inbound.is_between_messages() {
            let stepped = inbound.next_in_steps(side.replies());
            if let Some(found) = outcome(inbound, side, stepped)? {
                return Poll::Ready(Ok(found));
            }
        }
        ready!(poll_fill(inbound, side))?;
        if let Some(found) = inbound.buffered_message() {
            if inbound.take_unsent_reply() {
                side.send_waiting();
            }
            return Poll::Ready(Ok(found));
        }
    }
}

/// Reads bytes of the streamed message. A long payload goes straight into the caller's buffer.
pub(crate) fn poll_read_stream(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
    output: &mut [u8],
) -> Poll<Result<usize, Error>> {
    loop {
        let stepped = inbound.read_stream(output, side.replies());
        if let Some(len) = outcome(inbound, side, stepped)? {
            return Poll::Ready(Ok(len));
        }
        match inbound.direct(output.len()) {
            Some(most) => return poll_direct(inbound, side, &mut output[..most]),
            None => ready!(poll_fill(inbound, side))?,
        }
    }
}

/// Reads a whole frame into the caller's buffer and returns its header.
pub(crate) fn poll_read_frame(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
    output: &mut [u8],
) -> Poll<Result<Header, Error>> {
    let header = ready!(poll_step(inbound, side, Inbound::read_header))?;
    let output = payload_room(&header, output)?;
    if header.opcode().is_control() {
        let read = poll_step(inbound, side, |inbound, replies| {
            inbound.read_control_frame(output, replies)
        });
        return read.map_ok(|()| header);
    }
    let mut done = 0;
    let read = poll_read_data_frame(inbound, side, output, &mut done);
    if !matches!(read, Poll::Ready(Ok(()))) && done > 0 {
        inbound.buffer_frame(&output[..done]);
    }
    read.map_ok(|()| header)
}

/// Reads a data frame straight into the caller's buffer. After an interruption, reads into the memory that holds the
/// first part, so that no byte is moved more than twice.
fn poll_read_data_frame(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
    output: &mut [u8],
    done: &mut usize,
) -> Poll<Result<(), Error>> {
    loop {
        let stepped = inbound.read_data_frame(output, done, side.replies());
        if outcome(inbound, side, stepped)?.is_some() {
            return Poll::Ready(Ok(()));
        }
        match inbound.direct_of_frame(output.len() - *done) {
            Some(most) => {
                let read = poll_direct(inbound, side, &mut output[*done..*done + most]);
                *done += ready!(read)?;
            }
            None => ready!(poll_fill(inbound, side))?,
        }
    }
}

/// Reads until the stream ends: after the Close frames, the server closes it (RFC 6455 7.1.1).
pub(crate) fn poll_end(inbound: &mut Inbound, side: &mut impl ReadSide) -> Poll<io::Result<()>> {
    let ended = loop {
        match poll_once(side, inbound.room_to_forget()) {
            Poll::Ready(Ok(1..)) => {}
            other => break other.map_ok(drop),
        }
    };
    inbound.give_memory();
    ended
}

/// Returns the result of a step, or `None` where it needs bytes, and sends the replies that the step queued.
fn outcome<R>(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
    stepped: Result<R, Stop>,
) -> Result<Option<R>, Error> {
    if let Err(Stop::Bytes) = stepped {
        return Ok(None);
    }
    if inbound.take_unsent_reply() {
        side.send_waiting();
    }
    // A Close frame that is read as a raw frame is a result, and the end.
    if inbound.has_ended() {
        side.end();
    }
    match stepped {
        Ok(result) => Ok(Some(result)),
        Err(Stop::Bytes) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// As [`outcome`], of what failed.
#[cold]
fn failed(inbound: &mut Inbound, side: &mut impl ReadSide, error: Error) -> Result<(), Error> {
    outcome::<()>(inbound, side, Err(Stop::Failed(error))).map(drop)
}

fn poll_fill(inbound: &mut Inbound, side: &mut impl ReadSide) -> Poll<Result<(), Error>> {
    let read = poll_once(side, inbound.room());
    let len = ready!(check_read(inbound, side, read))?;
    let filled = inbound.filled(len, side.replies());
    Poll::Ready(filled.or_else(|error| failed(inbound, side, error)))
}

fn poll_direct(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
    output: &mut [u8],
) -> Poll<Result<usize, Error>> {
    let read = poll_once(side, output);
    let len = ready!(check_read(inbound, side, read))?;
    let filled = inbound.filled_direct(&mut output[..len], side.replies());
    filled.or_else(|error| failed(inbound, side, error))?;
    Poll::Ready(Ok(len))
}

fn poll_once(side: &mut impl ReadSide, buf: &mut [u8]) -> Poll<io::Result<usize>> {
    side.send_waiting();
    loop {
        match side.poll_read(buf) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Returns how many bytes a read gave. Handles the end of the stream and a read that has to wait.
fn check_read(
    inbound: &mut Inbound,
    side: &mut impl ReadSide,
    read: Poll<io::Result<usize>>,
) -> Poll<Result<usize, Error>> {
    let read = match read {
        Poll::Ready(Ok(len @ 1..)) => return Poll::Ready(Ok(len)),
        Poll::Ready(Ok(0)) => Poll::Ready(Err(ErrorKind::ConnectionLost.into())),
        other => other.map_err(Error::from),
    };
    if is_blocked(&read) {
        inbound.wait();
        side.rest();
    } else {
        // After an abort every call reports the error of the stream itself.
        if !side.is_aborted() {
            inbound.lose(side.replies());
        }
        side.end();
    }
    read
}
