//! Instructions of our echoes against those that were accepted: `bench/COUNTS.txt`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::counts::{self, Job};
use crate::goals::IN_MEMORY;
use crate::programs;
use crate::project::Project;
use crate::stats::Summary;
use crate::words::in_memory_cell;

/// Counts, and compares with what was accepted, or accepts.
pub(crate) fn check(project: &Project, accept: bool) -> Result<()> {
    let program = programs::build(project, "framewire-bench-memory")?;
    // The instructions of long messages are those of the vectors that the processor has.
    let jobs: Vec<Job> = IN_MEMORY[..SHORT]
        .iter()
        .flat_map(|&(bytes, frames)| ECHOES.map(|name| (name, bytes, frames)))
        .map(|(name, bytes, frames)| Job {
            name: name.to_owned(),
            bytes,
            frames,
            text: false,
        })
        .collect();
    let mut counted = Vec::new();
    for (job, count) in jobs.iter().zip(counts::count(&program, &jobs)) {
        let cell = in_memory_cell(job.bytes, job.frames);
        let samples = count.with_context(|| format!("{cell} {}", job.name))?;
        let count = Summary::of(&samples).context("no count")?.median;
        counted.push((format!("{cell} {}", job.name), count));
    }
    let path = project.path("bench/COUNTS.txt");
    if accept {
        fs::write(&path, text(&counted))?;
        print!("{}", text(&counted));
        return Ok(());
    }
    let accepted = fs::read_to_string(&path).context("bench/COUNTS.txt")?;
    let difference = compare(&accepted, &counted)?;
    print!("{}", text(&counted));
    if !difference.better.is_empty() {
        println!("less than accepted, `cargo xtask instructions --accept` keeps it so:");
        println!("{}", difference.better.join("\n"));
    }
    ensure!(
        difference.worse.is_empty(),
        "not as accepted in bench/COUNTS.txt:\n{}",
        difference.worse.join("\n")
    );
    Ok(())
}

fn text(counted: &[(String, f64)]) -> String {
    let mut text = HEAD.to_owned();
    for (key, count) in counted {
        let _ = writeln!(text, "{key:<32} {count:>8.0}");
    }
    text
}

/// A line for each count that is not within 2 % of the accepted one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Difference {
    better: Vec<String>,
    /// More, or not to be compared.
    worse: Vec<String>,
}

fn compare(accepted: &str, counted: &[(String, f64)]) -> Result<Difference> {
    let mut lines = Vec::new();
    for line in accepted.lines().filter(|line| !line.starts_with('#')) {
        let (key, before) = line
            .rsplit_once(' ')
            .with_context(|| format!("no count in {line:?}"))?;
        let before: f64 = before
            .parse()
            .with_context(|| format!("no count in {line:?}"))?;
        lines.push((key.trim_end(), before));
    }
    ensure!(!lines.is_empty(), "bench/COUNTS.txt has no counts");
    let mut difference = Difference::default();
    for (key, now) in counted {
        let Some((_, before)) = lines.iter().find(|(known, _)| known == key) else {
            difference
                .worse
                .push(format!("{key}: {now:.0}, which nobody has accepted"));
            continue;
        };
        let change = now / before - 1.0;
        let line = format!(
            "{key}: {before:.0} before, {now:.0} now ({:+.1} %)",
            change * 100.0
        );
        if change > TOLERANCE {
            difference.worse.push(line);
        } else if change < -TOLERANCE {
            difference.better.push(line);
        }
    }
    for (key, _) in lines {
        if counted.iter().all(|(known, _)| known != key) {
            difference
                .worse
                .push(format!("{key}: accepted, but not counted any more"));
        }
    }
    Ok(difference)
}

const ECHOES: [&str; 4] = [
    "framewire-session",
    "framewire-blocking",
    "framewire-tokio",
    "framewire-tokio-halves",
];
/// How many of the cells have messages that are too short for vectors.
const SHORT: usize = 3;
const TOLERANCE: f64 = 0.02;
const HEAD: &str = "\
# Instructions for each message that is echoed in memory: bytes × frames that come with each read, and the echo.
# `cargo xtask instructions` holds them to 2 %, `cargo xtask instructions --accept` writes them.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: f64) -> Vec<(String, f64)> {
        vec![("20 × 1 framewire-tokio".to_owned(), count)]
    }

    #[test]
    fn two_percent_more_or_less_are_accepted() {
        let accepted = text(&counted(1000.0));
        for count in [981.0, 1000.0, 1019.0] {
            assert!(
                compare(&accepted, &counted(count)).unwrap() == Difference::default(),
                "{count}"
            );
        }
    }

    #[test]
    fn more_and_less_than_that_are_told() {
        let accepted = text(&counted(1000.0));
        let more = compare(&accepted, &counted(1021.0)).unwrap();
        assert_eq!(
            more.worse,
            ["20 × 1 framewire-tokio: 1000 before, 1021 now (+2.1 %)"]
        );
        assert!(more.better.is_empty());
        let less = compare(&accepted, &counted(979.0)).unwrap();
        assert_eq!(
            less.better,
            ["20 × 1 framewire-tokio: 1000 before, 979 now (-2.1 %)"]
        );
        assert!(less.worse.is_empty());
    }

    #[test]
    fn both_sides_have_the_same_echoes() {
        let accepted = text(&counted(1000.0));
        assert_eq!(compare(&accepted, &[]).unwrap().worse.len(), 1);
        let other = vec![("20 × 64 framewire-tokio".to_owned(), 1.0)];
        assert_eq!(compare(&accepted, &other).unwrap().worse.len(), 2);
        assert!(compare("# nothing\n", &other).is_err());
    }
}
