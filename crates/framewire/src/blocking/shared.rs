//! State that the two halves of a split connection share.
//!
//! A thread that sends a message has the *turn*: it holds the lock `message` from the first frame to the last,
//! and other messages wait for that lock. The writer has a lock of its own ([`SharedWriter`]), held for one
//! frame. Control frames need only that one. The reading half waits for neither: if a thread holds the writer,
//! that thread sends the reply when it is done.

use std::io;
use std::net;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::Writer;
use super::access::Access;
use crate::Duplicate;
use crate::connection::{Replies, Reply};
use crate::drive::ReadSide;
use crate::error::Error;
use crate::halves::SharedWriter;
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Mutex, MutexGuard, lock, try_lock};

/// The state that both halves own.
#[derive(Debug)]
pub(super) struct Shared<S> {
    /// Locked while a message is sent, which may be many frames.
    message: Mutex<()>,
    writer: SharedWriter<Writer<S>>,
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

/// The turn to send a message. One thread has it at a time.
#[derive(Debug)]
pub struct SendTurn<'a, S> {
    shared: &'a Shared<S>,
    _message: MutexGuard<'a, ()>,
}

impl<S: Duplicate> Access for SendTurn<'_, S> {
    type Side = Writer<S>;

    fn with<R>(&mut self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        job(&mut self.shared.writer.lock())
    }
}

impl<S: Duplicate> ReadEnd<S> {
    /// Shares a writer, and duplicates its stream twice.
    pub(super) fn new(writer: Writer<S>) -> Result<Self, Error> {
        let stream = writer.stream().duplicate()?;
        let socket = writer.stream().duplicate()?;
        let shared = Shared {
            message: Mutex::new(()),
            writer: SharedWriter::new(writer, Instant::now),
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
    pub(super) fn writer(&self) -> &SharedWriter<Writer<S>> {
        &self.writer
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    pub(super) fn into_writer(self) -> SharedWriter<Writer<S>> {
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
        lock(&self.socket).shutdown(net::Shutdown::Both)
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
