//! Runs the other benchmarks, judges them, and writes the reports.

mod accepted;
mod cells;
mod charts;
mod cores;
mod counts;
mod foreign;
mod goals;
mod judge;
mod lines;
mod loopback;
mod machine;
mod marked;
mod network;
mod output;
mod plan;
mod programs;
mod report;
mod results;
mod run;
mod server;
mod servers;
mod stats;
mod strace;
mod table;
mod words;

// The chores of the repository start children and find their folders in the same way.
#[path = "../../../xtask/src/process.rs"]
mod process;
#[path = "../../../xtask/src/project.rs"]
#[allow(
    clippy::duration_suboptimal_units,
    reason = "the chores are built by an older Rust, too"
)]
mod project;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::plan::{Part, Plan};
use crate::project::Project;
use crate::run::Run;

/// Run the benchmarks, judge them, and write the reports
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Options {
    #[command(subcommand)]
    other: Option<Other>,

    /// The parts to run [default: all; of a quick run those that are judged]
    #[arg(value_name = "PART")]
    parts: Vec<Part>,

    /// Fewer rounds, shorter windows and fewer parts: less than 10 minutes
    #[arg(long)]
    quick: bool,

    /// Write the tables of README.md, COMPARE.md and bench/README.md as well, as a full run of all parts does
    #[arg(long)]
    write_readme: bool,

    /// Where the reports go [default: bench/results, or target/bench/results of a quick run or some parts]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,

    /// Judge and write again what an earlier run measured, and run nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["parts", "quick"])]
    from: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Compare the instructions of our echoes with those in bench/COUNTS.txt
    Instructions {
        /// Write bench/COUNTS.txt
        #[arg(long)]
        accept: bool,
    },
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether no goal is missed and nothing of ours failed.
fn run(options: &Options) -> Result<bool> {
    process::end_children_on_signals()?;
    let project = Project::find()?;
    if let Some(Other::Instructions { accept }) = options.other {
        accepted::check(&project, accept)?;
        return Ok(true);
    }
    let all = options.parts.is_empty() && !options.quick;
    let folder = match &options.output {
        Some(folder) => folder.clone(),
        None if all => project.path("bench/results"),
        None => project.target("bench/results"),
    };
    let results = match &options.from {
        Some(file) => output::read(file)?,
        None => measure(&project, options)?,
    };
    let complete = all && options.from.is_none();
    output::write(
        &project,
        &results,
        &folder,
        complete || options.write_readme,
    )
}

fn measure(project: &Project, options: &Options) -> Result<results::Results> {
    let plan = Plan {
        quick: options.quick,
    };
    let chosen = |part: &Part| match &options.parts[..] {
        [] => !(plan.quick && part.takes_long()),
        parts => parts.contains(part),
    };
    let every = Part::value_variants().iter().copied();
    let (parts, others): (Vec<Part>, Vec<Part>) = every.partition(chosen);
    let mut run = Run::new(project, plan);
    if !others.is_empty() {
        let names: Vec<String> = others.into_iter().map(Part::name).collect();
        run.results.note(format!("left out: {}", names.join(", ")));
    }
    run.build(&parts)?;
    for part in parts {
        run.part(part);
    }
    Ok(run.results)
}
