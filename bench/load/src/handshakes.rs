//! Opening handshakes, as many as the server can do.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde::Serialize;

use crate::echo::{parse_count, parse_seconds};
use crate::poll::Poll;
use crate::process::{Cost, Window};
use crate::stream::{self, Plain, Stream, Tls};
use crate::{Deflate, Server, opening, report};

/// Open connections and close them
///
/// A message of the report is a handshake: TCP's, TLS's in full where it is asked for, and the request up to the
/// last byte of the response.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(skip)]
    server: Server,

    /// How many are under way at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = parse_count)]
    connections: usize,

    /// How long to measure, after a warm-up
    #[arg(long = "seconds", value_name = "S", default_value_t = 1.0, value_parser = parse_seconds)]
    #[serde(skip)]
    measured: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let cost = if options.server.tls {
        measure::<Tls>(options, &stream::tls()?)?
    } else {
        measure::<Plain>(options, &())?
    };
    report::print("handshakes", options.server.tls, options, cost)
}

fn measure<S: Stream>(options: &Options, config: &S::Config) -> Result<Cost> {
    let address = options.server.address;
    let measured = Duration::from_secs_f64(options.measured);
    let deadline = Instant::now() + measured + PATIENCE;
    let mut poll = Poll::new()?;
    let request = opening::request(address, Deflate::None).into_bytes();
    let mut number = 0;
    let mut begin = |poll: &Poll, place: usize| -> Result<Handshake<S>> {
        let stream = stream::begin_to_connect::<S>(address, number, config)?;
        number += 1;
        poll.add(stream.as_fd(), place)?;
        Ok(Handshake {
            stream,
            sent: 0,
            response: Vec::new(),
        })
    };
    let mut handshakes = (0..options.connections)
        .map(|place| begin(&poll, place))
        .collect::<Result<Vec<_>>>()?;

    let warm = Instant::now() + (measured / 4).min(WARM_UP);
    let mut window: Option<Window> = None;
    let mut done = 0;
    let mut ready = Vec::new();
    loop {
        ensure!(
            Instant::now() < deadline,
            "the time is over after {done} handshakes"
        );
        match &window {
            None if done > 0 && Instant::now() >= warm => {
                done = 0;
                window = Some(Window::begin(options.server.pid)?);
            }
            Some(window) if window.elapsed() >= measured => {
                return window.end(options.server.pid, done);
            }
            _ => {}
        }
        ready.clear();
        ready.extend(poll.wait(STEP)?);
        for &place in &ready {
            if handshakes[place].go_on(&request)? {
                done += 1;
                handshakes[place] = begin(&poll, place)?;
            }
        }
    }
}

/// One that is under way.
#[derive(Debug)]
struct Handshake<S> {
    stream: S,
    /// How much of the request is sent.
    sent: usize,
    response: Vec<u8>,
}

impl<S: Stream> Handshake<S> {
    /// Does what can be done now, and returns whether the handshake is complete.
    fn go_on(&mut self, request: &[u8]) -> Result<bool> {
        while self.sent < request.len() {
            match self.stream.write(&request[self.sent..]) {
                Ok(some) => self.sent += some,
                Err(error) if waits(error.kind()) => break,
                Err(error) => return Err(error).context("writing"),
            }
        }
        match self.stream.flush() {
            Err(error) if !waits(error.kind()) => return Err(error).context("writing"),
            _ => {}
        }
        let mut buffer = [0; 2048];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(some) => self.response.extend_from_slice(&buffer[..some]),
                Err(error) if waits(error.kind()) => return Ok(false),
                Err(error) => return Err(error).context("reading"),
            }
            if opening::is_head(&self.response) {
                let response = std::str::from_utf8(&self.response)?;
                opening::check(response, Deflate::None)?;
                return Ok(true);
            }
        }
    }
}

/// A socket that is not connected yet says so in its own way.
fn waits(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

const PATIENCE: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(50);
