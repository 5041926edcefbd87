//! The echo: a closed loop for throughput, and an open loop for latency.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::answers::{Answers, Expected, Wanted};
use crate::poll::Poll;
use crate::process::{self, Cost, Window};
use crate::script::{Position, Recipe, Script};
use crate::stream::{self, Plain, Stream, Tls};
use crate::{Deflate, Payload, Server, opening};

/// Have messages echoed
///
/// In a closed loop each connection keeps `--depth` messages in flight. In an open loop (`--rate`) messages leave
/// at fixed times whatever comes back, and latency counts from the time at which a message was to leave, so that
/// a server that stalls is charged with all messages of that time.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(skip)]
    server: Server,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) work: Work,

    /// Messages a second, over all connections, in an open loop
    #[arg(long, value_name = "MESSAGES_PER_SECOND", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,

    #[arg(long, value_enum, default_value_t = Deflate::None)]
    deflate: Deflate,
}

/// What is echoed, and for how long.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Work {
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) connections: usize,

    /// The payload of each message
    #[arg(long, value_name = "B")]
    pub(crate) bytes: usize,

    /// How many messages of each connection are in flight in a closed loop
    #[arg(long, value_name = "D", default_value_t = 1, value_parser = parse_count)]
    pub(crate) depth: usize,

    #[arg(long, value_enum, default_value_t = Payload::Binary)]
    pub(crate) payload: Payload,

    /// How long to measure, after a warm-up
    #[arg(long = "seconds", value_name = "S", default_value_t = 1.0, value_parser = parse_seconds)]
    #[serde(skip)]
    pub(crate) measured: f64,
}

/// What a run prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    bench: &'static str,
    tls: bool,
    #[serde(flatten)]
    options: &'a Options,
    #[serde(flatten)]
    cost: Cost,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ns: Option<Percentiles>,
    /// How late messages left, for the reasons of the load generator and of sockets that were full.
    #[serde(skip_serializing_if = "Option::is_none")]
    late_ns: Option<Percentiles>,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    p50: u64,
    p99: u64,
    p999: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let report = if options.server.tls {
        measure::<Tls>(options, &stream::tls()?)?
    } else {
        measure::<Plain>(options, &())?
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn measure<'a, S: Stream>(options: &'a Options, config: &S::Config) -> Result<Report<'a>> {
    let address = options.server.address;
    let recipe = Recipe {
        bytes: options.work.bytes,
        depth: options.work.depth,
        payload: options.work.payload,
        deflate: options.deflate,
        masked: true,
    };
    let connect = || open::<S>(address, options.deflate, config);
    let mut load = Load::new(&options.work, recipe, connect)?;
    let report = |cost, open: Option<&OpenLoop>| Report {
        bench: "echo",
        tls: options.server.tls,
        options,
        cost,
        latency_ns: open.map(|open| percentiles(&open.latency)),
        late_ns: open.map(|open| percentiles(&open.late)),
    };
    match options.rate {
        None => Ok(report(load.closed_loop(options.server.pid)?, None)),
        Some(rate) => {
            let mut open = OpenLoop::new(rate, &load)?;
            let cost = open.run(&mut load, options.server.pid)?;
            Ok(report(cost, Some(&open)))
        }
    }
}

/// Opens a connection, and has it not wait from then on.
pub(crate) fn open<S: Stream>(
    address: SocketAddr,
    deflate: Deflate,
    config: &S::Config,
) -> Result<S> {
    let mut stream = stream::connect::<S>(address, config)?;
    opening::open(&mut stream, address, deflate)?;
    Ok(stream)
}

/// Connections that all send the same script.
pub(crate) struct Load<S> {
    pub(crate) connections: Vec<Connection<S>>,
    pub(crate) script: Script,
    pub(crate) expected: Expected,
    pub(crate) poll: Poll,
    /// What all of them read into.
    pub(crate) buffer: Vec<u8>,
    depth: usize,
    measured: Duration,
    deadline: Instant,
}

