//! Records as bytes: those that were read and those that wait to be written.

use rustls::Connection;
use std::io::{self, IoSlice, Read, Write};
use std::ops::Range;

/// Bytes from the socket that were not yet opened.
#[derive(Default)]
pub(super) struct Incoming {
    buffer: Vec<u8>,
    unopened: Range<usize>,
    end: End,
    failed: Option<rustls::Error>,
}

/// The end of the stream beneath.
#[derive(Default, PartialEq, Eq)]
enum End {
    #[default]
    NotYet,
    Seen,
    /// The session has been told.
    Told,
}

impl Incoming {
    /// Reads once from the socket. To be called when everything was opened.
    pub(super) fn fill<S: Read>(&mut self, socket: &mut S) -> io::Result<()> {
        self.buffer.resize(READ_SIZE, 0);
        let count = socket.read(&mut self.buffer)?;
        self.unopened = 0..count;
        if count == 0 && self.end == End::NotYet {
            self.end = End::Seen;
        }
        Ok(())
    }

    /// Feeds the session a piece of what was read. Returns `false` where there is nothing to feed.
    pub(super) fn feed(&mut self, session: &mut Connection) -> io::Result<bool> {
        if let Some(error) = &self.failed {
            return Err(broken_record(error.clone()));
        }
        if self.unopened.is_empty() && self.end != End::Seen {
            return Ok(false);
        }
        if self.unopened.is_empty() {
            self.end = End::Told;
        }
        let mut unopened = &self.buffer[self.unopened.clone()];
        let fed = session.read_tls(&mut unopened);
        self.unopened.start = self.unopened.end - unopened.len();
        let result = match fed {
            Ok(_) => session.process_new_packets(),
            Err(error) => Err(over_bound(&error)),
        };
        result.map(|_| true).map_err(|error| {
            self.failed = Some(error.clone());
            broken_record(error)
        })
    }
}

/// Records on their way to the socket, in the order in which they were sealed.
#[derive(Default)]
pub(super) struct Outgoing {
    pub(super) sealed: Vec<u8>,
    written: usize,
    closed: bool,
}

impl Outgoing {
    /// Seals as much as there is room for, and returns how much that was. To be called when nothing waits.
    pub(super) fn seal(
        &mut self,
        session: &mut Connection,
        bufs: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // The session's own answers go first, so that its limit leaves room for the payload.
        take_sealed(session, &mut self.sealed);
        let taken = session.writer().write_vectored(bufs)?;
        take_sealed(session, &mut self.sealed);
        Ok(taken)
    }

    /// Seals a `close_notify`, once. A session that has failed has sent an alert instead.
    pub(super) fn close(&mut self, session: &mut Connection) {
        if !self.closed {
            session.send_close_notify();
            self.closed = true;
        }
    }

    /// Writes what waits. Calls `before_each` before each write to the socket.
    pub(super) fn send<S: Write>(
        &mut self,
        socket: &mut S,
        mut before_each: impl FnMut(&mut S) -> io::Result<()>,
    ) -> io::Result<()> {
        while self.written < self.sealed.len() {
            before_each(socket)?;
            match socket.write(&self.sealed[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        self.sealed.clear();
        // A connection at rest retains room for small messages only.
        self.sealed.shrink_to(KEPT);
        Ok(())
    }
}

/// Appends what the session has to send to `sealed`.
pub(super) fn take_sealed(session: &mut Connection, sealed: &mut Vec<u8>) {
    // Writing to memory does not fail.
    while session.wants_write() && session.write_tls(sealed).is_ok() {}
}

/// Returns the error for a record that is longer than the session can hold, which TLS forbids.
pub(super) fn over_bound(error: &io::Error) -> rustls::Error {
    rustls::Error::General(error.to_string())
}

fn broken_record(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// How many bytes are read from the socket at once: about one full record.
const READ_SIZE: usize = 16 << 10;
/// How many bytes of room for sealed records are retained once all were sent.
const KEPT: usize = 4 << 10;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Takes a byte with every other write, and is interrupted at the others.
    #[derive(Default)]
    struct Restless {
        taken: Vec<u8>,
        writes: usize,
    }

    impl Write for Restless {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            if self.writes % 2 == 1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.taken.push(buf[0]);
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writes_of_records_that_are_interrupted_are_made_again() {
        let mut outgoing = Outgoing {
            sealed: b"record".to_vec(),
            ..Outgoing::default()
        };
        let mut socket = Restless::default();
        outgoing.send(&mut socket, |_| Ok(())).unwrap();
        assert_eq!(socket.taken, b"record");
        assert_eq!(socket.writes, 2 * socket.taken.len());
    }

    #[test]
    fn room_for_small_records_is_kept_and_that_of_large_ones_given_back() {
        const SMALL: usize = 4096;
        for room in [SMALL, 16 * SMALL] {
            let mut outgoing = Outgoing {
                sealed: vec![0; room],
                ..Outgoing::default()
            };
            outgoing.send(&mut Vec::new(), |_| Ok(())).unwrap();
            let capacity = outgoing.sealed.capacity();
            assert!((SMALL..2 * SMALL).contains(&capacity), "{capacity}");
        }
    }
}
