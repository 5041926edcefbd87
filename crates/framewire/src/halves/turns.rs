//! The tasks that wait for the writing side of a split connection, and the turn to send a message, over tokio.
//!
//! The [module](super) says what waits for what, and what wakes it.
//!
//! Futures and halves queue alike. They differ when their turn comes: a future that was dropped has passed its
//! turn on, but a half that is used as a `Sink` may never be polled again. So a half is only woken, and the
//! turn stays free for any waiter to take.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use crate::lock::{Mutex, lock};

/// The waiting tasks of one connection, and the state of the turn.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    /// The reading task. It sends what no other task sends.
    reader: Option<Waker>,
    /// Whether the reading task waits for the end of a frame.
    reader_waits: bool,
    /// The tasks that wait for the stream to take more, or for the end of another task's frame.
    writers: BTreeMap<u64, Waker>,
    /// The tasks that wait for the turn to send a message, first come first.
    turn_queue: BTreeMap<u64, QueuedTask>,
    turn: TurnState,
    /// The number of waiters that have waited as writers and are not done.
    unfinished: usize,
    /// The number given out last.
    last_number: u64,
}

#[derive(Debug)]
struct QueuedTask {
    waker: Waker,
    is_half: bool,
}

/// The state of the turn to send a message, which may be many frames.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum TurnState {
    #[default]
    Free,
    /// Free, and halves were woken to take it. A future that was not queued yet yields to them once.
    Offered,
    Taken,
    /// Reserved for the future with this number in the queue.
    Granted(u64),
}

impl Waiters {
    pub(crate) fn register_reader(&self, waker: &Waker) {
        let before = lock(&self.tasks).reader.replace(waker.clone());
        drop(before);
    }

    pub(crate) fn forget_reader(&self) {
        let reader = lock(&self.tasks).reader.take();
        drop(reader);
    }

    pub(crate) fn wake_reader(&self) {
        let reader = lock(&self.tasks).reader.clone();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Wakes all tasks that wait for the stream or for the end of a frame. Each finds out by itself whether it
    /// can go on.
    pub(crate) fn wake_writers(&self) {
        let writers = mem::take(&mut lock(&self.tasks).writers);
        writers.into_values().for_each(Waker::wake);
    }

    /// Has the end of each frame wake the reader too, since its answer to a Close frame waits for one.
    pub(crate) fn wake_reader_after_frames(&self) {
        lock(&self.tasks).reader_waits = true;
    }

    /// Wakes all tasks that wait for the end of a frame.
    pub(crate) fn wake_after_frame(&self) {
        self.wake_writers();
        if lock(&self.tasks).reader_waits {
            self.wake_reader();
        }
    }

    /// Takes the turn to send a message, unless another task has it. Returns whether it did.
    pub(crate) fn try_take_turn(&self) -> bool {
        let tasks = &mut *lock(&self.tasks);
        let is_free = matches!(tasks.turn, TurnState::Free | TurnState::Offered);
        if is_free {
            tasks.turn = TurnState::Taken;
        }
        is_free
    }

    /// Takes the turn to send a message if no task has it and none waits, for it or to write. Returns whether it did.
    pub(crate) fn try_take_free_turn(&self) -> bool {
        let tasks = &mut *lock(&self.tasks);
        let none_waits = tasks.turn_queue.is_empty() && tasks.unfinished == 0;
        let is_free = tasks.turn == TurnState::Free && none_waits;
        if is_free {
            tasks.turn = TurnState::Taken;
        }
        is_free
    }

    /// Frees the turn and reserves it for the first future in the queue.
    ///
    /// Halves that queue before that future are woken without a reservation, since they may never be polled
    /// again.
    pub(crate) fn pass_turn_on(&self) {
        let mut tasks = lock(&self.tasks);
        tasks.turn = TurnState::Free;
        if tasks.turn_queue.is_empty() {
            return;
        }
        let mut woken = Vec::new();
        while let Some((number, next)) = tasks.turn_queue.pop_first() {
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

    /// Wakes all tasks, at the end of the connection.
    pub(crate) fn wake_all(self: &Arc<Self>) {
        self.wake_by_ref();
        let queue = mem::take(&mut lock(&self.tasks).turn_queue);
        for next in queue.into_values() {
            next.waker.wake();
        }
    }
}

/// Called by the stream when it takes more.
impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_reader();
        self.wake_writers();
    }
}

/// The entry of one task in the lists of waiting tasks. Dropping it removes the task from all of them.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    waiters: &'a Waiters,
    ticket: Ticket,
}

