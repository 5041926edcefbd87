//! The end of a connection, in which the peer gets what was sent last.

use std::time::{Duration, Instant};

use super::stream::{self, Stream};
use super::turn::Turn;
use crate::serve::server::LINGER;
use crate::serve::slots::Slot;
use crate::serve::stall::Stall;

/// A connection that sends its last bytes and then drains what still comes.
///
/// A socket that is closed with unread input resets the connection, which can take the last bytes from the
/// peer.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) slot: Slot,
    output: Vec<u8>,
    written: usize,
    is_shut: bool,
    write_timeout: Duration,
    /// How long the peer has taken none of the last bytes.
    stall: Stall,
    /// Until when what still comes is drained, once the last bytes are sent.
    end: Instant,
}

impl Ending {
    pub(super) fn new(slot: Slot, output: Vec<u8>, write_timeout: Duration) -> Self {
        let now = Instant::now();
        Self {
            slot,
            output,
            written: 0,
            is_shut: false,
            write_timeout,
            stall: Stall::begin(now),
            end: now,
        }
    }

    /// Returns when to go on at the latest.
    pub(super) fn deadline(&self) -> Instant {
        if self.is_shut {
            return self.end;
        }
        self.stall.next_try(self.write_timeout)
    }

    /// Returns whether the peer's time is over, to take the last bytes or to end its side.
    pub(super) fn is_given_up(&self) -> bool {
        let now = Instant::now();
        if self.is_shut {
            return now >= self.end;
        }
        self.stall.is_over(now, self.write_timeout)
    }

    /// Returns whether the last bytes are not all sent.
    pub(super) fn is_writing(&self) -> bool {
        !self.is_shut
    }

    /// Writes or reads as far as the socket allows.
    pub(super) fn turn(&mut self, stream: &mut Stream, input: &mut [u8]) -> Turn {
        if !self.is_shut {
            let before = self.written;
            match stream::write(stream, &self.output, &mut self.written) {
                Ok(true) => {}
                Ok(false) => {
                    let now = Instant::now();
                    if self.written > before {
                        self.stall = Stall::begin(now);
                    } else {
                        self.stall.failed(now);
                    }
                    return Turn::Wait;
                }
                Err(_) => return Turn::Gone,
            }
            if stream.shutdown().is_err() {
                return Turn::Gone;
            }
            self.is_shut = true;
            self.output = Vec::new();
            self.end = Instant::now() + LINGER;
        }
        match stream::read(stream, input) {
            Ok(Some(1..)) => Turn::Again,
            Ok(None) => Turn::Wait,
            Ok(Some(0)) | Err(_) => Turn::Gone,
        }
    }
}
