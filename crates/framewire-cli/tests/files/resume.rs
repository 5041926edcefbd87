//! Transfers that break, and go on.

use std::fs;

use crate::link::Link;
use crate::peer::Peer;
use crate::programs::{Dir, Recv, Send, eventually, noise, send};

/// A file of 2 MiB that is cut in the middle, and how much of it has arrived.
fn broken(recv: &Recv, dir: &Dir) -> (String, u64) {
    let file = dir.write("a", noise(SIZE));
    let link = Link::to(recv.address, &[(SIZE / 2) as u64]);
    let (exit, notes) = send(&link.url(), &["--retries", "0", &file]);
    assert_eq!(exit, 2, "{notes}");
    assert!(notes.contains("given up after 0 retries"), "{notes}");
    // Its end is seen before the next sender comes.
    recv.line();
    assert_eq!(recv.dir.names(), ["a.framewire-part"]);
    let there = recv.dir.path("a.framewire-part").metadata().unwrap().len();
    (file, there)
}

#[test]
fn a_part_that_was_changed_is_not_gone_on_with() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let (file, _) = broken(&recv, &dir);
    let part = recv.dir.path("a.framewire-part");
    let mut content = fs::read(&part).unwrap();
    content[7] ^= 1;
    fs::write(&part, content).unwrap();
    let link = Link::to(recv.address, &[u64::MAX]);
    let (exit, notes) = send(&link.url(), &[&file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(link.passed(0) > SIZE as u64);
    assert!(recv.dir.read("a") == dir.read("a"));
}

#[test]
fn a_file_that_was_changed_is_sent_anew() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let (file, _) = broken(&recv, &dir);
    let mut content = noise(SIZE);
    content[7] ^= 1;
    dir.write("a", &content);
    let (exit, notes) = send(&recv.url(), &[&file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(recv.dir.read("a") == content);
}

#[test]
fn a_shorter_file_of_the_same_name_is_sent_anew() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let (file, _) = broken(&recv, &dir);
    dir.write("a", "short");
    let (exit, notes) = send(&recv.url(), &[&file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(recv.dir.read("a") == b"short");
    assert_eq!(recv.dir.names(), ["a"]);
}

#[test]
fn the_same_command_sends_only_the_rest() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let (file, there) = broken(&recv, &dir);
    assert!(there > SIZE as u64 / 4, "{there}");
    let link = Link::to(recv.address, &[u64::MAX]);
    let (exit, notes) = send(&link.url(), &[&file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(notes.contains("that were there"), "{notes}");
    let rest = SIZE as u64 - there;
    let passed = link.passed(0);
    assert!(
        (rest..rest + OVERHEAD).contains(&passed),
        "{passed}, {rest}"
    );
    assert!(recv.dir.read("a") == dir.read("a"));
    assert_eq!(recv.dir.names(), ["a"]);
}

#[test]
fn a_break_is_mended_by_itself() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let files = [dir.write("a", noise(SIZE)), dir.write("b", "abc")];
    let link = Link::to(recv.address, &[(SIZE / 2) as u64, u64::MAX]);
    let (exit, notes) = send(&link.url(), &[&files[0], &files[1]]);
    assert_eq!(exit, 0, "{notes}");
    assert!(notes.contains("connecting again in "), "{notes}");
    assert!(recv.dir.read("a") == dir.read("a"));
    assert_eq!(recv.dir.names(), ["a", "b"]);
    assert!(link.passed(1) < SIZE as u64, "{}", link.passed(1));
}

#[test]
fn breaks_count_only_as_long_as_nothing_arrives() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let file = dir.write("a", noise(SIZE));
    let bound = (SIZE / 4) as u64;
    let link = Link::to(recv.address, &[bound, bound, bound, u64::MAX]);
    let (exit, notes) = send(&link.url(), &["--retries", "1", &file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(recv.dir.read("a") == dir.read("a"));
}

#[test]
fn breaks_after_which_no_more_has_arrived_use_up_the_retries() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let file = dir.write("a", noise(SIZE));
    // The first connection may bring a few bytes. The others say what these are, and end before the file goes on.
    let link = Link::to(recv.address, &[360; 5]);
    let (exit, notes) = send(&link.url(), &["--retries", "2", &file]);
    assert_eq!(exit, 2, "{notes}");
    assert!(notes.contains("given up after 2 retries"), "{notes}");
    assert_eq!((link.passed(2), link.passed(4)), (360, 0), "{notes}");
}

#[test]
fn what_was_read_of_a_pipe_cannot_be_sent_again() {
    let recv = Recv::start(&[]);
    let link = Link::to(recv.address, &[100_000]);
    let mut sending = Send::start(&link.url(), &["-", "--name", "a"]);
    let mut input = sending.child.stdin.take().unwrap();
    // It fails once the program has ended.
    let _ = std::io::Write::write_all(&mut input, &noise(SIZE));
    // Where the system has taken all before the break, the program would wait for more.
    drop(input);
    let (exit, notes) = sending.end();
    assert_eq!(exit, 2);
    assert!(notes.contains("cannot be sent again"), "{notes}");
}

#[test]
fn an_interrupted_sender_leaves_what_has_arrived() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let mut sending = Send::start(&recv.url(), &["-", "--name", "a"]);
    let mut input = sending.child.stdin.take().unwrap();
    let content = noise(SIZE);
    std::io::Write::write_all(&mut input, &content[..SIZE / 2]).unwrap();
    let part = recv.dir.path("a.framewire-part");
    let len = || part.metadata().map_or(0, |part| part.len());
    eventually("the part", || len() > SIZE as u64 / 4);
    sending.signal("INT");
    let (exit, notes) = sending.end();
    assert_eq!(exit, 130);
    assert!(notes.contains("interrupted"), "{notes}");
    recv.line();
    let there = len();
    let file = dir.write("a", &content);
    let link = Link::to(recv.address, &[u64::MAX]);
    let (exit, notes) = send(&link.url(), &[&file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(link.passed(0) < SIZE as u64 - there + OVERHEAD);
    assert!(recv.dir.read("a") == content);
}

#[test]
fn a_sender_waits_for_its_own_older_connection_to_end() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let mut older = Peer::connect(&recv);
    older.announce("a", 3);
    let file = dir.write("a", "abc");
    let sending = Send::start(&recv.url(), &[&file]);
    let line = recv.line();
    assert!(line.contains("just being received"), "{line}");
    drop(older);
    let (exit, notes) = sending.end();
    assert_eq!(exit, 0, "{notes}");
    assert!(notes.contains("trying again in "), "{notes}");
}

const SIZE: usize = 2 << 20;
/// The handshake, the words, headers of 32 fragments, and Pings.
const OVERHEAD: u64 = 4 << 10;
