//! Servers under load.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cores::{Core, Cores};
use crate::lines::{self, AtRest, Loaded};
use crate::process::{self, Running};
use crate::results::{Measure, Results};
use crate::server::{Server, Started, Variant};
use crate::strace;

/// A load, and how the servers are that it meets.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) variant: Variant,
    /// The subcommand of the load generator.
    pub(crate) load: &'static str,
    pub(crate) options: Vec<String>,
}

impl Cell {
    /// Returns how many open files server and load need, where these are many.
    pub(crate) fn files(&self) -> Option<usize> {
        let connections: usize = self.name.strip_suffix(AT_REST)?.parse().ok()?;
        Some(connections + 128)
    }

    pub(crate) fn new(name: impl Into<String>, load: &'static str, options: &[&str]) -> Self {
        Self {
            name: name.into(),
            variant: Variant::default(),
            load,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    pub(crate) fn with(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }
}

/// What puts load on servers.
#[derive(Clone, Copy)]
pub(crate) struct Generator<'a> {
    pub(crate) program: &'a Path,
    pub(crate) cores: &'a Cores,
}

impl Generator<'_> {
    /// Puts load on a server that is started for it, and keeps what it cost.
    pub(crate) fn measure(self, server: &Server, cell: &Cell, results: &mut Results) -> Result<()> {
        let output = if cell.variant.client {
            process::output(&mut self.client(server, cell)?, DEADLINE)?
        } else {
            let started = server.start(self.cores, cell.variant)?;
            process::output(&mut self.command(&started, cell), DEADLINE)?
        };
        let mut add = |measure, sample| results.add(measure, &cell.name, server.name(), sample);
        if cell.load == "idle" {
            let at_rest: AtRest = first(&output)?;
            add(Measure::IdleBytes, at_rest.bytes_each);
            return Ok(());
        }
        let loaded: Loaded = first(&output)?;
        record(&loaded, add);
        Ok(())
    }

    /// Counts the system calls of a server for each message.
    pub(crate) fn count_calls(self, server: &Server, cell: &Cell, summary: &Path) -> Result<f64> {
        let started = server.start(self.cores, cell.variant)?;
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-o"]).arg(summary);
        strace.args(["-p", &started.id().to_string()]);
        let tracer = Running::spawn(strace.stderr(Stdio::null()))?;
        strace::wait_until_traced(started.id())?;
        let output = process::output(&mut self.command(&started, cell), DEADLINE)?;
        tracer.terminate()?;
        // strace ends by the signal that it is sent, after it has written.
        tracer.wait(DEADLINE)?;
        let text = std::fs::read_to_string(summary).context("the summary of strace")?;
        let calls = strace::calls(&text).context("the summary of strace has no calls")?;
        let loaded: Loaded = first(&output)?;
        Ok(calls as f64 / loaded.with_warm_up())
    }

    fn client(self, server: &Server, cell: &Cell) -> Result<Command> {
        let client = server.client(self.cores).context("it is no client")?;
        let mut command = self.cores.command(Core::Load, self.program);
        command
            .arg(cell.load)
            .args(&cell.options)
            .arg("--")
            .args(client);
        Ok(command)
    }

    fn command(self, started: &Started, cell: &Cell) -> Command {
        let mut command = self.cores.command(Core::Load, self.program);
        command
            .args([
                cell.load,
                &started.address,
                "--pid",
                &started.id().to_string(),
            ])
            .args(&cell.options)
            .args(cell.variant.options());
        command
    }
}

/// Keeps what a load cost.
fn record(loaded: &Loaded, mut add: impl FnMut(Measure, f64)) {
    // In an open loop the load generator turns rather than sleeps, and its CPU time says nothing.
    match &loaded.latency_ns {
        Some(latency) => {
            add(Measure::LatencyP50, latency.p50);
            add(Measure::LatencyP99, latency.p99);
            add(Measure::LatencyP999, latency.p999);
        }
        None => add(Measure::LoadCpu, loaded.load_cpu),
    }
    add(Measure::User, loaded.server_user_ns);
    add(Measure::System, loaded.server_system_ns);
    add(
        Measure::Cpu,
        loaded.server_user_ns + loaded.server_system_ns,
    );
    add(
        Measure::MessagesPerSecond,
        loaded.messages as f64 / loaded.seconds,
    );
    add(Measure::ResidentKib, loaded.rss_kib);
}

fn first<T: serde::de::DeserializeOwned>(output: &str) -> Result<T> {
    match lines::parse(output).into_iter().next() {
        Some(object) => Ok(object),
        None => bail!("it printed {output:?}, which is no result"),
    }
}

/// How the names of cells end in which connections do nothing.
pub(crate) const AT_REST: &str = " at rest";
pub(crate) const DEADLINE: Duration = Duration::from_secs(150);
