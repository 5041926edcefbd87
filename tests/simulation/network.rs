//! A stream between two ends: it cuts what is sent anywhere, delays it, is not ready now and then, and fails as
//! planned.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use framewire::{Duplicate, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::plan::{Trouble, Weather};
use crate::world::{Side, World};

/// Both directions.
pub struct Network {
    world: Rc<World>,
    weather: Weather,
    trouble: Trouble,
    /// What each end sends.
    pipes: [RefCell<Pipe>; 2],
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// How many bytes were taken in all.
    moved: usize,
    /// How many calls each end has made.
    calls: [usize; 2],
    /// Until when each end can neither read nor write: a stream that is ready again is so for a moment at least.
    stalled: [[Option<Instant>; 2]; 2],
    is_reset: bool,
}

/// One direction.
#[derive(Default)]
struct Pipe {
    /// What is under way, and when it arrives.
    under_way: VecDeque<(Instant, Vec<u8>)>,
    len: usize,
    /// Whether nothing more will be sent.
    is_ended: bool,
    /// Whether who sends here has left, and takes nothing from the other direction either.
    has_left: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Why a call gives nothing.
enum Nothing {
    /// Until this time, or until the other end does something.
    Until(Option<Instant>),
    Failed(ErrorKind),
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Read,
    Write,
}

impl Network {
    /// Creates the streams of the client and of the server.
    pub fn connect(world: &Rc<World>, weather: Weather, trouble: Trouble) -> [Stream; 2] {
        let network = Rc::new(Self {
            world: Rc::clone(world),
            weather,
            trouble,
            pipes: Default::default(),
            state: RefCell::default(),
        });
        [0, 1].map(|side| Stream {
            side,
            network: Rc::clone(&network),
            handle: Rc::new(()),
            timers: [None, None],
        })
    }

    /// Counts a call, and fails it where that is planned.
    fn call(&self, side: Side, direction: Direction) -> Result<(), Nothing> {
        let mut state = self.state.borrow_mut();
        let number = state.calls[side];
        state.calls[side] += 1;
        match self.trouble {
            Trouble::Fails(at, call, kind) if (at, call) == (side, number) => {
                self.world
                    .tell(side, || format!("the stream fails with {kind:?}"));
                drop(state);
                self.reset();
                return Err(Nothing::Failed(kind));
            }
            Trouble::Interrupted(at, call) if (at, call) == (side, number) => {
                return Err(Nothing::Failed(ErrorKind::Interrupted));
            }
            _ => {}
        }
        let now = Instant::now();
        let stalled = &mut state.stalled[side][direction as usize];
        if stalled.is_none_or(|until| until < now) && self.world.once_in(self.weather.stalls) {
            *stalled = Some(now + self.world.milliseconds(20));
        }
        match *stalled {
            Some(until) if until > now => Err(Nothing::Until(Some(until))),
            _ => Ok(()),
        }
    }

    fn is_reset(&self) -> bool {
        self.state.borrow().is_reset
    }

    fn is_silent(&self) -> bool {
        matches!(self.trouble, Trouble::Silence(after) if self.state.borrow().moved >= after)
    }

    fn reset(&self) {
        self.state.borrow_mut().is_reset = true;
        for pipe in &self.pipes {
            pipe.borrow_mut().under_way.clear();
            wake(pipe, |pipe| [pipe.reader.take(), pipe.writer.take()]);
        }
    }

    fn read(&self, side: Side, buf: &mut [u8]) -> Result<usize, Nothing> {
        self.call(side, Direction::Read)?;
        if self.is_reset() {
            return Err(Nothing::Failed(ErrorKind::ConnectionReset));
        }
        if self.is_silent() {
            return Err(Nothing::Until(None));
        }
        let pipe = &self.pipes[1 - side];
        let mut incoming = pipe.borrow_mut();
        let now = Instant::now();
        let arrived = incoming.under_way.iter().take_while(|(at, _)| *at <= now);
        let arrived: usize = arrived.map(|(_, bytes)| bytes.len()).sum();
        if arrived == 0 {
            return match incoming.under_way.front() {
                None if incoming.is_ended => Ok(0),
                next => Err(Nothing::Until(next.map(|(at, _)| *at))),
            };
        }
        let len = self.part(arrived.min(buf.len()));
        let mut done = 0;
        while done < len {
            let (_, bytes) = incoming.under_way.front_mut().expect("it has arrived");
            let count = bytes.len().min(len - done);
            buf[done..done + count].copy_from_slice(&bytes[..count]);
            bytes.drain(..count);
            done += count;
            if bytes.is_empty() {
                incoming.under_way.pop_front();
            }
        }
        incoming.len -= len;
        drop(incoming);
        wake(pipe, |pipe| [pipe.writer.take(), None]);
        self.world.moved();
        self.world.record(side, "read", len);
        self.world.tell(side, || format!("reads {len} bytes"));
        Ok(len)
    }

