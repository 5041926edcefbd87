//! Memory of both ends while a large file goes.
#![cfg(target_os = "linux")]

use std::fs::File;

use crate::programs::{Dir, Recv, Send, eventually, most_memory};

#[test]
fn a_large_file_takes_little_memory_at_both_ends() {
    let recv = Recv::start(&[]);
    let dir = Dir::default();
    let file = dir.write("large", "");
    let sparse = File::options().write(true).open(&file).unwrap();
    sparse.set_len(SIZE).unwrap();
    let mut sending = Send::start(&recv.url(), &[&file]);
    let mut sender = 0;
    eventually("the end of the sender", || {
        sender = most_memory(sending.child.id()).unwrap_or(0).max(sender);
        sending.child.try_wait().unwrap().is_some()
    });
    let (exit, notes) = sending.end();
    assert_eq!(exit, 0, "{notes}");
    assert_eq!(recv.dir.path("large").metadata().unwrap().len(), SIZE);
    let receiver = recv.most_memory().unwrap();
    for (end, memory) in [("sender", sender), ("receiver", receiver)] {
        assert!((1 << 20..BOUND).contains(&memory), "{end}: {memory}");
    }
}

const SIZE: u64 = 300 << 20;
/// The program itself, without optimisation, is half of it.
const BOUND: usize = 32 << 20;
