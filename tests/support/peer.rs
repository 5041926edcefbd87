//! The other end of a stream, scripted: what it says, in which pieces, what it takes, and how the stream in
//! between fails.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use framewire::{Duplicate, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream in memory whose peer says what the script says. Its clones are the same stream.
///
/// Where it finds nothing it says `WouldBlock`, or as a stream of tokio's is pending: if the script
/// goes on by itself with the task woken at once, else when [`say`](Self::say) or
/// [`set_taking`](Self::set_taking) changes something. A failure that is planned comes before all that.
#[derive(Debug, Clone, Default)]
pub struct ScriptedPeer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is said, which is kept: nothing is freed while a connection's memory is counted.
    script: Vec<Step>,
    /// The step that is next, and how many of its bytes were read.
    next: (usize, usize),
    /// How many times the script is still said from its beginning.
    repeats: usize,
    ending: Ending,
    taking: Taking,
    manner: Manner,
    /// The most bytes that one call moves; 0 is any number.
    at_most: usize,
    plan: Plan,
    written: Vec<u8>,
    calls: Calls,
    /// Whether the last call of its kind was made to fail.
    failed_before: [bool; 3],
    failed: Option<Direction>,
    written_before: usize,
    /// Whether the last use of either direction found nothing because of the manner.
    has_stalled: [bool; 2],
    /// How many wake-ups with nothing behind them the silence has had.
    spurious: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
    watcher: Option<Waker>,
}

/// What one read finds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Bytes(Vec<u8>),
    WouldBlock,
}

/// How many calls there were, those that failed too.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Reads.
    pub reads: usize,
    /// Writes.
    pub writes: usize,
    /// Flushes.
    pub flushes: usize,
}

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub enum Direction {
    Read,
    Write,
    Flush,
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
}

/// How a call fails.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// With an error. `WouldBlock` wakes a task of tokio's at once.
    Error(ErrorKind),
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
}

/// How the stream treats those who use it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// As they wish.
    #[default]
    Smooth,
    /// Reads give one byte, and writes take one.
    ByteByByte,
    /// Every other read, write and flush finds nothing, and writes take a few bytes.
    Stalling,
    /// As [`Stalling`](Self::Stalling), and a task that waits is woken a few times for nothing.
    Spurious,
}

/// Why nothing was read or written.
enum Nothing {
    /// The next try may find something.
    Yet,
    /// Until somebody changes that.
    UntilWoken,
    /// It never will.
    Failed(ErrorKind),
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

    /// Lets one read in between every two pieces find nothing.
    #[must_use]
    pub fn with_pauses(self) -> Self {
        let steps = std::mem::take(&mut self.state().script);
        let steps = steps
            .into_iter()
            .flat_map(|step| [Step::WouldBlock, step])
            .collect();
        self.state().script = steps;
        self
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
        self.state().manner = manner;
        self
    }

    /// Changes what the peer takes from now on.
    pub fn set_taking(&self, taking: Taking) {
        let mut state = self.state();
        state.taking = taking;
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
    }

