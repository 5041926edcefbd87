//! The other end of a stream, scripted: what it says, in which pieces, what it takes, and how the stream in
//! between fails.

mod state;
mod stream;
mod threads;

use std::io::ErrorKind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use self::state::State;

/// A stream in memory whose peer says what the script says. Its clones are the same stream.
///
/// Where it finds nothing it says `WouldBlock`, or as a stream of tokio's is pending: if the script
/// goes on by itself with the task woken at once, else when [`say`](Self::say) or
/// [`set_taking`](Self::set_taking) changes something. A read of a [blocking](Self::blocking) one waits until
/// then. A failure that is planned comes before all that.
///
/// [In turns](Self::in_turns) a task is woken by [`turn`](Self::turn) alone. A wake-up that a connection loses
/// leaves its task waiting after that, which a test can see.
#[derive(Debug, Clone, Default)]
pub struct ScriptedPeer(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Wakes threads that wait to read.
    changed: Condvar,
}

/// How many calls there were of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Reads.
    pub reads: usize,
    /// Writes.
    pub writes: usize,
    /// Flushes.
    pub flushes: usize,
    /// Time-outs that were set.
    pub timeouts: usize,
}

impl Calls {
    fn of(&mut self, direction: Direction) -> &mut usize {
        match direction {
            Direction::Read => &mut self.reads,
            Direction::Write => &mut self.writes,
            Direction::Flush => &mut self.flushes,
        }
    }

    fn all(self) -> usize {
        self.reads + self.writes + self.flushes + self.timeouts
    }
}

/// The time-outs that were set last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Of reads.
    pub read: Option<Duration>,
    /// Of writes.
    pub write: Option<Duration>,
}

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub enum Direction {
    Read,
    Write,
    Flush,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Flush];
}

/// Which calls fail, and with what.
#[derive(Debug, Default, Clone, Copy)]
pub enum Plan {
    /// None.
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
    /// All calls but the first ones, those that set a time-out too.
    AllFrom(usize, ErrorKind),
    /// Every time-out for writes that is set.
    WriteTimeouts(ErrorKind),
}

/// How a call fails.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// With an error. A stream of tokio's that would block is pending, and wakes its task at once, or
    /// with the next turn.
    Error(ErrorKind),
    /// With an error, and one of tokio's too that would block: which none should say.
    ReadyError(ErrorKind),
    /// `Ok(0)`: the end of the stream, or a stream that takes nothing more.
    Zero,
}

/// What comes after the script.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ending {
    /// The peer is silent: `WouldBlock`.
    #[default]
    Silence,
    /// The stream ends.
    Eof,
    /// Reads fail with this, as after a reset.
    Failure(ErrorKind),
}

/// What the peer takes of what is written to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Taking {
    /// Everything.
    #[default]
    All,
    /// At most so many bytes with one write.
    AtMost(usize),
    /// So many bytes, and then nothing.
    Room(usize),
    /// Nothing: `WouldBlock`.
    Nothing,
    /// Nothing any more: the writing end was closed.
    Ended,
}

/// How the stream treats those who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As they wish.
    Smooth,
    /// Each call moves one byte.
    ByteByByte,
    /// Every other call finds nothing, and writes take a few bytes.
    Stalling,
    /// As [`Stalling`](Self::Stalling), and a task that waits is woken a few times for nothing.
    Spurious,
}

