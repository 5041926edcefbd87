//! A peer in memory whose stream fails where it is told to.

use framewire::Socket;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Duration;

/// What the peer says, what it was told, and how the stream in between fails.
#[derive(Debug, Default)]
pub struct Script {
    input: Vec<u8>,
    read: usize,
    pub output: Vec<u8>,
    pub calls: Calls,
    /// The most bytes that one call moves; 0 is any number.
    at_most: usize,
    plan: Plan,
    /// Whether the last call of its kind was made to fail.
    failed_before: [bool; 3],
    /// The direction that was made to fail, with an error or with 0 bytes.
    pub failed: Option<Direction>,
    /// How many bytes had been written when that was.
    pub written_before: usize,
}

/// How many calls there were, those that failed too.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    pub reads: usize,
    pub writes: usize,
    pub flushes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Read,
    Write,
    Flush,
}

/// Which calls fail, and with what.
#[derive(Debug, Default, Clone, Copy)]
pub enum Plan {
    #[default]
    None,
    /// The n-th call in this direction, from 0, and no other.
    Nth(Direction, usize, Fault),
    /// Every call in this direction.
    Always(Direction, Fault),
    /// Each call in this direction once before it is let through.
    Before(Direction, ErrorKind),
    /// Each call, in every direction, once before it is let through.
    BeforeAll(ErrorKind),
}

#[derive(Debug, Clone, Copy)]
pub enum Fault {
    Error(ErrorKind),
    /// `Ok(0)`: the end of the stream, or a stream that takes nothing more.
    Zero,
}

impl Script {
    pub fn new(input: impl Into<Vec<u8>>) -> Self {
        Self {
            input: input.into(),
            ..Self::default()
        }
    }

    /// Lets no call move more than `count` bytes.
    pub fn in_pieces_of(mut self, count: usize) -> Self {
        self.at_most = count;
        self
    }

    pub fn failing(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Has the stream fail so from here on; the calls are counted anew.
    pub fn fail(&mut self, plan: Plan) {
        self.plan = plan;
        self.calls = Calls::default();
    }

    pub fn then(&mut self, input: &[u8]) {
        self.input.extend_from_slice(input);
    }

    pub fn unread(&self) -> &[u8] {
        &self.input[self.read..]
    }

    fn move_at_most(&self, len: usize) -> usize {
        if self.at_most == 0 {
            len
        } else {
            len.min(self.at_most)
        }
    }

    /// Counts a call, and says how it fails, if it does.
    fn fault(&mut self, direction: Direction) -> Option<Fault> {
        let count = match direction {
            Direction::Read => &mut self.calls.reads,
            Direction::Write => &mut self.calls.writes,
            Direction::Flush => &mut self.calls.flushes,
        };
        let n = *count;
        *count += 1;
        let failed_before = &mut self.failed_before[direction as usize];
        let fault = match self.plan {
            Plan::Nth(at, nth, fault) if at == direction && nth == n => Some(fault),
            Plan::Always(at, fault) if at == direction => Some(fault),
            Plan::Before(at, kind) if at == direction && !*failed_before => {
                Some(Fault::Error(kind))
            }
            Plan::BeforeAll(kind) if !*failed_before => Some(Fault::Error(kind)),
            _ => None,
        };
        *failed_before = fault.is_some();
        if fault.is_some() {
            self.failed = Some(direction);
            self.written_before = self.output.len();
        }
        fault
    }
}

impl Read for Script {
    /// The end of the input is the end of the stream.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.fault(Direction::Read) {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Zero) => Ok(0),
            None => {
                let len = self.move_at_most(buf.len()).min(self.unread().len());
                buf[..len].copy_from_slice(&self.unread()[..len]);
                self.read += len;
                Ok(len)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.fault(Direction::Write) {
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Zero) => Ok(0),
            None => {
                let len = self.move_at_most(bufs.iter().map(|buf| buf.len()).sum());
                let end = self.output.len() + len;
                for buf in bufs {
                    let room = end - self.output.len();
                    self.output.extend_from_slice(&buf[..room.min(buf.len())]);
                }
                Ok(len)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.fault(Direction::Flush) {
            Some(Fault::Error(kind)) => Err(kind.into()),
            _ => Ok(()),
        }
    }
}

impl Socket for Script {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}
