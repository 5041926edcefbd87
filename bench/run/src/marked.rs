//! The parts of hand-written files that a run writes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::goals::{BLOCKING, ON_LOOPBACK, POLL, TOKIO};
use crate::project::Project;
use crate::report;
use crate::results::{Measure, Results, Role};
use crate::table::Table;
use crate::words::{self, loopback_cell};

/// Writes the tables of `README.md`, `COMPARE.md` and `bench/README.md`.
pub(crate) fn write(project: &Project, results: &Results) -> Result<()> {
    rewrite(&project.path("README.md"), &of_readme(results))?;
    rewrite(&project.path("COMPARE.md"), &of_comparison(results))?;
    let losses = format!(
        "{}\n{}",
        report::circumstances(results),
        report::losses(results)
    );
    rewrite(&project.path("bench/README.md"), &losses)
}

/// Replaces what stands between the marks in a file.
fn rewrite(path: &Path, block: &str) -> Result<()> {
    let file = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(file)?;
    let text = replaced(&text, block).with_context(file)?;
    fs::write(path, text).with_context(file)
}

fn replaced(text: &str, block: &str) -> Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("no {BEGIN}"))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("no {END} after it"))?;
    Ok(format!(
        "{before}{BEGIN}\n{}\n{END}{after}",
        block.trim_end()
    ))
}

fn of_readme(results: &Results) -> String {
    let mut cpu = Table::new([
        "CPU µs",
        POLL,
        TOKIO,
        BLOCKING,
        "best Rust peer",
        "bare epoll",
    ]);
    for (connections, bytes, depth) in ON_LOOPBACK {
        let cell = loopback_cell(connections, bytes, depth);
        cpu.row(row(results, Measure::Cpu, &cell, &[POLL, TOKIO, BLOCKING]));
    }
    let mut instructions = Table::new([
        "instructions",
        TOKIO,
        BLOCKING,
        "best Rust peer",
        "bare loop",
    ]);
    for cell in results.cells(Measure::Instructions) {
        instructions.row(row(
            results,
            Measure::Instructions,
            cell,
            &[TOKIO, BLOCKING],
        ));
    }
    let date = &results.machine.date;
    format!(
        "The server's CPU time for each message that it echoes on loopback, in µs: connections × bytes × messages in \
         flight on each.\n\n{cpu}\nInstructions for each message that is echoed in memory: bytes × frames that come \
         with each read.\n\n{instructions}\nLess is better. `{POLL}` is `framewire serve --engine poll`, the others are \
         the loop above, over tokio and in a thread for each connection, with the feature `simd`. A peer whose name \
         ends in `-batched` writes once nothing more has arrived, as ours do; each has the better of its loops \
         here.\n\n{}[All tables and what each goal is](bench/results/{date}.md), \
         [how they are made](bench/README.md) and [the peers](COMPARE.md).\n",
        report::circumstances(results),
    )
}

fn row(results: &Results, measure: Measure, cell: &str, ours: &[&str]) -> Vec<String> {
    let figure = |name: &&str| {
        let summary = results.summary(measure, cell, name);
        summary.map_or_else(String::new, |it| words::with_noise(measure, it))
    };
    let peer = results
        .best_peer(measure, cell)
        .map_or_else(String::new, |(subject, it)| {
            format!("{} ({})", words::with_noise(measure, it), subject.name)
        });
    let floor = results
        .ranking(measure, cell)
        .into_iter()
        .find(|(subject, _)| subject.role == Role::Floor);
    let floor = floor.map_or_else(String::new, |(_, it)| words::with_noise(measure, it));
    let figures = ours.iter().map(figure).chain([peer, floor]);
    std::iter::once(cell.to_owned()).chain(figures).collect()
}

fn of_comparison(results: &Results) -> String {
    let mut text = report::circumstances(results);
    for measure in [
        Measure::Cpu,
        Measure::SystemCalls,
        Measure::Instructions,
        Measure::IdleBytes,
    ] {
        let table = report::matrix(results, measure);
        if !table.is_empty() {
            let _ = write!(text, "\n### {}\n\n{table}", words::title(measure));
        }
    }
    text
}

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::made_up;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let expected = format!("before\n{BEGIN}\nfresh\n{END}\nafter\n");
        assert_eq!(replaced(&text, "fresh\n").unwrap(), expected);
        assert_eq!(replaced(&expected, "fresh\n").unwrap(), expected);
    }

    #[test]
    fn marks_are_not_added() {
        assert!(replaced("text", "fresh").is_err());
        assert!(replaced(&format!("{END}{BEGIN}"), "fresh").is_err());
    }

    #[test]
    fn the_readme_has_every_cell_even_if_it_was_not_measured() {
        let text = of_readme(&made_up(Measure::Cpu, "10 × 20 × 64", POLL, &[80.0]));
        let row = |cell: &str| {
            text.lines()
                .find(|line| line.starts_with(&format!("| {cell}")))
                .unwrap()
        };
        assert!(
            row("10 × 20 × 64").contains("0.100 ± 3 % (quick)"),
            "{text}"
        );
        assert!(
            row("10 × 1 Mi × 1").replace(' ', "").ends_with("|||||"),
            "{text}"
        );
    }
}
