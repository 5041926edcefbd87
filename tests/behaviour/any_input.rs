//! Any bytes, cut anywhere: every front end gives what the oracle says, answers it with the Close
//! code that the oracle says, and gives nothing after it.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use support::arbitrary::{compressed_script, script};
use support::event::End;
use support::front_end::{Script, check};

proptest! {
    #![proptest_config(Config { cases: 800, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_front_end_gives_what_the_oracle_says(script in script()) {
        check(&script);
    }

    #[test]
    fn compression_changes_nothing_of_it(script in compressed_script()) {
        check(&script);
    }
}

/// A property that only ever saw legal input, or only rubbish, would prove little.
#[test]
fn the_inputs_are_legal_illegal_and_unfinished() {
    assert_ends_in_all_ways(&script());
    assert_ends_in_all_ways(&compressed_script());
}

fn assert_ends_in_all_ways(scripts: &impl Strategy<Value = Script>) {
    let mut runner = TestRunner::deterministic();
    let mut ends = [0; 4];
    let scripts = std::iter::repeat_with(|| scripts.new_tree(&mut runner).unwrap().current());
    for script in scripts.take(500) {
        let verdict = script.judge(script.terms);
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
