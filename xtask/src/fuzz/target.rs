//! One target, and what comes of its run.

use std::fmt::{self, Display};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::FUZZER;
use crate::process::Running;
use crate::project::Project;

/// A fuzz target that is running.
pub(super) struct Target {
    pub(super) name: String,
    program: PathBuf,
    log: PathBuf,
    running: Running,
}

/// What a run has come to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) executions: u64,
    /// Inputs that reach more than those before them.
    pub(super) new_inputs: u64,
    edges: u64,
    pub(super) has_failed: bool,
}

impl Target {
    pub(super) fn start(
        project: &Project,
        program: PathBuf,
        name: &str,
        seconds: u64,
    ) -> Result<Self> {
        // New inputs go into the first directory. The second, the committed corpus, stays as it is.
        let found = project.target_dir(&format!("fuzz/corpus/{name}"))?;
        let committed = project.path(&format!("fuzz/corpus/{name}"));
        let crashes = project.target_dir("fuzz/crashes")?;
        let log = project.target_dir("fuzz/logs")?.join(format!("{name}.txt"));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let dictionary = project.path(&format!("fuzz/dictionaries/{name}.dict"));
        let use_dictionary = format!("-dict={}", dictionary.display());
        let mut command = Command::new(&program);
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/{name}-", crashes.display()))
            .args(FUZZER)
            .args(dictionary.is_file().then_some(use_dictionary))
            .args([found, committed])
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(Self {
            name: name.to_owned(),
            program,
            log,
            running: Running::spawn(&mut command)?,
        })
    }

    /// Waits for the end. Of a failure it prints what there is to say, and keeps the input.
    pub(super) fn finish(&self, project: &Project, seconds: u64) -> Result<Outcome> {
        let status = self.running.wait(Duration::from_secs(seconds) + OVERTIME)?;
        let log = fs::read(&self.log).with_context(|| self.log.display().to_string())?;
        let log = String::from_utf8_lossy(&log);
        if !status.success() {
            // The lines that show progress begin with a number.
            for line in log.lines().filter(|line| !line.starts_with('#')) {
                println!("{line}");
            }
            if let Some((_, input)) = log.rsplit_once(WRITTEN) {
                let input = input.lines().next().unwrap_or_default();
                self.keep(project, Path::new(input))?;
            }
        }
        Ok(Outcome {
            has_failed: !status.success(),
            ..Outcome::read(&log)
        })
    }

    /// Keeps an input that failed where `cargo test` finds it.
    fn keep(&self, project: &Project, input: &Path) -> Result<()> {
        let name = input.file_name().unwrap_or_default().to_string_lossy();
        let name = name
            .strip_prefix(&format!("{}-", self.name))
            .unwrap_or(&name);
        let folder = format!("fuzz/crashes/{}", self.name);
        let directory = project.path(&folder);
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        let kept = directory.join(name);
        fs::copy(input, &kept).with_context(|| kept.display().to_string())?;
        println!("{}: kept as {folder}/{name}; to see it again:", self.name);
        println!("    {} {}", self.program.display(), kept.display());
        println!("    cargo test -p framewire-fuzz-targets");
        Ok(())
    }
}

impl Outcome {
    /// Reads what libFuzzer prints: `#1234 DONE cov: 567 …`, and at the end `stat::number_of_executed_units: 1234`.
    fn read(log: &str) -> Self {
        let mut outcome = Self::default();
        for line in log.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            match words[..] {
                [_, _, "cov:", edges, ..] => outcome.edges = edges.parse().unwrap_or_default(),
                ["stat::number_of_executed_units:", count] => {
                    outcome.executions = count.parse().unwrap_or_default();
                }
                ["stat::new_units_added:", count] => {
                    outcome.new_inputs = count.parse().unwrap_or_default();
                }
                _ => {}
            }
        }
        outcome
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            executions,
            new_inputs,
            edges,
            has_failed,
        } = self;
        write!(
            f,
            "{executions:>9} executions, {edges:>5} edges, {new_inputs:>4} new inputs"
        )?;
        if *has_failed {
            write!(f, ", FAILED")?;
        }
        Ok(())
    }
}

const WRITTEN: &str = "Test unit written to ";
/// How long a target may take to start, to read the corpus and to end, beside its run.
const OVERTIME: Duration = Duration::from_secs(60);
