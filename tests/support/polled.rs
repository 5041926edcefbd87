//! A peer in memory for tasks: a stream that is ready when a test says so, and fails where it is told to.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::peer::{Calls, Direction, Fault};

/// A handle to what the peer says, what it was told, and how the stream in between behaves.
#[derive(Debug, Clone, Default)]
pub struct Stream(Arc<Mutex<State>>);

#[derive(Debug)]
pub struct State {
    input: Vec<u8>,
    read: usize,
    /// Whether the end of the input is the end of the stream; else a read waits there.
    ended: bool,
    pub output: Vec<u8>,
    /// The polls, those that failed too.
    pub calls: Calls,
    /// The writes that moved something.
    pub writes: usize,
    /// The reads that moved something.
    pub reads: usize,
    /// The most bytes that one call moves.
    at_most: usize,
    /// How many bytes the peer will still take.
    window: usize,
    vectored: bool,
    plan: Plan,
    /// Whether a call that was made to wait wakes its task at once, not with [`Stream::turn`].
    at_once: bool,
    /// Whether calls of each kind are made to wait.
    gates: [Gate; 3],
    /// The direction that was made to fail.
    pub failed: Option<Direction>,
    /// How many bytes had been written when that was.
    pub written_before: usize,
    /// Who waits for each kind of call, and whether what they wait for is there.
    waiting: [Option<(Waker, bool)>; 3],
}

/// What a plan that has calls wait makes of the next one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Gate {
    #[default]
    Closed,
    /// A call waits for the next turn.
    Asked,
    Open,
}

/// Which calls wait or fail.
#[derive(Debug, Default, Clone, Copy)]
pub enum Plan {
    #[default]
    None,
    /// Each call waits for a turn before it is let through.
    Wait,
    /// The n-th call in this direction, from 0, waits for a turn.
    WaitNth(Direction, usize),
    /// The n-th call in this direction, from 0, fails.
    Fail(Direction, usize, Fault),
}

impl Default for State {
    fn default() -> Self {
        Self {
            input: Vec::new(),
            read: 0,
            ended: false,
            output: Vec::new(),
            calls: Calls::default(),
            writes: 0,
            reads: 0,
            at_most: usize::MAX,
            window: usize::MAX,
            vectored: true,
            plan: Plan::None,
            at_once: false,
            gates: [Gate::Closed; 3],
            failed: None,
            written_before: 0,
            waiting: [None, None, None],
        }
    }
}

impl Stream {
    /// A peer that says this, and then nothing for ever.
    pub fn new(input: impl Into<Vec<u8>>) -> Self {
        let stream = Self::default();
        stream.state().input = input.into();
        stream
    }

    /// Ends where the input does.
    pub fn ending(self) -> Self {
        self.state().ended = true;
        self
    }

    /// Lets no call move more than `count` bytes; 0 is any number.
    pub fn in_pieces_of(self, count: usize) -> Self {
        self.state().at_most = if count == 0 { usize::MAX } else { count };
        self
    }

    pub fn behaving(self, plan: Plan) -> Self {
        self.behave(plan);
        self
    }

    pub fn waking_at_once(self) -> Self {
        self.state().at_once = true;
        self
    }

    pub fn not_vectored(self) -> Self {
        self.state().vectored = false;
        self
    }

    /// Has the stream behave so from here on; the calls are counted anew.
    pub fn behave(&self, plan: Plan) {
        let mut state = self.state();
        state.plan = plan;
        state.calls = Calls::default();
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn output(&self) -> Vec<u8> {
        self.state().output.clone()
    }

    /// The peer says more.
    pub fn say(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.input.extend_from_slice(bytes);
        state.is_there(Direction::Read);
        drop(state);
        self.turn();
    }

    /// The peer has nothing more to say.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.is_there(Direction::Read);
        drop(state);
        self.turn();
    }

    /// The peer takes so many bytes from here on.
    pub fn take_only(&self, window: usize) {
        let mut state = self.state();
        state.window = window;
        if window > 0 {
            state.is_there(Direction::Write);
        }
        drop(state);
        self.turn();
    }

