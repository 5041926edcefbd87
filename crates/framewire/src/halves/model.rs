//! Model tests of the tasks of a split connection, in the orders in which they can meet with up to three switches
//! between them: no reply is lost, no frame is cut, and no task waits for ever.
//!
//! `cargo xtask model` runs these with loom, which reports a task that is never woken as a deadlock.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::future::block_on;
use loom::thread;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::lock::{Mutex, lock};
use crate::tokio::{ReadHalf, WebSocket, WriteHalf};
use crate::{CloseCode, Config, Opcode};

/// A stream whose peer takes nothing until it is told to, and sends an answer once it has seen the awaited
/// bytes.
#[derive(Clone, Default)]
struct Peer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    takes: bool,
    taken: Vec<u8>,
    /// The bytes that must be taken before the answer comes.
    awaited: Vec<u8>,
    answer: Vec<u8>,
    input: Vec<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Peer {
    fn sending(input: &[u8]) -> Self {
        let peer = Self::default();
        lock(&peer.0).input = input.to_vec();
        peer
    }

    /// Makes the peer take bytes from now on.
    fn open(&self) {
        let mut state = lock(&self.0);
        state.takes = true;
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Says something once it has seen the awaited bytes.
    fn answer(&self, awaited: &[u8], answer: &[u8]) {
        let mut state = lock(&self.0);
        state.awaited = awaited.to_vec();
        state.answer = answer.to_vec();
    }

    fn connect(&self) -> (ReadHalf<Self>, WriteHalf<Self>) {
        self.connect_with(Config::default())
    }

    fn connect_with(&self, config: Config) -> (ReadHalf<Self>, WriteHalf<Self>) {
        let websocket = WebSocket::server(self.clone(), config);
        websocket.expect("no size is 0").split()
    }

    fn taken(&self) -> Vec<u8> {
        lock(&self.0).taken.clone()
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = lock(&self.0);
        if state.input.is_empty() {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buf.put_slice(&std::mem::take(&mut state.input));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.0);
        if !state.takes {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.taken.extend_from_slice(buf);
        let is_awaited = !state.awaited.is_empty() && contains(&state.taken, &state.awaited);
        if is_awaited {
            state.awaited.clear();
            state.input = state.answer.to_vec();
            let reader = state.reader.take();
            drop(state);
            if let Some(reader) = reader {
                reader.wake();
            }
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A masked Ping without a payload, under the key 0, and the Pong that answers it.
const PING: &[u8] = b"\x89\x80\0\0\0\0";
const PONG: &[u8] = b"\x8a\x00";
/// A masked Close with 1000, under the key 0.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";
/// A masked empty text, under the key 0.
const MESSAGE: &[u8] = b"\x81\x80\0\0\0\0";

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn model(job: impl Fn() + Sync + Send + 'static) {
    model_within(2, job);
}

/// Runs `job` in every order with at most `preemptions` switches away from a task that could have gone on.
fn model_within(preemptions: usize, job: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(job);
}

#[test]
fn a_reply_is_sent_whichever_task_has_the_writer() {
    model(|| {
        let peer = Peer::sending(PING);
        peer.open();
        let (mut reader, mut writer) = peer.connect();
        let writing = thread::spawn(move || {
            block_on(writer.write("a")).expect("it is taken");
        });
        // Nothing is polled after this: the reply leaves now, or with the other task's message.
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = std::pin::pin!(reader.next_message());
        assert!(read.as_mut().poll(&mut cx).is_pending());
        writing.join().expect("no panic");
        let taken = peer.taken();
        let message = b"\x81\x01a";
        assert!(
            contains(&taken, PONG) && contains(&taken, message),
            "{taken:x?}"
        );
        assert_eq!(taken.len(), PONG.len() + message.len());
    });
}

#[test]
fn writers_that_wait_for_the_stream_are_woken() {
    model(|| {
        let peer = Peer::default();
        let (_reader, mut writer) = peer.connect();
        let mut other = writer.clone();
        let writing = thread::spawn(move || {
            block_on(other.write("a")).expect("it is taken");
        });
        let opening = thread::spawn({
            let peer = peer.clone();
            move || peer.open()
        });
        block_on(writer.write("b")).expect("it is taken");
        writing.join().expect("no panic");
        opening.join().expect("no panic");
        let taken = peer.taken();
        assert!(contains(&taken, b"\x81\x01a") && contains(&taken, b"\x81\x01b"));
        assert_eq!(taken.len(), 6);
    });
}

#[test]
fn a_reader_sends_a_reply_that_the_stream_did_not_take_at_first() {
    model(|| {
        let peer = Peer::sending(PING);
        peer.answer(PONG, MESSAGE);
        let (mut reader, mut writer) = peer.connect();
        let opening = thread::spawn({
            let peer = peer.clone();
            move || peer.open()
        });
        let feeding = thread::spawn(move || {
            block_on(writer.feed("a")).expect("it is taken");
        });
        let message = block_on(reader.next_message()).expect("no error");
        assert_eq!(message.map(|message| message.opcode()), Some(Opcode::Text));
        opening.join().expect("no panic");
        feeding.join().expect("no panic");
    });
}

#[test]
fn a_message_waits_for_the_one_that_is_streamed() {
    model(|| {
        let peer = Peer::default();
        peer.open();
        let (_reader, mut writer) = peer.connect();
        let mut other = writer.clone();
        let streaming = thread::spawn(move || {
            block_on(async {
                let message = other.message_writer(Opcode::Text).await?;
                message.finish().await
            })
            .expect("it is taken");
        });
        block_on(writer.write("b")).expect("it is taken");
        streaming.join().expect("no panic");
        let taken = peer.taken();
        assert!(contains(&taken, b"\x81\x00") && contains(&taken, b"\x81\x01b"));
        assert_eq!(taken.len(), 5);
    });
}

#[test]
fn a_dropped_future_passes_its_turn_on() {
    model(|| {
        let peer = Peer::default();
        peer.open();
        let (_reader, mut writer) = peer.connect();
        let mut streaming = writer.clone();
        let streamed = block_on(streaming.message_writer(Opcode::Text)).expect("nobody else sends");
        let mut other = writer.clone();
        let mut first = Box::pin(writer.write("a"));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut cx).is_pending());
        let waiters = thread::spawn(move || {
            block_on(other.write("b")).expect("it is taken");
        });
        block_on(streamed.finish()).expect("it is taken");
        drop(first);
        let never_polled = writer.write("never polled");
        waiters.join().expect("no panic");
        drop(never_polled);
        let taken = peer.taken();
        assert_eq!(taken, b"\x81\x00\x81\x01b");
    });
}

/// The frame is longer than the write buffer, so that its task holds the rest of it while the stream takes nothing.
#[test]
fn the_end_is_told_when_the_frame_of_another_task_and_the_answer_were_sent() {
    for is_dropped in [false, true] {
        model(move || {
            let peer = Peer::sending(CLOSE);
            let (mut reader, mut writer) = peer.connect_with(Config::default().write_buffer(8));
            let writing = thread::spawn(move || {
                let mut write = Box::pin(writer.write(&[7; 32][..]));
                if is_dropped {
                    let mut cx = Context::from_waker(Waker::noop());
                    let _ = write.as_mut().poll(&mut cx);
                } else {
                    // It is refused where the answer was sent before.
                    let _ = block_on(write);
                }
            });
            let opening = thread::spawn({
                let peer = peer.clone();
                move || peer.open()
            });
            assert!(block_on(reader.next_message()).expect("no error").is_none());
            let taken = peer.taken();
            let frame = [&b"\x82\x20"[..], &[7; 32]].concat();
            let before = taken.strip_suffix(b"\x88\x02\x03\xe8");
            let before = before.expect("the answer comes last, and whole");
            assert!(before.is_empty() || before == frame, "{taken:x?}");
            writing.join().expect("no panic");
            opening.join().expect("no panic");
        });
    }
}

#[test]
fn both_ends_that_close_at_once_are_told_of_each_other() {
    model_within(3, || {
        let peer = Peer::sending(CLOSE);
        peer.open();
        let (mut reader, mut writer) = peer.connect();
        let reading = thread::spawn(move || {
            assert_eq!(block_on(reader.next_message()).expect("no error"), None);
            reader.closed().expect("the peer closed")
        });
        // It fails if the peer's Close came first and was answered.
        let _ = block_on(writer.close(CloseCode::GOING_AWAY, ""));
        let closed = reading.join().expect("no panic");
        assert!(
            closed.peer.is_some() && closed.local.is_some(),
            "{closed:?}"
        );
        assert_eq!(writer.closed(), Some(closed));
    });
}

#[test]
fn a_connection_that_is_aborted_wakes_its_reader() {
    model(|| {
        let peer = Peer::default();
        let (mut reader, writer) = peer.connect();
        let aborting = thread::spawn(move || writer.abort());
        let end = block_on(reader.next_message()).map(drop);
        assert!(end.is_err());
        aborting.join().expect("no panic");
    });
}

#[test]
fn a_reading_half_shuts_down_beside_a_writer() {
    for closes_first in [false, true] {
        model(move || {
            let peer = if closes_first {
                Peer::sending(CLOSE)
            } else {
                Peer::default()
            };
            if !closes_first {
                peer.answer(b"\x88\x02\x03\xe8", CLOSE);
            }
            peer.open();
            let (mut reader, mut writer) = peer.connect();
            let writing = thread::spawn(move || {
                // Too late where the Close frame has gone out.
                let _ = block_on(writer.write("a"));
                writer.closed()
            });
            let shutdown = block_on(reader.shutdown(Duration::MAX)).expect("no error");
            assert!(shutdown.clean, "{shutdown:?}");
            assert_eq!(shutdown.code, CloseCode::NORMAL);
            drop(writing.join().expect("no panic"));
            let closed = reader.closed().expect("both ends have closed");
            assert!(
                closed.peer.is_some() && closed.local.is_some(),
                "{closed:?}"
            );
            let closes = peer
                .taken()
                .windows(4)
                .filter(|bytes| bytes == b"\x88\x02\x03\xe8")
                .count();
            assert_eq!(closes, 1);
        });
    }
}
