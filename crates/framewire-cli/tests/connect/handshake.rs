//! What is asked of a server, and what becomes of a refusal.

use std::net::TcpListener;

use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Acceptor;
use http::Response;

use crate::client::{Client, answering, echo, open, server};

#[test]
fn options_are_what_the_server_is_asked() {
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    let acceptor = Acceptor::new()
        .allow_any_origin()
        .deflate(deflate)
        .subprotocols(["b"])
        .unwrap();
    let (url, served) = server(acceptor, |pending| {
        let headers = pending.request().headers().clone();
        let established = pending.accept().unwrap();
        assert!(established.deflate().is_some());
        assert_eq!(established.subprotocol(), Some("b"));
        headers
    });
    let options = [
        "--header",
        "X-One: 1",
        "-H",
        "X-Two: a: b",
        "--subprotocol",
        "a",
        "--subprotocol",
        "b",
        "--origin",
        "https://a.example",
        "--deflate=9",
    ];
    let client = Client::start(&url, &options);
    let headers = served.join().unwrap();
    for (name, value) in [
        ("x-one", "1"),
        ("x-two", "a: b"),
        ("origin", "https://a.example"),
        ("sec-websocket-protocol", "a, b"),
    ] {
        assert_eq!(headers[name], value);
    }
    // The server was gone without a word.
    assert_eq!(client.end().0, 2);
}

#[test]
fn the_program_names_itself_unless_told_otherwise() {
    let version = concat!("framewire/", env!("CARGO_PKG_VERSION"));
    for (options, agent) in [(&[][..], version), (&["-H", "user-agent: me"], "me")] {
        let (url, asked) = answering("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n");
        let url = url.replace("http", "ws");
        assert_eq!(Client::start(&url, options).end().0, 1);
        let head = asked.join().unwrap().to_ascii_lowercase();
        assert!(head.contains(&format!("user-agent: {agent}\r\n")), "{head}");
        assert_eq!(head.matches("user-agent").count(), 1, "{head}");
    }
}

#[test]
fn a_refused_handshake_ends_with_1() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let response = Response::builder().status(403).body("not you").unwrap();
        pending.refuse(&response).unwrap();
    });
    let (code, output, notes) = Client::start(&url, &[]).end();
    assert_eq!((code, &output[..]), (1, ""));
    assert!(notes.contains("403"), "{notes}");
    served.join().unwrap();
}

#[test]
fn the_body_of_a_refusal_is_shown_and_a_terminal_obeys_none_of_it() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let body = format!(
            "members only\n\n\x1b[2J\u{9b}31m\u{202e}see /login\n{}",
            "x\n".repeat(99)
        );
        let response = Response::builder().status(403).body(body).unwrap();
        pending.refuse(&response).unwrap();
    });
    let (code, output, notes) = Client::start(&url, &[]).end();
    served.join().unwrap();
    assert_eq!((code, &output[..]), (1, ""));
    let lines: Vec<_> = notes.lines().collect();
    assert!(lines[0].contains("403 Forbidden"), "{notes}");
    assert_eq!(lines[1], "framewire: | members only");
    assert!(lines[2].ends_with("see /login"), "{notes}");
    assert!(!notes.contains(['\x1b', '\u{9b}', '\u{202e}']), "{notes}");
    assert_eq!((lines.len(), lines[11]), (12, "framewire: | …"));
}

#[test]
fn compression_that_was_not_agreed_on_is_told_of() {
    for (acceptor, told) in [
        (Acceptor::new(), true),
        (
            Acceptor::new().deflate(Deflate::new(DeflateConfig::default()).unwrap()),
            false,
        ),
    ] {
        let (url, served) = server(acceptor, |pending| echo(open(pending)));
        let (code, _, notes) = Client::start(&url, &["--deflate"]).end_of_input();
        served.join().unwrap();
        assert_eq!(
            (code, notes.contains("does not compress")),
            (0, told),
            "{notes}"
        );
    }
}

#[test]
fn a_url_that_cannot_be_used_is_wrong_usage() {
    for (url, advice) in [
        ("localhost:1", "did you mean ws://localhost:1?"),
        ("https://localhost:1/", "did you mean wss://localhost:1/?"),
    ] {
        let (code, _, notes) = Client::start(url, &[]).end();
        assert_eq!(code, 2);
        assert!(notes.contains(advice), "{notes}");
    }
}

#[test]
fn no_server_ends_with_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (code, _, notes) = Client::start(&url, &[]).end();
    assert_eq!(code, 1);
    assert!(
        notes.contains("refused") && !notes.contains("handshake"),
        "{notes}"
    );
}
