//! Servers that do not answer as they should: each kind of trouble is told, and none holds up the program.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc;

use framewire::CloseCode;
use http::Response;

use crate::program::{Bench, errors, json, number, open, receive, server};

/// Options with which a run that is not ended by its server would outlast the test.
const LONG: [&str; 6] = ["--connections", "2", "--duration", "1000", "--warm-up", "0"];

fn long(more: &[&'static str]) -> Vec<&'static str> {
    [&LONG, more].concat()
}

#[test]
fn a_server_that_ends_every_connection_ends_the_run() {
    let (url, served) = server(2, |stream| {
        let mut websocket = open(stream);
        // Without this, the connection may be lost before it is seen.
        assert!(websocket.next_message().unwrap().is_some());
    });
    let (code, told) = json(&url, &long(&[]));
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (2, vec![("lost", None, 2)]));
    assert_eq!(number(&told, "/messages/sent"), 2);
    assert_eq!(number(&told, "/messages/unanswered"), 2);
    assert_eq!(number(&told, "/connections/opened"), 2);
    // Nobody would have waited for them.
    assert_eq!(number(&told, "/latency/corrected/count"), 0);
}

#[test]
fn a_close_is_told_with_its_code_and_a_terminal_obeys_no_reason() {
    for is_json in [false, true] {
        let options: &[_] = if is_json { &["--json"] } else { &[] };
        let (url, served) = server(2, |stream| {
            let mut websocket = open(stream);
            let reason = "\x1b[2Jgo\naway\u{202e}";
            websocket
                .close(CloseCode::POLICY_VIOLATION, reason)
                .unwrap();
            while websocket.next_message().unwrap().is_some() {}
        });
        let ended = Bench::start(&url, &long(options)).end();
        served.join().unwrap();
        assert_eq!(ended.code, 2, "{}", ended.output);
        let (told, other) = if is_json {
            (ended.notes, ended.output)
        } else {
            (ended.output, ended.notes)
        };
        assert!(told.contains("2 × closed with 1008"), "{told}");
        assert!(told.contains("go away"), "{told}");
        assert!(!told.contains(['\x1b', '\u{202e}']), "{told}");
        // What the summary says is not said again.
        assert!(is_json || other == "framewire: 2 errors\n", "{other}");
    }
}

/// Where all connections end before anything is measured, there are no figures.
#[test]
fn a_server_that_takes_no_such_message_leaves_nothing_to_measure() {
    for pace in ["--depth=1", "--rate=100"] {
        let (url, served) = server(2, |stream| {
            let mut websocket = open(stream);
            assert!(websocket.next_message().unwrap().is_some());
            websocket
                .close(
                    CloseCode::MESSAGE_TOO_BIG,
                    "message exceeds the limit of 9 bytes",
                )
                .unwrap();
            while websocket.next_message().unwrap().is_some() {}
        });
        let ended = Bench::start(&url, &["-c2", "-d1000", "--warm-up=1000", pace]).end();
        served.join().unwrap();
        assert_eq!(ended.code, 2);
        let told = ended.output;
        for expected in [
            "measured   nothing: all connections ended before that began",
            "2 × closed with 1009",
            "message exceeds the limit of 9 bytes",
        ] {
            assert!(told.contains(expected), "{told}");
        }
        assert!(!told.contains("0 of 0 sent"), "{told}");
    }
}

/// Each of two threads has one connection. One of them has none from the beginning, or loses it.
#[test]
fn what_is_due_where_no_connection_is_left_is_unsent() {
    for is_refused in [true, false] {
        let first = Mutex::new(true);
        let (url, served) = server(2, move |stream| {
            if !std::mem::take(&mut *first.lock().unwrap()) {
                crate::program::echo(open(stream), |_| {});
            } else if is_refused {
                let response = Response::builder().status(503).body("full").unwrap();
                receive(stream).refuse(&response).unwrap();
            } else {
                let mut websocket = open(stream);
                for _ in 0..20 {
                    let (message, writer) = websocket.next_message_and_writer().unwrap().unwrap();
                    writer.feed(message).unwrap();
                    writer.flush().unwrap();
                }
            }
        });
        let options = ["-c2", "-t2", "-d0.5", "--warm-up=0.1", "--rate=200"];
        let (code, told) = json(&url, &options);
        served.join().unwrap();
        assert_eq!(code, 2, "{told}");
        let of = |what: &str| number(&told, &format!("/messages/{what}"));
        assert_eq!(of("sent") + of("unsent"), 100, "{told}");
        let without = of("unsent_by_lack_of_connection");
        let expected = if is_refused { 50..=50 } else { 1..=40 };
        assert!(expected.contains(&without), "{told}");
    }
}

#[test]
fn a_server_that_refuses_ends_with_1() {
    let (url, served) = server(2, |stream| {
        let response = Response::builder().status(503).body("full").unwrap();
        receive(stream).refuse(&response).unwrap();
    });
    let (code, told) = json(&url, &long(&[]));
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (1, vec![("refused", Some(503), 2)]));
    assert_eq!(number(&told, "/connections/opened"), 0);
}

