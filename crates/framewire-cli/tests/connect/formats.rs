//! How messages and frames are printed.

use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Acceptor;
use serde_json::{Value, json};

use crate::client::{Client, echo, open, program, server};

#[test]
fn each_line_of_json_is_an_event() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let mut websocket = open(pending);
        websocket.write(&b"\x00\xFF"[..]).unwrap();
        websocket.write("\"\u{1}\n").unwrap();
        echo(websocket)
    });
    let client = Client::start(&url, &["--json", "--trace"]);
    let (code, output, notes) = client.end_of_input();
    assert_eq!((code, &notes[..]), (0, ""));
    served.join().unwrap();
    let mut events: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["event"], "open");
    for event in &mut events {
        let event = event.as_object_mut().unwrap();
        let time = event.remove("time").unwrap();
        assert_eq!(
            time.as_str().map(str::len),
            Some("2026-01-01T00:00:00.000Z".len())
        );
        event.remove("mask");
    }
    let frame = |direction, opcode, hex: Option<&str>, length| {
        json!({"event": "frame", "direction": direction, "opcode": opcode, "fin": true, "rsv": [],
            "length": length, "hex": hex})
    };
    let close = json!({"code": 1000, "reason": ""});
    for expected in [
        json!({"event": "open", "url": url, "subprotocol": null, "compression": null}),
        json!({"event": "message", "type": "binary", "hex": "00ff"}),
        json!({"event": "message", "type": "text", "text": "\"\u{1}\n"}),
        json!({"event": "close", "by": "client", "client": close, "server": close}),
        frame("in", "binary", None, 2),
        frame("in", "text", None, 3),
        frame("out", "close", Some("03e8"), 2),
        frame("in", "close", Some("03e8"), 2),
    ] {
        let at = events.iter().position(|event| *event == expected);
        events.remove(at.unwrap_or_else(|| panic!("no {expected} in {events:?}")));
    }
    assert_eq!(events, [Value::Null; 0]);
}

#[test]
fn a_trace_tells_what_a_message_takes_on_the_wire() {
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    let acceptor = Acceptor::new().deflate(deflate);
    let (url, served) = server(acceptor, |pending| echo(open(pending)));
    let mut client = Client::start(&url, &["--trace", "--deflate", "--timestamps"]);
    // Before the connection is open.
    client.say("a".repeat(1000).as_bytes());
    client.say(b"\n");
    let line = client.line();
    assert!(
        line.ends_with(&format!("Z {}\n", "a".repeat(1000))),
        "{line}"
    );
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0, "{notes}");
    served.join().unwrap();
    assert!(
        notes.lines().next().unwrap().contains("connected to"),
        "{notes}"
    );
    for arrow in ["> ", "< "] {
        let begin = format!("{arrow}text         fin rsv1 ");
        let (_, rest) = notes
            .split_once(&begin)
            .unwrap_or_else(|| panic!("{notes}"));
        let (len, _) = rest.split_once(" bytes compressed").unwrap();
        assert!(len.parse::<usize>().unwrap() < 100, "{notes}");
    }
}

#[test]
fn a_lost_connection_is_an_event_too() {
    let (url, served) = server(Acceptor::new(), |pending| drop(open(pending)));
    let (code, output, _) = Client::start(&url, &["--json"]).end();
    served.join().unwrap();
    assert_eq!(code, 2);
    let last: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "close");
    assert!(
        last["error"]
            .as_str()
            .unwrap()
            .contains("without a close frame")
    );
}

#[test]
fn a_connection_that_could_not_be_made_is_an_event_too() {
    let (code, output, _) = Client::start("ws://127.0.0.1:1/", &["--json", "--timestamps"]).end();
    assert_eq!(code, 1);
    let event: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(event["event"], "close");
    assert!(event["error"].as_str().unwrap().contains("refused"));
}

#[test]
fn output_that_nobody_reads_ends_the_connections() {
    for options in [
        &["--json"][..],
        &["--json", "--reconnect=0.01"],
        &["--reconnect=0.01"],
    ] {
        let (url, served) = server(Acceptor::new(), |pending| {
            let mut websocket = open(pending);
            for _ in 0..100 {
                websocket.write("message").unwrap();
            }
            while let Ok(Some(_)) = websocket.next_message() {}
        });
        let mut child = program(&url, options).spawn().unwrap();
        let _stdin = child.stdin.take();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        served.join().unwrap();
        let notes = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{options:?}: {notes}");
        assert!(!notes.contains("again"), "{notes}");
    }
}
