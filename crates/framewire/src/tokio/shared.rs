//! State that the two halves of a split connection share.
//!
//! Three locks, each held for one step and never while a task waits for the stream:
//! * the writer ([`SharedWriter`]), for as long as one call stages and writes;
//! * the stream ([`Duplex`]), for as long as one poll of it lasts;
//! * the lists of waiting tasks ([`Waiters`]).
//!
//! [`FrameWriter`] sends single frames, and needs no turn. [`SendTurn`] sends a message, and has the turn.
//! [`ReadEnd`] reads, and sends the replies for which no writing task is at hand.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::access::{Access, Sending};
use super::polled;
use super::receiving::Receiving;
use super::whole::Whole;
use crate::connection::{Outbound, Replies, Reply};
use crate::drive::{ClosingSide, PollWrite, ReadSide, WriteSide};
use crate::error::{Closed, Error, TryFeedError};
use crate::frame::ControlPayload;
use crate::halves::{SharedWriter, Waiter, Waiters, WriterGuard};
use crate::lock::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::lock::{Mutex, MutexGuard, lock};
use crate::protocol::ToOutgoing;

/// The state that both halves own.
#[derive(Debug)]
pub(super) struct Shared<S> {
    writer: SharedWriter<HalfWriter<S>>,
    stream: Arc<Duplex<S>>,
    waiters: Arc<Waiters>,
}

/// The stream, which the halves poll independently of each other.
///
/// Its lock is held for one poll, and polling never waits.
#[derive(Debug)]
struct Duplex<S> {
    stream: Mutex<S>,
    aborted: AtomicBool,
    /// The number of writes that the stream has accepted.
    writes: AtomicUsize,
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

/// The stream as the writing half sees it.
///
/// Where it blocks, the stream wakes all waiting tasks ([`Waiters`]), not only the task that wrote last.
#[derive(Debug)]
pub struct WriteEnd<S> {
    stream: Arc<Duplex<S>>,
    waker: Waker,
    /// Whether the last write, and the last flush, blocked: then tasks may be waiting for the next one.
    has_blocked: [bool; 2],
}

impl<S: AsyncWrite + Unpin> WriteEnd<S> {
    fn poll<R>(
        &mut self,
        operation: usize,
        job: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let mut cx = Context::from_waker(&self.waker);
        let result = match self.stream.lock() {
            Ok(mut stream) => job(&mut stream, &mut cx),
            Err(error) => Poll::Ready(Err(error)),
        };
        if result.is_pending() {
            self.has_blocked[operation] = true;
        } else if mem::take(&mut self.has_blocked[operation]) {
            // The stream wakes the task that polled it last. That task did not have to wait, but others may.
            self.waker.wake_by_ref();
        }
        result
    }
}

impl<S> WriteEnd<S> {
    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.stream.writes.fetch_add(1, Ordering::Relaxed);
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> PollWrite for WriteEnd<S> {
    fn poll_write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.poll(WRITING, |stream, cx| polled::write(stream, cx, bytes));
        self.count(written)
    }

    fn poll_write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = self.poll(WRITING, |stream, cx| {
            polled::write_vectored(stream, cx, bytes)
        });
        self.count(written)
    }

    fn poll_flush(&mut self) -> Poll<io::Result<()>> {
        self.poll(FLUSHING, polled::flush)
    }
}

const WRITING: usize = 0;
const FLUSHING: usize = 1;

/// The writing side of the halves: what a [`SharedWriter`] locks.
#[derive(Debug)]
pub struct HalfWriter<S> {
    outbound: Outbound,
    stream: WriteEnd<S>,
}

impl<S: AsyncWrite + Unpin> WriteSide for HalfWriter<S> {
    type Stream = WriteEnd<S>;

    fn parts(&mut self) -> (&mut Outbound, &mut WriteEnd<S>) {
        (&mut self.outbound, &mut self.stream)
    }
}

impl<S> Shared<S> {
    pub(super) fn writer(&self) -> &SharedWriter<HalfWriter<S>> {
        &self.writer
    }

    pub(super) fn with_stream<R>(&self, job: impl FnOnce(&mut S) -> R) -> R {
        job(&mut lock(&self.stream.stream))
    }

    #[cfg(feature = "futures")]
    pub(super) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Returns the number of writes that the stream has accepted. If two calls give the same number, the stream
    /// took nothing between them.
    pub(super) fn accepted_writes(&self) -> usize {
        self.stream.writes.load(Ordering::Relaxed)
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.stream.check().is_err()
    }