#[test]
fn a_server_that_refuses_some_ends_with_2_and_the_others_are_measured() {
    let first = Mutex::new(true);
    let (url, served) = server(2, move |stream| {
        let pending = receive(stream);
        if std::mem::take(&mut *first.lock().unwrap()) {
            let response = Response::builder().status(503).body("full").unwrap();
            pending.refuse(&response).unwrap();
            return;
        }
        let established = pending.accept().unwrap();
        let websocket =
            framewire::WebSocket::from_established(established, framewire::Config::default());
        crate::program::echo(websocket.unwrap(), |_| {});
    });
    let (code, told) = json(&url, &["-c", "2", "-d", "0.2", "--warm-up", "0"]);
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (2, vec![("refused", Some(503), 1)]));
    assert!(number(&told, "/messages/answered") > 0);
}

#[test]
fn no_server_ends_with_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (code, told) = json(&url, &long(&[]));
    assert_eq!((code, errors(&told)), (1, vec![("connect", None, 2)]));
}

#[test]
fn a_server_that_never_answers_the_handshake_is_given_up() {
    let (done, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let (url, served) = server(2, move |_stream| {
        let _ = waits.lock().unwrap().recv();
    });
    let (code, told) = json(&url, &long(&["--timeout", "0.2"]));
    drop(done);
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (1, vec![("timeout", None, 2)]));
}

#[test]
fn a_server_that_never_answers_a_message_is_given_up_and_counts_with_its_time() {
    let (url, served) = server(2, |stream| {
        let mut websocket = open(stream);
        // Until the client has had enough.
        while let Ok(Some(_)) = websocket.next_message() {}
    });
    let (code, told) = json(&url, &long(&["--answer-timeout", "0.3"]));
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (2, vec![("timeout", None, 2)]));
    for (path, expected) in [("sent", 2), ("answered", 0), ("unanswered", 2)] {
        assert_eq!(number(&told, &format!("/messages/{path}")), expected);
    }
    assert_eq!(number(&told, "/latency/measured/count"), 2);
    assert!(
        number(&told, "/latency/measured/p50") >= 300_000_000,
        "{told}"
    );
}

#[test]
fn a_server_that_takes_nothing_leaves_messages_unsent() {
    let (done, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let (url, served) = server(1, move |stream| {
        let _websocket = open(stream);
        let _ = waits.lock().unwrap().recv();
    });
    let options = [
        "-c1",
        "-d1000",
        "--warm-up=0",
        "--rate=200",
        "--size=1MiB",
        "--answer-timeout=0.5",
    ];
    let (code, told) = json(&url, &options);
    drop(done);
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (2, vec![("timeout", None, 1)]));
    let (sent, unsent) = (
        number(&told, "/messages/sent"),
        number(&told, "/messages/unsent"),
    );
    assert!(sent > 0 && unsent > 0, "{told}");
    // All of them were due and waited for, but for one that was due just when the connection was given up.
    let late = number(&told, "/messages/unsent_by_lack_of_connection");
    let counted = number(&told, "/latency/corrected/count");
    assert_eq!(counted + late, sent + unsent, "{told}");
}

