//! The command line, and how both programs end.

use std::fs;

use crate::peer::Peer;
use crate::programs::{Dir, Recv, program, send};

#[test]
fn what_cannot_be_sent_is_found_before_anything_is() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    let other = Dir::default();
    let same = other.write("a", "other");
    let folder = dir.path("");
    let folder = folder.to_str().unwrap();
    let missing = format!("{folder}/missing");
    let long = dir.write("b", "");
    for (arguments, expected) in [
        (&[folder][..], "is a directory"),
        (&[&missing, folder], "missing: No such file"),
        (&["-"], "needs a --name"),
        (&[&file, &same], "two files have the name a"),
        (&[&file, &long, "--name", "x"], "--name is for one file"),
        (
            &[&file, "--name", "../a"],
            "--name ../a: the name is a path",
        ),
    ] {
        // Nobody listens there, which would end with 1.
        let (exit, notes) = send("ws://127.0.0.1:1/", arguments);
        assert_eq!(exit, 2, "{arguments:?}: {notes}");
        assert!(notes.contains(expected), "{arguments:?}: {notes}");
        let last = notes.lines().last().unwrap_or_default();
        assert!(last.ends_with("nothing was sent"), "{arguments:?}: {notes}");
    }
    let (exit, notes) = send("ws://127.0.0.1:1/", &[]);
    assert_eq!(exit, 2);
    assert!(notes.contains("FILE"), "{notes}");
}

#[test]
fn what_cannot_be_sent_does_not_hold_up_the_others() {
    let (recv, dir) = (Recv::start(&[]), Dir::default());
    let (first, last) = (dir.write("a", "abc"), dir.write("b", "b"));
    let folder = dir.path("");
    let folder = folder.to_str().unwrap();
    let missing = format!("{folder}missing");
    let (exit, notes) = send(&recv.url(), &[&first, &missing, folder, &last]);
    assert_eq!(exit, 2, "{notes}");
    for expected in [
        "missing: No such file",
        "is a directory",
        "2 of 4 files did not arrive",
    ] {
        assert!(notes.contains(expected), "{notes}");
    }
    assert_eq!(recv.dir.names(), ["a", "b"]);
}

#[test]
fn a_file_in_place_of_the_url_is_told() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    for (url, why) in [(&file[..], "this is a file"), ("missing", "ws://missing")] {
        for arguments in [&[][..], &["ws://127.0.0.1:1/"]] {
            let (exit, notes) = send(url, arguments);
            assert_eq!(exit, 2, "{notes}");
            for expected in [why, "the URL of the receiver comes first"] {
                assert!(notes.contains(expected), "{notes}");
            }
        }
    }
    // It is the same in capitals: there is nobody.
    let (exit, notes) = send("WS://127.0.0.1:1/", &[&file]);
    assert_eq!(exit, 1, "{notes}");
}

#[test]
fn nobody_there_ends_with_1_at_once() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    let (exit, notes) = send("ws://127.0.0.1:1/", &[&file]);
    assert_eq!(exit, 1);
    assert!(notes.contains("refused"), "{notes}");
}

#[test]
fn a_directory_that_is_none_ends_with_2() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    for into in [&format!("{file}x"), &file] {
        let output = program().args(["recv", "--into", into]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(output.stdout, b"");
        let notes = String::from_utf8(output.stderr).unwrap();
        let expected = format!("cannot receive into {into}: ");
        assert!(notes.contains(&expected), "{notes}");
    }
}

