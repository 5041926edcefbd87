//! Connections over simulated networks, by any number of seeds.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, value_parser};

use crate::process;
use crate::project::Project;

/// Run connections over a network and a clock that follow from a seed
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u64).range(1..))]
    seeds: u64,

    /// The first seed
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// Ends with one line that sums up; at the first seed that fails, with the command that runs it alone.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let mut cargo = project.cargo(&[
        "test",
        "--locked",
        "--quiet",
        "--package=framewire-tests",
        "--no-default-features",
        "--test=simulation",
        "--",
        "--nocapture",
    ]);
    cargo
        .env("SIMULATE_SEEDS", options.seeds.to_string())
        .env("SIMULATE_FIRST", options.first.to_string());
    process::run(
        &mut cargo,
        TO_BUILD + EACH * options.seeds.try_into().unwrap_or(u32::MAX),
    )
}

const TO_BUILD: Duration = Duration::from_secs(900);
/// Far longer than a seed takes.
const EACH: Duration = Duration::from_millis(500);
