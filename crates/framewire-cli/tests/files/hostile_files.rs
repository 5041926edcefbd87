//! Senders that want files where none should be, or too much of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

use framewire::{CloseCode, Opcode};

use serde_json::json;

use crate::peer::{ABC, NOTHING, Peer, announcement};
use crate::programs::{Dir, Recv, eventually};

#[test]
fn a_name_that_is_no_file_name_is_refused_and_the_next_file_taken() {
    let recv = Recv::start(&[]);
    let mut peer = Peer::connect(&recv);
    let long = "a".repeat(241);
    let path = recv.dir.path("absolute");
    for name in [
        "",
        ".",
        "..",
        "../escaped",
        "a/b",
        "a\\b",
        path.to_str().unwrap(),
        "a\0b",
        "a\nb",
        "\x1b[2J",
        "exe.\u{202e}txt",
        "nul.txt",
        "a.",
        ".profile",
        "a.framewire-part",
        &long,
    ] {
        peer.say(&announcement(name, 3));
        assert_eq!(peer.refusal(), "name", "{name:?}");
        let line = recv.line();
        assert!(!line.contains(['\x1b', '\0', '\u{202e}']), "{line:?}");
    }
    peer.sends_abc("good");
    assert_eq!(recv.dir.names(), ["good"]);
    assert!(!recv.dir.path("../escaped").exists());
}

