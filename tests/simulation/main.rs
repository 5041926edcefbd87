//! Two ends of a connection over a network and a clock that follow from a seed: every way to cut and delay what is
//! sent, any order in which tasks go on, calls that are dropped, streams that fail.
//!
//! Whatever happens, a message arrives whole, once and in order, or not at all; what a call has taken arrives unless
//! the connection is lost; nobody waits for ever; and both ends agree on how the connection was closed.
//!
//! `cargo xtask simulate` runs any number of seeds. A seed that fails is named with the command that runs it alone
//! and prints what happened.

mod blocking;
mod end;
mod event_loop;
mod inbox;
mod ledger;
mod network;
mod outbox;
mod outcome;
mod plan;
mod random;
mod schedule;
mod tokio;
mod world;

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::end::End;
use crate::network::Network;
use crate::outcome::Outcome;
use crate::plan::{Kind, Plan};
use crate::random::Random;
use crate::world::World;

/// What a seed comes to, the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// How many messages have arrived.
    arrived: usize,
    /// What follows from all that was read, written and received, when, and how both ends came to their end.
    fingerprint: u64,
}

/// Runs a seed to its end.
fn run(seed: u64, is_told: bool) -> Run {
    let mut random = Random::new(seed);
    let plan = Rc::new(Plan::draw(&mut random));
    if is_told {
        println!("{plan:#?}");
    }
    let mut ends = None;
    schedule::run(|| {
        let world = World::new(random, is_told);
        let streams = Network::connect(&world, plan.weather, plan.trouble);
        let both = [0, 1].map(|side| End::new(&world, side, &plan));
        for (end, stream) in both.iter().zip(streams) {
            let name = format!("{:?} of {}", end.plan().kind, end.side);
            let end = end.clone();
            match end.plan().kind {
                Kind::Tokio | Kind::TokioHalves(_) | Kind::TokioSink => {
                    world.spawn(name, tokio::run(end, stream));
                }
                Kind::Blocking | Kind::BlockingHalves => {
                    world.spawn(name, blocking::run(end, stream));
                }
                Kind::EventLoop => world.spawn(name, event_loop::run(end, stream)),
            }
        }
        ends = Some(both);
        world
    });
    let ends = ends.expect("both were begun");
    let outcomes = ends.each_ref().map(|end| {
        let outcome = end.outcome.borrow_mut().take();
        outcome.expect("an end says how it ended")
    });
    let world = &ends[0].world;
    world.fold(outcomes.each_ref().map(Outcome::name));
    outcome::check(world, &plan, outcomes);
    let arrived = world
        .ledgers
        .iter()
        .map(|ledger| ledger.borrow().count_arrived());
    Run {
        arrived: arrived.sum(),
        fingerprint: world.fingerprint(),
    }
}

/// Runs a seed on a thread of its own, so that no pool of buffers remembers the seeds before it.
fn alone(seed: u64, is_told: bool) -> thread::Result<Run> {
    thread::spawn(move || run(seed, is_told)).join()
}

/// Runs these seeds on all cores. The first that fails is run once more, and says what happens.
fn run_all(seeds: Range<u64>) {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicU64::new(u64::MAX);
    let arrived = AtomicU64::new(0);
    let fingerprint = AtomicU64::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while failed.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Ok(run) = alone(seed, false) {
                        arrived.fetch_add(run.arrived as u64, Ordering::Relaxed);
                        fingerprint.fetch_add(run.fingerprint, Ordering::Relaxed);
                    } else {
                        println!("seed {seed} fails");
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    if failed < u64::MAX {
        let _ = alone(failed, true);
        println!(
            "simulation: seed {failed} fails: cargo xtask simulate --first {failed} --seeds 1"
        );
        panic!("seed {failed} fails");
    }
    let count = seeds.end - seeds.start;
    println!(
        "simulation: {count} seeds, {} messages, 0 failed, fingerprint {:016x}",
        arrived.into_inner(),
        fingerprint.into_inner()
    );
}

#[test]
fn connections_keep_their_promises_over_any_network() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"))
    };
    let first = number("SIMULATE_FIRST").unwrap_or(0);
    run_all(first..first + number("SIMULATE_SEEDS").unwrap_or(1_000));
}

#[test]
fn a_seed_comes_to_the_same_whatever_has_run_before_it() {
    let (mut arrived, mut fingerprints) = (0, HashSet::new());
    for seed in 0..100 {
        let [first, second] = [(); 2].map(|()| alone(seed, false).expect("it does not fail"));
        assert_eq!(first, second, "seed {seed}");
        arrived += first.arrived;
        fingerprints.insert(first.fingerprint);
    }
    assert!(arrived > 100 && fingerprints.len() == 100);
}
