//! Connections after the first, where they are asked for.

use std::io::Read as _;
use std::net::TcpListener;

use framewire::handshake::Acceptor;
use framewire::{CloseCode, Config, WebSocket};

use crate::client::{Client, DEADLINE};

/// Accepts the next connection.
fn accept(listener: &TcpListener) -> WebSocket<std::net::TcpStream> {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let established = Acceptor::new().accept(stream).unwrap();
    WebSocket::from_established(established, Config::default()).unwrap()
}

const SOON: [&str; 1] = ["--reconnect=0.01"];

#[test]
fn a_line_waits_for_the_next_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut client = Client::start(&url, &SOON);
    // The first is lost, the second is refused, the third goes away, the fourth is done.
    drop(accept(&listener));
    drop(listener.accept().unwrap());
    let mut third = accept(&listener);
    client.say(b"first\n");
    assert_eq!(third.next_message().unwrap().unwrap().text(), Some("first"));
    third.close(CloseCode::GOING_AWAY, "").unwrap();
    assert!(third.next_message().unwrap().is_none());
    let mut fourth = accept(&listener);
    client.say(b"second\n");
    let second = fourth.next_message().unwrap().unwrap();
    assert_eq!(second.text(), Some("second"));
    fourth.shutdown(DEADLINE).unwrap();
    let (code, _, notes) = client.end();
    assert_eq!(code, 0, "{notes}");
    let again = notes.lines().filter(|line| line.contains("again in "));
    let pauses: Vec<_> = again.map(|line| line.ends_with("ms")).collect();
    assert_eq!(pauses, [true; 3], "{notes}");
}

#[test]
fn a_refusal_that_lasts_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let client = Client::start(&url, &SOON);
    for answer in ["503 Busy", "404 Not Found"] {
        let (mut stream, _) = listener.accept().unwrap();
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        let mut head = vec![];
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.read_to_end(&mut head).unwrap();
    }
    let (code, _, notes) = client.end();
    assert_eq!(code, 1);
    assert_eq!(notes.matches("again in").count(), 1, "{notes}");
}

#[test]
fn the_end_of_the_input_is_the_end_of_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut client = Client::start(&url, &["--reconnect=1000"]);
    let mut first = accept(&listener);
    client.say(b"line\n");
    assert!(first.next_message().unwrap().is_some());
    client.stdin = None;
    drop(first);
    let (code, _, notes) = client.end();
    assert_eq!(code, 2, "{notes}");
}

#[test]
fn the_input_may_end_while_the_next_connection_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut client = Client::start(&url, &SOON);
    drop(accept(&listener));
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let pending = Acceptor::new().receive(stream).unwrap();
    client.stdin = None;
    // The handshake goes on only now: the client has nobody to tell that it is over.
    let mut second =
        WebSocket::from_established(pending.accept().unwrap(), Config::default()).unwrap();
    assert!(second.next_message().unwrap().is_none());
    assert_eq!(second.closed().unwrap().code(), CloseCode::NORMAL);
    drop(second);
    assert_eq!(client.end().0, 0);
}
