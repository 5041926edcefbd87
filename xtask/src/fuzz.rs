//! Coverage-guided fuzzing with libFuzzer, on the stable toolchain.

use std::fs::{self, File};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, value_parser};

use crate::process::{self, Running};
use crate::project::Project;

/// Fuzz the library with libFuzzer, as many targets at a time as there are cores
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The targets, by their file names in `fuzz/fuzz_targets`; all of them unless given
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,

    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u64).range(1..))]
    seconds: u64,
}

impl Options {
    /// Selects every target, for a minute.
    pub(crate) fn default_selection() -> Self {
        Self {
            targets: Vec::new(),
            seconds: 60,
        }
    }
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let all = targets(project)?;
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
    let mut failed = Vec::new();
    for names in chosen.chunks(at_a_time) {
        let started: Result<Vec<_>> = names
            .iter()
            .map(|name| Target::start(project, programs.join(name), name, options.seconds))
            .collect();
        for target in started? {
            if let Err(error) = target.finish(options.seconds) {
                println!("{:<14} FAILED: {error:#}", target.name);
                failed.push(target.name);
            }
        }
    }
    ensure!(failed.is_empty(), "{} failed", failed.join(", "));
    Ok(())
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
    let host = host()?;
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

/// Returns the target triple of this machine.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = process::output(Command::new(rustc).arg("-vV"), RUSTC)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}

/// A fuzz target that is running.
struct Target {
    name: String,
    program: PathBuf,
    log: PathBuf,
    running: Running,
}

impl Target {
    fn start(project: &Project, program: PathBuf, name: &str, seconds: u64) -> Result<Self> {
        // New inputs go into the first directory. The second, the committed corpus, stays as it is.
        let found = project.target(&format!("fuzz/corpus/{name}"));
        if found.exists() {
            fs::remove_dir_all(&found).with_context(|| found.display().to_string())?;
        }
        let found = project.target_dir(&format!("fuzz/corpus/{name}"))?;
        let crashes = project.target_dir("fuzz/crashes")?;
        let log = project.target_dir("fuzz/logs")?.join(format!("{name}.txt"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let dictionary = project.path(&format!("fuzz/dictionaries/{name}.dict"));
        let use_dictionary = format!("-dict={}", dictionary.display());
        let mut command = Command::new(&program);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/{name}-", crashes.display()))
            .args(FUZZER)
            .args(dictionary.is_file().then_some(use_dictionary))
            .args([found, project.path(&format!("fuzz/corpus/{name}"))])
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(Self {
            name: name.to_owned(),
            program,
            log,
            running: Running::spawn(&mut command)?,
        })
    }

    /// Waits for the end, and prints the coverage or the failure.
    fn finish(&self, seconds: u64) -> Result<()> {
        let status = self.running.wait(Duration::from_secs(seconds) + OVERTIME)?;
        let log = fs::read(&self.log).with_context(|| self.log.display().to_string())?;
        let log = String::from_utf8_lossy(&log);
        if !status.success() {
            self.print_failure(&log);
            bail!("ended with {status}");
        }
        // #1234 DONE cov: 567 …
        let done = log.lines().rfind(|line| line.contains("DONE"));
        let words: Vec<_> = done.unwrap_or_default().split_whitespace().collect();
        let [executions, _, "cov:", coverage, ..] = words[..] else {
            bail!("{} does not say what was reached", self.log.display());
        };
        let executions = executions.trim_start_matches('#');
        println!(
            "{:<14} {executions:>9} executions, {coverage:>5} edges covered",
            self.name
        );
        Ok(())
    }

    fn print_failure(&self, log: &str) {
        // The other lines show progress.
        for line in log.lines().filter(|line| !line.starts_with('#')) {
            println!("{line}");
        }
        if let Some((_, input)) = log.rsplit_once("Test unit written to ") {
            let input = input.lines().next().unwrap_or_default();
            println!("to see it again: {} {input}", self.program.display());
        }
    }
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
const RUSTC: Duration = Duration::from_secs(60);
/// How long a target may take to start, to read the corpus and to end, beside its run.
const OVERTIME: Duration = Duration::from_secs(60);