#[test]
fn an_answer_of_another_length_is_wrong() {
    let (url, served) = server(1, |stream| {
        let mut websocket = open(stream);
        while let Some((_, writer)) = websocket.next_message_and_writer().unwrap() {
            writer.write("short").unwrap();
        }
    });
    let (code, told) = json(&url, &["-c", "1", "-d", "0.2", "--warm-up", "0"]);
    served.join().unwrap();
    let answered = number(&told, "/messages/answered");
    assert!(answered > 0);
    assert_eq!(
        (code, errors(&told)),
        (2, vec![("wrong_answer", None, answered)])
    );
    assert_eq!(number(&told, "/messages/wrong"), answered);
}

/// Every second one: the message after a wrong answer is compared with its own.
#[test]
fn an_answer_with_another_last_byte_is_wrong() {
    for options in [["--size=20000", "--depth=3"], ["--size=20", "--binary"]] {
        let (url, served) = server(1, |stream| {
            let mut websocket = open(stream);
            let mut is_wrong = false;
            while let Some((message, writer)) = websocket.next_message_and_writer().unwrap() {
                let (opcode, mut answer) = (message.opcode(), message.payload().to_vec());
                if is_wrong {
                    *answer.last_mut().unwrap() = b'#';
                }
                is_wrong = !is_wrong;
                let text = String::from_utf8_lossy(&answer);
                if opcode == framewire::Opcode::Text {
                    writer.write(&*text).unwrap();
                } else {
                    writer.write(&answer[..]).unwrap();
                }
            }
        });
        let (code, told) = json(
            &url,
            &[&options[..], &["-c1", "-d0.2", "--warm-up=0"]].concat(),
        );
        served.join().unwrap();
        let (answered, wrong) = (
            number(&told, "/messages/answered"),
            number(&told, "/messages/wrong"),
        );
        assert_eq!((code, wrong), (2, answered / 2), "{told}");
        let place: usize = if options[0] == "--size=20" {
            19
        } else {
            19_999
        };
        let expected = format!("other bytes than were sent, from byte {place} on");
        assert_eq!(told["errors"][0]["first"], expected);
    }
}

#[test]
fn a_message_that_answers_nothing_is_told() {
    let (url, served) = server(1, |stream| {
        let mut websocket = open(stream);
        let (message, writer) = websocket.next_message_and_writer().unwrap().unwrap();
        writer.feed(message).unwrap();
        for _ in 0..3 {
            writer.feed("more").unwrap();
        }
        writer.flush().unwrap();
        while websocket.next_message().unwrap().is_some() {}
    });
    // One message is due in this time, and no more.
    let options = ["-c1", "-d0.3", "--warm-up=0", "--rate=1"];
    let (code, told) = json(&url, &options);
    served.join().unwrap();
    assert_eq!(number(&told, "/messages/answered"), 1);
    assert_eq!(
        (code, errors(&told)),
        (2, vec![("unasked_message", None, 3)])
    );
}

#[test]
fn a_greeting_is_no_answer() {
    let (url, served) = server(1, |stream| {
        let mut websocket = open(stream);
        websocket.write("welcome").unwrap();
        crate::program::echo(websocket, |_| {})
    });
    let (code, told) = json(&url, &["-c", "1", "-d", "0.2", "--warm-up", "0.2"]);
    served.join().unwrap();
    assert!(number(&told, "/messages/answered") > 0);
    let greetings = number(&told, "/messages/before_the_first");
    assert_eq!((greetings, code, errors(&told)), (1, 0, vec![]));
}

#[test]
fn garbage_breaks_the_protocol() {
    // In place of an answer, and in place of a frame.
    let (url, served) = server(2, |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"\0\xff nonsense\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let (code, told) = json(&url, &long(&[]));
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (1, vec![("protocol", None, 2)]));

    let (url, served) = server(2, |stream| {
        let mut websocket = open(stream);
        assert!(websocket.next_message().unwrap().is_some());
        websocket.stream_mut().write_all(&[0xFF; 100]).unwrap();
        while let Ok(Some(_)) = websocket.next_message() {}
    });
    let (code, told) = json(&url, &long(&[]));
    served.join().unwrap();
    assert_eq!((code, errors(&told)), (2, vec![("protocol", None, 2)]));
}
