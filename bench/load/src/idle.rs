//! The memory of connections at rest.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde::Serialize;

use crate::answers::{Answers, Expected};
use crate::echo::{open, parse_count};
use crate::opening::send_all;
use crate::script::{Position, Recipe, Script};
use crate::stream::{Plain, Stream, Tls};
use crate::{Deflate, Payload, Server, process, stream};

/// Open connections, and measure the memory that the server needs for each at rest
///
/// One small message is echoed on each. Counted is the server's private memory that is resident (`Anonymous` in
/// `/proc/PID/smaps_rollup`: heap and stacks), less what it needs after a few connections came and went.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(skip)]
    server: Server,

    #[arg(long, value_name = "N", value_parser = parse_count)]
    connections: usize,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    bench: &'static str,
    tls: bool,
    #[serde(flatten)]
    options: &'a Options,
    /// What one connection needs.
    bytes_each: u64,
    base_kib: u64,
    rest_kib: u64,
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
    process::allow_files(options.connections + WARM_UP + OTHER_FILES)?;
    drop(open_all::<S>(options, WARM_UP, config)?);
    let base_kib = at_rest(options.server.pid)?;
    let connections = open_all::<S>(options, options.connections, config)?;
    let rest_kib = at_rest(options.server.pid)?;
    drop(connections);
    Ok(Report {
        bench: "idle",
        tls: options.server.tls,
        options,
        bytes_each: (rest_kib.saturating_sub(base_kib) * 1024).div_ceil(options.connections as u64),
        base_kib,
        rest_kib,
    })
}

fn open_all<S: Stream>(options: &Options, count: usize, config: &S::Config) -> Result<Vec<S>> {
    let recipe = Recipe {
        bytes: 5,
        depth: 1,
        payload: Payload::Ascii,
        deflate: Deflate::None,
        masked: true,
    };
    let script = Script::new(recipe)?;
    let expected = Expected::new(&script, recipe);
    let mut position = Position::default();
    position.allow(&script, 1);
    let began = Instant::now();
    (0..count)
        .map(|number| {
            ensure!(
                began.elapsed() < OPENING,
                "only {number} of {count} connections are open after {} s",
                OPENING.as_secs()
            );
            let mut stream = open::<S>(options.server.address, Deflate::None, config)?;
            send_all(&mut stream, position.unsent(&script))?;
            let mut answers = Answers::default();
            let mut buffer = [0; 256];
            while answers.messages() == 0 {
                let some = stream.read(&mut buffer)?;
                ensure!(some > 0, "the server closed it");
                answers.take(&buffer[..some], &expected)?;
            }
            Ok(stream)
        })
        .enumerate()
        .map(|(number, opened)| opened.with_context(|| format!("connection {number} of {count}")))
        .collect()
}

/// Returns the server's memory once it has stayed the same for a while.
fn at_rest(pid: u32) -> Result<u64> {
    let started = Instant::now();
    let (mut last, mut since) = (0, started);
    while started.elapsed() < REST_DEADLINE {
        let memory = process::anonymous_kib(pid)?;
        if memory != last {
            (last, since) = (memory, Instant::now());
        } else if since.elapsed() >= REST {
            return Ok(memory);
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!(
        "the server's memory still changes after {} s",
        REST_DEADLINE.as_secs()
    )
}

/// How many connections come and go before the measurement.
const WARM_UP: usize = 64;
/// How many files are open beside the connections.
const OTHER_FILES: usize = 64;
const OPENING: Duration = Duration::from_mins(1);
const REST: Duration = Duration::from_secs(1);
const REST_DEADLINE: Duration = Duration::from_secs(30);