    fn write(&self, side: Side, bufs: &[IoSlice<'_>]) -> Result<usize, Nothing> {
        self.call(side, Direction::Write)?;
        if self.is_reset() {
            return Err(Nothing::Failed(ErrorKind::BrokenPipe));
        }
        let pipe = &self.pipes[side];
        let mut outgoing = pipe.borrow_mut();
        if outgoing.has_left || self.pipes[1 - side].borrow().has_left {
            return Err(Nothing::Failed(ErrorKind::BrokenPipe));
        }
        assert!(!outgoing.is_ended, "{side} writes after its end");
        let room = self.weather.capacity - outgoing.len;
        let asked: usize = bufs.iter().map(|buf| buf.len()).sum();
        if room == 0 && asked > 0 {
            return Err(Nothing::Until(None));
        }
        let len = if asked == 0 {
            0
        } else {
            self.part(asked.min(room))
        };
        let bytes = bufs.iter().flat_map(|buf| buf.iter().copied());
        let bytes: Vec<u8> = bytes.take(len).collect();
        let last = outgoing.under_way.back().map(|(at, _)| *at);
        let arrival = Instant::now() + self.world.milliseconds(self.weather.delay);
        outgoing
            .under_way
            .push_back((last.map_or(arrival, |last| last.max(arrival)), bytes));
        outgoing.len += len;
        drop(outgoing);
        wake(pipe, |pipe| [pipe.reader.take(), None]);
        self.world.moved();
        self.world.record(side, "write", len);
        self.world
            .tell(side, || format!("writes {len} of {asked} bytes"));
        self.state.borrow_mut().moved += len;
        match self.trouble {
            Trouble::Reset(after) if self.state.borrow().moved >= after => self.reset(),
            _ => {}
        }
        Ok(len)
    }

    fn flush(&self, side: Side) -> Result<(), Nothing> {
        self.call(side, Direction::Write)?;
        if self.is_reset() {
            Err(Nothing::Failed(ErrorKind::BrokenPipe))
        } else {
            Ok(())
        }
    }

    /// Nothing more comes from this end.
    fn end(&self, side: Side) -> Result<(), Nothing> {
        self.call(side, Direction::Write)?;
        self.world.record(side, "end", 0);
        self.world.tell(side, || "ends what it writes".to_owned());
        self.pipes[side].borrow_mut().is_ended = true;
        wake(&self.pipes[side], |pipe| [pipe.reader.take(), None]);
        Ok(())
    }

    /// This end neither sends nor takes anything more.
    fn leave(&self, side: Side) {
        let mut pipe = self.pipes[side].borrow_mut();
        (pipe.is_ended, pipe.has_left) = (true, true);
        drop(pipe);
        wake(&self.pipes[side], |pipe| [pipe.reader.take(), None]);
        wake(&self.pipes[1 - side], |pipe| [pipe.writer.take(), None]);
    }

    /// How many of so many bytes one call moves: all that it may, as often as not.
    fn part(&self, len: usize) -> usize {
        let most = len.min(self.weather.most);
        if self.world.once_in(2) {
            most
        } else {
            self.world.up_to(most)
        }
    }

    /// Has the task that used the stream last in this direction, and no other, be woken.
    fn wait(&self, side: Side, direction: Direction, waker: &Waker) {
        match direction {
            Direction::Read => self.pipes[1 - side].borrow_mut().reader = Some(waker.clone()),
            Direction::Write => self.pipes[side].borrow_mut().writer = Some(waker.clone()),
        }
    }
}

fn wake(pipe: &RefCell<Pipe>, take: impl FnOnce(&mut Pipe) -> [Option<Waker>; 2]) {
    let wakers = take(&mut pipe.borrow_mut());
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// One end of the network: for tokio, and for a caller that is never made to wait.
pub struct Stream {
    side: Side,
    network: Rc<Network>,
    /// Shared with the duplicates: the last one that is dropped ends the stream.
    handle: Rc<()>,
    /// What wakes a task when something has arrived, or the stream is ready again.
    timers: [Option<Pin<Box<Sleep>>>; 2],
}

impl Stream {
    fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        call: impl FnOnce(&Network, Side) -> Result<R, Nothing>,
    ) -> Poll<io::Result<R>> {
        match call(&self.network, self.side) {
            Ok(result) => Poll::Ready(Ok(result)),
            Err(Nothing::Failed(kind)) => Poll::Ready(Err(kind.into())),
            Err(Nothing::Until(time)) => {
                self.network.wait(self.side, direction, cx.waker());
                let timer = &mut self.timers[direction as usize];
                *timer = time.map(|time| Box::pin(sleep_until(time)));
                if let Some(timer) = timer
                    && timer.as_mut().poll(cx).is_ready()
                {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if Rc::strong_count(&self.handle) == 1 {
            self.network.leave(self.side);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().poll(cx, Direction::Read, |network, side| {
            let len = network.read(side, buf.initialize_unfilled())?;
            buf.advance(len);
            Ok(())
        })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = |network: &Network, side| network.write(side, bufs);
        self.get_mut().poll(cx, Direction::Write, write)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll(cx, Direction::Write, Network::flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll(cx, Direction::Write, Network::end)
    }
}

impl From<Nothing> for io::Error {
    fn from(nothing: Nothing) -> Self {
        match nothing {
            Nothing::Until(_) => ErrorKind::WouldBlock.into(),
            Nothing::Failed(kind) => kind.into(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.network.read(self.side, buf)?)
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.network.write(self.side, bufs)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.network.flush(self.side)?)
    }
}

impl Socket for Stream {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(self.network.end(self.side)?)
    }
}

impl Duplicate for Stream {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            side: self.side,
            network: Rc::clone(&self.network),
            handle: Rc::clone(&self.handle),
            timers: [None, None],
        })
    }

    fn abort(&self) -> io::Result<()> {
        self.network.leave(self.side);
        Ok(())
    }
}
