//! The peer as a stream of the standard library's and of tokio's.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use framewire::{Duplicate, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::state::{Nothing, State};
use super::{Direction, Ending, ScriptedPeer};

impl ScriptedPeer {
    /// Uses the stream once, for a task that is woken when it is worth another try.
    fn poll_once<R>(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        once: impl FnOnce(&mut State) -> Result<R, Nothing>,
    ) -> Poll<io::Result<R>> {
        let mut state = self.state();
        let woken = match once(&mut state) {
            Ok(result) => {
                state.is_ready(direction);
                return Poll::Ready(Ok(result));
            }
            Err(Nothing::Failed(kind)) => return Poll::Ready(Err(kind.into())),
            Err(nothing) => state.wait(direction, cx, nothing),
        };
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Read for ScriptedPeer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.wait_to_read().read(buf)?)
    }
}

impl Write for ScriptedPeer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.call_hook(bufs)?;
        Ok(self.state().write(bufs)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.state().flush()?)
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
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_once(cx, Direction::Write, |state| state.write(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        !self.state().not_vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_once(cx, Direction::Flush, State::flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_once(cx, Direction::Flush, State::end_writing)
    }
}

impl Socket for ScriptedPeer {
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        let mut state = self.state();
        state.timeouts.read = timeout;
        Ok(state.set_timeout(Direction::Read)?)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        let mut state = self.state();
        state.timeouts.write = timeout;
        Ok(state.set_timeout(Direction::Write)?)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(self.state().end_writing()?)
    }
}

impl Duplicate for ScriptedPeer {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn abort(&self) -> io::Result<()> {
        let mut state = self.state();
        state.next = (state.script.len(), 0);
        state.repeats = 0;
        state.ending = Ending::Eof;
        drop(state);
        self.0.changed.notify_all();
        Ok(())
    }
}