    /// Lets those go on that wait for a turn, and wakes those for whom there is something now. Says
    /// whether there was anybody.
    pub fn turn(&self) -> bool {
        let mut state = self.state();
        for gate in &mut state.gates {
            if *gate == Gate::Asked {
                *gate = Gate::Open;
            }
        }
        let wakers = DIRECTIONS.map(|direction| {
            let waiting = &mut state.waiting[direction as usize];
            waiting.take_if(|(_, is_there)| *is_there)
        });
        drop(state);
        let mut any = false;
        for (waker, _) in wakers.into_iter().flatten() {
            any = true;
            waker.wake();
        }
        any
    }

    pub fn unread(&self) -> usize {
        let state = self.state();
        state.input.len() - state.read
    }
}

impl State {
    /// The peer takes anything, and the task that waits for that does not know yet.
    pub fn window_opens_unseen(&mut self) {
        self.window = usize::MAX;
    }

    fn is_there(&mut self, direction: Direction) {
        if let Some((_, is_there)) = &mut self.waiting[direction as usize] {
            *is_there = true;
        }
    }

    /// Counts a call, and says whether it waits or fails.
    fn call(
        &mut self,
        direction: Direction,
        cx: &Context<'_>,
    ) -> Option<Poll<io::Result<Option<usize>>>> {
        let count = match direction {
            Direction::Read => &mut self.calls.reads,
            Direction::Write => &mut self.calls.writes,
            Direction::Flush => &mut self.calls.flushes,
        };
        let n = *count;
        *count += 1;
        let gate = self.gates[direction as usize];
        match self.plan {
            _ if gate == Gate::Asked => {}
            Plan::Wait if gate == Gate::Closed => {}
            Plan::WaitNth(at, nth) if at == direction && nth == n => {}
            Plan::Fail(at, nth, fault) if at == direction && nth == n => {
                self.failed = Some(direction);
                self.written_before = self.output.len();
                return Some(Poll::Ready(match fault {
                    Fault::Error(kind) => Err(kind.into()),
                    Fault::Zero => Ok(Some(0)),
                }));
            }
            _ => {
                self.gates[direction as usize] = Gate::Closed;
                return None;
            }
        }
        self.failed = Some(direction);
        if self.at_once {
            self.gates[direction as usize] = Gate::Open;
            cx.waker().wake_by_ref();
        } else {
            self.gates[direction as usize] = Gate::Asked;
            self.wait(direction, cx, true);
        }
        Some(Poll::Pending)
    }

    /// Has the task woken, and no other that waited for such a call.
    fn wait(&mut self, direction: Direction, cx: &Context<'_>, is_there: bool) {
        self.waiting[direction as usize] = Some((cx.waker().clone(), is_there));
    }

    /// A stream that is ready owes nobody that waited before a wake-up.
    fn ready(&mut self, direction: Direction) {
        self.waiting[direction as usize] = None;
    }

    fn write(&mut self, cx: &Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(answer) = self.call(Direction::Write, cx) {
            return answer.map_ok(Option::unwrap_or_default);
        }
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        let len = len.min(self.at_most).min(self.window);
        if len == 0 && self.window == 0 {
            self.wait(Direction::Write, cx, false);
            return Poll::Pending;
        }
        self.ready(Direction::Write);
        self.window -= if self.window == usize::MAX { 0 } else { len };
        let end = self.output.len() + len;
        for buf in bufs {
            let room = end - self.output.len();
            self.output.extend_from_slice(&buf[..room.min(buf.len())]);
        }
        self.writes += 1;
        Poll::Ready(Ok(len))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if let Some(answer) = state.call(Direction::Read, cx) {
            return answer.map_ok(|_| ());
        }
        let unread = state.input.len() - state.read;
        if unread == 0 && !state.ended {
            state.wait(Direction::Read, cx, false);
            return Poll::Pending;
        }
        state.ready(Direction::Read);
        let len = buf.remaining().min(state.at_most).min(unread);
        let start = state.read;
        buf.put_slice(&state.input[start..start + len]);
        state.read += len;
        state.reads += usize::from(len > 0);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.state().write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        if state.vectored {
            return state.write(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty());
        let first = first.map_or(&[][..], |first| first);
        state.write(cx, &[IoSlice::new(first)])
    }

    fn is_write_vectored(&self) -> bool {
        self.state().vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if let Some(answer) = state.call(Direction::Flush, cx) {
            return answer.map_ok(|_| ());
        }
        state.ready(Direction::Flush);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(ErrorKind::Unsupported.into()))
    }
}

const DIRECTIONS: [Direction; 3] = [Direction::Read, Direction::Write, Direction::Flush];
