//! Any bytes, cut anywhere: every front end gives what the oracle says, answers it with the Close
//! code that the oracle says, and gives nothing after it.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use support::arbitrary::script;
use support::event::End;
use support::front_end::{Script, check};
use support::oracle;

proptest! {
    #![proptest_config(Config { cases: 1500, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_front_end_gives_what_the_oracle_says(script in script()) {
        check(&script);
    }
}

/// A property that only ever saw legal input, or only rubbish, would prove little.
#[test]
fn the_inputs_are_legal_illegal_and_unfinished() {
    let mut runner = TestRunner::deterministic();
    let mut ends = [0; 4];
    let scripts = std::iter::repeat_with(|| script().new_tree(&mut runner).unwrap().current());
    for script in scripts.take(500) {
        let verdict = judge(&script);
        let kind = match verdict.end {
            End::Open if verdict.partial.is_empty() => 0,
            End::Open => 1,
            End::Closed => 2,
            End::Violation(_) => 3,
        };
        ends[kind] += 1;
    }
    assert!(ends.iter().all(|&count| count > 15), "{ends:?}");
}

fn judge(script: &Script) -> oracle::Verdict {
    oracle::judge(script.terms, &script.bytes())
}
