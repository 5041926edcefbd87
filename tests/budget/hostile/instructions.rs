//! What `cargo xtask linear` has counted.

use super::attack::{Case, On, Prepared};
use super::compressed::MESSAGES;
use super::frames::FRAMES;
use super::heads::{By, HEADS, unlimited};

/// Runs each attack in three sizes, and names it. `cargo xtask linear` counts the instructions of each run.
///
/// `FRAMEWIRE_SHARE` is which share of how many is run, such as `0/2`.
#[test]
#[ignore = "to be counted by `cargo xtask linear`"]
fn all_attacks() {
    let share = std::env::var("FRAMEWIRE_SHARE").unwrap_or_else(|_| "0/1".to_owned());
    let (share, shares) = share.split_once('/').expect("a share of all");
    let (share, shares) = (share.parse().unwrap(), shares.parse().unwrap());
    for case in cases().skip(share).step_by(shares) {
        // What is done but once is no part of an attack.
        ((case.prepare)(case.size).run)();
        for times in [1, 2, 4] {
            run_counted((case.prepare)(times * case.size));
        }
        println!("counted: {}\t{}\t{}", case.attack, case.on, case.size);
    }
}

/// The function that is counted, by its name.
#[inline(never)]
fn run_counted(prepared: Prepared) {
    (prepared.run)();
}

/// Every attack on a server, and every head.
fn cases() -> impl Iterator<Item = Case> {
    let frames = FRAMES.iter().chain(&MESSAGES);
    let frames = frames.flat_map(|attack| {
        let weighed = On::all(attack).filter(|on| on.is_weighed());
        weighed.map(|on| attack.case(on))
    });
    let heads = HEADS.iter();
    frames.chain(heads.flat_map(|head| By::ALL.map(|by| head.case(by, unlimited()))))
}
