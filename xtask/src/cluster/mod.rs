//! The chat of `examples/cluster`: through a kill and a restart, and what it costs.

mod measure;
mod setting;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use self::setting::{Cluster, Programs};
use crate::idle_memory::allow_files;
use crate::process::{self, Running};
use crate::project::Project;

/// Check and measure the chat of `examples/cluster`, over nodes on NATS behind `HAProxy`
///
/// First through a graceful restart of one node, when a quarter of the messages are stored, a kill of another, when it
/// is half of them, and a restart of NATS, when it is three quarters: every client must end with every message, once
/// and in order. Then what it costs, without that, by the number of nodes. The clients, the nodes, NATS and `HAProxy`
/// share this machine. Debian's packages are installed where they are missing, which takes root. Linux only.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=64))]
    nodes: u16,

    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(2..))]
    clients: u32,

    /// How many rooms they share
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rooms: u32,

    /// How many messages each client sends, one in a second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(4..))]
    messages: u32,

    /// Leave out what only measures
    #[arg(long)]
    quick: bool,
}

/// Runs the tests of the example first: CI only formats it.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let arguments = ["test", "--locked", "--quiet", "--manifest-path"];
    let mut tests = project.cargo(&arguments);
    tests.arg(project.path("examples/cluster/Cargo.toml"));
    process::run(&mut tests, TESTS)?;
    // Of a client: its own, two of HAProxy, one of a node.
    allow_files(options.clients as usize * 2 + OTHER_FILES)?;
    let programs = Programs::build(project)?;
    println!("{}", programs.versions()?);
    through_faults(&programs, options)?;
    if !options.quick {
        measure::by_nodes(&programs, options)?;
        measure::storing(&programs)?;
        measure::at_rest(&programs)?;
    }
    Ok(())
}

fn through_faults(programs: &Programs<'_>, options: &Options) -> Result<()> {
    let mut cluster = Cluster::start(programs, options.nodes, options.clients)?;
    let talk = Talk {
        options,
        messages: options.messages,
        rate: 1,
    };
    let outcome = talk.run(programs, &cluster.url(), |percent| match percent {
        25 => cluster.restart(1),
        50 => cluster.kill(0),
        _ => cluster.restart_nats(),
    })?;
    cluster.stop()?;
    println!(
        "cluster: {} nodes, {} clients, {} delivered, {} lost, {} duplicated, {} out of order, p99 {} ms \
         (through a restart and a kill of a node, and a restart of NATS: {} connections closed with 1001, {} broken; \
         history read again: {} wrong)",
        options.nodes,
        options.clients,
        outcome.count("delivered")?,
        outcome.count("lost")?,
        outcome.count("duplicated")?,
        outcome.count("disordered")?,
        outcome.number("p99_ms")?,
        outcome.count("moved")?,
        outcome.count("broken")?,
        outcome.count("wrong_in_history")?,
    );
    outcome.check()?;
    ensure!(outcome.count("moved")? > 0, "no client was told to go");
    ensure!(outcome.count("broken")? > 0, "no connection was cut");
    Ok(())
}

/// What the crowd does.
struct Talk<'a> {
    /// Whose number of messages is not that of this talk.
    options: &'a Options,
    messages: u32,
    /// Messages of each client in a second; 0 is each once the one before is stored.
    rate: u32,
}

impl Talk<'_> {
    /// Runs the crowd. Calls `at` when 25, 50 and 75 percent of the messages are stored. When it returns, there must
    /// be messages that are not.
    fn run(
        &self,
        programs: &Programs<'_>,
        url: &str,
        mut at: impl FnMut(u32) -> Result<()>,
    ) -> Result<Outcome> {
        let mut command = Command::new(programs.crowd());
        command.args(["talk", "--url", url]);
        for (option, value) in [
            ("--clients", self.options.clients),
            ("--rooms", self.options.rooms),
            ("--messages", self.messages),
            ("--rate", self.rate),
            ("--deadline", self.messages + DEADLINE),
        ] {
            command.args([option, &value.to_string()]);
        }
        let crowd = Running::spawn(command.stdout(Stdio::piped()))?;
        let stdout = crowd.child().stdout.take();
        let stdout = BufReader::new(stdout.context("standard output is piped")?);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // It fails once nobody waits any more.
                let _ = sender.send(line);
            }
        });
        let end = Instant::now() + Duration::from_secs((self.messages + DEADLINE + SPARE).into());
        let mut waiting = VecDeque::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(line) = waiting
                .pop_front()
                .or_else(|| lines.recv_timeout(left).ok())
            else {
                bail!("the crowd ended or did not end, without an outcome");
            };
            match line.strip_prefix("progress ") {
                Some("100") => {}
                Some(percent) => {
                    at(percent.parse().context("progress")?)?;
                    waiting.extend(lines.try_iter());
                    ensure!(
                        waiting.iter().all(|line| is_before_the_end(line)),
                        "all was stored before what happens at {percent} % was over"
                    );
                }
                None => return Ok(Outcome(serde_json::from_str(&line).context(line)?)),
            }
        }
    }
}

/// Returns whether a line of the crowd tells that not all messages are stored yet.
fn is_before_the_end(line: &str) -> bool {
    line.strip_prefix("progress ")
        .is_some_and(|percent| percent != "100")
}

/// What the crowd has found, by name.
struct Outcome(Value);

impl Outcome {
    fn count(&self, name: &str) -> Result<u64> {
        self.0[name].as_u64().with_context(|| name.to_owned())
    }

    fn number(&self, name: &str) -> Result<f64> {
        self.0[name].as_f64().with_context(|| name.to_owned())
    }

    /// Checks that every message came to every client, once and in order.
    fn check(&self) -> Result<()> {
        let (delivered, expected) = (self.count("delivered")?, self.count("expected")?);
        ensure!(delivered == expected, "{delivered} of {expected} delivered");
        for fault in ["lost", "duplicated", "disordered", "wrong_in_history"] {
            let count = self.count(fault)?;
            ensure!(count == 0, "{fault}: {count}");
        }
        Ok(())
    }
}

/// Files that are open beside those of clients.
const OTHER_FILES: usize = 200;
/// How long the tests of the example may take to build and run.
const TESTS: Duration = Duration::from_secs(1200);
/// How much longer than one second for each message the crowd may take, in seconds.
const DEADLINE: u32 = 100;
/// And then to read the history, and to end.
const SPARE: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_that_has_stored_all_is_at_the_end() {
        assert!(is_before_the_end("progress 75"));
        assert!(!is_before_the_end("progress 100"));
        assert!(!is_before_the_end(r#"{"sent":6000}"#));
    }
}