#[test]
fn origins_that_do_not_fit_together_end_with_2() {
    let mut program = program();
    let output = program.args(["recv", "--origin", "any,same"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("--origin takes any, same"), "{notes}");
}

#[test]
fn a_sender_without_the_headers_that_are_required_is_refused() {
    let required = ["Authorization: Bearer hush", "X-Key: secret"];
    let options = [
        "--require-header",
        required[0],
        "--require-header",
        required[1],
    ];
    let (recv, dir) = (Recv::start(&options), Dir::default());
    let file = dir.write("a", "abc");
    for headers in [
        &[][..],
        &["--header", required[0]],
        &["--header", required[0], "--header", "X-Key: Secret"],
    ] {
        let (exit, notes) = send(&recv.url(), &[headers, &[&file]].concat());
        assert_eq!(exit, 1, "{notes}");
        assert!(notes.contains("401"), "{notes}");
        assert!(notes.contains("a header is required"), "{notes}");
        let line = recv.line();
        assert!(line.ends_with("handshake: 401 Unauthorized"), "{line}");
    }
    assert!(recv.dir.names().is_empty());
    let headers = ["--header", required[0], "--header", required[1]];
    let (exit, notes) = send(&recv.url(), &[&headers[..], &[&file]].concat());
    assert_eq!(exit, 0, "{notes}");
    assert_eq!(recv.dir.names(), ["a"]);
}

#[test]
fn quiet_ends_say_nothing_but_errors() {
    let recv = Recv::start(&["--quiet", "--files", "1"]);
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    let (exit, notes) = send(&recv.url(), &["--quiet", &file]);
    assert_eq!((exit, &notes[..]), (0, ""));
    let mut recv = recv;
    assert_eq!(recv.end(), 0);
    assert_eq!(recv.rest(), [""; 0]);
    let (exit, notes) = send(&recv.url(), &["--quiet", &file]);
    assert_eq!(exit, 1);
    assert_ne!(notes, "");
}

#[test]
fn a_receiver_ends_after_as_many_files_as_it_was_told() {
    let mut recv = Recv::start(&["--files", "2"]);
    let mut idle = Peer::connect(&recv);
    let mut peer = Peer::connect(&recv);
    peer.sends_abc("a");
    peer.sends_abc("b");
    assert_eq!(peer.end(), framewire::CloseCode::GOING_AWAY);
    assert_eq!(idle.end(), framewire::CloseCode::GOING_AWAY);
    assert_eq!(recv.end(), 0);
    assert_eq!(recv.dir.names(), ["a", "b"]);
}

#[test]
fn a_receiver_for_one_sender_waits_for_one_that_sends_all() {
    let mut recv = Recv::start(&["--once"]);
    // One that sends nothing, and one that breaks off.
    Peer::connect(&recv).close();
    let mut broken = Peer::connect(&recv);
    broken.sends_abc("a");
    drop(broken);
    assert!(recv.line().contains("a: 3 B"));
    assert!(recv.line().contains("without a close frame"));
    let mut peer = Peer::connect(&recv);
    peer.sends_abc("b");
    peer.close();
    assert_eq!(recv.end(), 0);
}

#[test]
fn a_receiver_for_one_sender_ends_with_2_after_a_file_that_it_refuses() {
    let mut recv = Recv::start(&["--once", "--max-file", "3"]);
    let dir = Dir::default();
    let file = dir.write("large", "more than three");
    let (exit, notes) = send(&recv.url(), &[&file]);
    assert_eq!(exit, 2, "{notes}");
    assert_eq!(recv.end(), 2);
    let rest = recv.rest().join(" ");
    assert!(rest.contains("1 of 1 files did not arrive"), "{rest}");
}

#[test]
fn a_receiver_for_one_sender_ends_with_2_where_the_disk_is_full_and_the_sender_names_the_rest() {
    let mut recv = Recv::start_with_room(8, &["--once"]);
    let dir = Dir::default();
    let files = [dir.write("large", [1; 5000]), dir.write("small", "abc")];
    let (exit, notes) = send(&recv.url(), &[&files[0], &files[1]]);
    assert_eq!(exit, 2);
    let ends = notes.contains("cannot write the file") && notes.contains("2 of 2 files did not");
    assert!(ends, "{notes}");
    assert_eq!(recv.end(), 2);
}

#[test]
fn a_receiver_for_one_sender_ends_with_2_where_it_can_create_no_file() {
    let (mut recv, dir) = (Recv::start(&["--once"]), Dir::default());
    fs::remove_dir_all(recv.dir.path("")).unwrap();
    let (exit, notes) = send(&recv.url(), &[&dir.write("a", "abc")]);
    assert_eq!(exit, 2, "{notes}");
    assert_eq!(recv.end(), 2);
}

#[test]
fn a_signal_ends_the_receiver_with_0() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut recv = Recv::start(&[]);
        let mut peer = Peer::connect(&recv);
        peer.announce("a", 3);
        recv.signal(signal);
        assert_eq!(peer.end(), framewire::CloseCode::GOING_AWAY);
        assert_eq!(recv.end(), 0);
    }
}
