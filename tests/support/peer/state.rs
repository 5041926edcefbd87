//! What a call finds: the script, what is taken, and what fails.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Waker};

use super::threads::Hook;
use super::{Calls, Direction, Ending, Fault, Plan, Taking, Timeouts};

#[derive(Debug, Default)]
pub struct State {
    /// What is said, which is kept: nothing is freed while a connection's memory is counted.
    pub script: Vec<Vec<u8>>,
    /// The piece that is next, and how many of its bytes were read.
    pub next: (usize, usize),
    /// How many times the script is still said from its beginning.
    pub repeats: usize,
    pub ending: Ending,
    pub taking: Taking,
    /// How many times a task that waits is woken for nothing.
    pub most_spurious: usize,
    /// The most bytes that one call moves; 0 is any number.
    pub at_most: usize,
    pub not_vectored: bool,
    pub plan: Plan,
    pub written: Vec<u8>,
    pub calls: Calls,
    pub timeouts: Timeouts,
    /// Whether the last call of its kind was made to fail.
    failed_before: [bool; 3],
    pub failed: Option<Direction>,
    pub written_before: usize,
    /// How many wake-ups with nothing behind them the silence has had.
    spurious: usize,
    /// Whether those who wait are woken by turns.
    pub in_turns: bool,
    /// The directions in which no call is let through until the next turn.
    pub closed: [bool; 3],
    pub waiting: [Option<Waiter>; 3],
    pub watcher: Option<Waker>,
    /// Whether reads wait for what a thread says.
    pub is_blocking: bool,
    pub hook: Option<Hook>,
}

/// A task that waits in a direction.
#[derive(Debug)]
pub struct Waiter {
    pub waker: Waker,
    /// Whether there is something for it to find.
    pub is_there: bool,
}

/// Why nothing was read or written.
#[derive(Debug, Clone, Copy)]
pub enum Nothing {
    /// The next try may find something.
    Yet,
    /// Until somebody changes that.
    UntilWoken,
    /// It never will.
    Failed(ErrorKind),
}

impl State {
    pub fn has_more(&self) -> bool {
        self.next.0 < self.script.len() || self.repeats > 0
    }

    /// Has a task wait, instead of any other that waited in this direction. Gives the one to wake now.
    pub fn wait(
        &mut self,
        direction: Direction,
        cx: &Context<'_>,
        nothing: Nothing,
    ) -> Option<Waker> {
        let is_there = matches!(nothing, Nothing::Yet);
        let waker = cx.waker().clone();
        self.waiting[direction as usize] = Some(Waiter { waker, is_there });
        if is_there {
            self.closed[direction as usize] = self.in_turns;
            self.is_there(direction)
        } else if self.wakes_for_nothing() {
            Some(cx.waker().clone())
        } else {
            self.watcher.take()
        }
    }

    /// Forgets who waited: a stream that was found ready owes no wake-up any more.
    pub fn is_ready(&mut self, direction: Direction) {
        self.spurious = 0;
        self.waiting[direction as usize] = None;
    }

    /// There is something in this direction: gives the task to wake for it, if that is not for the next turn.
    pub fn is_there(&mut self, direction: Direction) -> Option<Waker> {
        let waiting = &mut self.waiting[direction as usize];
        if self.in_turns {
            waiting.as_mut()?.is_there = true;
            return None;
        }
        Some(waiting.take()?.waker)
    }

    /// Counts a call, and fails it where that is planned: what it gives instead of what it would.
    fn call(&mut self, direction: Direction) -> Result<Option<usize>, Nothing> {
        let count = self.calls.of(direction);
        let n = *count;
        *count += 1;
        if self.closed[direction as usize] {
            return Err(Nothing::Yet);
        }
        let failed_before = &mut self.failed_before[direction as usize];
        let fault = match self.plan {
            Plan::Nth(at, nth, fault) if at == direction && nth == n => Some(fault),
            Plan::Always(at, fault) if at == direction => Some(fault),
            Plan::Before(at, kind) if at == direction && !*failed_before => {
                Some(Fault::Error(kind))
            }
            Plan::BeforeAll(kind) if !*failed_before => Some(Fault::Error(kind)),
            Plan::AllFrom(first, kind) if self.calls.all() > first => Some(Fault::Error(kind)),
            _ => None,
        };
        *failed_before = fault.is_some();
        if fault.is_some() {
            self.failed = Some(direction);
            self.written_before = self.written.len();
        }
        match fault {
            None => Ok(None),
            Some(Fault::Zero) => Ok(Some(0)),
            Some(Fault::Error(ErrorKind::WouldBlock)) => Err(Nothing::Yet),
            Some(Fault::Error(kind) | Fault::ReadyError(kind)) => Err(Nothing::Failed(kind)),
        }
    }

