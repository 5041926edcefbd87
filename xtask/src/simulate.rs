//! Connections over simulated networks, by any number of seeds.

use std::io::{self, BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, value_parser};

use crate::process::Running;
use crate::project::Project;

/// Run connections over a network and a clock that follow from a seed
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u64).range(1..=u64::MAX / 2))]
    seeds: u64,

    /// The first seed
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(..=u64::MAX / 2))]
    first: u64,
}

/// Ends with one line that sums up, the same each time: its fingerprint tells whether it is. At the first seed that
/// fails, it prints what happens in that, and then how to run it alone.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let mut cargo = project.cargo(&[
        "test",
        "--locked",
        "--quiet",
        "--package=framewire-tests",
        "--no-default-features",
        "--test=simulation",
        "connections_keep_their_promises_over_any_network",
        "--",
        "--nocapture",
    ]);
    cargo
        .env("SIMULATE_SEEDS", options.seeds.to_string())
        .env("SIMULATE_FIRST", options.first.to_string())
        .stdout(Stdio::piped());
    let cargo = Running::spawn(&mut cargo)?;
    let stdout = cargo.child().stdout.take();
    let stdout = BufReader::new(stdout.context("standard output is piped")?);
    let reader = thread::spawn(move || {
        let mut summary = None;
        for line in stdout.lines() {
            let line = line?;
            if line.starts_with("simulation: ") {
                summary = Some(line);
            } else {
                println!("{line}");
            }
        }
        io::Result::Ok(summary)
    });
    let status = cargo.wait(TO_BUILD + EACH * options.seeds.try_into().unwrap_or(u32::MAX))?;
    let summary = reader.join().ok().context("the output was lost")??;
    let summary = summary.context("the simulation has not come to its end")?;
    ensure!(status.success(), "{summary}");
    println!("{summary}");
    Ok(())
}

const TO_BUILD: Duration = Duration::from_secs(900);
/// Far longer than a seed takes.
const EACH: Duration = Duration::from_millis(500);
