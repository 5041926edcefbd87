//! What a thread reads from: a whole connection, or the stream of a reading half.

use std::io::{Read, Write};
use std::task::Poll;

use super::Writer;
use super::whole::Whole;
use crate::connection::{Found, Inbound, Replies, Stop};
use crate::drive::{ReadSide, now, poll_message, poll_step};
use crate::error::Error;

/// What a [`Reader`](super::Reader) reads from, and sends its replies through: the [`Writer`] of a whole connection, or
/// [`ReadEnd`](super::ReadEnd) of a split one.
///
/// For functions that read from either. It cannot be implemented by others.
pub trait Receiving: ReadSide {
    /// Does what the keep-alive has to do after a read that has timed out. Returns whether to read on.
    #[doc(hidden)]
    fn beat(&mut self, _inbound: &mut Inbound) -> Result<bool, Error> {
        Ok(false)
    }
}

impl<S: Read + Write> Receiving for Whole<S> {
    fn beat(&mut self, inbound: &mut Inbound) -> Result<bool, Error> {
        self.beat(inbound)
    }
}

impl<S: Read + Write> Receiving for Writer<Whole<S>> {
    fn beat(&mut self, inbound: &mut Inbound) -> Result<bool, Error> {
        self.side.beat(inbound)
    }
}

/// Does what is due after a read that failed. Returns the error, unless it was the keep-alive's time-out.
#[cold]
#[inline(never)]
fn beat<T: Receiving>(inbound: &mut Inbound, side: &mut T, error: Error) -> Option<Error> {
    if !error.is_would_block() {
        return Some(error);
    }
    match side.beat(inbound) {
        Ok(true) => None,
        Ok(false) => Some(error),
        Err(error) => Some(error),
    }
}

/// Reads until `job` is done. Goes on after a time-out that was the keep-alive's.
#[inline]
pub(super) fn until_done<T: Receiving, R>(
    inbound: &mut Inbound,
    side: &mut T,
    mut job: impl FnMut(&mut Inbound, &mut T) -> Poll<Result<R, Error>>,
) -> Result<R, Error> {
    loop {
        match now(job(inbound, side)) {
            Err(error) => {
                if let Some(error) = beat(inbound, side, error) {
                    return Err(error);
                }
            }
            done => return done,
        }
    }
}

/// Takes a step, and reads whenever it needs bytes.
#[inline]
pub(super) fn read<R>(
    inbound: &mut Inbound,
    side: &mut impl Receiving,
    step: impl Copy + FnMut(&mut Inbound, &mut dyn Replies) -> Result<R, Stop>,
) -> Result<R, Error> {
    until_done(inbound, side, |inbound, side| {
        poll_step(inbound, side, step)
    })
}

/// Returns the next message, and reads whenever it needs bytes.
#[inline]
pub(super) fn next_message(
    inbound: &mut Inbound,
    side: &mut impl Receiving,
) -> Result<Found, Error> {
    match inbound.buffered_message() {
        Some(found) => Ok(found),
        None => until_done(inbound, side, poll_message),
    }
}
