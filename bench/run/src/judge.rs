//! Holds results against goals.

use std::fmt::Write as _;

use crate::goals::{Goal, Limit};
use crate::results::{Measure, Results};
use crate::stats::Summary;
use crate::table::Table;
use crate::words;

/// How a subject of ours does in a cell that has a goal.
pub(crate) struct Verdict<'a> {
    goal: &'a Goal,
    cell: &'a str,
    name: &'a str,
    /// The figure of ours and its limit, if both were measured.
    figures: Option<(Summary, Summary)>,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Met,
    /// Above the limit, but not by more than the noise of both.
    WithinNoise,
    Missed,
    NotMeasured,
}

/// Judges every goal, in each of its cells and for each of its subjects.
pub(crate) fn judge<'a>(results: &Results, goals: &'a [Goal]) -> Vec<Verdict<'a>> {
    let mut verdicts = Vec::new();
    for goal in goals {
        for cell in goal.cells {
            for name in goal.subjects {
                // The ticks of a short window are too few to split it into user and system.
                let is_judged = !(results.settings.quick && goal.measure == Measure::User);
                let figures = results
                    .summary(goal.measure, cell, name)
                    .zip(limit(results, goal, cell, name))
                    .filter(|_| is_judged);
                verdicts.push(Verdict {
                    goal,
                    cell,
                    name,
                    figures,
                    outcome: figures
                        .map_or(Outcome::NotMeasured, |(ours, limit)| compare(ours, limit)),
                });
            }
        }
    }
    verdicts
}