impl ScriptedPeer {
    /// A peer that says this, and then ends the stream.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self::saying([bytes]).ending(Ending::Eof)
    }

    /// A peer that says these bytes, one read each, and is then silent.
    pub fn saying<P: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let peer = Self::default();
        pieces.into_iter().for_each(|piece| peer.say(piece.into()));
        peer
    }

    /// Has every other read find nothing.
    #[must_use]
    pub fn with_pauses(self) -> Self {
        self.failing(Plan::Before(Direction::Read, ErrorKind::WouldBlock))
    }

    /// Lets no call move more than `count` bytes; 0 is any number.
    #[must_use]
    pub fn in_pieces_of(self, count: usize) -> Self {
        self.state().at_most = count;
        self
    }

    /// Has calls fail.
    #[must_use]
    pub fn failing(self, plan: Plan) -> Self {
        self.state().plan = plan;
        self
    }

    /// Has tasks that wait woken by [`turn`](Self::turn) alone. Once a call was made to wait, all of its
    /// direction do until then.
    #[must_use]
    pub fn in_turns(self) -> Self {
        self.state().in_turns = true;
        self
    }

    /// Has each call wait for a turn before it is let through.
    #[must_use]
    pub fn waiting(self) -> Self {
        self.in_turns()
            .failing(Plan::BeforeAll(ErrorKind::WouldBlock))
    }

    /// Has one write take of one buffer only.
    #[must_use]
    pub fn not_vectored(self) -> Self {
        self.state().not_vectored = true;
        self
    }

    /// Has calls fail from here on; they are counted anew.
    pub fn fail(&self, plan: Plan) {
        let mut state = self.state();
        state.plan = plan;
        state.calls = Calls::default();
    }

    /// What comes after the script.
    #[must_use]
    pub fn ending(self, ending: Ending) -> Self {
        self.state().ending = ending;
        self
    }

    /// What the peer takes.
    #[must_use]
    pub fn taking(self, taking: Taking) -> Self {
        self.state().taking = taking;
        self
    }

    /// How the stream behaves.
    #[must_use]
    pub fn behaving(self, manner: Manner) -> Self {
        self.state().most_spurious = if manner == Manner::Spurious { 3 } else { 0 };
        match manner {
            Manner::Smooth => self,
            Manner::ByteByByte => self.in_pieces_of(1),
            Manner::Stalling | Manner::Spurious => {
                let stalls = Plan::BeforeAll(ErrorKind::WouldBlock);
                self.taking(Taking::AtMost(A_FEW)).failing(stalls)
            }
        }
    }

    /// Changes what the peer takes from now on.
    pub fn set_taking(&self, taking: Taking) {
        let mut state = self.state();
        state.taking = taking;
        if !matches!(taking, Taking::Nothing | Taking::Room(0)) {
            self.wake(state, Direction::Write);
        }
    }

    /// Takes everything from now on, and wakes nobody who waits for that.
    pub fn take_all_unseen(&self) {
        self.state().taking = Taking::All;
    }

    /// Says one more piece.
    pub fn say(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_vec();
        if bytes.is_empty() {
            return;
        }
        let mut state = self.state();
        state.script.push(bytes);
        self.wake(state, Direction::Read);
    }

    /// Has nothing more to say: the stream ends after the script.
    pub fn end(&self) {
        let mut state = self.state();
        state.ending = Ending::Eof;
        self.wake(state, Direction::Read);
    }

    /// Lets calls through that were made to wait for a turn, and wakes the tasks for which there is
    /// something now. Says whether there was any.
    pub fn turn(&self) -> bool {
        let mut state = self.state();
        state.closed = [false; 3];
        let woken = Direction::ALL.map(|direction| {
            let waiting = &mut state.waiting[direction as usize];
            waiting.take_if(|waiter| waiter.is_there)
        });
        drop(state);
        let mut any = false;
        for waiter in woken.into_iter().flatten() {
            any = true;
            waiter.waker.wake();
        }
        any
    }

    /// Says the whole script so many times more, without an allocation.
    pub fn say_again(&self, times: usize) {
        let mut state = self.state();
        state.repeats += times;
        self.wake(state, Direction::Read);
    }

    /// Waits until a task has read all of the script, and waits for more.
    pub fn poll_all_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.has_more() && state.waiting[Direction::Read as usize].is_some() {
            return Poll::Ready(());
        }
        state.watcher = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the script goes on.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.state().has_more()
    }

    /// What was said and not read yet.
    #[must_use]
    pub fn unread(&self) -> Vec<u8> {
        let state = self.state();
        let (next, read) = state.next;
        state.script[next..].concat().split_off(read)
    }

    /// Everything that was written to the peer.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        self.state().written.clone()
    }

    /// Whether the writing end of the stream was closed.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.state().taking, Taking::Ended)
    }

    /// The same as text.
    #[must_use]
    pub fn written_text(&self) -> String {
        String::from_utf8(self.written()).expect("text")
    }

    /// Takes out what was written to the peer.
    #[must_use]
    pub fn take_written(&self) -> Vec<u8> {
        std::mem::take(&mut self.state().written)
    }

    /// Makes room for so many bytes of what is written.
    pub fn reserve(&self, len: usize) {
        self.state().written.reserve(len);
    }

    /// Forgets what was written to the peer.
    pub fn forget_written(&self) {
        self.state().written.clear();
    }

    /// How many calls there were, those that failed too.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.state().calls
    }

    /// The time-outs that were set last.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.state().timeouts
    }

    /// The direction in which a call was made to fail last.
    #[must_use]
    pub fn failed(&self) -> Option<Direction> {
        self.state().failed
    }

    /// How many bytes had been written when that was.
    #[must_use]
    pub fn written_before(&self) -> usize {
        self.state().written_before
    }

    /// Wakes who waits in this direction, as something has come about there.
    fn wake(&self, mut state: MutexGuard<'_, State>, direction: Direction) {
        let waker = state.is_there(direction);
        drop(state);
        self.0.changed.notify_all();
        waker.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes a stream takes that stalls.
const A_FEW: usize = 7;

/// Cuts bytes at these places, in any order.
#[must_use]
pub fn cut(bytes: &[u8], places: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = places.into_iter().filter(|&at| at < bytes.len()).collect();
    places.sort_unstable();
    let mut pieces = vec![];
    let mut start = 0;
    for end in places.into_iter().chain([bytes.len()]) {
        if end > start {
            pieces.push(bytes[start..end].to_vec());
            start = end;
        }
    }
    pieces
}