impl<S: Stream> Load<S> {
    pub(crate) fn new(
        work: &Work,
        recipe: Recipe,
        mut connect: impl FnMut() -> Result<S>,
    ) -> Result<Self> {
        process::allow_files(work.connections + OTHER_FILES)?;
        let measured = Duration::from_secs_f64(work.measured);
        let deadline = Instant::now() + measured + PATIENCE;
        let script = Script::new(recipe)?;
        let expected = Expected::new(&script, recipe);
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(work.connections);
        for number in 0..work.connections {
            let stream = connect()
                .with_context(|| format!("connection {number} of {}", work.connections))?;
            stream.socket().set_nonblocking(true)?;
            poll.add(stream.as_fd(), number)?;
            connections.push(Connection {
                stream,
                position: Position::default(),
                answers: Answers::default(),
            });
        }
        Ok(Self {
            connections,
            script,
            expected,
            poll,
            buffer: vec![0; READ],
            depth: work.depth,
            measured,
            deadline,
        })
    }

    /// Keeps as many messages in flight as were asked for.
    pub(crate) fn closed_loop(&mut self, pid: u32) -> Result<Cost> {
        let depth = self.depth;
        for connection in &mut self.connections {
            connection.position.allow(&self.script, depth);
            connection.send(&self.script)?;
        }
        // Each connection shows that it answers right before anything is measured.
        let warm = Instant::now() + (self.measured / 4).min(WARM_UP);
        while Instant::now() < warm || self.connections.iter().any(Connection::is_unproven) {
            self.check_deadline()?;
            self.turn(STEP, true)?;
        }
        let window = Window::begin(pid)?;
        let mut messages = 0;
        while let Some(left) = self.measured.checked_sub(window.elapsed()) {
            messages += self.turn(left.min(STEP), true)?;
            self.check_deadline()?;
        }
        let cost = window.end(pid, messages)?;
        let all = self.connections.len() * depth;
        self.finish(all)?;
        Ok(cost)
    }

    /// Waits for the answers that are still to come, of at most this many messages.
    fn finish(&mut self, mut most: usize) -> Result<()> {
        let end = Instant::now() + LINGER;
        while most > 0 && Instant::now() < end {
            match usize::try_from(self.turn(LINGER / 10, false)?)? {
                0 => break,
                some => most = most.saturating_sub(some),
            }
        }
        Ok(())
    }

    /// Waits once and does what can be done then. Returns how many answers came; each allows one more message if
    /// `on`.
    fn turn(&mut self, timeout: Duration, on: bool) -> Result<u64> {
        let mut all = 0;
        for number in self.poll.wait(timeout)? {
            let connection = &mut self.connections[number];
            let some = connection.receive(&mut self.buffer, &self.expected)?;
            if on {
                connection.position.allow(&self.script, some);
            }
            connection.send(&self.script)?;
            all += some as u64;
        }
        Ok(all)
    }

    pub(crate) fn check_deadline(&self) -> Result<()> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let mute = self.connections.iter().filter(|c| c.is_unproven()).count();
        bail!("the time is over, and {mute} connections have no answer at all")
    }
}

#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    pub(crate) position: Position,
    pub(crate) answers: Answers,
}

impl<S: Stream> Connection<S> {
    /// Reads all that is there, and returns how many messages it ends.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], expected: &Expected) -> Result<usize> {
        let mut messages = 0;
        loop {
            let wanted = if S::DISCARDS {
                self.answers.wanted(expected)
            } else {
                Wanted::All
            };
            let (room, result) = match wanted {
                Wanted::Nothing(rest) => (rest, self.stream.discard(rest)),
                Wanted::Header(length) => (length, self.stream.read(&mut buffer[..length])),
                Wanted::All => (buffer.len(), self.stream.read(buffer)),
            };
            match result {
                Ok(0) => bail!("the other end closed a connection"),
                Ok(some) => {
                    messages += match wanted {
                        Wanted::Nothing(_) => self.answers.skip(some, expected)?,
                        _ => self.answers.take(&buffer[..some], expected)?,
                    };
                    if S::is_drained(some, room) {
                        return Ok(messages);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
                Err(error) => return Err(error).context("reading"),
            }
        }
    }

    /// Sends what is allowed, as far as the socket takes it.
    pub(crate) fn send(&mut self, script: &Script) -> Result<()> {
        let done = |result: io::Result<usize>| match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result.context("writing"),
        };
        loop {
            let unsent = self.position.unsent(script);
            if unsent.is_empty() {
                break;
            }
            match done(self.stream.write(unsent))? {
                0 => return Ok(()),
                some => self.position.sent(script, some),
            }
        }
        done(self.stream.flush().map(|()| 0))?;
        Ok(())
    }

