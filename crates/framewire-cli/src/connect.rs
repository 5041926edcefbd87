//! `framewire connect`: sends lines as text messages, and prints messages as lines.
//!
//! The first thread reads messages and prints them. One thread reads the input and sends it, one sends Pings,
//! and one closes the connection when the input has ended or Ctrl-C was pressed. A thread that fails records
//! why and ends the connection, which ends all the others.

mod options;
mod printer;

use std::io::{self, BufRead as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use framewire::blocking::{KeepAliveEnd, ReadHalf, WriteHalf};
use framewire::{CloseCode, Closed, Config, Duplicate, Error, ErrorKind, Opcode};

pub(crate) use self::options::Options;

use self::printer::Printer;
use crate::failure::Failure;
use crate::terminal::note;

/// Talks to a server until either end closes the connection.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let limits = framewire::Limits::default().message(options.max_message as u64);
    let reached = options
        .reach
        .open(&options.url, Config::default().limits(limits))?;
    let printer = Printer::new(options.binary.as_deref()).map_err(Failure::NoConnection)?;
    let (reader, writer) = reached
        .websocket
        .split()
        .map_err(|error| Failure::Ended(error.to_string()))?;
    let conversation = Arc::new(Conversation::default());
    let (events, happened) = mpsc::channel();
    stop_on_signals(events.clone())?;
    if !options.quiet {
        note(format_args!("connected to {}", reached.place));
        if let Some(name) = &reached.subprotocol {
            note(format_args!("subprotocol {name}"));
        }
        if let Some(parameters) = &reached.extensions {
            note(format_args!("compression {parameters}"));
        }
    }
    conversation.send_input(writer.clone(), events.clone());
    let (wait, timeout) = (options.wait, options.close_timeout);
    conversation.close_when_asked(writer.clone(), happened, wait, timeout);
    if let Some(interval) = options.ping_interval {
        conversation.keep_alive(writer, interval);
    }
    let end = conversation.print_messages(reader, printer, &events);
    match conversation.trouble.get() {
        Some(trouble) => Err(Failure::Ended(trouble.clone())),
        None => judge(end, options.quiet),
    }
}

/// An event on this side that ends the connection.
enum Event {
    InputEnded,
    Interrupted,
    /// The reader of the printed output has gone.
    OutputEnded,
}

/// What the threads of one connection share.
#[derive(Default)]
struct Conversation {
    /// Whether a message has come since this was last reset.
    heard: AtomicBool,
    /// The first error on this side.
    trouble: OnceLock<String>,
}

impl Conversation {
    /// Prints messages until the connection has ended, and returns how it was closed.
    fn print_messages<S: Duplicate>(
        &self,
        mut reader: ReadHalf<S>,
        mut printer: Printer,
        events: &Sender<Event>,
    ) -> Result<Closed, Error> {
        let mut prints = true;
        while let Some(message) = reader.next_message()? {
            self.heard.store(true, Ordering::Relaxed);
            if !prints {
                continue;
            }
            if let Err(error) = printer.print(message.opcode(), message.payload()) {
                prints = false;
                // It is no error if the reader of the output has gone.
                if error.kind() != io::ErrorKind::BrokenPipe {
                    let _ = self.trouble.set(format!("cannot write a message: {error}"));
                }
                // It fails only if the closing thread has ended, and the connection with it.
                let _ = events.send(Event::OutputEnded);
            }
        }
        Ok(reader.closed().ok_or(ErrorKind::ConnectionLost)?)
    }

    /// Sends each line of the input as a text message.
    fn send_input<S: Duplicate + Send + 'static>(
        self: &Arc<Self>,
        mut writer: WriteHalf<S>,
        events: Sender<Event>,
    ) {
        let this = Arc::clone(self);
        thread::spawn(move || {
            let mut input = io::stdin().lock();
            let mut line = Vec::new();
            loop {
                line.clear();
                match input.read_until(b'\n', &mut line) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) => {
                        let _ = this.trouble.set(format!("cannot read the input: {error}"));
                        break;
                    }
                }
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                if let Err(error) = writer.write((Opcode::Text, text)) {
                    match error.kind() {
                        ErrorKind::Send(error) => note(format_args!("not sent: {error}")),
                        // The reading thread reports it.
                        ErrorKind::Closed(_) => return,
                        _ => {
                            let trouble = format!("cannot send: {error}");
                            if error.is_would_block() {
                                return this.give_up(&writer, trouble);
                            }
                            // The thread that reads goes on with what the server has sent until then.
                            let _ = this.trouble.set(trouble);
                            return;
                        }
                    }
                }
            }
            let _ = events.send(Event::InputEnded);
        });
    }

    /// Waits for a reason to close the connection and closes it. Ends it if the server neither closes it nor
    /// sends anything any more. If the reason is the end of the input, it waits for `wait` first.
    fn close_when_asked<S: Duplicate + Send + 'static>(
        self: &Arc<Self>,
        writer: WriteHalf<S>,
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
            let mut closer = writer.clone();
            // In a thread of its own, since it blocks while the server takes nothing.
            thread::spawn(move || closer.close(CloseCode::NORMAL, ""));
            loop {
                match happened.recv_timeout(timeout) {
                    Ok(Event::InputEnded) => {}
                    Ok(Event::OutputEnded | Event::Interrupted) => {
                        // The reading thread reports the end.
                        let _ = writer.abort();
                        return;
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        if !this.heard.swap(false, Ordering::Relaxed) {
                            let trouble = format!("no answer to the close within {timeout:?}");
                            return this.give_up(&writer, trouble);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
    }

    /// Sends Pings, and ends the connection if a Pong is missing.
    fn keep_alive<S: Duplicate + Send + 'static>(
        self: &Arc<Self>,
        writer: WriteHalf<S>,
        interval: Duration,
    ) {
        let this = Arc::clone(self);
        thread::spawn(move || {
            if let KeepAliveEnd::NoPong = writer.keep_alive(interval, interval).run() {
                this.give_up(&writer, format!("no pong within {interval:?}"));
            }
        });
    }

    /// Ends the connection for all threads.
    fn give_up<S: Duplicate>(&self, writer: &WriteHalf<S>, trouble: String) {
        let _ = self.trouble.set(trouble);
        let _ = writer.abort();
    }
}

/// Makes the first signal close the connection, and the second end the program.
fn stop_on_signals(events: Sender<Event>) -> Result<(), Failure> {
    let signalled = AtomicBool::new(false);
    let handler = move || {
        if signalled.swap(true, Ordering::Relaxed) || events.send(Event::Interrupted).is_err() {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::NoConnection(format!("cannot handle signals: {error}")))
}

/// Returns success if the end is a good one: the server agreed to it and reported no error.
fn judge(end: Result<Closed, Error>, quiet: bool) -> Result<(), Failure> {
    let closed = end.map_err(|error| Failure::Ended(error.to_string()))?;
    if !closed.is_normal() {
        return Err(Failure::Ended(closed.to_string()));
    }
    if !quiet {
        note(format_args!("{closed}"));
    }
    Ok(())
}
