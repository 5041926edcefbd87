//! The tasks that wait for the writing side of a split connection.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::lock::{Mutex, lock};

/// Who has to be woken, and for what.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    /// The one that reads: it sends what nobody else does.
    reader: Option<Waker>,
    /// Those that wait for the stream to take more, or for the end of another's frame.
    writers: BTreeMap<u64, Waker>,
    /// Those that wait for the right to send a message, in the order in which they came.
    line: BTreeMap<u64, InLine>,
    /// How many numbers were given out.
    numbers: u64,
}

#[derive(Debug)]
struct InLine {
    waker: Waker,
    /// Whether it may never come back: a half waits for as long as it is a half.
    is_half: bool,
}

impl Waiting {
    pub(super) fn register_reader(&self, waker: &Waker) {
        lock(&self.tasks).reader = Some(waker.clone());
    }

    pub(super) fn forget_reader(&self) {
        lock(&self.tasks).reader = None;
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

    /// Wakes the first in line, and the halves before it.
    pub(super) fn wake_next(&self) {
        loop {
            let next = lock(&self.tasks).line.pop_first();
            let Some((_, next)) = next else { return };
            next.waker.wake();
            if !next.is_half {
                return;
            }
        }
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
impl Wake for Waiting {
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
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    ticket: Ticket,
}

/// What a [`Place`] is known by. The numbers are 0 until it has waited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ticket {
    writer: u64,
    in_line: u64,
    is_half: bool,
}

impl<'a> Place<'a> {
    /// That of a future.
    pub(super) fn new(waiting: &'a Waiting) -> Self {
        let ticket = Ticket::default();
        Self { waiting, ticket }
    }

    /// That of a half, as [`keep`](Self::keep) left it.
    #[cfg(feature = "futures")]
    pub(super) fn of_half(waiting: &'a Waiting, ticket: Ticket) -> Self {
        let ticket = Ticket {
            is_half: true,
            ..ticket
        };
        Self { waiting, ticket }
    }

    /// Goes on waiting without this.
    #[cfg(feature = "futures")]
    pub(super) fn keep(&mut self) -> Ticket {
        mem::take(&mut self.ticket)
    }

    /// Waits for the stream to take more, or for the end of another's frame.
    pub(super) fn wait(&mut self, waker: &Waker) {
        let tasks = &mut *lock(&self.waiting.tasks);
        if self.ticket.writer == 0 {
            self.ticket.writer = tasks.next_number();
        }
        tasks.writers.insert(self.ticket.writer, waker.clone());
    }

    /// Waits for the right to send a message.
    pub(super) fn stand_in_line(&mut self, waker: &Waker) {
        let tasks = &mut *lock(&self.waiting.tasks);
        if self.ticket.in_line == 0 {
            self.ticket.in_line = tasks.next_number();
        }
        let in_line = InLine {
            waker: waker.clone(),
            is_half: self.ticket.is_half,
        };
        tasks.line.insert(self.ticket.in_line, in_line);
    }

    /// Has the right that it stood in line for.
    pub(super) fn leave_line(&mut self) {
        let number = mem::take(&mut self.ticket.in_line);
        if number > 0 {
            lock(&self.waiting.tasks).line.remove(&number);
        }
    }
}

impl Tasks {
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Ticket {
            writer, in_line, ..
        } = self.ticket;
        if writer > 0 {
            lock(&self.waiting.tasks).writers.remove(&writer);
        }
        if in_line > 0 && lock(&self.waiting.tasks).line.remove(&in_line).is_none() {
            // It was its turn, which goes to the next.
            self.waiting.wake_next();
        }
    }
}