    fn is_unproven(&self) -> bool {
        self.answers.messages() == 0
    }
}

/// Messages that leave at fixed times.
#[derive(Debug)]
struct OpenLoop {
    interval: Duration,
    /// When the messages in flight were to leave, for each connection.
    flights: Vec<VecDeque<Instant>>,
    latency: Histogram<u64>,
    late: Histogram<u64>,
}

impl OpenLoop {
    fn new<S>(rate: u64, load: &Load<S>) -> Result<Self> {
        Ok(Self {
            interval: Duration::from_secs(1) / u32::try_from(rate)?,
            flights: vec![VecDeque::new(); load.connections.len()],
            latency: Histogram::new(3)?,
            late: Histogram::new(3)?,
        })
    }

    fn run<S: Stream>(&mut self, load: &mut Load<S>, pid: u32) -> Result<Cost> {
        let warm_up = (load.measured / 4).min(WARM_UP);
        let begin = Instant::now();
        let end = begin + warm_up + load.measured;
        let mut due = begin;
        let mut next = 0;
        let mut window = None;
        let mut messages = 0;
        loop {
            let now = Instant::now();
            if now >= end {
                break;
            }
            if window.is_none() && now >= begin + warm_up {
                window = Some(Window::begin(pid)?);
                self.latency.reset();
                self.late.reset();
                messages = 0;
            }
            while due <= now {
                let connection = &mut load.connections[next];
                connection.position.allow(&load.script, 1);
                connection.send(&load.script)?;
                self.flights[next].push_back(due);
                self.late.record(nanoseconds(now - due))?;
                due += self.interval;
                next = (next + 1) % load.connections.len();
            }
            // It turns rather than waits, so that its own waking is no part of the latency, except for long waits.
            let left = due.saturating_duration_since(now);
            let timeout = left.checked_sub(SPIN).unwrap_or_default().min(STEP);
            messages += self.turn(load, timeout)?;
            load.check_deadline()?;
        }
        let window = window.context("the warm-up did not end")?;
        let cost = window.end(pid, messages)?;
        // What is still in flight counts as well, with the time it has taken so far at least.
        let now = Instant::now();
        for due in self.flights.iter().flatten() {
            self.latency.record(nanoseconds(now - *due))?;
        }
        let mute = load.connections.iter().filter(|c| c.is_unproven()).count();
        let asked = usize::try_from((end - begin).as_nanos() / self.interval.as_nanos())?;
        ensure!(
            mute == 0 || asked < 2 * load.connections.len(),
            "{mute} connections have no answer at all"
        );
        Ok(cost)
    }

    fn turn<S: Stream>(&mut self, load: &mut Load<S>, timeout: Duration) -> Result<u64> {
        let mut all = 0;
        for number in load.poll.wait(timeout)? {
            let connection = &mut load.connections[number];
            let some = connection.receive(&mut load.buffer, &load.expected)?;
            let now = Instant::now();
            for due in self.flights[number].drain(..some) {
                self.latency.record(nanoseconds(now - due))?;
            }
            connection.send(&load.script)?;
            all += some as u64;
        }
        Ok(all)
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds @ 0.05..=600.0) => Ok(seconds),
        Ok(_) => Err("must be 0.05 to 600".to_owned()),
        Err(error) => Err(format!("{error}")),
    }
}

/// What is read at once: more than the messages in flight of most cells.
const READ: usize = 256 << 10;
/// How many files are open beside the connections.
const OTHER_FILES: usize = 64;
/// How long a run may take more than it measures.
const PATIENCE: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_millis(500);
/// How long answers are awaited after the measurement.
const LINGER: Duration = Duration::from_secs(1);
/// How long to wait for sockets before the time is looked at.
const STEP: Duration = Duration::from_millis(50);
/// How long before a message is due the waiting ends.
const SPIN: Duration = Duration::from_micros(200);
