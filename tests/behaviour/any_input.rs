//! Any bytes, cut anywhere: every front end gives what the oracle says, answers it with the Close
//! code that the oracle says, and gives nothing after it.

use framewire::Opcode;
use framewire::frame::Violation;
use framewire::protocol::Role;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use support::arbitrary::{compressed_script, script};
use support::event::{End, Event};
use support::front_end::{Script, assert_given, check};

/// The rule, by hand: a text in two fragments with a Ping between them, and a frame of no kind.
#[test]
fn a_message_and_a_ping_are_given_and_what_is_no_frame_ends_it() {
    let events = [
        Event::Ping(b"?".to_vec()),
        Event::Message(Opcode::Text, b"Hello".to_vec()),
    ];
    let end = End::Violation(Violation::ReservedOpcode(3));
    let bytes = b"\x01\x03Hel\x89\x01?\x80\x02lo\x83\x00";
    assert_given(Role::Client, bytes, &events, end);
}

proptest! {
    #![proptest_config(Config { cases: 240, failure_persistence: None, ..Config::default() })]

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
