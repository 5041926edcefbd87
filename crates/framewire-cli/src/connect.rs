//! `framewire connect`: lines become text messages, and messages lines.
//!
//! The first thread reads messages and prints them, one reads the input and sends it, one pings,
//! and one closes the connection when the input has ended or Ctrl-C was pressed.

mod options;
mod printer;

use std::io::{self, BufRead as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use framewire::blocking::{KeepAliveEnd, ReadHalf, WriteHalf};
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Connector;
use framewire::upgrade::{Dialer, Limits, Proxy, Stream};
use framewire::{CloseCode, Config, Duplicate, ErrorKind, Opcode, Socket as _, WebSocket};

pub(crate) use self::options::Options;

use self::printer::Printer;
use crate::{Failure, chain, note, tls};

/// Talks to a server until one of both closes the connection.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let printer = Printer::new(options.binary.as_deref()).map_err(Failure::NoConnection)?;
    let websocket = open(options).map_err(Failure::NoConnection)?;
    let (reader, writer) = websocket
        .split()
        .map_err(|error| Failure::Ended(chain(&error)))?;
    if !options.quiet {
        note(format_args!("connected to {}", options.url));
    }
    let (events, happened) = mpsc::channel();
    stop_on_signals(events.clone())?;
    send_input(writer.clone(), events.clone());
    close_when_asked(writer.clone(), happened);
    if let Some(interval) = options.ping_interval {
        keep_alive(writer, interval);
    }
    let end = print_messages(reader, printer, &events);
    judge(&end, options.quiet)
}

/// What may end a conversation from this side.
enum Event {
    InputEnded,
    Interrupted,
    /// Nobody reads what is printed any more.
    OutputEnded,
}

fn open(options: &Options) -> Result<WebSocket<Stream>, String> {
    let mut config = Config::default();
    config.limits.message = options.max_message as u64;
    let connector = connector(options)?;
    let websocket = framewire::connect_with(&options.url, &connector, config);
    let websocket = websocket.map_err(|error| chain(&error))?;
    let set = websocket.stream().set_write_timeout(Some(STALL));
    set.map_err(|error| chain(&error))?;
    Ok(websocket)
}

fn connector(options: &Options) -> Result<Connector, String> {
    let limits = Limits {
        time: options.timeout,
        ..Limits::default()
    };
    let mut connector = Connector::new()
        .limits(limits)
        .subprotocols(options.subprotocol.clone())
        .map_err(|error| chain(&error))?;
    for (name, value) in options.header.clone() {
        let with_header = connector.header(name, value);
        connector = with_header.map_err(|error| chain(&error))?;
    }
    if let Some(origin) = &options.origin {
        connector = connector.origin(origin.clone());
    }
    if let Some(level) = options.deflate {
        let config = DeflateConfig {
            level,
            ..DeflateConfig::default()
        };
        connector = connector.deflate(Deflate::new(config).map_err(|error| chain(&error))?);
    }
    Ok(connector.dialer(dialer(options)?))
}

fn dialer(options: &Options) -> Result<Dialer, String> {
    let mut dialer = Dialer::new();
    if let Some(proxy) = &options.proxy {
        dialer = dialer.proxy(Proxy::parse(proxy).map_err(|error| chain(&error))?);
    }
    match &options.tls_ca {
        Some(roots) => Ok(dialer.tls(tls::trusting(roots)?)),
        None if options.insecure => Ok(dialer.tls(tls::trusting_anybody()?)),
        None => Ok(dialer),
    }
}

/// Prints messages until the connection has ended, and says how it did.
fn print_messages<S: Duplicate>(
    mut reader: ReadHalf<S>,
    mut printer: Printer,
    events: &Sender<Event>,
) -> framewire::Error {
    loop {
        match reader.next_message() {
            Ok(message) => {
                if printer.print(message.opcode(), message.payload()).is_err() {
                    // The one who closes has gone only where the connection has.
                    let _ = events.send(Event::OutputEnded);
                }
            }
            Err(error) => return error,
        }
    }
}

/// Sends each line of the input as a text message.
fn send_input<S: Duplicate + Send + 'static>(writer: WriteHalf<S>, events: Sender<Event>) {
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if let Err(error) = writer.write_message(Opcode::Text, text) {
                match error.kind() {
                    ErrorKind::Send(error) => note(format_args!("not sent: {error}")),
                    // The thread that reads says what has happened.
                    _ => return,
                }
            }
        }
        let _ = events.send(Event::InputEnded);
    });
}

/// Lets the first signal close the connection, and the second end the program.
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

/// Waits for a reason to close the connection, closes it, and ends it where the server does not.
fn close_when_asked<S: Duplicate + Send + 'static>(
    writer: WriteHalf<S>,
    happened: Receiver<Event>,
) {
    thread::spawn(move || {
        if happened.recv().is_err() {
            return;
        }
        if writer.close(CloseCode::NORMAL, "").is_err() {
            return;
        }
        loop {
            match happened.recv_timeout(GRACE) {
                Ok(Event::InputEnded) => {}
                Ok(Event::OutputEnded | Event::Interrupted) | Err(RecvTimeoutError::Timeout) => {
                    // The thread that reads says what has happened.
                    let _ = writer.abort();
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
}

/// Pings, and ends the connection where no Pong comes.
fn keep_alive<S: Duplicate + Send + 'static>(writer: WriteHalf<S>, interval: Duration) {
    thread::spawn(move || {
        if let KeepAliveEnd::NoPong = writer.keep_alive(interval, interval) {
            note(format_args!("no pong within {interval:?}"));
            let _ = writer.abort();
        }
    });
}

/// Whether an end is one to be content with: the server agreed to it, and complained of nothing.
fn judge(end: &framewire::Error, quiet: bool) -> Result<(), Failure> {
    match end.kind() {
        ErrorKind::Closed(closed)
            if [
                CloseCode::NORMAL,
                CloseCode::GOING_AWAY,
                CloseCode::NO_STATUS,
            ]
            .contains(&closed.code) =>
        {
            if !quiet {
                note(format_args!("{end}"));
            }
            Ok(())
        }
        _ => Err(Failure::Ended(chain(end))),
    }
}

/// How long the server has to answer the Close frame.
const GRACE: Duration = Duration::from_secs(5);
/// How long the server may take nothing of what is sent.
const STALL: Duration = Duration::from_secs(30);
