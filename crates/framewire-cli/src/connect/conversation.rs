//! What the threads of `framewire connect` share, from one connection to the next.

use std::io::{self, IsTerminal as _};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use framewire::blocking::{KeepAliveEnd, ReadHalf};
use framewire::upgrade::Stream;
use framewire::{CloseCode, Closed, Error, ErrorKind, Opcode};

use super::editor::{self, End};
use super::input::Input;
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
    /// Whether something could not be printed.
    is_unprinted: AtomicBool,
    /// Whether a line was left out, as it is no text.
    has_left_out: AtomicBool,
}

#[derive(Default)]
struct Current {
    writer: Option<WriteHalf>,
    /// Whether lines may be sent over it: people have been told of it.
    is_open: bool,
    /// How many connections there have been.
    number: usize,
    /// The thread that sends the Close frame.
    closer: Option<JoinHandle<()>>,
    /// Whether this side wants no more of them.
    is_over: bool,
    is_interrupted: bool,
    /// How far the input is.
    input: Progress,
    /// The first error on this side since the last connection ended.
    trouble: Option<String>,
}

/// How far the input is.
#[derive(Default, PartialEq, Eq)]
enum Progress {
    /// Each line so far is sent.
    #[default]
    Sent,
    /// A line of it is not sent yet.
    Unsent,
    Ended,
}

impl Conversation {
    /// Has the threads talk over this connection. Returns `false`, and does not, where this side wants no more of
    /// them.
    pub(super) fn begin(&self, writer: WriteHalf) -> bool {
        let mut current = self.lock();
        if current.is_over {
            return false;
        }
        current.writer = Some(writer);
        current.number += 1;
        true
    }

    /// Lets lines be sent over the connection.
    pub(super) fn open(&self) {
        self.lock().is_open = true;
        self.changed.notify_all();
    }

    /// Ends the talk over the connection, which is closed or else lost. Returns the first error on this side.
    pub(super) fn end(&self, is_closed: bool) -> Option<String> {
        let (writer, closer) = {
            let mut current = self.lock();
            current.is_open = false;
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
        // The trace of its Close frame may be yet to come.
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

    /// Returns whether a line was left out, or the other end closed the connection before each line that is there was
    /// sent. A pipe may hold lines that are not read yet: they have a moment.
    pub(super) fn has_unsent(&self) -> bool {
        if self.has_left_out.load(Ordering::Relaxed) {
            return true;
        }
        let current = self.lock();
        if current.is_over {
            return false;
        }
        let moment = if io::stdin().is_terminal() {
            Duration::ZERO
        } else {
            MOMENT
        };
        let waits = |current: &mut Current| current.input == Progress::Sent;
        let waited = self.changed.wait_timeout_while(current, moment, waits);
        let (current, _) = waited.unwrap_or_else(PoisonError::into_inner);
        current.input == Progress::Unsent
    }

    /// Prints messages until the connection has ended, and returns how it was closed.
    pub(super) fn print_messages(
        &self,
        mut reader: ReadHalf<Traced<Stream>>,
        report: &Report,
        events: &Sender<Event>,
    ) -> Result<Closed, Error> {
        while let Some(message) = reader.next_message()? {
            self.heard.store(true, Ordering::Relaxed);
            let printed = report.message(message.opcode(), message.payload());
            self.told(printed, events);
        }
        Ok(reader.closed().ok_or(ErrorKind::ConnectionLost)?)
    }

    /// Closes the connection if something could not be printed, for the first time.
    pub(super) fn told(&self, printed: io::Result<()>, events: &Sender<Event>) {
        let Err(error) = printed else {
            return;
        };
        if self.is_unprinted.swap(true, Ordering::Relaxed) {
            return;
        }
        // It is no error if the reader of the output has gone.
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.complain(format!("cannot write a message: {error}"));
        }
        // If nobody takes it, the connection is being closed.
        let _ = events.send(Event::OutputEnded);
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
                        this.interrupt(&events);
                        return;
                    }
                    Err(End::Failed(trouble)) => {
                        this.complain(trouble);
                        break;
                    }
                    Err(End::Ended) => break,
                }
                this.progress(Progress::Unsent);
                if !this.send(&line, &report, reconnects) {
                    return;
                }
                this.progress(Progress::Sent);
            }
            this.progress(Progress::Ended);
            let _ = events.send(Event::InputEnded);
        });
    }

    /// Sends a line. Returns `false` where none can be sent any more.
    fn send(&self, line: &[u8], report: &Report, reconnects: bool) -> bool {
        let mut number = 0;
        if reconnects && self.lock().writer.is_none() {
            report.note("not connected: the line waits");
        }
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
                    self.has_left_out.store(true, Ordering::Relaxed);
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
            !current.is_over && (!current.is_open || current.number == *after)
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
        report: Option<Arc<Report>>,
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
                this.close(&writer, &happened, timeout, report.as_deref());
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

    fn close(
        &self,
        writer: &WriteHalf,
        happened: &Receiver<Event>,
        timeout: Duration,
        mut report: Option<&Report>,
    ) {
        let mut closer = writer.clone();
        // In a thread of its own, since it blocks while the server takes nothing.
        let closing = thread::spawn(move || {
            // The reading thread reports how it ended.
            let _ = closer.close(CloseCode::NORMAL, "");
        });
        self.lock().closer = Some(closing);
        let mut patience = timeout;
        loop {
            // People are told why the program goes on, if it does.
            let before_note = report.filter(|_| patience > NOTE_AFTER);
            match happened.recv_timeout(before_note.map_or(patience, |_| NOTE_AFTER)) {
                Ok(Event::InputEnded) => {}
                Ok(Event::OutputEnded | Event::Interrupted) => {
                    // The reading thread reports the end.
                    let _ = writer.abort();
                    return;
                }
                Err(RecvTimeoutError::Timeout) if before_note.is_some() => {
                    if let Some(report) = report.take() {
                        report.note("waits for the server to close; Ctrl-C ends at once");
                    }
                    patience -= NOTE_AFTER;
                }
                Err(RecvTimeoutError::Timeout) => {
                    patience = timeout;
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

    /// Closes the connection. Ends the program if there is none, or the second time.
    fn interrupt(&self, events: &Sender<Event>) {
        let (has_none, is_second) = {
            let mut current = self.lock();
            let is_second = mem::replace(&mut current.is_interrupted, true);
            (current.writer.is_none(), is_second)
        };
        if has_none || is_second || events.send(Event::Interrupted).is_err() {
            editor::exit(130);
        }
    }

    /// Records how far the input is.
    fn progress(&self, progress: Progress) {
        self.lock().input = progress;
        self.changed.notify_all();
    }

    /// Records an error on this side, unless there is one.
    fn complain(&self, trouble: String) {
        self.lock().trouble.get_or_insert(trouble);
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the first signal close the connection, and the second end the program, or the first between two connections.
pub(super) fn stop_on_signals(
    conversation: &Arc<Conversation>,
    events: Sender<Event>,
) -> Result<(), ctrlc::Error> {
    let conversation = Arc::clone(conversation);
    ctrlc::set_handler(move || conversation.interrupt(&events))
}

/// How long a line that is in a pipe may take to be read.
const MOMENT: Duration = Duration::from_millis(200);
/// How long the server may take to answer the close before people are told what the program waits for.
const NOTE_AFTER: Duration = Duration::from_secs(1);
