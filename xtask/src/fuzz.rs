//! Coverage-guided fuzzing with libFuzzer, on the stable toolchain.

mod corpus;
mod cover;
mod target;

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, value_parser};

use crate::compiler;
use crate::process;
use crate::project::Project;
use corpus::Corpus;
use target::Target;

/// Fuzz the library with libFuzzer, as many targets at a time as there are cores
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The targets, by their file names in `fuzz/fuzz_targets`; all of them unless given
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u64).range(1..))]
    seconds: u64,

    /// Keeps the inputs that reach more in `fuzz/corpus` too, as long as they are few and small, in place of those that
    /// were kept before, unless these reach more
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let all = targets(project)?;
    ensure!(!all.is_empty(), "there are no targets");
    let unknown = options.targets.iter().find(|name| !all.contains(name));
    if let Some(name) = unknown {
        bail!("no target {name}: there are {}", all.join(", "));
    }
    let chosen = match &options.targets[..] {
        [] => &all,
        names => names,
    };
    let programs = build(project)?;

    let at_a_time = thread::available_parallelism().map_or(1, NonZero::get);
    let (mut executions, mut new_inputs) = (0, 0);
    let mut failed = Vec::new();
    for names in chosen.chunks(at_a_time) {
        let started: Result<Vec<_>> = names
            .iter()
            .map(|name| Target::start(project, programs.join(name), name, options.seconds))
            .collect();
        for target in started? {
            let outcome = target.finish(project, options.seconds)?;
            println!("{:<14} {outcome}", target.name);
            let has_run = outcome.executions > 0 || outcome.has_failed;
            ensure!(has_run, "{} has tried nothing", target.name);
            executions += outcome.executions;
            new_inputs += outcome.new_inputs;
            if outcome.has_failed {
                failed.push(target.name);
            }
        }
    }
    let minimised = chosen.iter().try_for_each(|name| {
        let program = programs.join(name);
        let corpus = Corpus::minimise(project, &program, name)?;
        if options.keep {
            corpus.keep(project, &program)?;
        }
        Ok(())
    });
    println!(
        "fuzz: {} targets, {executions} executions, {new_inputs} new inputs, {} crashes",
        chosen.len(),
        failed.len()
    );
    ensure!(failed.is_empty(), "{} failed", failed.join(", "));
    minimised
}

/// Returns the names of all targets, in order.
fn targets(project: &Project) -> Result<Vec<String>> {
    let directory = project.path("fuzz/fuzz_targets");
    let files = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if let Some(name) = path.file_stem() {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Builds all targets, and returns the directory that they are in.
fn build(project: &Project) -> Result<PathBuf> {
    let host = compiler::host()?;
    let mut cargo = project.cargo(&["build", "--release", "--locked", "--quiet"]);
    cargo
        // Without `--target` the flags would also apply to build scripts, which are not linked with libFuzzer.
        .args(["--target", &host, "--manifest-path"])
        .arg(project.path("fuzz/Cargo.toml"))
        .env("CARGO_TARGET_DIR", project.target("fuzz"))
        .env("RUSTFLAGS", COVERAGE.join(" "))
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    process::run(&mut cargo, BUILD)?;
    Ok(project.target("fuzz").join(host).join("release"))
}

/// What `cargo fuzz` passes without a sanitizer: there is no unsafe code of ours to watch.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];
/// An input takes milliseconds and kilobytes. libFuzzer itself needs a tenth of this memory.
const FUZZER: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

const BUILD: Duration = Duration::from_secs(900);
