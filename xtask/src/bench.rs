//! The benchmarks: the door to `bench`, a workspace of its own.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::project::Project;

/// Compare with every peer, and judge: some 60 minutes, or 10 with `--quick`
///
/// What is measured, how, and how to read it is in `bench/README.md`. Ends with 1 where a goal is missed by more than
/// the noise.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Options and parts, as `cargo xtask bench --help` names them
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION|PART"
    )]
    arguments: Vec<String>,
}

/// Count instructions of our echoes in memory, and compare with `bench/COUNTS.txt`
///
/// Fails where a count has risen by more than 2 %. Needs `valgrind`.
#[derive(Debug, Default, Args)]
pub(crate) struct Instructions {
    /// Write `bench/COUNTS.txt`, in the commit that changes the counts
    #[arg(long)]
    accept: bool,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    // What measures is tested first.
    let mut tests = project.cargo(&["test", "--locked", "--quiet", "--manifest-path", MANIFEST]);
    tests.args(["-p", "framewire-bench-run", "-p", "framewire-bench-memory"]);
    process::run(&mut tests, DEADLINE)?;
    let arguments: Vec<&str> = options.arguments.iter().map(String::as_str).collect();
    start(project, &arguments)
}

pub(crate) fn instructions(project: &Project, options: &Instructions) -> Result<()> {
    let accept = if options.accept {
        &["--accept"][..]
    } else {
        &[]
    };
    start(project, &[&["instructions"], accept].concat())
}

fn start(project: &Project, arguments: &[&str]) -> Result<()> {
    // It measures nothing itself, so it needs no optimisation.
    let run = ["run", "--locked", "--quiet"];
    let program = [
        "--manifest-path",
        MANIFEST,
        "--package",
        "framewire-bench-run",
        "--",
    ];
    let mut cargo = project.cargo(&run);
    process::run(cargo.args(program).args(arguments), DEADLINE)
}

const MANIFEST: &str = "bench/Cargo.toml";
/// A full run and its builds.
const DEADLINE: Duration = Duration::from_secs(3 * 3600);
