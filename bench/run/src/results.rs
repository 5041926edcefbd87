//! What a run measured: who, what, where, and every sample.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::stats::Summary;

/// Everything that a run measured, as `DATE.json` holds it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) figures: Vec<Figure>,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
    /// What went wrong with a subject of ours.
    pub(crate) failures: Vec<String>,
}

/// How the run was made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) quick: bool,
    pub(crate) parts: Vec<String>,
    /// Whether servers and load had a core each.
    pub(crate) pinned: bool,
    /// How many seconds each part took; builds are the part `build`.
    pub(crate) seconds: Vec<(String, f64)>,
}

/// An echo, a server or a loop that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) name: String,
    #[serde(rename = "crate", default)]
    pub(crate) krate: String,
    #[serde(default)]
    pub(crate) version: String,
    /// How it reads and writes: `simple`, or `batched` where messages that came together are answered together.
    #[serde(rename = "loop", default)]
    pub(crate) kind: String,
    pub(crate) role: Role,
    /// Not written in Rust.
    #[serde(default)]
    pub(crate) foreign: bool,
}

impl Subject {
    /// Names what has no crate to be named for.
    pub(crate) fn named(name: &str, role: Role) -> Self {
        Self {
            name: name.to_owned(),
            krate: String::new(),
            version: String::new(),
            kind: String::new(),
            role,
            foreign: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Ours,
    Peer,
    /// A bare loop without a protocol.
    Floor,
}

/// What a figure says. Less is better in all that are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measure {
    /// Instructions for each message echoed in memory.
    Instructions,
    /// Nanoseconds for each message echoed in memory.
    EchoTime,
    /// Nanoseconds for each message or byte block in a bench of the library.
    LibraryTime,
    /// Nanoseconds of the server's CPU for each message, in user mode.
    User,
    /// Nanoseconds of the server's CPU for each message, in the kernel.
    System,
    /// The sum of both.
    Cpu,
    MessagesPerSecond,
    /// The share of its core that the load generator used.
    LoadCpu,
    ResidentKib,
    /// System calls of the server for each message.
    SystemCalls,
    LatencyP50,
    LatencyP99,
    LatencyP999,
    /// Resident bytes for each connection at rest.
    IdleBytes,
}

impl Measure {
    /// Returns whether another run finds the same.
    fn is_a_count(self) -> bool {
        matches!(
            self,
            Self::Instructions | Self::SystemCalls | Self::IdleBytes
        )
    }
}

/// The samples of one subject in one cell, one for each round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) measure: Measure,
    pub(crate) cell: String,
    pub(crate) name: String,
    pub(crate) samples: Vec<f64>,
}

impl Results {
    /// Adds a sample of a subject in a cell.
    pub(crate) fn add(&mut self, measure: Measure, cell: &str, name: &str, sample: f64) {
        let sample = rounded(sample);
        let known = self
            .figures
            .iter_mut()
            .find(|figure| (figure.measure, &*figure.cell, &*figure.name) == (measure, cell, name));
        match known {
            Some(figure) => figure.samples.push(sample),
            None => self.figures.push(Figure {
                measure,
                cell: cell.to_owned(),
                name: name.to_owned(),
                samples: vec![sample],
            }),
        }
    }

    pub(crate) fn add_all(&mut self, measure: Measure, cell: &str, name: &str, samples: &[f64]) {
        for sample in samples {
            self.add(measure, cell, name, *sample);
        }
    }

    /// Adds subjects that are not known by their names yet.
    pub(crate) fn introduce(&mut self, subjects: impl IntoIterator<Item = Subject>) {
        for subject in subjects {
            if self.subject(&subject.name).is_none() {
                self.subjects.push(subject);
            }
        }
    }

    /// Keeps what went wrong: a failure where the subject is ours, or else a note.
    pub(crate) fn went_wrong(&mut self, name: &str, what: &str) {
        let line = format!("{name}: {what}");
        eprintln!("{line}");
        let ours = self.subject(name).is_some_and(|it| it.role == Role::Ours);
        let list = if ours {
            &mut self.failures
        } else {
            &mut self.notes
        };
        if !list.contains(&line) {
            list.push(line);
        }
    }

    /// Returns whether something went wrong with a subject in a cell.
    pub(crate) fn failed(&self, name: &str, cell: &str) -> bool {
        let begin = format!("{name}: {cell}: ");
        self.failures
            .iter()
            .chain(&self.notes)
            .any(|line| line.starts_with(&begin))
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        println!("note: {note}");
        self.notes.push(note);
    }

    pub(crate) fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// Returns the median of a subject in a cell, and its noise.
    pub(crate) fn summary(&self, measure: Measure, cell: &str, name: &str) -> Option<Summary> {
        let key = (measure, cell, name);
        let is_it = |it: &&Figure| (it.measure, &*it.cell, &*it.name) == key;
        let samples = &self.figures.iter().find(is_it)?.samples;
        let summary = Summary::of(samples)?;
        Some(match &samples[..] {
            _ if measure.is_a_count() => summary,
            [_] => summary.with_noise_of_at_least(NOISE_OF_ONE),
            _ => summary.with_noise_of_at_least(LEAST_NOISE),
        })
    }

    /// Returns the cells of a measure, in the order in which they were measured.
    pub(crate) fn cells(&self, measure: Measure) -> Vec<&str> {
        let mut cells = Vec::new();
        for figure in self
            .figures
            .iter()
            .filter(|figure| figure.measure == measure)
        {
            if !cells.contains(&&*figure.cell) {
                cells.push(&*figure.cell);
            }
        }
        cells
    }