#[test]
fn a_file_that_is_there_is_not_replaced() {
    let recv = Recv::start(&[]);
    recv.dir.write("longer", "other");
    recv.dir.write("as long", "xyz");
    fs::create_dir(recv.dir.path("dir")).unwrap();
    symlink("nowhere", recv.dir.path("link")).unwrap();
    let mut peer = Peer::connect(&recv);
    for name in ["longer", "dir", "link"] {
        peer.say(&announcement(name, 3));
        assert_eq!(peer.refusal(), "exists", "{name}");
    }
    // It may be the same file.
    peer.say(&announcement("as long", 3));
    assert_eq!(peer.hear(), json!({"have": 3}));
    peer.say(&format!(r#"{{"prefix":"{ABC}"}}"#));
    assert_eq!(peer.refusal(), "exists");
    peer.say(&announcement("as long", 3));
    peer.hear();
    peer.say(r#"{"prefix":null}"#);
    assert_eq!(peer.refusal(), "exists");
    // A sender that says that it is, and sends another.
    peer.say(&announcement("as long", 3));
    peer.hear();
    peer.say(&format!(r#"{{"prefix":"{XYZ}"}}"#));
    assert_eq!(peer.hear()["from"], 3);
    peer.file(b"");
    peer.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
    assert_eq!(peer.refusal(), "checksum");
    assert_eq!(recv.dir.read("as long"), b"xyz");
    assert_eq!(recv.dir.read("longer"), b"other");
    assert_eq!(recv.dir.names(), ["as long", "dir", "link", "longer"]);
}

#[test]
fn a_file_that_comes_up_meanwhile_is_not_replaced() {
    let recv = Recv::start(&[]);
    let mut peer = Peer::connect(&recv);
    peer.announce("a", 3);
    recv.dir.write("a", "mine");
    peer.file(b"abc");
    peer.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
    assert_eq!(peer.refusal(), "exists");
    assert_eq!(recv.dir.read("a"), b"mine");
}

#[test]
fn a_file_is_replaced_only_once_the_other_is_complete() {
    let recv = Recv::start(&["--overwrite"]);
    recv.dir.write("a", "other");
    fs::create_dir(recv.dir.path("dir")).unwrap();
    let outside = Dir::default();
    outside.write("victim", "mine");
    symlink(outside.path("victim"), recv.dir.path("link")).unwrap();
    let mut peer = Peer::connect(&recv);
    peer.announce("a", 3);
    peer.file(b"ab");
    peer.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
    assert_eq!(peer.refusal(), "size");
    assert_eq!(recv.dir.read("a"), b"other");
    peer.say(&announcement("dir", 3));
    assert_eq!(peer.refusal(), "exists");
    peer.sends_abc("link");
    assert_eq!(outside.read("victim"), b"mine");
    assert_eq!(recv.dir.read("link"), b"abc");
}

#[test]
fn a_part_that_leads_to_another_file_is_not_written() {
    let recv = Recv::start(&[]);
    let outside = Dir::default();
    outside.write("victim", "");
    symlink(outside.path("victim"), recv.dir.path("link.framewire-part")).unwrap();
    fs::hard_link(outside.path("victim"), recv.dir.path("hard.framewire-part")).unwrap();
    fs::create_dir(recv.dir.path("dir.framewire-part")).unwrap();
    let pipe = recv.dir.path("pipe.framewire-part");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let mut peer = Peer::connect(&recv);
    for name in ["link", "hard", "dir", "pipe"] {
        peer.say(&announcement(name, 3));
        assert_eq!(peer.refusal(), "storage", "{name}");
    }
    // A symbolic link to nothing, which comes up later.
    peer.announce("late", 3);
    let late = outside.path("late");
    symlink(&late, recv.dir.path("late.framewire-part")).unwrap();
    peer.file(b"abc");
    assert_eq!(peer.refusal(), "storage");
    assert!(!late.exists());
    assert_eq!(outside.read("victim"), b"");
}

#[test]
fn more_bytes_than_announced_are_not_stored() {
    let recv = Recv::start(&[]);
    let mut peer = Peer::connect(&recv);
    peer.announce("a", 3);
    peer.websocket
        .write_frame(false, framewire::Rsv::NONE, Opcode::Binary, b"abc")
        .unwrap();
    peer.websocket
        .write_frame(true, framewire::Rsv::NONE, Opcode::Continuation, b"d")
        .unwrap();
    assert_eq!(peer.refusal(), "size");
    assert_eq!(peer.end(), CloseCode::MESSAGE_TOO_BIG);
    let part = recv.dir.read("a.framewire-part");
    assert!(b"abc".starts_with(&part), "{part:?}");
    assert_eq!(recv.dir.names(), ["a.framewire-part"]);
}

#[test]
fn fewer_bytes_than_announced_stay_a_part() {
    let recv = Recv::start(&[]);
    let mut peer = Peer::connect(&recv);
    peer.announce("a", 4);
    peer.file(b"abc");
    peer.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
    assert_eq!(peer.refusal(), "size");
    assert_eq!(recv.dir.names(), ["a.framewire-part"]);
    peer.say(&announcement("a", 4));
    assert_eq!(peer.hear()["have"], 3);
}

#[test]
fn an_announcement_alone_costs_nothing_of_a_part() {
    let recv = Recv::start(&[]);
    recv.dir.write("a.framewire-part", "ab");
    for prefix in [json!({"prefix": NOTHING}), json!({"prefix": null})] {
        let mut peer = Peer::connect(&recv);
        peer.say(&announcement("a", 3));
        assert_eq!(peer.hear(), json!({"have": 2}));
        peer.say(&prefix.to_string());
        assert_eq!(peer.hear(), json!({"from": 0}));
        drop(peer);
        recv.line();
        assert_eq!(recv.dir.read("a.framewire-part"), b"ab");
    }
    // A file that is shorter than the part, and a message without a byte.
    let mut peer = Peer::connect(&recv);
    peer.announce("a", 1);
    peer.file(b"");
    peer.say(&format!(r#"{{"sha256":"{NOTHING}"}}"#));
    assert_eq!(peer.refusal(), "size");
    peer.announce("a", 0);
    peer.file(b"");
    peer.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
    assert_eq!(peer.refusal(), "checksum");
    assert_eq!(recv.dir.read("a.framewire-part"), b"ab");
    // The first byte of another file takes its place.
    peer.say(&announcement("a", 3));
    assert_eq!(peer.hear(), json!({"have": 2}));
    peer.say(r#"{"prefix":null}"#);
    assert_eq!(peer.hear(), json!({"from": 0}));
    peer.file(b"x");
    peer.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
    assert_eq!(peer.refusal(), "size");
    assert_eq!(recv.dir.read("a.framewire-part"), b"x");
    // An empty file takes nothing of it.
    peer.announce("a", 0);
    peer.file(b"");
    peer.say(&format!(r#"{{"sha256":"{NOTHING}"}}"#));
    assert_eq!(peer.hear()["done"], 0);
    assert_eq!(recv.dir.read("a"), b"");
    assert_eq!(recv.dir.names(), ["a"]);
}

#[test]
fn a_file_with_another_checksum_is_not_kept() {
    let recv = Recv::start(&[]);
    let mut peer = Peer::connect(&recv);
    for digits in [NOTHING, "", "zz"] {
        peer.announce("a", 3);
        peer.file(b"abc");
        peer.say(&format!(r#"{{"sha256":"{digits}"}}"#));
        assert_eq!(peer.refusal(), "checksum");
        assert_eq!(recv.dir.names(), [""; 0]);
    }
    peer.sends_abc("a");
}

#[test]
fn a_size_that_is_only_announced_takes_no_memory_and_no_disk() {
    let recv = Recv::start(&[]);
    let mut peer = Peer::connect(&recv);
    peer.say(&announcement("a", u64::MAX));
    assert_eq!(peer.refusal(), "too-large");
    peer.say(&announcement("a", (16 << 30) + 1));
    assert_eq!(peer.refusal(), "too-large");
    peer.announce("a", 16 << 30);
    // The header of a frame of 16 GiB, masked, and nothing after it.
    let header = [0x82, 0xFF, 0, 0, 0, 4, 0, 0, 0, 0, 1, 2, 3, 4];
    let mut stream = peer.websocket.stream().try_clone().unwrap();
    std::io::Write::write_all(&mut stream, &header).unwrap();
    drop((peer, stream));
    let lines: Vec<_> = (0..3).map(|_| recv.line()).collect();
    assert!(lines[2].contains("a: "), "{lines:?}");
    assert_eq!(recv.dir.names(), [""; 0]);
    let memory = recv.most_memory().unwrap();
    assert!(memory < 64 << 20, "{memory}");
}

#[test]
fn a_file_of_unknown_size_has_a_limit_too() {
    let recv = Recv::start(&["--max-file", "3"]);
    let mut peer = Peer::connect(&recv);
    peer.say(&announcement("b", 4));
    assert_eq!(peer.refusal(), "too-large");
    peer.sends_abc("a");
    peer.say(r#"{"file":{"name":"b"}}"#);
    assert_eq!(peer.hear()["from"], 0);
    peer.file(b"abcd");
    assert_eq!(peer.refusal(), "too-large");
    assert_eq!(peer.end(), CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(recv.dir.names(), ["a"]);
}

#[test]
fn few_bytes_that_decompress_to_many_are_not_stored() {
    let recv = Recv::start(&["--deflate"]);
    let mut peer = Peer::connect_compressing(&recv);
    peer.announce("a", 3);
    // The receiver ends the connection in the middle of them.
    let _ = peer
        .websocket
        .write((Opcode::Binary, &vec![0; 64 << 20][..]));
    assert_eq!(peer.refusal(), "size");
    assert_eq!(peer.end(), CloseCode::MESSAGE_TOO_BIG);
    assert_eq!(recv.dir.names(), [""; 0]);
    let memory = recv.most_memory().unwrap();
    assert!(memory < 64 << 20, "{memory}");
}

#[test]
fn a_full_disk_is_told_and_what_has_arrived_stays() {
    let recv = Recv::start_with_room(8, &[]);
    let mut peer = Peer::connect(&recv);
    peer.announce("a", 5000);
    peer.file(&[1; 5000]);
    let heard = peer.hear();
    assert_eq!(heard["failed"]["why"], "storage");
    let text = heard["failed"]["text"].as_str().unwrap();
    assert!(text.contains("cannot write the file"), "{text}");
    assert_eq!(peer.end(), CloseCode::INTERNAL_ERROR);
    assert_eq!(recv.dir.read("a.framewire-part"), [1; 4096]);
}

#[test]
fn two_senders_of_one_name_do_not_mix() {
    let recv = Recv::start(&[]);
    let mut first = Peer::connect(&recv);
    first.announce("a", 3);
    let mut second = Peer::connect(&recv);
    // Some file systems make no difference between these.
    for name in ["a", "A"] {
        second.say(&announcement(name, 3));
        assert_eq!(second.refusal(), "busy");
    }
    second.sends_abc("b");
    first.file(b"abc");
    first.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
    assert_eq!(first.hear()["done"], 3);
    second.say(&announcement("a", 3));
    assert_eq!(second.hear()["have"], 3);
}

#[test]
fn two_receivers_into_one_directory_do_not_mix() {
    let recv = Recv::start(&[]);
    let mut first = Peer::connect(&recv);
    first.announce("a", 3);
    first
        .websocket
        .write_frame(false, framewire::Rsv::NONE, Opcode::Binary, b"ab")
        .unwrap();
    let part = recv.dir.path("a.framewire-part");
    eventually("the part", || part.exists());
    let other = Recv::start_in(Arc::clone(&recv.dir), &[]);
    let mut second = Peer::connect(&other);
    second.say(&announcement("a", 3));
    assert_eq!(second.refusal(), "busy");
}

/// SHA-256 of `xyz`.
const XYZ: &str = "3608bca1e44ea6c4d268eb6db02260269892c0b42b86bbf1e77a6fa16c3c9282";
