//! Model tests of the threads of a split connection, in the orders in which they can meet with up to three switches
//! between them: no reply is lost, no message is cut, and no thread waits for ever.
//!
//! `cargo xtask model` runs these with loom, as those of tasks in `halves::model`.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::{KeepAliveEnd, ReadHalf, WebSocket, WriteHalf};
use crate::lock::{Condvar, Mutex, lock};
use crate::{CloseCode, Config, Duplicate, ErrorKind, Opcode, Socket};

/// A stream whose peer takes everything, and sends an answer once it has seen the awaited bytes. A read blocks until
/// there is something to read or the stream is shut down.
#[derive(Clone, Default)]
struct Peer(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    taken: Vec<u8>,
    input: Vec<u8>,
    has_ended: bool,
    /// The bytes that must be taken before the answer comes.
    awaited: Vec<u8>,
    answer: Vec<u8>,
}

impl Peer {
    fn sending(input: &[u8]) -> Self {
        let peer = Self::default();
        peer.change(|state| state.input = input.to_vec());
        peer
    }

    fn answering(awaited: &[u8], answer: &[u8]) -> Self {
        let peer = Self::default();
        peer.change(|state| {
            state.awaited = awaited.to_vec();
            state.answer = answer.to_vec();
        });
        peer
    }

    fn connect(&self) -> (ReadHalf<Self>, WriteHalf<Self>) {
        let websocket = WebSocket::server(self.clone(), Config::default());
        let split = websocket.expect("no size is 0").split();
        split.expect("it can be duplicated")
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut lock(&self.0.0));
        self.0.1.notify_all();
        result
    }

    fn taken(&self) -> Vec<u8> {
        lock(&self.0.0).taken.clone()
    }
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = lock(&self.0.0);
        while state.input.is_empty() && !state.has_ended {
            state = self.0.1.wait(state).expect("no panic");
        }
        let input = std::mem::take(&mut state.input);
        buf[..input.len()].copy_from_slice(&input);
        Ok(input.len())
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.change(|state| {
            state.taken.extend_from_slice(buf);
            if !state.awaited.is_empty() && count(&state.taken, &state.awaited) > 0 {
                state.awaited.clear();
                state.input = std::mem::take(&mut state.answer);
            }
        });
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Peer {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.change(|state| state.taken.extend_from_slice(ENDED));
        Ok(())
    }
}

impl Duplicate for Peer {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn abort(&self) -> io::Result<()> {
        self.change(|state| state.has_ended = true);
        Ok(())
    }
}

/// A masked Ping and a masked text, both empty and under the key 0, and the Pong that answers the Ping.
const PING_AND_MESSAGE: &[u8] = b"\x89\x80\0\0\0\0\x81\x80\0\0\0\0";
const PONG: &[u8] = b"\x8a\x00";
/// A Close with 1000, and the same masked, under the key 0.
const CLOSE: &[u8] = b"\x88\x02\x03\xe8";
const MASKED_CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";
/// What stands for the end of what is written.
const ENDED: &[u8] = b"(ended)";

fn count(bytes: &[u8], part: &[u8]) -> usize {
    bytes
        .windows(part.len())
        .filter(|window| *window == part)
        .count()
}

fn model(job: impl Fn() + Sync + Send + 'static) {
    model_within(2, job);
}

/// Runs `job` in every order with at most `preemptions` switches away from a thread that could have gone on.
fn model_within(preemptions: usize, job: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(job);
}

#[test]
fn a_reply_leaves_whichever_thread_has_the_writer() {
    model_within(3, || {
        let peer = Peer::sending(PING_AND_MESSAGE);
        let (mut reader, mut writer) = peer.connect();
        let writing = thread::spawn(move || writer.write("a").expect("it is taken"));
        let message = reader.next_message().expect("no error");
        assert_eq!(message.map(|message| message.opcode()), Some(Opcode::Text));
        writing.join().expect("no panic");
        let taken = peer.taken();
        let message = b"\x81\x01a";
        assert_eq!((count(&taken, PONG), count(&taken, message)), (1, 1));
        assert_eq!(taken.len(), PONG.len() + message.len());
    });
}

