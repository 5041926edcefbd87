//! Bars as SVG.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::LATENCIES;
use crate::results::{Measure, Results, Role, Subject};
use crate::words;

/// Draws the charts of a run into a directory, and returns the names of the files.
pub(crate) fn draw(results: &Results, directory: &Path) -> Result<Vec<String>> {
    let charts = [
        (
            "instructions",
            words::title(Measure::Instructions),
            &[Measure::Instructions][..],
        ),
        (
            "cpu",
            "CPU of the server, µs for each message: user (dark) and system (light)",
            &[Measure::User, Measure::System],
        ),
        (
            "latency",
            "Latency at a fixed rate, µs: 50 %, 99 % and 99.9 %",
            &LATENCIES,
        ),
    ];
    let mut drawn = Vec::new();
    for (name, title, measures) in charts {
        let panels = panels(results, measures);
        if !panels.is_empty() {
            let file = format!("{}-{name}.svg", results.machine.date);
            chart(&directory.join(&file), title, &panels)
                .map_err(|error| anyhow!("{file}: {error}"))?;
            drawn.push(file);
        }
    }
    Ok(drawn)
}

/// The bars of one cell.
struct Panel {
    cell: String,
    bars: Vec<Bar>,
}

struct Bar {
    name: String,
    role: Role,
    /// Where each of its pieces ends, from left to right.
    ends: Vec<f64>,
    label: String,
}

/// Returns a panel for each cell that has all of the measures, each with the best of every crate.
fn panels(results: &Results, measures: &[Measure]) -> Vec<Panel> {
    let last = measures[measures.len() - 1];
    let mut panels = Vec::new();
    for cell in results.cells(last) {
        let mut bars: Vec<(&Subject, Bar)> = results
            .ranking(last, cell)
            .into_iter()
            .filter_map(|(subject, _)| Some((subject, bar(results, measures, cell, subject)?)))
            .collect();
        bars.sort_by(|(_, left), (_, right)| left.end().total_cmp(&right.end()));
        let mut seen = Vec::new();
        bars.retain(|(subject, _)| {
            let again = subject.role == Role::Peer && seen.contains(&&subject.krate);
            seen.push(&subject.krate);
            !again
        });
        let bars = bars.into_iter().map(|(_, bar)| bar).collect();
        panels.push(Panel {
            cell: cell.to_owned(),
            bars,
        });
    }
    panels
}

fn bar(results: &Results, measures: &[Measure], cell: &str, subject: &Subject) -> Option<Bar> {
    let medians: Option<Vec<f64>> = measures
        .iter()
        .map(|measure| Some(results.summary(*measure, cell, &subject.name)?.median))
        .collect();
    let mut ends = medians?;
    // User and system time follow each other; a percentile holds those before it.
    if measures[0] == Measure::User {
        ends[1] += ends[0];
    }
    let last = measures[measures.len() - 1];
    let label = ends.last().map(|end| words::amount(last, *end))?;
    Some(Bar {
        name: subject.name.clone(),
        role: subject.role,
        ends,
        label,
    })
}

impl Bar {
    fn end(&self) -> f64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Returns the colour of one of the pieces, of which the first is the darkest.
    fn color(&self, piece: usize) -> RGBColor {
        let shades = match self.role {
            Role::Ours => [(0, 90, 160), (90, 165, 220), (170, 210, 240)],
            Role::Peer => [(110, 110, 110), (170, 170, 170), (210, 210, 210)],
            Role::Floor => [(60, 130, 60), (130, 190, 130), (185, 220, 185)],
        };
        let (red, green, blue) = shades[piece % shades.len()];
        RGBColor(red, green, blue)
    }
}

fn chart(path: &Path, title: &str, panels: &[Panel]) -> Result<(), Box<dyn std::error::Error>> {
    let rows: usize = panels.iter().map(|panel| panel.bars.len()).sum();
    let height = HEAD + i32::try_from(rows)? * BAR + i32::try_from(panels.len())? * GAP;
    let root = SVGBackend::new(path, (WIDTH.try_into()?, height.try_into()?)).into_drawing_area();
    // A page that is dark shows it as a white sheet.
    root.fill(&WHITE)?;
    let style = |size: u32, h_pos| {
        let font = ("sans-serif", size).into_font().color(&BLACK);
        font.pos(Pos::new(h_pos, VPos::Center))
    };
    root.draw(&Text::new(
        title.to_owned(),
        (MARGIN, HEAD / 2),
        style(16, HPos::Left),
    ))?;
    let mut y = HEAD;
    for panel in panels {
        root.draw(&Text::new(
            panel.cell.clone(),
            (MARGIN, y + GAP / 2),
            style(14, HPos::Left),
        ))?;
        y += GAP;
        let most = panel
            .bars
            .iter()
            .map(Bar::end)
            .fold(f64::MIN_POSITIVE, f64::max);
        for bar in &panel.bars {
            let middle = y + BAR / 2;
            root.draw(&Text::new(
                bar.name.clone(),
                (NAMES - 8, middle),
                style(12, HPos::Right),
            ))?;
            let mut left = NAMES;
            for (piece, end) in bar.ends.iter().enumerate() {
                let right = NAMES + pixels(end / most);
                let corners = [(left, y + 2), (right, y + BAR - 2)];
                root.draw(&Rectangle::new(corners, bar.color(piece).filled()))?;
                left = right;
            }
            root.draw(&Text::new(
                bar.label.clone(),
                (left + 6, middle),
                style(12, HPos::Left),
            ))?;
            y += BAR;
        }
    }
    root.present()?;
    Ok(())
}

/// Returns the length of a bar.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a share of at most 1 of a small number"
)]
fn pixels(share: f64) -> i32 {
    (share.clamp(0.0, 1.0) * f64::from(BARS)) as i32
}

const WIDTH: i32 = 900;
const MARGIN: i32 = 12;
/// Where names end and bars begin.
const NAMES: i32 = 230;
/// The length of the longest bar.
const BARS: i32 = 560;
const BAR: i32 = 18;
/// The title of a panel.
const GAP: i32 = 34;
/// The title of the chart.
const HEAD: i32 = 40;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::results::tests::made_up;

    fn directory(name: &str) -> std::path::PathBuf {
        let path =
            std::env::temp_dir().join(format!("framewire-charts-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn nothing_measured_draws_nothing() {
        let directory = directory("nothing");
        assert!(draw(&Results::default(), &directory).unwrap().is_empty());
        fs::remove_dir(directory).unwrap();
    }

    #[test]
    fn a_missing_figure_leaves_its_bar_out() {
        let mut results = made_up(Measure::System, "10 × 20 × 64", "framewire-tokio", &[90.0]);
        results.machine.date = "2026-01-31".to_owned();
        results.add(Measure::User, "10 × 20 × 64", "framewire-tokio", 60.0);
        // No cell at all for this one.
        results.add(Measure::LatencyP50, "elsewhere", "quick", 1.0);
        let directory = directory("missing");
        let drawn = draw(&results, &directory).unwrap();
        assert_eq!(drawn, ["2026-01-31-cpu.svg"]);
        let svg = fs::read_to_string(directory.join(&drawn[0])).unwrap();
        assert!(
            svg.contains("framewire-tokio") && !svg.contains("quick"),
            "{svg}"
        );
        assert!(svg.contains("0.150"), "{svg}");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn zero_is_no_bar() {
        let results = made_up(Measure::Instructions, "20 × 1", "framewire-tokio", &[0.0]);
        let directory = directory("zero");
        assert_eq!(draw(&results, &directory).unwrap().len(), 1);
        fs::remove_dir_all(directory).unwrap();
    }
}
