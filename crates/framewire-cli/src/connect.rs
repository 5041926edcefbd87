//! `framewire connect`: sends lines as text messages, and prints messages as lines.
//!
//! The first thread connects, reads messages and prints them. One thread reads the input and sends it, one sends
//! Pings, and one closes the connection when the input has ended or Ctrl-C was pressed. A thread that fails records
//! why and ends the connection, which the first thread notices.

mod conversation;
mod editor;
mod input;
mod options;
mod report;
mod screen;
mod trace;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use framewire::handshake::Established;
use framewire::upgrade::Stream;
use framewire::{CloseCode, Closed, Config, Limits, WebSocket};
use http::header::SEC_WEBSOCKET_EXTENSIONS;

pub(crate) use self::options::Options;

use self::conversation::{Conversation, Event};
use self::input::Input;
use self::report::{Agreed, Report};
use self::screen::Screen;
use self::trace::{Direction, Trace, Traced};
use crate::backoff::Backoff;
use crate::failure::Failure;
use crate::reach;

/// Talks to a server until either end closes the connection.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let screen = Screen::default();
    let (events, happened) = mpsc::channel();
    let mut client = Client {
        options,
        conversation: Arc::default(),
        report: Arc::new(Report::new(screen.clone(), options)),
        events,
        happened: Some(happened),
    };
    let end = client.talk(&screen);
    screen.leave();
    end
}

struct Client<'o> {
    options: &'o Options,
    conversation: Arc<Conversation>,
    report: Arc<Report>,
    events: Sender<Event>,
    /// What the thread that closes the connection waits for, until it is started.
    happened: Option<Receiver<Event>>,
}

impl Client<'_> {
    /// Talks over one connection, and over others after it if it is lost and that was asked for.
    fn talk(&mut self, screen: &Screen) -> Result<(), Failure> {
        let longest = self.options.reconnect;
        let first = || Backoff::new(FIRST_PAUSE, longest.unwrap_or(FIRST_PAUSE));
        let mut backoff = first();
        loop {
            let opened = self.open();
            match &opened {
                Ok(_) => backoff = first(),
                Err(failure) => {
                    let told = self.report.lost(&failure.to_string());
                    self.conversation.told(told, &self.events);
                }
            }
            let end = opened.and_then(|established| self.talk_over(established, screen));
            if longest.is_none() || is_final(&end) || self.conversation.is_over() {
                return self.judge(end);
            }
            let pause = backoff.pause();
            let why = match &end {
                Ok(closed) => closed.to_string(),
                Err(failure) => failure.to_string(),
            };
            self.report.again(&why, pause);
            if !self.conversation.wait(pause) {
                return self.judge(end);
            }
        }
    }

    fn open(&self) -> Result<Established<Stream>, Failure> {
        let established = self.options.reach.open(&self.options.url)?;
        self.report.create_file().map_err(Failure::NoConnection)?;
        Ok(established)
    }

    /// Talks over a connection until it has ended.
    fn talk_over(
        &mut self,
        established: Established<Stream>,
        screen: &Screen,
    ) -> Result<Closed, Failure> {
        let agreed = agreed(self.options, &established);
        let trace = self.options.trace.then(|| trace(&self.report));
        let leftover = established.leftover().to_vec();
        let established = established.map_stream(|stream| Traced::new(stream, trace.clone()));
        let limits = Limits::default().message(self.options.max_message as u64);
        let websocket = WebSocket::from_established(established, Config::default().limits(limits));
        let websocket = websocket.map_err(|error| reach::failure(&error))?;
        let (mut reader, writer) = websocket
            .split()
            .map_err(|error| Failure::Ended(error.to_string()))?;
        if !self.conversation.begin(writer.clone()) {
            // What this connection was made for ended meanwhile.
            let _ = reader.shutdown(self.options.close_timeout);
            return reader
                .closed()
                .ok_or_else(|| Failure::Ended("closed at once".to_owned()));
        }
        // Not before this connection is known: the input may have ended already.
        if let Some(happened) = self.happened.take() {
            self.start(happened, screen)?;
        }
        let conversation = &self.conversation;
        conversation.told(self.report.opened(&agreed), &self.events);
        conversation.open();
        if let Some(trace) = trace {
            trace.pass(Direction::In, &leftover);
        }
        if let Some(interval) = self.options.ping_interval {
            conversation.keep_alive(writer, interval);
        }
        let end = conversation.print_messages(reader, &self.report, &self.events);
        let end = match (conversation.end(end.is_ok()), end) {
            (Some(trouble), _) => Err(trouble),
            (None, Ok(closed)) => Ok(closed),
            (None, Err(error)) => Err(error.to_string()),
        };
        let told = match &end {
            Ok(closed) => self.report.closed(closed),
            Err(why) => self.report.lost(why),
        };
        conversation.told(told, &self.events);
        end.map_err(Failure::Ended)
    }

    /// Starts the threads that all connections share.
    fn start(&self, happened: Receiver<Event>, screen: &Screen) -> Result<(), Failure> {
        conversation::stop_on_signals(&self.conversation, self.events.clone())
            .map_err(|error| Failure::NoConnection(format!("cannot handle signals: {error}")))?;
        let Options {
            wait,
            close_timeout,
            ..
        } = *self.options;
        let report = (!self.options.quiet).then(|| Arc::clone(&self.report));
        self.conversation
            .close_when_asked(happened, wait, close_timeout, report);
        self.send_input(screen.clone());
        Ok(())
    }

    /// Starts to read and send the input.
    fn send_input(&self, screen: Screen) {
        let history = self.options.history.clone();
        let input = move || Input::new(&screen, history);
        let (report, events) = (Arc::clone(&self.report), self.events.clone());
        let reconnects = self.options.reconnect.is_some();
        self.conversation
            .send_input(input, report, events, reconnects);
    }

    /// Returns success if the end is a good one: the server agreed to it and reported no error.
    fn judge(&self, end: Result<Closed, Failure>) -> Result<(), Failure> {
        let closed = end?;
        if !closed.is_normal() {
            return Err(Failure::Ended(closed.to_string()));
        }
        if self.conversation.has_unsent() {
            let why = format!("{closed}, and not every line was sent");
            return Err(Failure::Ended(why));
        }
        self.report.ended_well(&closed);
        Ok(())
    }
}

/// Returns whether another connection would not help.
fn is_final(end: &Result<Closed, Failure>) -> bool {
    match end {
        Ok(closed) => closed.code() == CloseCode::NORMAL,
        Err(Failure::Refused { lasts, .. }) => *lasts,
        Err(Failure::Ended(_)) => false,
        Err(Failure::Usage(_) | Failure::NoConnection(_)) => true,
    }
}

fn agreed(options: &Options, established: &Established<Stream>) -> Agreed {
    let extensions = established
        .response()
        .headers()
        .get(SEC_WEBSOCKET_EXTENSIONS);
    let extensions = extensions.filter(|_| established.extension().is_some());
    let asked = established.request().uri().to_string();
    let is_as_asked = reach::to_ascii(&options.url).is_ok_and(|url| url == asked);
    Agreed {
        url: if is_as_asked {
            options.url.clone()
        } else {
            asked
        },
        subprotocol: established.subprotocol().map(str::to_owned),
        compression: extensions.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
    }
}

/// Returns what prints each frame of a connection.
fn trace(report: &Arc<Report>) -> Trace {
    let report = Arc::clone(report);
    Trace::new(Arc::new(move |direction, frame| {
        // The messages cannot be written, either, which ends the program.
        let _ = report.frame(direction, &frame);
    }))
}

/// How long after a connection is lost the next one is made.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
