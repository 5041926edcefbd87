//! The tables of a run, for the terminal and for `DATE.md`.

use std::fmt::Write as _;

use crate::goals::{BLOCKING, POLL, TOKIO};
use crate::judge::{self, Verdict};
use crate::results::{Measure, Results, Role, Subject};
use crate::stats::Summary;
use crate::table::Table;
use crate::words::{self, with_noise};

/// Returns the tables that compare ours with the best peer and the floor, and the goals.
pub(crate) fn overview(results: &Results, verdicts: &[Verdict<'_>]) -> String {
    let mut text = String::new();
    for measure in COMPARED {
        let table = comparison(results, measure);
        if !table.is_empty() {
            section(&mut text, words::title(measure), &table.to_string());
        }
    }
    section(&mut text, "Goals", &judge::table(verdicts));
    text
}

/// Returns the whole report in Markdown. `charts` are names of files beside it.
pub(crate) fn markdown(results: &Results, verdicts: &[Verdict<'_>], charts: &[String]) -> String {
    let mut text = format!(
        "# Benchmark of {}\n\n{}\n",
        results.machine.date,
        circumstances(results)
    );
    text.push_str("Method, noise and limits: [bench/README.md](../README.md).\n");
    for chart in charts {
        let _ = writeln!(text, "\n![{chart}]({chart})");
    }
    section(&mut text, "Where we lose", &losses(results));
    text.push_str(&overview(results, verdicts));
    for measure in DETAILED {
        for cell in results.cells(measure) {
            let title = format!("{}: {cell}", words::title(measure));
            let table = match measure {
                Measure::Cpu => servers(results, cell),
                _ => ranking(results, measure, cell),
            };
            section(&mut text, &title, &table.to_string());
        }
    }
    section(
        &mut text,
        "Latency at a fixed rate, µs",
        &latency(results).to_string(),
    );
    section(
        &mut text,
        "Who was measured",
        &subjects(results).to_string(),
    );
    section(&mut text, "Notes", &list(&results.notes));
    section(&mut text, "Failures", &list(&results.failures));
    text
}

/// Returns one row for each subject, or the best of each crate, and one column for each cell.
pub(crate) fn matrix(results: &Results, measure: Measure) -> Table {
    let cells = results.cells(measure);
    let mut table = Table::new(std::iter::once("").chain(cells.iter().copied()));
    for subject in &results.subjects {
        let figures = cells.iter().map(|cell| {
            let summary = results.summary(measure, cell, &subject.name);
            summary.map_or_else(String::new, |it| words::amount(measure, it.median))
        });
        let row: Vec<String> = std::iter::once(subject.name.clone())
            .chain(figures)
            .collect();
        if row.iter().skip(1).any(|cell| !cell.is_empty()) {
            table.row(row);
        }
    }
    table
}

/// Returns the cells in which the best peer takes less than the best of ours that has a stream and the loop of its
/// documentation.
pub(crate) fn losses(results: &Results) -> String {
    let mut table = Table::new(["", "cell", "best of ours", "", "best peer", "", "ratio", ""]);
    let mut has_peers = false;
    for measure in COMPARED {
        for cell in results.cells(measure) {
            let ranking = results.ranking(measure, cell);
            let is_best = |(subject, _): &&(&Subject, Summary)| {
                [POLL, TOKIO, BLOCKING].contains(&&*subject.name)
            };
            let (Some((peer, least)), Some((subject, ours))) = (
                results.best_peer(measure, cell),
                ranking.iter().find(is_best),
            ) else {
                continue;
            };
            has_peers = true;
            if least.median < ours.median {
                let is_noise = ours.low() <= least.high();
                table.row([
                    match measure {
                        Measure::LatencyP99 => "latency, 99 %, µs".to_owned(),
                        _ => words::short(measure).to_owned(),
                    },
                    cell.to_owned(),
                    subject.name.clone(),
                    with_noise(measure, *ours),
                    peer.name.clone(),
                    with_noise(measure, least),
                    words::ratio(*ours, least),
                    if is_noise { "within the noise" } else { "" }.to_owned(),
                ]);
            }
        }
    }
    if !has_peers {
        "No peer was measured.\n".to_owned()
    } else if table.is_empty() {
        "In no cell does a peer take less than the best of ours.\n".to_owned()
    } else {
        table.to_string()
    }
}

/// Returns the machine, the compiler, the commit and how the run was made.
pub(crate) fn circumstances(results: &Results) -> String {
    let machine = &results.machine;
    let mut text = format!(
        "{}, {} cores, {}{}; {}; commit {}; {}",
        machine.cpu,
        machine.cores,
        machine.kernel,
        if machine.congestion_control.is_empty() {
            String::new()
        } else {
            format!(", congestion control {}", machine.congestion_control)
        },
        machine.rustc,
        machine.commit,
        if results.settings.quick {
            "a quick run"
        } else {
            "a full run"
        },
    );
    if !results.settings.pinned {
        text.push_str(", NOT PINNED: servers and load shared cores");
    }
    text.push_str(".\n");
    text
}

/// Returns every one of ours beside the best peer and the floor, cell by cell.
fn comparison(results: &Results, measure: Measure) -> Table {
    let mut table = Table::new([
        "cell",
        "ours",
        "",
        "best peer",
        "",
        "floor",
        "ours/best peer",
        "ours/floor",
        "remark",
    ]);
    for cell in results.cells(measure) {
        let ranking = results.ranking(measure, cell);
        for (subject, ours) in ranking
            .iter()
            .filter(|(subject, _)| subject.role == Role::Ours)
        {
            let peer = results.best_peer(measure, cell);
            let floor = results.floor(measure, cell, &subject.name);
            let figure = |it: Option<(&Subject, Summary)>| {
                it.map_or_else(String::new, |(_, summary)| with_noise(measure, summary))
            };
            let ratio = |it: Option<(&Subject, Summary)>| {
                it.map_or_else(String::new, |(_, summary)| words::ratio(*ours, summary))
            };
            table.row([
                cell.to_owned(),
                subject.name.clone(),
                with_noise(measure, *ours),
                peer.map_or_else(String::new, |(peer, _)| peer.name.clone()),
                figure(peer),
                figure(floor),
                ratio(peer),
                ratio(floor),
                remark(results, measure, cell, &subject.name),
            ]);
        }
    }
    table
}

fn remark(results: &Results, measure: Measure, cell: &str, name: &str) -> String {
    let of_servers = matches!(measure, Measure::Cpu | Measure::User);
    if of_servers && results.client_bound(cell, name) {
        "client-bound".to_owned()
    } else {
        String::new()
    }
}

/// Returns everything about the servers in a cell on loopback.
fn servers(results: &Results, cell: &str) -> Table {
    const COLUMNS: [Measure; 7] = [
        Measure::Cpu,
        Measure::User,
        Measure::System,
        Measure::SystemCalls,
        Measure::MessagesPerSecond,
        Measure::ResidentKib,
        Measure::LoadCpu,
    ];
    let header = COLUMNS.map(words::short);
    let mut table = Table::new(["server"].into_iter().chain(header).chain(["remark"]));
    for (subject, _) in results.ranking(Measure::Cpu, cell) {
        let figures = COLUMNS.iter().map(|measure| {
            let summary = results.summary(*measure, cell, &subject.name);
            summary.map_or_else(String::new, |it| with_noise(*measure, it))
        });
        let name = std::iter::once(subject.name.clone());
        let remark = remark(results, Measure::Cpu, cell, &subject.name);
        table.row(name.chain(figures).chain([remark]));
    }
    table
}

fn ranking(results: &Results, measure: Measure, cell: &str) -> Table {
    let mut table = Table::new(["", "each", "to the least"]);
    let ranking = results.ranking(measure, cell);
    for (subject, summary) in &ranking {
        let row = [
            subject.name.clone(),
            with_noise(measure, *summary),
            words::ratio(*summary, ranking[0].1),
        ];
        table.row(row);
    }
    table
}

fn latency(results: &Results) -> Table {
    let mut table = Table::new(
        ["cell", "server"]
            .into_iter()
            .chain(LATENCIES.map(words::short)),
    );
    for cell in results.cells(Measure::LatencyP99) {
        for (subject, _) in results.ranking(Measure::LatencyP99, cell) {
            let percentiles = LATENCIES.map(|measure| {
                let summary = results.summary(measure, cell, &subject.name);
                summary.map_or_else(String::new, |it| with_noise(measure, it))
            });
            table.row(
                [cell.to_owned(), subject.name.clone()]
                    .into_iter()
                    .chain(percentiles),
            );
        }
    }
    table
}

fn subjects(results: &Results) -> Table {
    let mut table = Table::new(["name", "crate", "version", "loop"]);
    for subject in &results.subjects {
        table.row([
            &subject.name,
            &subject.krate,
            &subject.version,
            &subject.kind,
        ]);
    }
    table
}

fn list(lines: &[String]) -> String {
    if lines.is_empty() {
        return "None.\n".to_owned();
    }
    format!("* {}\n", lines.join("\n* "))
}

fn section(text: &mut String, title: &str, body: &str) {
    let _ = write!(text, "\n## {title}\n\n{body}");
}

/// What ours is compared in.
const COMPARED: [Measure; 7] = [
    Measure::Instructions,
    Measure::EchoTime,
    Measure::Cpu,
    Measure::SystemCalls,
    Measure::LatencyP99,
    Measure::IdleBytes,
    Measure::LibraryTime,
];
/// What has a table for each cell.
const DETAILED: [Measure; 5] = [
    Measure::Instructions,
    Measure::EchoTime,
    Measure::Cpu,
    Measure::IdleBytes,
    Measure::LibraryTime,
];
pub(crate) const LATENCIES: [Measure; 3] = [
    Measure::LatencyP50,
    Measure::LatencyP99,
    Measure::LatencyP999,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::GOALS;
    use crate::results::tests::made_up;

    const CELL: &str = "10 × 20 × 64";
    const OURS: &str = "framewire-tokio";

    #[test]
    fn ours_stands_beside_the_best_peer_and_its_floor() {
        let results = made_up(Measure::Cpu, CELL, OURS, &[120.0, 120.0]);
        let table = comparison(&results, Measure::Cpu).to_string();
        let row = table.lines().nth(2).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let expected = [
            CELL,
            OURS,
            "0.120 ± 3 %",
            "quick",
            "0.100 ± 3 %",
            "0.060 ± 3 %",
            "1.20",
            "2.00",
            "",
        ];
        assert_eq!(cells[1..=9], expected);
    }

    #[test]
    fn a_saturated_load_generator_is_said() {
        let mut results = made_up(Measure::Cpu, CELL, OURS, &[120.0]);
        results.add(Measure::LoadCpu, CELL, OURS, 0.93);
        results.add(Measure::LoadCpu, CELL, "quick", 0.5);
        let report = markdown(&results, &[], &[]);
        let bound = report.lines().filter(|line| line.contains("client-bound"));
        assert!(bound.clone().count() >= 2, "{report}");
        assert!(
            bound.into_iter().all(|line| line.contains(OURS)),
            "{report}"
        );
    }

    #[test]
    fn losses_are_named() {
        let losing = made_up(Measure::Cpu, CELL, OURS, &[120.0]);
        let table = losses(&losing);
        let row = table.lines().nth(2).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let expected = [
            "CPU µs",
            CELL,
            OURS,
            "0.120 ± 3 %",
            "quick",
            "0.100 ± 3 %",
            "1.20",
            "",
        ];
        assert_eq!(cells[1..=8], expected);
        let winning = made_up(Measure::Cpu, CELL, OURS, &[80.0]);
        assert!(losses(&winning).starts_with("In no cell"));
        assert!(losses(&Results::default()).starts_with("No peer"));
    }

    #[test]
    fn a_run_without_figures_has_a_report() {
        let results = Results::default();
        let verdicts = judge::judge(&results, GOALS);
        let report = markdown(&results, &verdicts, &[]);
        assert!(report.contains("## Goals"), "{report}");
        assert!(report.contains("NOT PINNED"), "{report}");
    }

    #[test]
    fn the_matrix_has_a_column_for_each_cell() {
        let mut results = made_up(Measure::Cpu, CELL, OURS, &[80.0]);
        results.add(Measure::Cpu, "other", "slow", 7_000.0);
        let table = matrix(&results, Measure::Cpu).to_string();
        let row = table.lines().find(|line| line.contains("slow")).unwrap();
        assert!(row.contains("0.200") && row.contains("7.00"), "{table}");
    }
}
