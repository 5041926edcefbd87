//! The other end of a stream, scripted: what it says, in which pieces, and what it takes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
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
/// [`set_taking`](Self::set_taking) changes something.
#[derive(Debug, Clone, Default)]
pub struct ScriptedPeer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Step>,
    ending: Ending,
    taking: Taking,
    manner: Manner,
    written: Vec<u8>,
    reads: usize,
    writes: usize,
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
    /// The bytes, and how many of them were read.
    Bytes(Vec<u8>, usize),
    WouldBlock,
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

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

impl ScriptedPeer {
    /// A peer that says these bytes, one read each, and is then silent.
    pub fn saying<P: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let peer = Self::default();
        pieces.into_iter().for_each(|piece| peer.say(piece));
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
    pub fn say(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return;
        }
        let mut state = self.state();
        state.script.push_back(Step::Bytes(bytes, 0));
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Waits until a task has read all of the script, and waits for more.
    pub fn poll_all_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.script.is_empty() && state.reader.is_some() {
            return Poll::Ready(());
        }
        state.watcher = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the script goes on.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.state().script.is_empty()
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

    /// Forgets what was written to the peer.
    pub fn forget_written(&self) {
        self.state().written.clear();
    }

    /// How many reads there were.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.state().reads
    }

    /// How many writes there were.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.state().writes
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
            Direction::Write => &mut state.writer,
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
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Nothing> {
        self.reads += 1;
        self.stall(Direction::Read)?;
        let most = match self.manner {
            Manner::ByteByByte => buf.len().min(1),
            _ => buf.len(),
        };
        match self.script.front_mut() {
            None => match self.ending {
                Ending::Silence => Err(Nothing::UntilWoken),
                Ending::Eof => Ok(0),
                Ending::Failure(kind) => Err(Nothing::Failed(kind)),
            },
            Some(Step::WouldBlock) => {
                self.script.pop_front();
                Err(Nothing::Yet)
            }
            Some(Step::Bytes(bytes, at)) => {
                let rest = &bytes[*at..];
                let len = rest.len().min(most);
                buf[..len].copy_from_slice(&rest[..len]);
                *at += len;
                if *at == bytes.len() {
                    self.script.pop_front();
                }
                Ok(len)
            }
        }
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, Nothing> {
        self.writes += 1;
        self.stall(Direction::Write)?;
        let len = match (self.taking, self.manner) {
            (Taking::Nothing, _) => return Err(Nothing::UntilWoken),
            (Taking::AtMost(most), _) => buf.len().min(most),
            (Taking::All, Manner::Smooth) => buf.len(),
            (Taking::All, Manner::ByteByByte) => buf.len().min(1),
            (Taking::All, Manner::Stalling | Manner::Spurious) => buf.len().min(A_FEW),
        };
        self.written.extend(&buf[..len]);
        Ok(len)
    }

    fn stall(&mut self, direction: Direction) -> Result<(), Nothing> {
        if !matches!(self.manner, Manner::Stalling | Manner::Spurious) {
            return Ok(());
        }
        let has_stalled = &mut self.has_stalled[direction as usize];
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
        or_would_block(self.state().write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        or_would_block(self.state().stall(Direction::Write))
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
        self.poll_once(cx, Direction::Write, |state| state.write(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_once(cx, Direction::Write, |state| state.stall(Direction::Write))
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
        state.script.clear();
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
