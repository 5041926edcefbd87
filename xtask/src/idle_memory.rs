//! The memory of `framewire serve` for a connection at rest.

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use framewire::Config;
use framewire::handshake::Connector;

use crate::process;
use crate::project::Project;
use crate::server::{ENGINES, Program, Server};

/// Measure the resident memory of a connection at rest
///
/// Builds and starts `framewire serve`, opens the connections over loopback, has one small message
/// echoed on each, and waits until the server's memory does not change any more. What is counted is
/// its private memory that is resident (`Anonymous` in `/proc/PID/smaps_rollup`): heap and stacks, so
/// buffers, tasks and threads, each page as a whole; not what the kernel holds for a socket. What the server
/// needs before the first of these connections is taken off: it is measured after a few others came
/// and went. Linux only, with util-linux where `ulimit -n` has to be raised.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The engine to measure, as `framewire serve --engine` names it [default: that of `serve`]
    #[arg(long, value_name = "NAME", value_parser = ENGINES)]
    engine: Option<String>,

    /// How many connections; both ends of one need a file descriptor each
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,

    /// Fail when a connection needs more than this
    #[arg(long, value_name = "BYTES")]
    at_most: Option<usize>,
}

impl Options {
    /// Sets what an engine may need for each connection, with the default number of connections.
    pub(crate) fn at_most(engine: &str, bytes: usize) -> Self {
        Self {
            engine: Some(engine.to_owned()),
            connections: CONNECTIONS,
            at_most: Some(bytes),
        }
    }
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let count = usize::try_from(options.connections)?;
    allow_files(count + WARM_UP + OTHER_FILES)?;
    // The connections of the warm-up may not be gone yet when the others come.
    let places = (count + WARM_UP).to_string();
    let mut arguments = vec!["--max-connections", &places];
    if let Some(engine) = &options.engine {
        arguments.extend(["--engine", engine]);
    }
    let server = Server::start(&Program::build(project)?, &arguments)?;
    drop(open(&server, WARM_UP)?);
    let before = resident_at_rest(server.id())?;
    let connections = open(&server, count)?;
    let after = resident_at_rest(server.id())?;
    drop(connections);
    server.stop()?;

    let bytes = after.saturating_sub(before);
    let each = bytes.div_ceil(count);
    println!(
        "{each} bytes for each of {count} connections at rest ({} KiB, beside {} KiB without them)",
        bytes / 1024,
        before / 1024
    );
    if let Some(most) = options.at_most {
        ensure!(each <= most, "{each} bytes are more than {most}");
    }
    Ok(())
}

/// Lets this process, and so those that it starts, open this many files at once.
pub(crate) fn allow_files(count: usize) -> Result<()> {
    let limit = process::output(Command::new("sh").args(["-c", "ulimit -n"]), LIMIT)?;
    // A limit that is not a number is `unlimited`.
    if limit.trim().parse().is_ok_and(|limit: usize| limit < count) {
        let mut raise = Command::new("prlimit");
        raise.arg(format!("--pid={}", std::process::id()));
        raise.arg(format!("--nofile={count}:"));
        process::run(&mut raise, LIMIT).context("too few open files are allowed")?;
    }
    Ok(())
}

/// Opens connections and has a message echoed on each.
fn open(server: &Server, count: usize) -> Result<Vec<TcpStream>> {
    let connector = Connector::new();
    let url = server.url("ws");
    let mut streams = Vec::with_capacity(count);
    for number in 0..count {
        let open = || format!("connection {number} of {count}");
        let stream = TcpStream::connect(server.address()).with_context(open)?;
        stream.set_nodelay(true)?;
        let websocket = framewire::connect_stream_with(stream, &url, &connector, Config::default());
        let mut websocket = websocket.with_context(open)?;
        websocket.stream().set_read_timeout(Some(ECHO))?;
        websocket.write(MESSAGE)?;
        let echo = websocket.next_message().with_context(open)?;
        let echo = echo.with_context(open)?;
        ensure!(echo.text() == Some(MESSAGE), "the echo was {echo:?}");
        // Only the socket stays open: this end gives up its buffers.
        streams.push(websocket.into_inner().0);
    }
    Ok(streams)
}

/// Returns a server's resident memory in bytes, once it has stayed the same for a while.
pub(crate) fn resident_at_rest(id: u32) -> Result<usize> {
    let started = Instant::now();
    let mut last = 0;
    let mut since = started;
    while started.elapsed() < REST_DEADLINE {
        let resident = resident(id)?;
        if resident != last {
            (last, since) = (resident, Instant::now());
        } else if since.elapsed() >= REST {
            return Ok(resident);
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!(
        "the server's memory still changed after {} s",
        REST_DEADLINE.as_secs()
    )
}

/// Returns the private resident memory of a process, in bytes.
pub(crate) fn resident(id: u32) -> Result<usize> {
    let path = format!("/proc/{id}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kib = text.lines().find_map(|line| {
        let value = line.strip_prefix("Anonymous:")?.strip_suffix(" kB")?;
        value.trim().parse::<usize>().ok()
    });
    Ok(kib.with_context(|| format!("no Anonymous in {path}"))? * 1024)
}

const MESSAGE: &str = "hello";
const CONNECTIONS: u32 = 5000;
/// How many connections come and go before the measurement.
const WARM_UP: usize = 64;
/// How many files are open beside the connections, and some to spare.
const OTHER_FILES: usize = 100;
const LIMIT: Duration = Duration::from_secs(10);
const ECHO: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_secs(1);
const REST_DEADLINE: Duration = Duration::from_secs(60);