    /// Says one more piece.
    pub fn say(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_vec();
        if bytes.is_empty() {
            return;
        }
        let mut state = self.state();
        state.script.push(Step::Bytes(bytes));
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Says the whole script so many times more, without an allocation.
    pub fn say_again(&self, times: usize) {
        let mut state = self.state();
        state.repeats += times;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Waits until a task has read all of the script, and waits for more.
    pub fn poll_all_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.has_more() && state.reader.is_some() {
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
        let mut unread = vec![];
        for step in &state.script[next..] {
            if let Step::Bytes(bytes) = step {
                unread.extend_from_slice(bytes);
            }
        }
        unread.split_off(read)
    }

    /// Everything that was written to the peer.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        self.state().written.clone()
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

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.state().calls
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the stream once, for a task that is woken when it is worth another try.
    fn poll_once<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        once: impl FnOnce(&mut State) -> Result<R, Nothing>,
    ) -> Poll<io::Result<R>> {
        let mut state = self.state();
        let nothing = match once(&mut state) {
            Ok(result) => {
                state.spurious = 0;
                return Poll::Ready(Ok(result));
            }
            Err(nothing) => nothing,
        };
        let waker = match direction {
            Direction::Read => &mut state.reader,
            Direction::Write | Direction::Flush => &mut state.writer,
        };
        *waker = Some(cx.waker().clone());
        let woken = match nothing {
            Nothing::Failed(kind) => return Poll::Ready(Err(kind.into())),
            Nothing::Yet => waker.take(),
            Nothing::UntilWoken if state.wakes_for_nothing() => Some(cx.waker().clone()),
            Nothing::UntilWoken => state.watcher.take(),
        };
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl State {
    fn has_more(&self) -> bool {
        self.next.0 < self.script.len() || self.repeats > 0
    }

    /// Counts a call, and fails it where that is planned: what it gives instead of what it would.
    fn call(&mut self, direction: Direction) -> Result<Option<usize>, Nothing> {
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
            self.written_before = self.written.len();
        }
        match fault {
            None => Ok(None),
            Some(Fault::Zero) => Ok(Some(0)),
            Some(Fault::Error(ErrorKind::WouldBlock)) => Err(Nothing::Yet),
            Some(Fault::Error(kind)) => Err(Nothing::Failed(kind)),
        }
    }

    /// How many of so many bytes one call moves.
    fn most(&self, len: usize) -> usize {
        match (self.at_most, self.manner) {
            (_, Manner::ByteByByte) => len.min(1),
            (0, _) => len,
            (at_most, _) => len.min(at_most),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Nothing> {
        if let Some(len) = self.call(Direction::Read)? {
            return Ok(len);
        }
        self.stall(Direction::Read)?;
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
            Some(Step::WouldBlock) => {
                self.next = (next + 1, 0);
                Err(Nothing::Yet)
            }
            Some(Step::Bytes(bytes)) => {
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

    fn write(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize, Nothing> {
        if let Some(len) = self.call(Direction::Write)? {
            return Ok(len);
        }
        self.stall(Direction::Write)?;
        let most = self.most(bufs.iter().map(|buf| buf.len()).sum());
        let len = match (self.taking, self.manner) {
            (Taking::Nothing | Taking::Room(0), _) => return Err(Nothing::UntilWoken),
            (Taking::Room(room), _) => most.min(room),
            (Taking::AtMost(at_most), _) => most.min(at_most),
            (Taking::All, Manner::Stalling | Manner::Spurious) => most.min(A_FEW),
            (Taking::All, Manner::Smooth | Manner::ByteByByte) => most,
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

    fn flush(&mut self) -> Result<(), Nothing> {
        self.call(Direction::Flush)?;
        self.stall(Direction::Write)
    }

    fn stall(&mut self, direction: Direction) -> Result<(), Nothing> {
        if !matches!(self.manner, Manner::Stalling | Manner::Spurious) {
            return Ok(());
        }
        let has_stalled = &mut self.has_stalled[usize::from(direction != Direction::Read)];
        *has_stalled = !*has_stalled;
        if *has_stalled {
            return Err(Nothing::Yet);
        }
        Ok(())
    }

    fn wakes_for_nothing(&mut self) -> bool {
        self.spurious += 1;
        self.manner == Manner::Spurious && self.spurious < 4
    }
}

/// How many bytes a stream takes that stalls.
const A_FEW: usize = 7;

fn or_would_block<R>(result: Result<R, Nothing>) -> io::Result<R> {
    result.map_err(|nothing| match nothing {
        Nothing::Failed(kind) => kind.into(),
        Nothing::Yet | Nothing::UntilWoken => ErrorKind::WouldBlock.into(),
    })
}

impl Read for ScriptedPeer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        or_would_block(self.state().read(buf))
    }
}

impl Write for ScriptedPeer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(self.state().write(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        or_would_block(self.state().flush())
    }
}

impl AsyncRead for ScriptedPeer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_once(cx, Direction::Read, |state| {
            let len = state.read(buf.initialize_unfilled())?;
            buf.advance(len);
            Ok(())
        })
    }
}

impl AsyncWrite for ScriptedPeer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_once(cx, Direction::Write, |state| {
            state.write(&[IoSlice::new(buf)])
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_once(cx, Direction::Write, |state| state.write(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_once(cx, Direction::Flush, State::flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Socket for ScriptedPeer {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

impl Duplicate for ScriptedPeer {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        let mut state = self.state();
        state.next = (state.script.len(), 0);
        state.repeats = 0;
        state.ending = Ending::Eof;
        Ok(())
    }
}

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
