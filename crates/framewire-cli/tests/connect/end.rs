//! How the program ends: after its input, with the connection, by a signal, with a server that has gone silent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use framewire::CloseCode;
use framewire::blocking::PingReply;
use framewire::handshake::Acceptor;

use crate::client::{Client, DEADLINE, echo, open, server};

#[test]
fn an_answer_that_comes_after_the_end_of_the_input_can_be_waited_for() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let mut websocket = open(pending);
        let question = websocket.next_message().unwrap().unwrap();
        assert_eq!(question.text(), Some("question"));
        let (sender, pings) = mpsc::channel();
        websocket.on_ping(move |_| {
            let _ = sender.send(());
            PingReply::Pong
        });
        // The client sends nothing else: each read takes what has come, and says whether it closed.
        let patience = Duration::from_millis(10);
        websocket.stream().set_read_timeout(Some(patience)).unwrap();
        for _ in 0..3 {
            while pings.try_recv().is_err() {
                let error = websocket.next_message().unwrap_err();
                assert!(error.is_would_block(), "{error}");
            }
        }
        websocket.stream().set_read_timeout(Some(DEADLINE)).unwrap();
        websocket.write("answer").unwrap();
        websocket.shutdown(DEADLINE).unwrap();
    });
    let options = ["--wait", "1000", "--ping-interval", "0.25"];
    let mut client = Client::start(&url, &options);
    client.say(b"question\n");
    let (code, output, notes) = client.end_of_input();
    served.join().unwrap();
    assert_eq!((code, &output[..]), (0, "answer\n"), "{notes}");
}

#[test]
fn the_wait_for_answers_ends_with_its_time_or_a_signal() {
    for (seconds, signal) in [("0.05", None), ("1000", Some("INT"))] {
        let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
        let mut client = Client::start(&url, &["--wait", seconds]);
        client.say(b"hello\n");
        client.stdin = None;
        assert_eq!(client.line(), "hello\n");
        if let Some(signal) = signal {
            client.signal(signal);
        }
        let (code, _, notes) = client.end();
        assert_eq!(code, 0, "{notes}");
        assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
    }
}

#[test]
fn a_close_that_complains_ends_with_2() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let mut websocket = open(pending);
        let complaint = CloseCode::POLICY_VIOLATION;
        websocket.close(complaint, "go\naway").unwrap();
        assert!(websocket.next_message().unwrap().is_none());
    });
    let (code, _, notes) = Client::start(&url, &[]).end();
    assert_eq!(code, 2);
    assert!(
        notes.contains("1008") && notes.contains("go away"),
        "{notes}"
    );
    served.join().unwrap();
}

#[test]
fn lines_that_a_server_did_not_wait_for_end_with_2() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let mut websocket = open(pending);
        websocket.close(CloseCode::GOING_AWAY, "").unwrap();
        while websocket.next_message().unwrap().is_some() {}
    });
    let mut client = Client::start(&url, &[]);
    say_much(&mut client);
    let (code, _, notes) = client.end();
    served.join().unwrap();
    assert_eq!(code, 2);
    assert!(notes.contains("not every line was sent"), "{notes}");
}

#[test]
fn a_lost_connection_ends_with_2() {
    let (url, served) = server(Acceptor::new(), |pending| drop(open(pending)));
    let (code, _, notes) = Client::start(&url, &[]).end();
    assert_eq!(code, 2, "{notes}");
    served.join().unwrap();
}

#[test]
fn a_signal_closes_the_connection() {
    for signal in ["INT", "TERM"] {
        let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
        let mut client = Client::start(&url, &[]);
        client.say(b"are you there?\n");
        client.line();
        client.signal(signal);
        let (code, _, notes) = client.end();
        assert_eq!(code, 0, "{notes}");
        assert_eq!(served.join().unwrap(), CloseCode::NORMAL);
    }
}