    /// Returns all that have a figure in a cell, the least first.
    pub(crate) fn ranking(&self, measure: Measure, cell: &str) -> Vec<(&Subject, Summary)> {
        let mut ranking: Vec<_> = self
            .subjects
            .iter()
            .filter_map(|subject| Some((subject, self.summary(measure, cell, &subject.name)?)))
            .collect();
        ranking.sort_by(|(_, left), (_, right)| left.median.total_cmp(&right.median));
        ranking
    }

    /// Returns the peer with the least in a cell, of those written in Rust unless there is none.
    pub(crate) fn best_peer(&self, measure: Measure, cell: &str) -> Option<(&Subject, Summary)> {
        let peers = self.ranking(measure, cell).into_iter();
        peers
            .filter(|(subject, _)| subject.role == Role::Peer)
            .min_by_key(|(subject, _)| subject.foreign)
    }

    /// Returns the floor that a subject stands on in a cell: tokio's for tokio's, or else the least.
    pub(crate) fn floor(
        &self,
        measure: Measure,
        cell: &str,
        name: &str,
    ) -> Option<(&Subject, Summary)> {
        let over_tokio = |name: &str| name.contains("tokio");
        let floors = self.ranking(measure, cell).into_iter();
        floors
            .filter(|(subject, _)| subject.role == Role::Floor)
            .min_by_key(|(subject, _)| over_tokio(&subject.name) != over_tokio(name))
    }

    /// Returns whether the load generator, not the server, was the limit of a cell.
    pub(crate) fn client_bound(&self, cell: &str, name: &str) -> bool {
        self.summary(Measure::LoadCpu, cell, name)
            .is_some_and(|share| share.median > SATURATED)
    }
}

/// Returns a sample without the digits that mean nothing: `DATE.json` is kept.
fn rounded(sample: f64) -> f64 {
    let factor = if sample.abs() < 10.0 { 1000.0 } else { 10.0 };
    (sample * factor).round() / factor
}

/// The noise of times at least, as a share of them: a few rounds may agree by chance.
const LEAST_NOISE: f64 = 0.03;
/// The noise of a time that was measured once.
const NOISE_OF_ONE: f64 = 0.1;
/// Above this share of its core, the load generator may be what limits a cell.
const SATURATED: f64 = 0.9;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn subject(name: &str, role: Role) -> Subject {
        Subject {
            name: name.to_owned(),
            krate: name.to_owned(),
            ..Subject::named(name, role)
        }
    }

    /// A run with one of ours, two peers and two floors in one cell.
    pub(crate) fn made_up(measure: Measure, cell: &str, ours: &str, samples: &[f64]) -> Results {
        let mut results = Results::default();
        results.introduce([
            subject(ours, Role::Ours),
            subject("slow", Role::Peer),
            subject("quick", Role::Peer),
            subject("epoll", Role::Floor),
            subject("bare-tokio", Role::Floor),
        ]);
        for (name, samples) in [
            (ours, samples),
            ("slow", &[200.0, 210.0, 190.0]),
            ("quick", &[100.0, 104.0, 96.0]),
            ("epoll", &[50.0, 50.0, 50.0]),
            ("bare-tokio", &[60.0, 60.0, 60.0]),
        ] {
            for sample in samples.repeat(2) {
                results.add(measure, cell, name, sample);
            }
        }
        results
    }

    #[test]
    fn the_best_peer_is_the_one_with_the_least() {
        let results = made_up(Measure::Cpu, "cell", "framewire-tokio", &[80.0]);
        let (subject, summary) = results.best_peer(Measure::Cpu, "cell").unwrap();
        assert_eq!((&*subject.name, summary.median), ("quick", 100.0));
    }

    #[test]
    fn a_foreign_peer_is_best_only_where_no_other_is() {
        let mut results = made_up(Measure::Cpu, "cell", "framewire-tokio", &[80.0]);
        results.subjects[2].foreign = true;
        assert_eq!(
            results.best_peer(Measure::Cpu, "cell").unwrap().0.name,
            "slow"
        );
        results.subjects[1].foreign = true;
        assert_eq!(
            results.best_peer(Measure::Cpu, "cell").unwrap().0.name,
            "quick"
        );
    }

    #[test]
    fn the_floor_of_what_runs_over_tokio_runs_over_tokio() {
        let results = made_up(Measure::Cpu, "cell", "framewire-tokio", &[80.0]);
        let floor = |name| {
            results
                .floor(Measure::Cpu, "cell", name)
                .unwrap()
                .0
                .name
                .clone()
        };
        assert_eq!(floor("framewire-tokio"), "bare-tokio");
        assert_eq!(floor("framewire-poll"), "epoll");
    }

    #[test]
    fn times_have_noise_even_if_rounds_agree() {
        let noise = |measure, rounds| {
            let mut results = made_up(measure, "cell", "framewire-tokio", &[100.0]);
            results.figures[0].samples.truncate(rounds);
            let summary = results.summary(measure, "cell", "framewire-tokio");
            summary.unwrap().noise
        };
        assert!((noise(Measure::Cpu, 2) - 3.0).abs() < 1e-9);
        assert!((noise(Measure::Cpu, 1) - 10.0).abs() < 1e-9);
        assert!(noise(Measure::Instructions, 1).abs() < 1e-9);
    }

    #[test]
    fn a_cell_that_was_not_measured_has_nothing() {
        let results = made_up(Measure::Cpu, "cell", "framewire-tokio", &[80.0]);
        assert!(results.best_peer(Measure::User, "cell").is_none());
        assert!(results.floor(Measure::Cpu, "other", "slow").is_none());
        assert!(results.ranking(Measure::Cpu, "other").is_empty());
    }
}
