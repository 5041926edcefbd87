//! What the threads of `framewire connect` share, from one connection to the next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, process};

use framewire::blocking::{KeepAliveEnd, ReadHalf};
use framewire::upgrade::Stream;
use framewire::{CloseCode, Closed, Error, ErrorKind, Opcode};

use super::input::{End, Input};
use super::report::Report;
use super::trace::Traced;

pub(super) type WriteHalf = framewire::blocking::WriteHalf<Traced<Stream>>;

/// An event on this side that closes the connection.
pub(super) enum Event {
    InputEnded,
    Interrupted,
    /// The reader of the printed output has gone.
    OutputEnded,
}

/// The connection that the threads talk over.
#[derive(Default)]
pub(super) struct Conversation {
    current: Mutex<Current>,
    /// Notified when `current` changes.
    changed: Condvar,
    /// Whether a message has come since this was last reset.
    heard: AtomicBool,
}

#[derive(Default)]
struct Current {
    writer: Option<WriteHalf>,
    /// How many connections there have been.
    number: usize,
    /// The thread that sends the Close frame.
    closer: Option<JoinHandle<()>>,
    /// Whether this side wants no more of them.
    is_over: bool,
    /// The first error on this side over this connection.
    trouble: Option<String>,
}

impl Conversation {
    /// Has the threads talk over this connection.
    pub(super) fn begin(&self, writer: WriteHalf) {
        let mut current = self.lock();
        current.writer = Some(writer);
        current.number += 1;
        current.trouble = None;
        self.changed.notify_all();
    }

    /// Ends the talk over the connection, which is closed or else lost. Returns the first error on this side.
    pub(super) fn end(&self, is_closed: bool) -> Option<String> {
        let (writer, closer) = {
            let mut current = self.lock();
            (current.writer.take(), current.closer.take())
        };
        if let Some(mut writer) = writer {
            // A thread that was writing has yet to write the answer to the peer's Close.
            let _ = if is_closed {
                writer.flush()
            } else {
                writer.abort().map_err(Error::from)
            };
        }
        // It has its Close frame to tell of.
        if let Some(closer) = closer {
            let _ = closer.join();
        }
        self.lock().trouble.take()
    }

    /// Waits before the next connection. Returns `false` where this side wants none.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let current = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(current, time, |current| !current.is_over);
        let (current, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !current.is_over
    }

    /// Returns whether this side wants no more connections.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Prints messages until the connection has ended, and returns how it was closed.
    pub(super) fn print_messages(
        &self,
        mut reader: ReadHalf<Traced<Stream>>,
        report: &Report,
        events: &Sender<Event>,
    ) -> Result<Closed, Error> {
        let mut prints = true;
        while let Some(message) = reader.next_message()? {
            self.heard.store(true, Ordering::Relaxed);
            if !prints {
                continue;
            }
            if let Err(error) = report.message(message.opcode(), message.payload()) {
                prints = false;
                // It is no error if the reader of the output has gone.
                if error.kind() != io::ErrorKind::BrokenPipe {
                    self.complain(format!("cannot write a message: {error}"));
                }
                // It fails only if the closing thread has ended, and the connection with it.
                let _ = events.send(Event::OutputEnded);
            }
        }
        Ok(reader.closed().ok_or(ErrorKind::ConnectionLost)?)
    }

    /// Sends each line of the input as a text message, over one connection or the next where there will be one.
    pub(super) fn send_input(
        self: &Arc<Self>,
        input: impl FnOnce() -> Input + Send + 'static,
        report: Arc<Report>,
        events: Sender<Event>,
        reconnects: bool,
    ) {
        let this = Arc::clone(self);
        thread::spawn(move || {
            let mut input = input();
            let mut line = Vec::new();
            loop {
                match input.next(&mut line) {
                    Ok(()) => {}
                    Err(End::Interrupted) => {
                        let _ = events.send(Event::Interrupted);
                        return;
                    }
                    Err(End::Failed(trouble)) => {
                        this.complain(trouble);
                        break;
                    }
                    Err(End::Ended) => break,
                }
                if !this.send(&line, &report, reconnects) {
                    return;
                }
            }
            let _ = events.send(Event::InputEnded);
        });
    }