#[test]
fn a_second_signal_does_not_wait_for_the_server() {
    let (done, waits) = mpsc::channel::<()>();
    let (url, served) = server(Acceptor::new(), move |pending| {
        let mut websocket = open(pending);
        websocket.write("hello").unwrap();
        // Reads nothing, and so never answers the Close frame.
        let _ = waits.recv();
    });
    let mut client = Client::start(&url, &[]);
    client.line();
    client.signal("INT");
    let started = Instant::now();
    loop {
        client.signal("INT");
        if let Some(status) = client.child.try_wait().unwrap() {
            assert_eq!(status.code(), Some(130));
            break;
        }
        assert!(started.elapsed() < DEADLINE);
        thread::sleep(Duration::from_millis(5));
    }
    drop(done);
    served.join().unwrap();
}

#[test]
fn a_server_that_takes_its_time_to_close_is_told_of() {
    let (url, done) = stuck_server();
    let mut client = Client::start(&url, &["--close-timeout", "1000"]);
    client.stdin = None;
    let mut notes = BufReader::new(client.child.stderr.take().unwrap()).lines();
    assert!(notes.any(|line| line.unwrap().contains("Ctrl-C ends at once")));
    client.signal("INT");
    drop(done);
    let status = client.child.wait().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_server_without_a_pong_is_given_up() {
    let (done, waits) = mpsc::channel::<()>();
    let (url, served) = server(Acceptor::new(), move |pending| {
        let websocket = open(pending);
        let _ = waits.recv();
        drop(websocket);
    });
    let (code, _, notes) = Client::start(&url, &["--ping-interval", "0.05"]).end();
    assert_eq!(code, 2);
    assert!(notes.contains("no pong within 50ms"), "{notes}");
    drop(done);
    served.join().unwrap();
}

#[test]
fn pings_keep_a_connection_open() {
    let (sender, pings) = mpsc::channel();
    let (url, served) = server(Acceptor::new(), move |pending| {
        let mut websocket = open(pending);
        websocket.on_ping(move |_| {
            let _ = sender.send(());
            PingReply::Pong
        });
        assert!(websocket.next_message().unwrap().is_none());
    });
    let client = Client::start(&url, &["--ping-interval", "0.05", "--quiet"]);
    for _ in 0..3 {
        pings.recv_timeout(DEADLINE).unwrap();
    }
    let (code, _, notes) = client.end_of_input();
    assert_eq!((code, &notes[..]), (0, ""));
    served.join().unwrap();
}

/// A server that reads nothing after the handshake, until the sender is dropped.
fn stuck_server() -> (String, mpsc::Sender<()>) {
    let (done, waits) = mpsc::channel::<()>();
    let (url, _) = server(Acceptor::new(), move |pending| {
        let websocket = open(pending);
        let _ = waits.recv();
        drop(websocket);
    });
    (url, done)
}

/// More than all buffers on the way take.
fn say_much(client: &mut Client) {
    let mut stdin = client.stdin.take().unwrap();
    // Ends with the program.
    let mut line = vec![b'a'; 1 << 20];
    line.push(b'\n');
    thread::spawn(move || while stdin.write_all(&line).is_ok() {});
}

#[test]
fn a_server_that_takes_nothing_is_given_up() {
    let (url, _done) = stuck_server();
    let mut client = Client::start(&url, &["--write-timeout", "0.3"]);
    say_much(&mut client);
    let (code, _, notes) = client.end();
    assert_eq!(code, 2);
    assert!(notes.contains("cannot send"), "{notes}");
}

#[test]
fn a_server_that_takes_nothing_does_not_hold_up_a_signal() {
    let (url, _done) = stuck_server();
    let mut client = Client::start(&url, &["--close-timeout", "0.3"]);
    say_much(&mut client);
    // Handled from the handshake on.
    let mut notes = BufReader::new(client.child.stderr.take().unwrap());
    let mut connected = String::new();
    notes.read_line(&mut connected).unwrap();
    client.child.stderr = Some(notes.into_inner());
    client.signal("TERM");
    let (code, _, notes) = client.end();
    assert_eq!(code, 2);
    assert!(
        notes.contains("no answer to the close within 300ms"),
        "{notes}"
    );
}