#[test]
fn a_message_waits_for_the_one_that_is_streamed() {
    model(|| {
        let peer = Peer::default();
        let (_reader, mut writer) = peer.connect();
        let mut other = writer.clone();
        let streaming = thread::spawn(move || {
            let mut message = other.message_writer(Opcode::Text).expect("it is open");
            message.write_all(b"a").expect("it is taken");
            message.flush().expect("it is taken");
            message.finish().expect("it is taken");
        });
        writer.write("b").expect("it is taken");
        streaming.join().expect("no panic");
        let taken = peer.taken();
        assert_eq!(count(&taken, b"\x01\x01a\x80\x00"), 1, "{taken:x?}");
        assert_eq!(count(&taken, b"\x81\x01b"), 1, "{taken:x?}");
    });
}

#[test]
fn a_read_that_an_abort_ends_says_so() {
    model(|| {
        let peer = Peer::default();
        let (mut reader, writer) = peer.connect();
        let aborting = thread::spawn(move || writer.abort().expect("it can be shut down"));
        let error = reader.next_message().map(drop).expect_err("it was aborted");
        let is_told = matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::ConnectionAborted);
        assert!(is_told, "{error:?}");
        aborting.join().expect("no panic");
    });
}

#[test]
fn a_keep_alive_that_waits_is_stopped() {
    model(|| {
        let (_reader, writer) = Peer::default().connect();
        let keep_alive = writer.keep_alive(Duration::MAX, Duration::MAX);
        let beating = thread::spawn(move || keep_alive.run());
        writer.stop_keep_alive();
        let end = beating.join().expect("no panic");
        assert!(matches!(end, KeepAliveEnd::Stopped), "{end:?}");
    });
}

#[test]
fn a_keep_alive_ends_with_the_reading_half() {
    model(|| {
        let (reader, writer) = Peer::default().connect();
        let keep_alive = writer.keep_alive(Duration::MAX, Duration::MAX);
        let beating = thread::spawn(move || keep_alive.run());
        drop(reader);
        let end = beating.join().expect("no panic");
        assert!(matches!(end, KeepAliveEnd::Ended), "{end:?}");
    });
}

#[test]
fn a_reading_half_shuts_down_beside_a_thread_that_writes() {
    model(|| {
        let peer = Peer::answering(CLOSE, MASKED_CLOSE);
        let (mut reader, mut writer) = peer.connect();
        let writing = thread::spawn(move || {
            // Too late where the Close frame has gone out.
            let _ = writer.write("a");
        });
        let shutdown = reader.shutdown(HOUR).expect("no error");
        assert!(shutdown.clean, "{shutdown:?}");
        assert_eq!(shutdown.code, CloseCode::NORMAL);
        writing.join().expect("no panic");
        let closed = reader.closed().expect("both ends have closed");
        assert!(
            closed.peer.is_some() && closed.local.is_some(),
            "{closed:?}"
        );
        assert_eq!(count(&peer.taken(), CLOSE), 1);
    });
}

#[test]
fn a_reading_half_shuts_down_beside_a_thread_that_closes() {
    model_within(3, || {
        let peer = Peer::answering(CLOSE, MASKED_CLOSE);
        let (mut reader, mut writer) = peer.connect();
        // One of them is too late.
        let closing = thread::spawn(move || drop(writer.close(CloseCode::NORMAL, "")));
        let shutdown = reader.shutdown(HOUR).expect("no error");
        assert!(shutdown.clean, "{shutdown:?}");
        closing.join().expect("no panic");
        let taken = peer.taken();
        assert_eq!(count(&taken, CLOSE), 1, "{taken:x?}");
        assert!(taken.ends_with(ENDED), "{taken:x?}");
    });
}

const HOUR: Duration = Duration::from_secs(3600);
