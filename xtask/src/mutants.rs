//! Changes to the code, one at a time, that a test has to notice.

mod parts;

use std::fmt;
use std::fs::{self, File};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum as _};

use self::parts::{Part, Suites};
use crate::process::{self, Running};
use crate::project::Project;
use crate::tool;

/// Change the code of a part at one place at a time, and see a test fail for each change (cargo-mutants)
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The parts, all of them unless given
    #[arg(value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// Take one of every N changes of each part, from the one with the number K on, which is 0 to N − 1
    #[arg(long, value_name = "K/N", value_parser = parse_shard)]
    shard: Option<String>,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let parts = match &options.parts[..] {
        [] => Part::value_variants(),
        parts => parts,
    };
    let tool = Tool::install(project)?;
    let mut total = Counts::default();
    let mut survivors = Vec::new();
    for part in parts {
        let started = Instant::now();
        let (counts, survived) = try_part(project, &tool, *part, options.shard.as_deref())
            .with_context(|| part.name())?;
        let seconds = started.elapsed().as_secs();
        println!("{:<10} {counts}, {seconds} s", part.name());
        total += counts;
        survivors.extend(survived);
    }
    println!("mutants:   {total}");
    ensure!(
        total.mutants > total.excepted + total.unviable,
        "nothing was tried"
    );
    ensure!(
        survivors.is_empty(),
        "no test fails with these changes:\n{}",
        survivors.join("\n")
    );
    Ok(())
}

fn parse_shard(text: &str) -> Result<String, &'static str> {
    let numbers = text.split_once('/').and_then(|(shard, of)| {
        let shard: u32 = shard.parse().ok()?;
        Some((shard, of.parse().ok()?))
    });
    match numbers {
        Some((shard, of)) if shard < of => Ok(text.to_owned()),
        _ => Err("not two numbers with a slash between them, the first less than the second"),
    }
}

/// Tries all changes of a part with its fastest suites, and those that survive with the next. Returns the survivors of
/// all suites.
fn try_part(
    project: &Project,
    tool: &Tool,
    part: Part,
    shard: Option<&str>,
) -> Result<(Counts, Vec<String>)> {
    let of_shard = shard.map_or_else(Vec::new, |shard| vec!["--shard", shard]);
    let all = tool.list(
        part,
        &[&["--no-config", "--sharding=round-robin"], &of_shard[..]].concat(),
    )?;
    ensure!(
        shard.is_some() || !all.is_empty(),
        "there is no code of {}",
        part.name()
    );
    // By `.cargo/mutants.toml`.
    let accepted = tool.list(part, &[])?;
    let mut mutants: Vec<_> = all
        .iter()
        .filter(|name| accepted.contains(name))
        .cloned()
        .collect();
    let mut counts = Counts {
        mutants: all.len(),
        excepted: all.len() - mutants.len(),
        ..Counts::default()
    };
    for (number, suites) in part.suites().iter().enumerate() {
        if mutants.is_empty() {
            break;
        }
        let output = project.target_dir(&format!("mutants/{}/{number}", part.name()))?;
        tool.try_suites(part, suites, &mutants, &output)?;
        let output = output.join("mutants.out");
        // cargo-mutants also tries fields left out of a structure, whatever names it is given.
        let those = |file| {
            let mut names = lines(&output, file)?;
            names.retain(|name| mutants.contains(name));
            Ok::<_, anyhow::Error>(names)
        };
        let caught = those("caught.txt")?;
        let unviable = those("unviable.txt")?;
        let timed_out = those("timeout.txt")?;
        let missed = those("missed.txt")?;
        let untried = untried(&mutants, &[&caught, &unviable, &timed_out, &missed]);
        ensure!(
            untried.is_empty(),
            "suite {number} was not tried with each of its {} changes, these are left out:\n{}",
            mutants.len(),
            untried.join("\n")
        );
        counts.caught += caught.len();
        counts.unviable += unviable.len();
        counts.timed_out += timed_out.len();
        // What a suite notices and what does not compile with its features, as a user may have them, is not tried
        // again.
        mutants = missed;
    }
    counts.survived = mutants.len();
    Ok((counts, mutants))
}

/// cargo-mutants, and what it builds.
struct Tool {
    program: PathBuf,
    root: PathBuf,
    build: PathBuf,
}

impl Tool {
    fn install(project: &Project) -> Result<Self> {
        Ok(Self {
            program: tool::install(project, "cargo-mutants", "27.1.0")?,
            root: project.path(""),
            build: project.target("mutants/build"),
        })
    }