/// Returns whether any goal is missed beyond the noise.
pub(crate) fn any_missed(verdicts: &[Verdict<'_>]) -> bool {
    verdicts
        .iter()
        .any(|verdict| verdict.outcome == Outcome::Missed)
}

/// Returns the verdicts as a table, and a list of those that were not measured.
pub(crate) fn table(verdicts: &[Verdict<'_>]) -> String {
    let mut table = Table::new([
        "work", "cell", "ours", "goal", "measured", "limit", "outcome",
    ]);
    let measured = |verdict: &&Verdict<'_>| verdict.outcome != Outcome::NotMeasured;
    for verdict in verdicts.iter().filter(measured) {
        let measure = verdict.goal.measure;
        let figure = |summary| words::with_noise(measure, summary);
        let (ours, limit) = verdict
            .figures
            .map_or_else(Default::default, |(ours, limit)| {
                (figure(ours), figure(limit))
            });
        table.row([
            format!("{}, {}", verdict.goal.work, words::short(measure)),
            verdict.cell.to_owned(),
            verdict.name.to_owned(),
            words::limit(measure, verdict.goal.limit),
            ours,
            limit,
            outcome(verdict.outcome).to_owned(),
        ]);
    }
    let count = |outcome| {
        verdicts
            .iter()
            .filter(|verdict| verdict.outcome == outcome)
            .count()
    };
    let mut text = format!(
        "{table}\n{} met, {} within the noise, {} missed, {} not measured.\n",
        count(Outcome::Met),
        count(Outcome::WithinNoise),
        count(Outcome::Missed),
        count(Outcome::NotMeasured),
    );
    let left_out = verdicts.iter().filter(|verdict| !measured(verdict));
    for (number, verdict) in left_out.enumerate() {
        let before = if number == 0 {
            "\nNot measured:\n\n"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "{before}* {}, {}: {}, {}",
            verdict.goal.work,
            words::short(verdict.goal.measure),
            verdict.cell,
            verdict.name
        );
    }
    text
}

fn limit(results: &Results, goal: &Goal, cell: &str, name: &str) -> Option<Summary> {
    match goal.limit {
        Limit::Absolute(most) => Some(Summary::exactly(most)),
        Limit::BestPeer(factor) => {
            let (_, best) = results.best_peer(goal.measure, cell)?;
            Some(best.times(factor))
        }
        Limit::Floor(factor, constant) => {
            let (_, floor) = results.floor(goal.measure, cell, name)?;
            Some(floor.times(factor).plus(constant))
        }
        Limit::Subject(other, factor) => {
            Some(results.summary(goal.measure, cell, other)?.times(factor))
        }
    }
}

/// A goal is missed where even the edges of the noise of both do not meet.
fn compare(ours: Summary, limit: Summary) -> Outcome {
    if ours.median <= limit.median {
        Outcome::Met
    } else if ours.low() <= limit.high() {
        Outcome::WithinNoise
    } else {
        Outcome::Missed
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "met",
        Outcome::WithinNoise => "within the noise",
        Outcome::Missed => "**missed**",
        Outcome::NotMeasured => "not measured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::made_up;

    // A count has no noise but that of its samples.
    const MEASURE: Measure = Measure::Instructions;
    const CELL: &str = "10 × 20 × 64";
    const OURS: &str = "framewire-tokio";

    fn outcome_of(limit: Limit, samples: &[f64]) -> Outcome {
        let goal = Goal {
            work: "test",
            measure: MEASURE,
            cells: &[CELL],
            subjects: &[OURS],
            limit,
        };
        let results = made_up(MEASURE, CELL, OURS, samples);
        judge(&results, &[goal])[0].outcome
    }

    #[test]
    fn less_than_the_best_peer_meets_the_goal() {
        assert_eq!(
            outcome_of(Limit::BestPeer(1.0), &[98.0, 99.0]),
            Outcome::Met
        );
    }

    #[test]
    fn more_than_the_noise_of_both_misses_it() {
        // The best peer is at 100 ± 3.
        assert_eq!(outcome_of(Limit::BestPeer(1.0), &[104.0]), Outcome::Missed);
        assert_eq!(
            outcome_of(Limit::BestPeer(1.0), &[101.0]),
            Outcome::WithinNoise
        );
        // 104 ± 3.
        let samples = [100.0, 104.0, 108.0];
        assert_eq!(
            outcome_of(Limit::BestPeer(1.0), &samples),
            Outcome::WithinNoise
        );
        assert_eq!(outcome_of(Limit::BestPeer(0.9), &samples), Outcome::Missed);
    }

    #[test]
    fn a_floor_has_a_factor_and_a_constant() {
        // The floor over tokio is at 60.
        assert_eq!(outcome_of(Limit::Floor(1.3, 40.0), &[118.0]), Outcome::Met);
        assert_eq!(
            outcome_of(Limit::Floor(1.3, 40.0), &[119.0]),
            Outcome::Missed
        );
    }

    #[test]
    fn an_absolute_limit_has_no_noise() {
        assert_eq!(outcome_of(Limit::Absolute(700.0), &[700.0]), Outcome::Met);
        assert_eq!(
            outcome_of(Limit::Absolute(700.0), &[701.0]),
            Outcome::Missed
        );
    }

    #[test]
    fn another_subject_can_be_the_limit() {
        assert_eq!(
            outcome_of(Limit::Subject("epoll", 1.25), &[62.5]),
            Outcome::Met
        );
        assert_eq!(
            outcome_of(Limit::Subject("epoll", 1.25), &[63.0]),
            Outcome::Missed
        );
    }

    #[test]
    fn what_was_not_measured_is_not_missed() {
        let nobody = outcome_of(Limit::Subject("nobody", 1.0), &[1.0]);
        assert_eq!(nobody, Outcome::NotMeasured);
        let verdicts = judge(&Results::default(), crate::goals::GOALS);
        assert!(!any_missed(&verdicts));
        assert!(table(&verdicts).contains("0 missed"));
    }

    #[test]
    fn one_missed_goal_is_enough() {
        let goal = |limit| Goal {
            work: "test",
            measure: MEASURE,
            cells: &[CELL],
            subjects: &[OURS],
            limit,
        };
        let results = made_up(MEASURE, CELL, OURS, &[90.0]);
        let goals = [goal(Limit::BestPeer(1.0)), goal(Limit::Floor(1.05, 0.0))];
        let verdicts = judge(&results, &goals);
        assert!(any_missed(&verdicts));
        assert!(table(&verdicts).contains("**missed**"));
        assert!(!any_missed(&verdicts[..1]));
    }
}
