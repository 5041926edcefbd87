//! State that the two halves of a split connection share.
//!
//! A thread that sends a message has the *turn*: it holds the lock `message` from the first frame to the last,
//! and other messages wait for that lock. The writer has a lock of its own ([`SharedWriter`]), held for one
//! frame. Control frames need only that one. The reading half waits for neither: if a thread holds the writer,
//! that thread sends the reply when it is done.

use std::io;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::ending::Ending;
use super::receiving::Receiving;
use super::whole::{Access, Sending, Whole};
use crate::Duplicate;
use crate::connection::{Outbound, Replies, Reply};
use crate::drive::{ClosingSide, ReadSide};
use crate::error::{Closed, Error, TryFeedError};
use crate::halves::SharedWriter;
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Mutex, MutexGuard, lock, try_lock};
use crate::protocol::ToOutgoing;

/// The state that both halves own.
#[derive(Debug)]
pub(super) struct Shared<S> {
    /// Locked while a message is sent, which may be many frames.
    message: Mutex<()>,
    writer: SharedWriter<Whole<S>>,
    /// A handle to the stream for [`abort`](Self::abort), which must not wait for the thread that holds the
    /// writer.
    socket: Mutex<S>,
    aborted: AtomicBool,
}

/// The reading half's own handle to the stream, and its access to the shared writer.
#[derive(Debug)]
pub struct ReadEnd<S> {
    stream: S,
    shared: Arc<Shared<S>>,
}

/// The writing half's access to the shared writer.
#[derive(Debug)]
pub struct Half<S> {
    pub(super) shared: Arc<Shared<S>>,
}

/// The turn to send a message. One thread has it at a time.
#[derive(Debug)]
pub struct SendTurn<'a, S> {
    shared: &'a Shared<S>,
    _message: MutexGuard<'a, ()>,
}

impl<S: Duplicate> Access for SendTurn<'_, S> {
    type Side = Whole<S>;

    fn with<R>(&mut self, job: impl FnOnce(&mut Whole<S>) -> R) -> R {
        job(&mut self.shared.writer.lock())
    }
}

impl<S: Duplicate> Sending for Half<S> {
    type Turn<'a>
        = SendTurn<'a, S>
    where
        S: 'a;
    type Side = Whole<S>;

    fn turn(&mut self) -> SendTurn<'_, S> {
        self.shared.turn()
    }

    fn with_frame<R>(&mut self, close: Option<&[u8]>, job: impl FnOnce(&mut Whole<S>) -> R) -> R {
        let writer = &self.shared.writer;
        match close {
            Some(payload) => job(&mut writer.lock_to_close(payload)),
            None => job(&mut writer.lock()),
        }
    }

    fn try_feed<M: ToOutgoing>(&mut self, message: M) -> Result<(), TryFeedError<M>> {
        match self.shared.try_turn() {
            Some(_message) => self.shared.writer.try_feed(message),
            None => Err(TryFeedError::Full(message)),
        }
    }

    fn inspect<R>(&self, job: impl FnOnce(&Outbound) -> R) -> R {
        self.shared.writer.with_outbound(|outbound| job(outbound))
    }

    fn change<R>(&mut self, job: impl FnOnce(&mut Outbound) -> R) -> R {
        self.shared.writer.with_outbound(job)
    }

    fn closed(&self) -> Option<Closed> {
        self.shared.writer.closed()
    }
}

impl<S: Duplicate> ReadEnd<S> {
    /// Shares a writer, and duplicates its stream twice.
    pub(super) fn new(writer: Whole<S>) -> Result<Self, Error> {
        let stream = writer.stream.duplicate()?;
        let socket = writer.stream.duplicate()?;
        let shared = Shared {
            message: Mutex::new(()),
            writer: SharedWriter::new(writer, Instant::now, Waker::noop().clone()),
            socket: Mutex::new(socket),
            aborted: AtomicBool::new(false),
        };
        Ok(Self {
            stream,
            shared: Arc::new(shared),
        })
    }
}

impl<S> ReadEnd<S> {
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    pub(super) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }
}

impl<S> Shared<S> {
    pub(super) fn writer(&self) -> &SharedWriter<Whole<S>> {
        &self.writer
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    pub(super) fn into_writer(self) -> SharedWriter<Whole<S>> {
        self.writer
    }

    /// Takes the turn to send a message, unless another thread has it.
    pub(super) fn try_turn(&self) -> Option<SendTurn<'_, S>> {
        Some(SendTurn {
            _message: try_lock(&self.message)?,
            shared: self,
        })
    }

    /// Takes the turn to send a message. Waits while another thread has it.
    pub(super) fn turn(&self) -> SendTurn<'_, S> {
        SendTurn {
            _message: lock(&self.message),
            shared: self,
        }
    }
}

impl<S: Duplicate> Shared<S> {
    /// Shuts the stream down, which ends the calls that block on it.
    pub(super) fn abort(&self) -> io::Result<()> {
        self.aborted.store(true, Ordering::Release);
        lock(&self.socket).abort()
    }
}

impl<S: Duplicate> ReadSide for ReadEnd<S> {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.stream.read(buf);
        // The stream was shut down under the read: say so, whatever the stream made of that.
        if !matches!(read, Ok(1..)) && self.shared.is_aborted() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(read)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        self
    }

    fn send_waiting(&mut self) {
        self.shared.writer.send_waiting();
    }

    fn end(&mut self) {
        self.shared.writer.heartbeat.end();
    }

    fn is_aborted(&self) -> bool {
        self.shared.is_aborted()
    }
}

impl<S: Duplicate> Receiving for ReadEnd<S> {}

impl<S: Duplicate> ClosingSide for ReadEnd<S> {
    fn queue_normal_close(&mut self) {
        self.shared.writer.queue_normal_close();
    }

    fn closed(&mut self) -> Option<Closed> {
        self.shared.writer.closed()
    }

    fn failure(&mut self) -> Option<io::ErrorKind> {
        self.shared.writer.failure()
    }

    fn has_pending_output(&mut self) -> bool {
        self.shared.writer.has_pending_output()
    }

    fn poll_close(&mut self) -> Poll<io::Result<()>> {
        let Self { stream, shared } = self;
        shared
            .writer
            .try_end(|| Poll::Ready(stream.shutdown_write()))
    }
}

impl<S: Duplicate> Ending for ReadEnd<S> {
    type Stream = S;

    fn stream(&self) -> &S {
        &self.stream
    }

    fn write_some(&mut self) -> Poll<Result<bool, Error>> {
        self.shared.writer.write_some()
    }

    fn read_error(&self) -> Error {
        self.shared.writer.read_error()
    }

    fn queue_reply(&mut self, reply: Reply) {
        self.shared.writer.queue_reply(reply);
    }

    fn wait_for_release(&self, until: Instant) {
        self.shared.writer.wait_for_release(until);
    }

    /// The write that fails next records it.
    fn fail(&mut self, _error: io::Error) {}
}

impl<S: Duplicate> Replies for ReadEnd<S> {
    fn reply(&mut self, reply: Reply) {
        self.shared.writer.reply(reply);
    }

    fn pong(&mut self, payload: &[u8]) {
        self.shared.writer.heartbeat.pong(payload);
    }

    fn read_error(&self) -> Error {
        self.shared.writer.read_error()
    }
}

/// Ends the heartbeat, since no Pong is read any more.
impl<S> Drop for ReadEnd<S> {
    fn drop(&mut self) {
        self.shared.writer.heartbeat.end();
    }
}
