//! Receivers that do not keep to the protocol, or are none.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use framewire::handshake::Acceptor;
use framewire::{CloseCode, Config};

use crate::peer::{ABC, receiver};
use crate::programs::{DEADLINE, Dir, Send, send};

#[test]
fn words_that_are_none_of_the_protocol_end_with_2() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    for (word, code) in [
        ("hello", CloseCode::INVALID_PAYLOAD),
        (r#"{"have":-1}"#, CloseCode::INVALID_PAYLOAD),
    ] {
        let (url, received) = receiver(move |mut peer| {
            peer.hear();
            peer.say(word);
            peer.end()
        });
        let (exit, notes) = send(&url, &[&file]);
        assert_eq!(exit, 2, "{notes}");
        assert!(notes.contains("not a message of"), "{notes}");
        assert_eq!(received.join().unwrap(), code);
    }
}

#[test]
fn a_receiver_that_claims_to_have_more_than_there_is_is_told_nothing() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    let (url, received) = receiver(|mut peer| {
        assert_eq!(peer.hear()["file"]["size"], 3);
        peer.say(r#"{"have":18446744073709551615}"#);
        assert_eq!(peer.hear(), serde_json::json!({"prefix": null}));
        peer.say(r#"{"from":0}"#);
        let message = peer.websocket.next_message().unwrap().unwrap();
        assert_eq!(message.payload(), b"abc");
        assert_eq!(peer.hear()["sha256"], ABC);
        peer.say(r#"{"done":3}"#);
        peer.end()
    });
    let (exit, notes) = send(&url, &[&file]);
    assert_eq!(exit, 0, "{notes}");
    assert_eq!(received.join().unwrap(), CloseCode::NORMAL);
}

#[test]
fn answers_out_of_order_end_with_2() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    for answers in [
        &[r#"{"done":3}"#][..],
        // From where there is nothing yet, or in the middle of it.
        &[r#"{"from":3}"#],
        &[r#"{"have":2}"#, r#"{"from":1}"#],
        &[r#"{"have":2}"#, r#"{"have":2}"#],
        &[r#"{"from":0}"#, r#"{"from":0}"#],
    ] {
        let (url, received) = receiver(move |mut peer| {
            for answer in answers {
                // What it says, or the file.
                peer.websocket.next_message().unwrap();
                peer.say(answer);
            }
            // The sender leaves without a word.
            while let Ok(Some(_)) = peer.websocket.next_message() {}
        });
        let (exit, notes) = send(&url, &[&file]);
        assert_eq!(exit, 2, "{answers:?}: {notes}");
        let expected = "does not keep to the protocol";
        assert!(notes.contains(expected), "{answers:?}: {notes}");
        received.join().unwrap();
    }
}

#[test]
fn a_refusal_in_the_middle_of_a_file_is_seen_and_shown_as_text() {
    let dir = Dir::default();
    let file = dir.write("a", "");
    let sparse = std::fs::File::options().write(true).open(&file).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let (url, received) = receiver(|mut peer| {
        peer.hear();
        peer.say(r#"{"from":0}"#);
        let mut message = peer.websocket.message_reader().unwrap().unwrap();
        message.read_exact(&mut vec![0; 1 << 20]).unwrap();
        peer.say(r#"{"failed":{"why":"storage","text":"disk \u001b[2J\nfull"}}"#);
        // It goes on taking the file, and does not close the connection.
        while let Ok(Some(_)) = peer.websocket.next_message() {}
    });
    let (exit, notes) = send(&url, &[&file]);
    assert_eq!(exit, 2);
    assert_eq!(notes, "framewire: a: disk  [2J full\n");
    received.join().unwrap();
}

#[test]
fn a_receiver_that_is_silent_is_not_waited_for() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    let (url, received) = receiver(|mut peer| {
        peer.hear();
        let _ = peer.websocket.next_message();
    });
    let options = ["--idle-timeout", "0.2", "--retries", "0", &file];
    let (exit, notes) = send(&url, &options);
    assert_eq!(exit, 2);
    assert!(notes.contains("nothing came from the receiver"), "{notes}");
    received.join().unwrap();
}

#[test]
fn a_receiver_that_takes_nothing_is_not_waited_for() {
    let dir = Dir::default();
    let file = dir.write("a", vec![0; 64 << 20]);
    let (url, received) = receiver(|mut peer| {
        peer.hear();
        peer.say(r#"{"from":0}"#);
        peer
    });
    let options = ["--write-timeout", "0.2", "--retries", "0", &file];
    let sending = Send::start(&url, &options);
    let peer = received.join().unwrap();
    let (exit, notes) = sending.end();
    assert_eq!(exit, 2, "{notes}");
    assert!(notes.contains("not ready in time"), "{notes}");
    drop(peer);
}

#[test]
fn a_server_that_takes_no_files_ends_with_1() {
    let dir = Dir::default();
    let file = dir.write("a", "abc");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut websocket =
            framewire::accept_with(stream, &Acceptor::new(), Config::default()).unwrap();
        let _ = websocket.next_message();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 404 x\r\n\r\n").unwrap();
    });
    let (exit, notes) = send(&url, &[&file]);
    assert_eq!(exit, 1);
    assert!(notes.contains("takes no files"), "{notes}");
    let (exit, notes) = send(&url, &[&file]);
    assert_eq!(exit, 1);
    assert!(notes.contains("404"), "{notes}");
    served.join().unwrap();
}