    /// Makes both halves fail where they next use the stream, and wakes all waiting tasks.
    pub(super) fn abort(&self) {
        self.stream.aborted.store(true, Ordering::Release);
        self.waiters.wake_all();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(super) fn new(writer: Whole<S>) -> Self {
        let waiters = Arc::new(Waiters::default());
        let waker = Waker::from(Arc::clone(&waiters));
        let stream = Arc::new(Duplex {
            stream: Mutex::new(writer.stream),
            aborted: AtomicBool::new(false),
            writes: AtomicUsize::new(0),
        });
        let writer = HalfWriter {
            outbound: writer.outbound,
            stream: WriteEnd {
                stream: Arc::clone(&stream),
                waker: waker.clone(),
                has_blocked: [false; 2],
            },
        };
        Self {
            writer: SharedWriter::new(writer, || Instant::now().into_std(), waker),
            stream,
            waiters,
        }
    }

    /// Takes the turn to send a message, unless another task has it.
    pub(super) fn try_turn(&self) -> Option<SendTurn<'_, S>> {
        let is_taken = self.waiters.try_take_turn();
        is_taken.then(|| SendTurn::new(Turn(self), Waiter::new(&self.waiters)))
    }

    /// Takes the turn to send a message if no task has it and none waits.
    pub(super) fn try_free_turn(&self) -> Option<SendTurn<'_, S>> {
        let is_taken = self.waiters.try_take_free_turn();
        is_taken.then(|| SendTurn::new(Turn(self), Waiter::new(&self.waiters)))
    }

    /// Takes the turn to send a message. Waits while another task has it.
    pub(super) async fn turn(&self) -> Result<SendTurn<'_, S>, Error> {
        let mut waiter = Waiter::new(&self.waiters);
        let turn = poll_fn(|cx| self.poll_turn(&mut waiter, cx)).await?;
        Ok(SendTurn::new(turn, waiter))
    }

    pub(super) fn poll_turn(
        &self,
        waiter: &mut Waiter<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Turn<'_, S>, Error>> {
        if waiter.poll_turn(cx.waker()).is_ready() {
            return Poll::Ready(Ok(Turn(self)));
        }
        self.stream.check()?;
        Poll::Pending
    }

    /// Returns the writer. Both halves must be gone.
    #[expect(clippy::expect_used, reason = "the lines above prove it")]
    pub(super) fn into_whole(self) -> Whole<S> {
        let Self { writer, stream, .. } = self;
        let writer = writer.into_writer();
        drop(writer.stream);
        let duplex = Arc::into_inner(stream).expect("of two, one was dropped");
        let stream = duplex.stream.into_inner();
        let stream = stream.unwrap_or_else(PoisonError::into_inner);
        Whole::new(writer.outbound, stream)
    }
}

/// The writing half's access to the shared writer.
#[derive(Debug)]
pub struct Half<S> {
    pub(super) shared: Arc<Shared<S>>,
    #[cfg(feature = "futures")]
    pub(super) sink: super::sink_state::SinkState,
}

impl<S> Half<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        Self {
            shared,
            #[cfg(feature = "futures")]
            sink: super::sink_state::SinkState::default(),
        }
    }

    /// Returns whether this is the only clone and holds no message.
    pub(super) fn is_last_of_two(&self) -> bool {
        #[cfg(feature = "futures")]
        if self.sink.has_message() {
            return false;
        }
        Arc::strong_count(&self.shared) == 2
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sending for Half<S> {
    type Turn<'a>
        = SendTurn<'a, S>
    where
        S: 'a;
    type Frames<'a>
        = FrameWriter<'a, S>
    where
        S: 'a;

    fn try_turn(&mut self) -> Option<SendTurn<'_, S>> {
        self.shared.try_free_turn()
    }

    async fn turn(&mut self) -> Result<SendTurn<'_, S>, Error> {
        self.shared.turn().await
    }

    fn frames(&mut self, close: Option<&[u8]>) -> FrameWriter<'_, S> {
        let frames = FrameWriter::new(&self.shared);
        match close {
            Some(payload) => frames.closing(payload),
            None => frames,
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

/// Access to the writer for single frames, which many tasks may have at once.
#[derive(Debug)]
pub struct FrameWriter<'a, S> {
    shared: &'a Shared<S>,
    pub(super) waiter: Waiter<'a>,
    /// The payload of the Close frame to send; `None` for any other frame.
    close_payload: Option<ControlPayload>,
}

