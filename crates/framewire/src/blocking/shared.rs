//! What the two halves of a split connection have in common.

use std::io;
use std::net;
use std::sync::Arc;
use std::time::Instant;

use super::Writer;
use super::message_writer::Access;
use crate::Duplicate;
use crate::connection::{Replies, Reply, Transport};
use crate::error::{Closed, Error};
use crate::halves::SharedWriter;
use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Mutex, MutexGuard, lock, try_lock};

/// What both halves have.
#[derive(Debug)]
pub(super) struct Shared<S> {
    /// Held for as long as a message is being sent, which may be many frames.
    message: Mutex<()>,
    writer: SharedWriter<S>,
    /// Ends the connection under whoever waits for it.
    socket: Mutex<S>,
    aborted: AtomicBool,
}

/// The reading half's own handle to the stream, and the way to the writing half.
#[derive(Debug)]
pub struct ReadEnd<S> {
    stream: S,
    shared: Arc<Shared<S>>,
}

/// The right to send a message from one of many threads.
#[derive(Debug)]
pub struct SendTurn<'a, S> {
    shared: &'a Shared<S>,
    _message: MutexGuard<'a, ()>,
}

impl<S: Duplicate> Access for SendTurn<'_, S> {
    type Stream = S;

    fn with<R>(&mut self, job: impl FnOnce(&mut Writer<S>) -> R) -> R {
        job(&mut self.shared.writer.lock())
    }
}

impl<S: Duplicate> ReadEnd<S> {
    /// Shares a writer, and takes two more handles to its stream.
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
    pub(super) fn writer(&self) -> &SharedWriter<S> {
        &self.writer
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    pub(super) fn into_writer(self) -> SharedWriter<S> {
        self.writer
    }

    /// The right to send a message, if no other thread has it.
    pub(super) fn try_turn(&self) -> Option<SendTurn<'_, S>> {
        Some(SendTurn {
            _message: try_lock(&self.message)?,
            shared: self,
        })
    }

    /// The right to send a message: waits for the one that is being sent.
    pub(super) fn turn(&self) -> SendTurn<'_, S> {
        SendTurn {
            _message: lock(&self.message),
            shared: self,
        }
    }
}

impl<S: Duplicate> Shared<S> {
    /// Ends the connection under whoever waits for it.
    pub(super) fn abort(&self) -> io::Result<()> {
        self.aborted.store(true, Ordering::Release);
        lock(&self.socket).shutdown(net::Shutdown::Both)
    }
}

impl<S: Duplicate> Transport for ReadEnd<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buf);
        // How a stream ends that was shut down under the read is not what happened.
        if !matches!(read, Ok(1..)) && self.shared.is_aborted() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        read
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

    fn closed(&self) -> Option<Closed> {
        self.shared.writer.closed()
    }
}

/// A reading half that is gone reads no Pong.
impl<S> Drop for ReadEnd<S> {
    fn drop(&mut self) {
        self.shared.writer.heartbeat.end();
    }
}
