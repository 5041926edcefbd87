//! What the two halves of a split connection have in common.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::Writer;
use super::access::Access;
use super::polled;
use super::source::Source;
use super::waiting::{Place, Waiting};
use crate::connection::{self, Exchange, Lease, Replies, Reply, Transport};
use crate::error::{Closed, Error, would_block};
use crate::frame::ControlPayload;
use crate::lock::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::lock::{Mutex, MutexGuard, lock};

/// What both halves have.
#[derive(Debug)]
pub(super) struct Shared<S> {
    exchange: Exchange<WriteEnd<S>>,
    stream: Arc<Duplex<S>>,
    waiting: Arc<Waiting>,
}

/// The stream, of which each direction is polled by itself: locked for as long as that takes, and
/// polling never waits.
#[derive(Debug)]
struct Duplex<S> {
    stream: Mutex<S>,
    aborted: AtomicBool,
    /// How often it took something.
    taken: AtomicUsize,
}

impl<S> Duplex<S> {
    fn lock(&self) -> io::Result<MutexGuard<'_, S>> {
        self.check()?;
        Ok(lock(&self.stream))
    }

    fn check(&self) -> io::Result<()> {
        if self.aborted.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

/// The stream as the writing side has it. It wakes whoever waits, not the task that wrote last.
#[derive(Debug)]
pub struct WriteEnd<S> {
    stream: Arc<Duplex<S>>,
    waker: Waker,
    /// Whether writing has blocked, and flushing, so that tasks may wait for it.
    has_blocked: [bool; 2],
}

impl<S: AsyncWrite + Unpin> WriteEnd<S> {
    fn poll<R>(
        &mut self,
        kind: usize,
        job: impl FnOnce(&mut S, &mut Context<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut cx = Context::from_waker(&self.waker);
        let result = self
            .stream
            .lock()
            .and_then(|mut stream| job(&mut stream, &mut cx));
        if matches!(&result, Err(error) if would_block(error)) {
            self.has_blocked[kind] = true;
        } else if mem::take(&mut self.has_blocked[kind]) {
            // The stream owes a wake-up to the last that asked: it did not wait, and others may.
            self.waker.wake_by_ref();
        }
        result
    }
}

impl<S> WriteEnd<S> {
    fn note(&self, written: io::Result<usize>) -> io::Result<usize> {
        if written.is_ok() {
            self.stream.taken.fetch_add(1, Ordering::Relaxed);
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> Write for WriteEnd<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.poll(WRITING, |stream, cx| polled::write(stream, cx, buf));
        self.note(written)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.poll(WRITING, |stream, cx| {
            polled::write_vectored(stream, cx, bufs)
        });
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.poll(FLUSHING, polled::flush)
    }
}

const WRITING: usize = 0;
const FLUSHING: usize = 1;

impl<S> Shared<S> {
    pub(super) fn new(writer: Writer<S>) -> Self {
        let waiting = Arc::new(Waiting::default());
        let waker = Waker::from(Arc::clone(&waiting));
        let stream = Arc::new(Duplex {
            stream: Mutex::new(writer.stream),
            aborted: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
        });
        let writer = connection::Writer {
            outbound: writer.outbound,
            stream: WriteEnd {
                stream: Arc::clone(&stream),
                waker,
                has_blocked: [false; 2],
            },
        };
        Self {
            exchange: Exchange::new(writer, || Instant::now().into_std()),
            stream,
            waiting,
        }
    }

    pub(super) fn exchange(&self) -> &Exchange<WriteEnd<S>> {
        &self.exchange
    }

    pub(super) fn with_stream<R>(&self, job: impl FnOnce(&mut S) -> R) -> R {
        job(&mut lock(&self.stream.stream))
    }

    #[cfg(feature = "futures")]
    pub(super) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Tells whether the stream takes anything, by what it says at two times.
    pub(super) fn taken(&self) -> usize {
        self.stream.taken.load(Ordering::Relaxed)
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.stream.check().is_err()
    }

    /// Fails whatever either half does next, and wakes whoever waits.
    pub(super) fn abort(&self) {
        self.stream.aborted.store(true, Ordering::Release);
        self.waiting.wake_all();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    /// The right to send a message, if no other task has it.
    pub(super) fn try_message(&self) -> Option<SharedWriter<'_, S>> {
        let is_taken = self.waiting.try_take_right();
        is_taken.then(|| SharedWriter::new(Right(self), Place::new(&self.waiting)))
    }

    /// The right to send a message: waits for the one that another task is sending.
    pub(super) async fn message(&self) -> Result<SharedWriter<'_, S>, Error> {
        let mut place = Place::new(&self.waiting);
        let right = poll_fn(|cx| self.poll_right(&mut place, cx)).await?;
        Ok(SharedWriter::new(right, place))
    }

    pub(super) fn poll_right(
        &self,
        place: &mut Place<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Right<'_, S>, Error>> {
        if place.poll_right(cx.waker()).is_ready() {
            return Poll::Ready(Ok(Right(self)));
        }
        self.stream.check()?;
        Poll::Pending
    }

    /// The writer, when nobody else has it any more.
    #[expect(clippy::expect_used, reason = "the lines above prove it")]
    pub(super) fn into_writer(self) -> Writer<S> {
        let Self {
            exchange, stream, ..
        } = self;
        let writer = exchange.into_writer();
        drop(writer.stream);
        let duplex = Arc::into_inner(stream).expect("of two, one was dropped");
        let stream = duplex.stream.into_inner();
        let stream = stream.unwrap_or_else(PoisonError::into_inner);
        Writer::new(writer.outbound, stream)
    }
}

/// A task that sends a frame, one of many that do.
#[derive(Debug)]
pub(super) struct Frames<'a, S> {
    shared: &'a Shared<S>,
    pub(super) place: Place<'a>,
    /// The payload, where it is a Close frame.
    closes: Option<ControlPayload>,
}

impl<'a, S> Frames<'a, S> {
    pub(super) fn new(shared: &'a Shared<S>) -> Self {
        Self::at(shared, Place::new(&shared.waiting))
    }

    pub(super) fn at(shared: &'a Shared<S>, place: Place<'a>) -> Self {
        Self {
            shared,
            place,
            closes: None,
        }
    }

    pub(super) fn closing(self, payload: &[u8]) -> Self {
        Self {
            closes: ControlPayload::new(payload),
            ..self
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for Frames<'_, S> {
    type Drive<'a>
        = Lease<'a, WriteEnd<S>>
    where
        Self: 'a;

    fn drive<'a>(&'a mut self, _waker: &'a Waker) -> Lease<'a, WriteEnd<S>> {
        match &self.closes {
            Some(payload) => self.shared.exchange.lease_to_close(payload.as_slice()),
            None => self.shared.exchange.lease(),
        }
    }

    fn park(&mut self, cx: &mut Context<'_>) -> bool {
        self.place.wait(cx.waker());
        true
    }

    fn end_frame(&mut self) {
        self.shared.waiting.wake_writers();
    }

    fn leave(&mut self) {
        self.shared.waiting.wake_reader();
    }
}

/// A task that sends a message: it alone has the right to.
#[derive(Debug)]
pub struct SharedWriter<'a, S> {
    // Let go before the place is.
    right: Right<'a, S>,
    pub(super) place: Place<'a>,
}

/// The right to send a message.
#[derive(Debug)]
pub(super) struct Right<'a, S>(&'a Shared<S>);

impl<'a, S> SharedWriter<'a, S> {
    pub(super) fn new(right: Right<'a, S>, place: Place<'a>) -> Self {
        Self { right, place }
    }
}

impl<S> Drop for Right<'_, S> {
    fn drop(&mut self) {
        self.0.waiting.pass_right_on();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for SharedWriter<'_, S> {
    type Drive<'a>
        = Lease<'a, WriteEnd<S>>
    where
        Self: 'a;

    fn drive<'a>(&'a mut self, _waker: &'a Waker) -> Lease<'a, WriteEnd<S>> {
        self.right.0.exchange.lease()
    }

    fn gives_way(&mut self, cx: &mut Context<'_>) -> bool {
        self.place.gives_way(cx.waker())
    }

    fn park(&mut self, cx: &mut Context<'_>) -> bool {
        self.place.wait(cx.waker());
        true
    }

    fn end_frame(&mut self) {
        self.right.0.waiting.wake_writers();
    }

    fn leave(&mut self) {
        self.right.0.waiting.wake_reader();
    }
}

/// The reading half's way to the stream, and to the writing half.
#[derive(Debug)]
pub struct Link<S> {
    shared: Arc<Shared<S>>,
    waker: Waker,
}

impl<S> Link<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        Self {
            shared,
            waker: Waker::noop().clone(),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Source for Link<S> {
    type Transport<'a>
        = &'a mut Self
    where
        S: 'a;

    fn transport<'a>(&'a mut self, waker: &'a Waker) -> &'a mut Self {
        if !self.waker.will_wake(waker) {
            self.waker.clone_from(waker);
            self.shared.waiting.register_reader(waker);
        }
        self
    }

    fn replies(&mut self) -> &mut dyn Replies {
        self
    }

    fn send_all(&mut self, _waker: &Waker) -> bool {
        self.shared.exchange.send_all()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for &mut Link<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        polled::read(&mut *self.shared.stream.lock()?, &mut cx, buf)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        *self
    }

    fn send_waiting(&mut self) {
        self.shared.exchange.send_waiting();
    }

    fn end(&mut self) {
        self.shared.exchange.heartbeat.end();
    }

    fn is_aborted(&self) -> bool {
        self.shared.is_aborted()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Replies for Link<S> {
    fn reply(&mut self, reply: Reply) {
        self.shared.exchange.reply(reply);
    }

    fn pong(&mut self, payload: &[u8]) {
        self.shared.exchange.heartbeat.pong(payload);
    }

    fn closed(&self) -> Option<Closed> {
        self.shared.exchange.closed()
    }
}

/// A reading half that is gone reads no Pong.
impl<S> Drop for Link<S> {
    fn drop(&mut self) {
        self.shared.exchange.heartbeat.end();
        self.shared.waiting.forget_reader();
    }
}