    /// Sends a line. Returns `false` where none can be sent any more.
    fn send(&self, line: &[u8], report: &Report, reconnects: bool) -> bool {
        let mut number = 0;
        loop {
            let Some(mut writer) = self.next_writer(&mut number) else {
                return false;
            };
            let Err(error) = writer.write((Opcode::Text, line)) else {
                return true;
            };
            match error.kind() {
                ErrorKind::Send(error) => {
                    report.note(&format!("not sent: {error}"));
                    return true;
                }
                // The reading thread reports it.
                ErrorKind::Closed(_) => {}
                _ => {
                    self.complain(format!("cannot send: {error}"));
                    if error.is_would_block() {
                        let _ = writer.abort();
                    }
                    // Otherwise the thread that reads goes on with what the server has sent until then.
                }
            }
            if !reconnects {
                return false;
            }
        }
    }

    /// Waits for a connection that comes after the one with this number.
    fn next_writer(&self, after: &mut usize) -> Option<WriteHalf> {
        let current = self.lock();
        let waits = |current: &mut Current| {
            !current.is_over && (current.writer.is_none() || current.number == *after)
        };
        let current = self.changed.wait_while(current, waits);
        let current = current.unwrap_or_else(PoisonError::into_inner);
        let is_next = current.number != *after;
        *after = current.number;
        current.writer.clone().filter(|_| is_next)
    }

    /// Waits for a reason to close the connection and closes it. Ends it if the server neither closes it nor
    /// sends anything any more. If the reason is the end of the input, it waits for `wait` first.
    pub(super) fn close_when_asked(
        self: &Arc<Self>,
        happened: Receiver<Event>,
        wait: Duration,
        timeout: Duration,
    ) {
        let this = Arc::clone(self);
        thread::spawn(move || {
            match happened.recv() {
                Ok(Event::InputEnded) if !wait.is_zero() => {
                    // Any other event ends the wait early.
                    let _ = happened.recv_timeout(wait);
                }
                Ok(_) => {}
                Err(_) => return,
            }
            if let Some(writer) = this.give_up_on_others() {
                this.close(&writer, &happened, timeout);
            }
        });
    }

    /// Has no other connection follow this one, which it returns, if there is one.
    fn give_up_on_others(&self) -> Option<WriteHalf> {
        let mut current = self.lock();
        current.is_over = true;
        self.changed.notify_all();
        current.writer.clone()
    }

    fn close(&self, writer: &WriteHalf, happened: &Receiver<Event>, timeout: Duration) {
        let mut closer = writer.clone();
        // In a thread of its own, since it blocks while the server takes nothing.
        let closing = thread::spawn(move || {
            // The reading thread reports how it ended.
            let _ = closer.close(CloseCode::NORMAL, "");
        });
        self.lock().closer = Some(closing);
        loop {
            match happened.recv_timeout(timeout) {
                Ok(Event::InputEnded) => {}
                Ok(Event::OutputEnded | Event::Interrupted) => {
                    // The reading thread reports the end.
                    let _ = writer.abort();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    if !self.heard.swap(false, Ordering::Relaxed) {
                        self.complain(format!("no answer to the close within {timeout:?}"));
                        let _ = writer.abort();
                        return;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Sends Pings over this connection, and ends it if a Pong is missing.
    pub(super) fn keep_alive(self: &Arc<Self>, writer: WriteHalf, interval: Duration) {
        let this = Arc::clone(self);
        thread::spawn(move || {
            if let KeepAliveEnd::NoPong = writer.keep_alive(interval, interval).run() {
                this.complain(format!("no pong within {interval:?}"));
                let _ = writer.abort();
            }
        });
    }

    /// Records an error on this side, unless there is one.
    fn complain(&self, trouble: String) {
        self.lock().trouble.get_or_insert(trouble);
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the first signal close the connection, and the second end the program.
pub(super) fn stop_on_signals(
    conversation: &Arc<Conversation>,
    events: Sender<Event>,
) -> Result<(), ctrlc::Error> {
    let conversation = Arc::clone(conversation);
    let signalled = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        let is_second = signalled.swap(true, Ordering::Relaxed);
        let has_none = conversation.lock().writer.is_none();
        if has_none || is_second || events.send(Event::Interrupted).is_err() {
            process::exit(130);
        }
    })
}
