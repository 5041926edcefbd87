//! The tasks that wait for the writing side of a split connection, and which of them has a turn.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use crate::lock::{Mutex, lock};

/// Who has to be woken, and for what, and who may send a message.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    /// The one that reads: it sends what nobody else does.
    reader: Option<Waker>,
    /// Those that wait for the stream to take more, or for the end of another's frame.
    writers: BTreeMap<u64, Waker>,
    /// Those that wait for the right to send a message, in the order in which they came.
    line: BTreeMap<u64, QueuedTask>,
    turn: TurnState,
    /// How many have waited for the stream or for a frame's end, and are not done.
    unfinished: usize,
    /// How many numbers were given out.
    numbers: u64,
}

#[derive(Debug)]
struct QueuedTask {
    waker: Waker,
    is_half: bool,
}

/// The right to send a message, which may be many frames.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum TurnState {
    #[default]
    Free,
    /// Free, and halves were woken for it: one that comes only now lets them go first.
    Offered,
    Taken,
    /// Kept for the future with this number in the line.
    Granted(u64),
}

impl Waiters {
    pub(super) fn register_reader(&self, waker: &Waker) {
        let before = lock(&self.tasks).reader.replace(waker.clone());
        drop(before);
    }

    pub(super) fn forget_reader(&self) {
        let reader = lock(&self.tasks).reader.take();
        drop(reader);
    }

    pub(super) fn wake_reader(&self) {
        let reader = lock(&self.tasks).reader.clone();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Wakes those that wait for the stream or for a frame's end. All of them: which one can go on is for
    /// them to find out.
    pub(super) fn wake_writers(&self) {
        let writers = mem::take(&mut lock(&self.tasks).writers);
        writers.into_values().for_each(Waker::wake);
    }

    /// Takes the right to send a message, unless another has it.
    pub(super) fn try_take_turn(&self) -> bool {
        let tasks = &mut *lock(&self.tasks);
        let is_free = matches!(tasks.turn, TurnState::Free | TurnState::Offered);
        if is_free {
            tasks.turn = TurnState::Taken;
        }
        is_free
    }

    /// Gives the right to send a message to the first future in line. The halves before it are woken
    /// alone: they may never come back.
    pub(super) fn pass_turn_on(&self) {
        let mut woken = Vec::new();
        let mut tasks = lock(&self.tasks);
        tasks.turn = TurnState::Free;
        while let Some((number, next)) = tasks.line.pop_first() {
            woken.push(next.waker);
            if !next.is_half {
                tasks.turn = TurnState::Granted(number);
                break;
            }
        }
        if tasks.turn == TurnState::Free && !woken.is_empty() {
            tasks.turn = TurnState::Offered;
        }
        drop(tasks);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Wakes everybody, for the end of the connection.
    pub(super) fn wake_all(self: &Arc<Self>) {
        self.wake_by_ref();
        let line = mem::take(&mut lock(&self.tasks).line);
        for next in line.into_values() {
            next.waker.wake();
        }
    }
}

/// The stream takes more.
impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_reader();
        self.wake_writers();
    }
}

/// One that may wait for the writing side, and does so no more when it is dropped.
#[derive(Debug)]
pub(super) struct Waiter<'a> {
    waiters: &'a Waiters,
    ticket: Ticket,
}

/// What a [`Waiter`] is known by. The numbers are 0 until it has waited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ticket {
    writer: u64,
    in_line: u64,
    is_half: bool,
    has_yielded: bool,
}

impl<'a> Waiter<'a> {
    /// That of a future.
    pub(super) fn new(waiters: &'a Waiters) -> Self {
        let ticket = Ticket::default();
        Self { waiters, ticket }
    }

    /// That of a half, as [`detach`](Self::detach) left it.
    #[cfg(feature = "futures")]
    pub(super) fn of_half(waiters: &'a Waiters, ticket: Ticket) -> Self {
        let ticket = Ticket {
            is_half: true,
            ..ticket
        };
        Self { waiters, ticket }
    }

    /// Goes on waiters without this: in line at all events, and for the stream if it has to.
    #[cfg(feature = "futures")]
    pub(super) fn detach(&mut self, is_pending: bool) -> Ticket {
        if is_pending {
            return mem::take(&mut self.ticket);
        }
        Ticket {
            in_line: mem::take(&mut self.ticket.in_line),
            ..Ticket::default()
        }
    }

    /// Whether others that have waited go first now: each second time that it is asked.
    pub(super) fn yields(&mut self, waker: &Waker) -> bool {
        let own = usize::from(self.ticket.writer > 0);
        let others_wait = lock(&self.waiters.tasks).unfinished > own;
        let yields = others_wait && !self.ticket.has_yielded;
        self.ticket.has_yielded = yields;
        if yields {
            waker.wake_by_ref();
        }
        yields
    }

    /// Waits for the stream to take more, or for the end of another's frame.
    pub(super) fn wait(&mut self, waker: &Waker) {
        let mut tasks = lock(&self.waiters.tasks);
        if self.ticket.writer == 0 {
            self.ticket.writer = tasks.next_number();
            tasks.unfinished += 1;
        }
        let before = tasks.writers.insert(self.ticket.writer, waker.clone());
        drop(tasks);
        drop(before);
    }

    /// Takes the right to send a message, or stands in line for it.
    pub(super) fn poll_turn(&mut self, waker: &Waker) -> Poll<()> {
        let mut tasks = lock(&self.waiters.tasks);
        let Ticket {
            in_line, is_half, ..
        } = self.ticket;
        let is_turn = match tasks.turn {
            TurnState::Free => true,
            TurnState::Offered => is_half || in_line > 0,
            TurnState::Granted(number) => number == in_line,
            TurnState::Taken => false,
        };
        if is_turn {
            tasks.turn = TurnState::Taken;
            tasks.line.remove(&mem::take(&mut self.ticket.in_line));
            return Poll::Ready(());
        }
        if in_line == 0 {
            self.ticket.in_line = tasks.next_number();
        }
        let waker = waker.clone();
        if tasks.turn == TurnState::Offered {
            tasks.turn = TurnState::Free;
            waker.wake_by_ref();
        }
        let next = QueuedTask { waker, is_half };
        let before = tasks.line.insert(self.ticket.in_line, next);
        drop(tasks);
        drop(before);
        Poll::Pending
    }
}

impl Tasks {
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Ticket {
            writer, in_line, ..
        } = self.ticket;
        if writer == 0 && in_line == 0 {
            return;
        }
        let mut tasks = lock(&self.waiters.tasks);
        let left = (tasks.writers.remove(&writer), tasks.line.remove(&in_line));
        tasks.unfinished -= usize::from(writer > 0);
        let was_its_turn = tasks.turn == TurnState::Granted(in_line);
        drop(tasks);
        // A task may be dropped with its waker.
        drop(left);
        if was_its_turn {
            self.waiters.pass_turn_on();
        }
    }
}
