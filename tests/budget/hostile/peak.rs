//! The most that is held at a time: no more than the documentation states, and no more when the attack is twice as
//! large.

use allocation_counter::measure;
use framewire::protocol::Role;
use framewire::upgrade::Limits;
use framewire::{Config, Error};
use support::connection::Kind;
use support::each;
use support::peer::{ScriptedPeer, Taking};

use super::attack::{Attack, Case, Manner, On};
use super::compressed::MESSAGES;
use super::frames::FRAMES;
use super::heads::{By, HEADS, To};
use crate::memory_held::with_empty_pools;

/// How many times the size is tried that is doubled elsewhere: more than any buffer takes.
const TIMES: usize = 8;

/// The most bytes that are held at a time under one attack.
fn peak(case: &Case, size: usize) -> usize {
    let mut peak = 0;
    with_empty_pools(|| {
        let prepared = (case.prepare)(size);
        peak = measure(prepared.run).bytes_max as usize;
    });
    peak
}

fn check(attack: &'static Attack) {
    println!("{}", attack.name);
    let size = TIMES * attack.size;
    let most = [(attack.holds)(size), (attack.holds)(2 * size)];
    for on in On::counted(attack) {
        let case = attack.case(on);
        let peaks = [peak(&case, size), peak(&case, 2 * size)];
        let is_bounded = peaks[0] <= most[0] && peaks[1] <= most[1];
        assert!(is_bounded, "{}: {peaks:?} of {most:?} bytes", case.on);
        // Where the bound is the same, what is held is the same. What a buffer has at its end may differ.
        let is_flat = most[0] != most[1] || peaks[1] <= peaks[0] + (1 << 10);
        assert!(is_flat, "{}: {peaks:?} bytes", case.on);
    }
}

#[test]
fn memory_under_frames_is_bounded_however_many_come() {
    FRAMES.iter().for_each(check);
}

#[test]
fn memory_under_compressed_messages_is_bounded_however_many_come() {
    MESSAGES.iter().for_each(check);
}

/// A decoder stores at most twice the limit, and a client the first 64 KiB of a refusal's body, in memory that doubles.
/// What a handshake holds beside is small.
#[test]
fn memory_under_heads_is_bounded_however_long_they_are() {
    let limits = Limits::default();
    for head in &HEADS {
        let body = match head.to {
            To::Server => 0,
            To::Client => 2 * (64 << 10),
        };
        let most = 2 * limits.head_bytes + body + (2 << 10);
        for by in each(By::ALL) {
            let case = head.case(by, limits);
            for size in [20_000, 40_000] {
                let peak = peak(&case, size);
                assert!(peak <= most, "{}, {}: {peak} bytes", head.name, case.on);
            }
        }
    }
}

/// An attack that is refused at its first byte costs nothing, and shows nothing.
#[test]
fn attacks_are_what_they_say() {
    for attack in FRAMES.iter().chain(&MESSAGES) {
        println!("{}", attack.name);
        for compression in attack.compressions {
            let said = (attack.says)(Role::Server, attack.size);
            let peer = ScriptedPeer::saying([said]).taking(match attack.manner {
                Manner::Deaf => Taking::Nothing,
                _ => Taking::All,
            });
            let agreed = compression.negotiated();
            let agreed = agreed.as_ref().map(|agreed| agreed as _);
            let opened = Kind::Blocking.messaging(&peer, Role::Server, Config::default(), agreed);
            let mut server = opened.unwrap();
            let end = loop {
                match server.next_message() {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            let goes_on = end.as_ref().is_some_and(Error::is_would_block);
            assert_eq!(goes_on, !attack.ends, "{end:?}");
            assert!(attack.ends || !peer.has_more(), "not all was read");
        }
    }
}