    /// Returns the names of the changes of a part.
    fn list(&self, part: Part, arguments: &[&str]) -> Result<Vec<String>> {
        let mut command = Command::new(&self.program);
        command
            .args([
                "mutants",
                "--list",
                "--colors=never",
                "--package",
                part.package(),
            ])
            .args(part.files().map(|glob| format!("--file={glob}")))
            .args(arguments)
            .current_dir(&self.root);
        let list = process::output(&mut command, LISTING)?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Runs suites with each of these changes in turn. What came of it is in the folder `mutants.out` of `output`.
    fn try_suites(
        &self,
        part: Part,
        suites: &Suites,
        mutants: &[String],
        output: &Path,
    ) -> Result<()> {
        let log = output.join("log.txt");
        let stdout = File::create(&log).with_context(|| log.display().to_string())?;
        // A loop without an end may take memory without an end.
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -v {MOST_MEMORY}; exec \"$@\""), "sh"])
            .arg(&self.program)
            .args([
                "mutants",
                "--colors=never",
                "--jobs=1",
                "--no-default-features",
            ])
            .args(["--package", part.package()])
            .args(part.files().map(|glob| format!("--file={glob}")))
            .args(
                mutants
                    .iter()
                    .map(|name| format!("--re=^{}$", escape(name))),
            )
            .args(
                suites
                    .features
                    .map(|features| format!("--features={features}")),
            )
            .args(
                CARGO
                    .iter()
                    .chain(suites.cargo)
                    .map(|argument| format!("--cargo-arg={argument}")),
            )
            .arg("--output")
            .arg(output)
            .args(["--", "--"])
            .args(suites.tests)
            // One failure is enough.
            .args(["-Zunstable-options", "--fail-fast"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("RUSTC_BOOTSTRAP", "1")
            .stderr(stdout.try_clone()?)
            .stdout(stdout);
        let status = Running::spawn(&mut command)?.wait(RUN)?;
        match status.code() {
            // All caught, some missed, some timed out.
            Some(0 | 2 | 3) => Ok(()),
            _ => bail!("cargo-mutants ended with {status}: see {}", log.display()),
        }
    }
}

/// How many changes there are, and what became of them.
#[derive(Default)]
struct Counts {
    mutants: usize,
    caught: usize,
    unviable: usize,
    timed_out: usize,
    excepted: usize,
    survived: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.mutants += other.mutants;
        self.caught += other.caught;
        self.unviable += other.unviable;
        self.timed_out += other.timed_out;
        self.excepted += other.excepted;
        self.survived += other.survived;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>4} mutants: {:>4} caught, {:>3} unviable, {:>3} timed out, {:>3} excepted, {:>3} survived",
            self.mutants, self.caught, self.unviable, self.timed_out, self.excepted, self.survived
        )
    }
}

fn lines(folder: &Path, name: &str) -> Result<Vec<String>> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Returns the changes that are in no list of what became of them.
fn untried<'a>(mutants: &'a [String], outcomes: &[&[String]]) -> Vec<&'a str> {
    let without = mutants
        .iter()
        .filter(|name| !outcomes.iter().any(|names| names.contains(name)));
    without.map(String::as_str).collect()
}

/// Returns a regular expression for a text.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if SPECIAL.contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// What means something in a regular expression.
const SPECIAL: &str = r"\.+*?()|[]{}^$";
/// What is built once for each change is not worth optimising.
const CARGO: [&str; 2] = [
    "--config=profile.dev.package.framewire.opt-level=0",
    "--config=profile.dev.package.framewire-test-support.opt-level=0",
];
/// In KiB. The compiler reserves more than it uses.
const MOST_MEMORY: u32 = 12 << 20;
const LISTING: Duration = Duration::from_secs(60);
const RUN: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_which_nothing_became_was_not_tried() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let mutants = names(&["a", "b", "c", "d"]);
        let (caught, unviable, missed) = (names(&["a"]), names(&["d"]), names(&["b"]));
        assert_eq!(untried(&mutants, &[&caught, &unviable, &missed]), ["c"]);
        let timed_out = names(&["c"]);
        let all = [&caught[..], &unviable, &missed, &timed_out];
        assert_eq!(untried(&mutants, &all), [""; 0]);
    }

    #[test]
    fn a_shard_is_one_of_so_many() {
        assert_eq!(parse_shard("0/8").as_deref(), Ok("0/8"));
        for wrong in ["8/8", "0/0", "1", "-1/8", "1/8/9", ""] {
            assert!(parse_shard(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_name_of_a_change_is_a_regular_expression_for_itself_alone() {
        let name = "decoder.rs:310:9: replace Decoder::f -> &[u8] with Vec::leak(vec![0])";
        let escaped =
            r"decoder\.rs:310:9: replace Decoder::f -> &\[u8\] with Vec::leak\(vec!\[0\]\)";
        assert_eq!(escape(name), escaped);
    }
}
