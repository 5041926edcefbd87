//! Files that arrive.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::programs::{Dir, Recv, Send, noise, program, send};

#[test]
fn files_arrive_bit_by_bit_and_keep_their_names() {
    let recv = Recv::start(&["--hidden"]);
    let dir = Dir::default();
    let contents = [
        ("Ünï côdé.bin", noise(3_000_001)),
        ("empty", Vec::new()),
        (".hidden", b"h".to_vec()),
        ("one chunk", noise(64 << 10)),
        ("two chunks", noise(128 << 10)),
        ("-rf", noise(10)),
    ];
    let files: Vec<_> = contents
        .iter()
        .map(|(name, content)| dir.write(name, content))
        .collect();
    let arguments: Vec<_> = files.iter().map(String::as_str).collect();
    let (exit, notes) = send(&recv.url(), &arguments);
    assert_eq!(exit, 0, "{notes}");
    for (name, content) in &contents {
        assert!(recv.dir.read(name) == *content, "{name}");
        assert!(recv.line().contains(&format!("{name}: ")));
    }
    assert_eq!(recv.dir.names(), dir.names());
    // Standard error is no terminal: a line for each file.
    let lines: Vec<_> = notes.lines().collect();
    assert_eq!(lines.len(), contents.len(), "{notes}");
    assert!(lines[0].starts_with("framewire: Ünï côdé.bin: 2.86 MiB"));
    assert_eq!(lines[1], "framewire: empty: 0 B");
}

#[test]
fn what_is_there_already_is_not_sent_again() {
    let recv = Recv::start(&[]);
    let dir = Dir::default();
    let file = dir.write("a", noise(100_000));
    for expected in ["a: 97.66 KiB", "a: was there already"] {
        let (exit, notes) = send(&recv.url(), &[&file]);
        assert_eq!(exit, 0, "{notes}");
        assert!(notes.contains(expected), "{notes}");
    }
}

#[test]
fn the_standard_input_is_a_file_with_a_name() {
    let recv = Recv::start(&[]);
    let content = noise(200_000);
    let mut sending = Send::start(&recv.url(), &["-", "--name", "piped"]);
    let mut input = sending.child.stdin.take().unwrap();
    input.write_all(&content).unwrap();
    drop(input);
    let (exit, notes) = sending.end();
    assert_eq!(exit, 0, "{notes}");
    assert!(recv.dir.read("piped") == content);
    let (exit, notes) = send(&recv.url(), &["-", "--name", "piped"]);
    assert_eq!(exit, 2, "{notes}");
    assert!(notes.contains("another file of that name"), "{notes}");
}

#[test]
fn a_file_that_is_refused_does_not_hold_up_the_others() {
    let recv = Recv::start(&["--max-file", "10"]);
    let dir = Dir::default();
    let (first, second) = (dir.write("large", "more than ten"), dir.write("small", "s"));
    let (exit, notes) = send(&recv.url(), &[&first, &second]);
    assert_eq!(exit, 2);
    let expected = "file of 13 bytes exceeds the receiver's limit of 10";
    assert!(notes.contains(expected), "{notes}");
    assert!(notes.contains("1 of 2 files"), "{notes}");
    assert_eq!(recv.dir.names(), ["small"]);
}

#[test]
fn compressed_files_arrive_too() {
    let recv = Recv::start(&["--deflate"]);
    let dir = Dir::default();
    let content = b"again and ".repeat(300_000);
    let file = dir.write("a", &content);
    let (exit, notes) = send(&recv.url(), &["--deflate=6", &file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(recv.dir.read("a") == content);
}

#[test]
fn files_arrive_over_tls() {
    let dir = Dir::default();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = dir.write("cert.pem", key.cert.pem());
    let secret = dir.write("key.pem", key.signing_key.serialize_pem());
    let recv = Recv::start(&["--tls-cert", &cert, "--tls-key", &secret, "--once"]);
    let file = dir.write("a", noise(1_000_000));
    let url = format!("wss://localhost:{}/", recv.address.port());
    let (exit, notes) = send(&url, &[&file]);
    assert_eq!(exit, 1, "{notes}");
    let (exit, notes) = send(&url, &["--tls-ca", &cert, &file]);
    assert_eq!(exit, 0, "{notes}");
    assert!(recv.dir.read("a") == dir.read("a"));
    let mut recv = recv;
    assert_eq!(recv.end(), 0);
}

#[test]
fn a_pipe_with_a_path_is_sent_without_a_size() {
    let recv = Recv::start(&[]);
    let dir = Dir::default();
    let pipe = dir.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let sending = program()
        .args(["send", &recv.url()])
        .arg(&pipe)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::fs::write(&pipe, "through").unwrap();
    let sending = Send { child: sending };
    assert!(recv.line().contains("pipe: 7 B"));
    drop(sending);
    assert_eq!(recv.dir.read("pipe"), b"through");
}
