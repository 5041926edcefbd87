//! Work that can be counted without a tool: twice the attack is at most twice the calls of the stream and the memory
//! that is asked for. `instructions` counts the rest.

use allocation_counter::measure;
use framewire::Config;

use super::attack::{Case, On};
use super::compressed::MESSAGES;
use super::frames::FRAMES;
use super::heads::{By, HEADS, unlimited};
use crate::memory_held::with_empty_pools;

/// What one attack costs.
#[derive(Debug, Default, Clone, Copy)]
struct Work {
    reads: usize,
    writes: usize,
    allocations: usize,
    allocated: usize,
}

fn work(case: &Case, size: usize) -> Work {
    let mut work = Work::default();
    with_empty_pools(|| {
        let prepared = (case.prepare)(size);
        let counted = measure(prepared.run);
        let calls = prepared.peer.calls();
        work = Work {
            reads: calls.reads,
            writes: calls.writes,
            allocations: counted.count_total as usize,
            allocated: counted.bytes_total as usize,
        };
    });
    work
}

/// Whether twice the attack costs at most twice as much, a tenth more for what comes in whole buffers, and that.
fn is_linear(one: usize, two: usize, beside: usize) -> bool {
    10 * two <= 22 * one + 10 * beside
}

fn check(cases: impl Iterator<Item = Case>) {
    let buffers = Config::default().read_buffer;
    for case in cases {
        let (one, two) = (work(&case, 2 * case.size), work(&case, 4 * case.size));
        let is_linear = is_linear(one.reads, two.reads, 1)
            && is_linear(one.writes, two.writes, 1)
            && is_linear(one.allocations, two.allocations, 1)
            && is_linear(one.allocated, two.allocated, buffers);
        assert!(is_linear, "{}, {}: {one:?}, {two:?}", case.attack, case.on);
    }
}

#[test]
fn twice_as_many_frames_are_twice_the_work() {
    let attacks = FRAMES.iter();
    check(attacks.flat_map(|attack| On::all(attack).map(|on| attack.case(on))));
}

#[test]
fn twice_as_many_compressed_messages_are_twice_the_work() {
    let attacks = MESSAGES.iter();
    check(attacks.flat_map(|attack| On::all(attack).map(|on| attack.case(on))));
}

#[test]
fn heads_twice_as_long_are_twice_the_work() {
    let heads = HEADS.iter();
    check(heads.flat_map(|head| By::ALL.map(|by| head.case(by, unlimited()))));
}

#[test]
fn three_times_the_work_is_not_linear() {
    assert!(is_linear(100, 200, 1) && is_linear(0, 1, 1) && is_linear(3, 7, 1));
    assert!(!is_linear(100, 230, 1) && !is_linear(3, 9, 1));
}
