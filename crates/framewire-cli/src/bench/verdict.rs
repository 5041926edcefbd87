//! Whether the bench itself was the bottleneck.

use std::time::Duration;

use super::busy::Busy;
use super::figures::{things, time};
use super::load::Run;
use super::plan::{Pace, Plan};

/// Returns why the figures may say more of the bench than of the server, a sentence for each reason.
pub(crate) fn warnings(plan: &Plan, run: &Run) -> Vec<String> {
    let mut warnings = Vec::new();
    let count = |is_it: fn(&Busy) -> bool| run.busy.iter().filter(|busy| is_it(busy)).count();
    let busy = count(Busy::is_bottleneck);
    if busy > 0 {
        warnings.push(format!(
            "the bench itself is the bottleneck: {} had work for more than 90 % of the time, so that the server may be \
             faster than it seems. Give it more threads (--threads) on a machine with cores for them, or less to do",
            threads(busy, run)
        ));
    }
    let waiting = count(Busy::lacks_cores);
    if waiting > 0 {
        let most = run.busy.iter().map(|busy| busy.waiting).fold(0.0, f64::max);
        warnings.push(format!(
            "the bench lacks cores: {} waited for one, for up to {:.0} % of the time. If the server runs on this \
             machine too, the two hold each other up",
            threads(waiting, run),
            most * 100.0
        ));
    }
    let missed = run.record.counts.missed;
    if missed > 0 {
        warnings.push(format!(
            "the bench itself had no time to send {} that were due, and the server was not asked for an answer. \
             {REMEDY}",
            things(missed, "message")
        ));
    } else if let Some(late) = late(plan, run) {
        warnings.push(format!(
            "the bench itself sent messages late: one in a hundred by {} or more, which is part of the corrected \
             latencies. {REMEDY}",
            time(late)
        ));
    }
    warnings
}

/// Returns so many of the threads in words.
fn threads(number: usize, run: &Run) -> String {
    match run.busy.len() {
        1 => "its only thread".to_owned(),
        all if all == number => format!("all of its {all} threads"),
        all => format!("{number} of its {all} threads"),
    }
}

/// Returns by how much the bench was late with one message in a hundred, if that matters.
fn late(plan: &Plan, run: &Run) -> Option<Duration> {
    let Pace::Open(_) = plan.pace else {
        return None;
    };
    let late = run.record.lateness.quantile(0.99)?;
    let latency = run.record.from_sent.quantile(0.99).unwrap_or_default();
    (late >= MATTERS && late > latency / 4).then_some(late)
}

const REMEDY: &str =
    "Use a lower rate, more threads (--threads), or a machine that does nothing else";

/// The least lateness that is told.
const MATTERS: Duration = Duration::from_millis(1);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::plan::{Window, example};
    use crate::bench::record::Record;

    /// A run in which nothing was measured but how busy the threads were.
    pub(crate) fn run(plan: &Plan, busy: &[(f64, f64)]) -> Run {
        Run {
            record: Record::new(plan).unwrap(),
            connected: 1,
            agreed: None,
            window: Window::new(0, plan),
            measured: plan.duration,
            busy: busy
                .iter()
                .map(|(running, waiting)| Busy {
                    running: *running,
                    waiting: *waiting,
                })
                .collect(),
            was_interrupted: false,
        }
    }

    #[test]
    fn a_busy_thread_is_told() {
        let plan = example(2, 2, Pace::Closed(1));
        let warnings = warnings(&plan, &run(&plan, &[(0.95, 0.0), (0.2, 0.0)]));
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("1 of its 2 threads"), "{warnings:?}");
    }

    #[test]
    fn a_thread_without_a_core_is_told() {
        let plan = example(2, 2, Pace::Closed(1));
        let warnings = warnings(&plan, &run(&plan, &[(0.5, 0.45), (0.5, 0.0)]));
        assert!(warnings[0].contains("up to 45 %"), "{warnings:?}");
    }

    #[test]
    fn nothing_is_told_of_an_idle_bench() {
        let plan = example(2, 2, Pace::Open(10.0));
        assert_eq!(warnings(&plan, &run(&plan, &[(0.5, 0.1)])), [""; 0]);
        assert_eq!(warnings(&plan, &run(&plan, &[])), [""; 0]);
    }

    #[test]
    fn messages_that_the_bench_had_no_time_for_are_told() {
        let plan = example(1, 1, Pace::Open(1000.0));
        let mut run = run(&plan, &[]);
        run.record.counts.missed = 3;
        let warnings = warnings(&plan, &run);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].contains("no time to send 3 messages"),
            "{warnings:?}"
        );
    }

    #[test]
    fn lateness_is_told_where_it_is_much_of_the_latency() {
        let plan = example(1, 1, Pace::Open(1000.0));
        for (late, latency, is_told) in [(5, 6, true), (5, 50, false), (0, 1, false)] {
            let mut run = run(&plan, &[]);
            run.record.lateness.record(late * 1_000_000);
            run.record.from_sent.record(latency * 1_000_000);
            assert_eq!(
                !warnings(&plan, &run).is_empty(),
                is_told,
                "{late} of {latency}"
            );
        }
    }
}