/// The numbers under which a [`Waiter`] is listed, each 0 until it has waited there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ticket {
    writer_number: u64,
    turn_number: u64,
    is_half: bool,
    has_yielded: bool,
}

impl<'a> Waiter<'a> {
    /// Creates the waiter of a future.
    pub(crate) fn new(waiters: &'a Waiters) -> Self {
        let ticket = Ticket::default();
        Self { waiters, ticket }
    }

    /// Creates the waiter of a half, from what [`detach`](Self::detach) returned.
    #[cfg(feature = "futures")]
    pub(crate) fn of_half(waiters: &'a Waiters, ticket: Ticket) -> Self {
        let ticket = Ticket {
            is_half: true,
            ..ticket
        };
        Self { waiters, ticket }
    }

    /// Returns the ticket, and leaves the task listed when this is dropped: always in the queue for the turn,
    /// and as a writer only if `is_pending`.
    #[cfg(feature = "futures")]
    pub(crate) fn detach(&mut self, is_pending: bool) -> Ticket {
        if is_pending {
            return mem::take(&mut self.ticket);
        }
        Ticket {
            turn_number: mem::take(&mut self.ticket.turn_number),
            ..Ticket::default()
        }
    }

    /// Returns whether the task yields to others that have waited for the stream, and wakes it again if so.
    ///
    /// It yields at most every second time that this is called.
    pub(crate) fn yields(&mut self, waker: &Waker) -> bool {
        let counted = usize::from(self.ticket.writer_number > 0);
        let others_wait = lock(&self.waiters.tasks).unfinished > counted;
        let yields = others_wait && !self.ticket.has_yielded;
        self.ticket.has_yielded = yields;
        if yields {
            waker.wake_by_ref();
        }
        yields
    }

    /// Lists the task as one that waits for the stream to take more, or for the end of another task's frame.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        let mut tasks = lock(&self.waiters.tasks);
        if self.ticket.writer_number == 0 {
            self.ticket.writer_number = tasks.next_number();
            tasks.unfinished += 1;
        }
        let before = tasks
            .writers
            .insert(self.ticket.writer_number, waker.clone());
        drop(tasks);
        drop(before);
    }

    /// Takes the turn to send a message, or queues for it.
    pub(crate) fn poll_turn(&mut self, waker: &Waker) -> Poll<()> {
        let mut tasks = lock(&self.waiters.tasks);
        let Ticket {
            turn_number,
            is_half,
            ..
        } = self.ticket;
        let is_turn = match tasks.turn {
            TurnState::Free => true,
            TurnState::Offered => is_half || turn_number > 0,
            TurnState::Granted(number) => number == turn_number,
            TurnState::Taken => false,
        };
        if is_turn {
            tasks.turn = TurnState::Taken;
            tasks
                .turn_queue
                .remove(&mem::take(&mut self.ticket.turn_number));
            return Poll::Ready(());
        }
        if turn_number == 0 {
            self.ticket.turn_number = tasks.next_number();
        }
        let waker = waker.clone();
        if tasks.turn == TurnState::Offered {
            tasks.turn = TurnState::Free;
            waker.wake_by_ref();
        }
        let next = QueuedTask { waker, is_half };
        let before = tasks.turn_queue.insert(self.ticket.turn_number, next);
        drop(tasks);
        drop(before);
        Poll::Pending
    }
}

impl Tasks {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Ticket {
            writer_number,
            turn_number,
            ..
        } = self.ticket;
        if writer_number == 0 && turn_number == 0 {
            return;
        }
        let mut tasks = lock(&self.waiters.tasks);
        let left = (
            tasks.writers.remove(&writer_number),
            tasks.turn_queue.remove(&turn_number),
        );
        tasks.unfinished -= usize::from(writer_number > 0);
        let was_its_turn = tasks.turn == TurnState::Granted(turn_number);
        drop(tasks);
        // Dropped without the lock: dropping a waker may drop a task, and with it another waiter.
        drop(left);
        if was_its_turn {
            self.waiters.pass_turn_on();
        }
    }
}