    /// Counts a time-out that is set, which fails where every call does.
    pub fn set_timeout(&mut self, direction: Direction) -> Result<(), Nothing> {
        self.calls.timeouts += 1;
        match self.plan {
            Plan::WriteTimeouts(kind) if direction == Direction::Write => {
                Err(Nothing::Failed(kind))
            }
            Plan::AllFrom(first, kind) if self.calls.all() > first => Err(Nothing::Failed(kind)),
            _ => Ok(()),
        }
    }

    /// How many of so many bytes one call moves.
    fn most(&self, len: usize) -> usize {
        match self.at_most {
            0 => len,
            at_most => len.min(at_most),
        }
    }

    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, Nothing> {
        if let Some(len) = self.call(Direction::Read)? {
            return Ok(len);
        }
        let most = self.most(buf.len());
        if self.next.0 == self.script.len() && self.repeats > 0 {
            self.repeats -= 1;
            self.next = (0, 0);
        }
        let (next, read) = self.next;
        match self.script.get(next) {
            None => match self.ending {
                Ending::Silence => Err(Nothing::UntilWoken),
                Ending::Eof => Ok(0),
                Ending::Failure(kind) => Err(Nothing::Failed(kind)),
            },
            Some(bytes) => {
                let rest = &bytes[read..];
                let len = rest.len().min(most);
                buf[..len].copy_from_slice(&rest[..len]);
                self.next = if len == rest.len() {
                    (next + 1, 0)
                } else {
                    (next, read + len)
                };
                Ok(len)
            }
        }
    }

    pub fn write(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize, Nothing> {
        if let Some(len) = self.call(Direction::Write)? {
            return Ok(len);
        }
        let first = bufs.iter().position(|buf| !buf.is_empty()).unwrap_or(0);
        let bufs = match bufs.get(first..=first) {
            Some(first) if self.not_vectored => first,
            _ => bufs,
        };
        let most = self.most(bufs.iter().map(|buf| buf.len()).sum());
        let len = match self.taking {
            Taking::Ended => return Err(Nothing::Failed(ErrorKind::BrokenPipe)),
            Taking::Nothing | Taking::Room(0) => return Err(Nothing::UntilWoken),
            Taking::Room(room) => most.min(room),
            Taking::AtMost(at_most) => most.min(at_most),
            Taking::All => most,
        };
        if let Taking::Room(room) = &mut self.taking {
            *room -= len;
        }
        let end = self.written.len() + len;
        for buf in bufs {
            let room = end - self.written.len();
            self.written.extend_from_slice(&buf[..room.min(buf.len())]);
        }
        Ok(len)
    }

    pub fn flush(&mut self) -> Result<(), Nothing> {
        self.call(Direction::Flush)?;
        Ok(())
    }

    /// Closes the writing end, which is a flush to a plan. Nothing can be written after it.
    pub fn end_writing(&mut self) -> Result<(), Nothing> {
        self.flush()?;
        self.taking = Taking::Ended;
        Ok(())
    }

    fn wakes_for_nothing(&mut self) -> bool {
        self.spurious += 1;
        self.spurious <= self.most_spurious
    }
}

impl From<Nothing> for io::Error {
    fn from(nothing: Nothing) -> Self {
        match nothing {
            Nothing::Failed(kind) => kind.into(),
            Nothing::Yet | Nothing::UntilWoken => ErrorKind::WouldBlock.into(),
        }
    }
}