impl<'a, S> FrameWriter<'a, S> {
    pub(super) fn new(shared: &'a Shared<S>) -> Self {
        Self::at(shared, Waiter::new(&shared.waiters))
    }

    pub(super) fn at(shared: &'a Shared<S>, waiter: Waiter<'a>) -> Self {
        Self {
            shared,
            waiter,
            close_payload: None,
        }
    }

    pub(super) fn closing(self, payload: &[u8]) -> Self {
        Self {
            close_payload: ControlPayload::new(payload),
            ..self
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for FrameWriter<'_, S> {
    type Side<'a>
        = WriterGuard<'a, HalfWriter<S>>
    where
        Self: 'a;

    fn side<'a>(&'a mut self, _waker: &'a Waker) -> WriterGuard<'a, HalfWriter<S>> {
        match &self.close_payload {
            Some(payload) => self.shared.writer.lock_to_close(payload.as_slice()),
            None => self.shared.writer.lock(),
        }
    }

    fn park(&mut self, cx: &mut Context<'_>) -> bool {
        self.waiter.wait(cx.waker());
        true
    }

    fn end_frame(&mut self) {
        self.shared.waiters.wake_after_frame();
    }

    fn leave_output(&mut self) {
        self.shared.waiters.wake_reader();
    }
}

/// Access to the writer for a whole message. One task has it at a time.
#[derive(Debug)]
pub struct SendTurn<'a, S> {
    // Dropped before `waiter`: fields are dropped in order.
    turn: Turn<'a, S>,
    pub(super) waiter: Waiter<'a>,
}

/// The turn to send a message. Dropping it passes the turn on.
#[derive(Debug)]
pub(super) struct Turn<'a, S>(&'a Shared<S>);

impl<'a, S> SendTurn<'a, S> {
    pub(super) fn new(turn: Turn<'a, S>, waiter: Waiter<'a>) -> Self {
        Self { turn, waiter }
    }
}

impl<S> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        self.0.waiters.pass_turn_on();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Access for SendTurn<'_, S> {
    type Side<'a>
        = WriterGuard<'a, HalfWriter<S>>
    where
        Self: 'a;

    fn side<'a>(&'a mut self, _waker: &'a Waker) -> WriterGuard<'a, HalfWriter<S>> {
        self.turn.0.writer.lock()
    }

    fn yields(&mut self, cx: &mut Context<'_>) -> bool {
        self.waiter.yields(cx.waker())
    }

    fn park(&mut self, cx: &mut Context<'_>) -> bool {
        self.waiter.wait(cx.waker());
        true
    }

    fn end_frame(&mut self) {
        self.turn.0.waiters.wake_after_frame();
    }

    fn leave_output(&mut self) {
        self.turn.0.waiters.wake_reader();
    }
}

/// The reading half's access to the stream and to the shared writer.
#[derive(Debug)]
pub struct ReadEnd<S> {
    shared: Arc<Shared<S>>,
    waker: Waker,
}

impl<S> ReadEnd<S> {
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

impl<S: AsyncRead + AsyncWrite + Unpin> Receiving for ReadEnd<S> {
    type Side<'a>
        = &'a mut Self
    where
        S: 'a;

    fn side<'a>(&'a mut self, waker: &'a Waker) -> &'a mut Self {
        if !self.waker.will_wake(waker) {
            self.waker.clone_from(waker);
            self.shared.waiters.register_reader(waker);
        }
        self
    }

    fn replies(&mut self) -> &mut dyn Replies {
        self
    }

    fn send_all(&mut self, _waker: &Waker) -> bool {
        if self.shared.writer.send_all() {
            return true;
        }
        self.shared.waiters.wake_reader_after_frames();
        self.shared.writer.send_all()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReadSide for &mut ReadEnd<S> {
    fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut cx = Context::from_waker(&self.waker);
        polled::read(&mut *self.shared.stream.lock()?, &mut cx, buf)
    }

    fn replies(&mut self) -> &mut dyn Replies {
        *self
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

impl<S: AsyncRead + AsyncWrite + Unpin> ClosingSide for &mut ReadEnd<S> {
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
        let mut cx = Context::from_waker(&self.waker);
        let stream = &self.shared.stream;
        self.shared
            .writer
            .poll_end(|| polled::close(&mut *stream.lock()?, &mut cx))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Replies for ReadEnd<S> {
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
        self.shared.waiters.forget_reader();
    }
}
