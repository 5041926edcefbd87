//! The way to a server: another place, redirects, proxies.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use framewire::handshake::Acceptor;

use crate::client::{Client, answering, echo, open, server};

#[test]
fn another_place_can_be_connected_to_than_the_url_names() {
    let (url, served) = server(Acceptor::new(), |pending| {
        let host = pending.request().headers()["host"].clone();
        (host, echo(open(pending)))
    });
    let place = url
        .strip_prefix("ws://")
        .and_then(|url| url.strip_suffix("/path"))
        .unwrap();
    let mut client = Client::start("ws://a.invalid:81/path", &["--connect-to", place]);
    client.say(b"hello\n");
    assert_eq!(client.line(), "hello\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0, "{notes}");
    assert_eq!(served.join().unwrap().0, "a.invalid:81");

    let (code, _, notes) = Client::start(&url, &["--connect-to", "localhost"]).end();
    assert_eq!(code, 1);
    assert!(notes.contains("HOST:PORT"), "{notes}");
}

fn redirecting(location: &str) -> (String, JoinHandle<String>) {
    let head = format!("HTTP/1.1 302 x\r\nLocation: {location}\r\nSet-Cookie: a=b\r\n");
    let (url, asked) = answering(format!("{head}Content-Length: 0\r\n\r\n"));
    (url.replace("http", "ws"), asked)
}

#[test]
fn redirects_are_followed_as_often_as_is_asked_for() {
    let (end, served) = server(Acceptor::new(), |pending| {
        let headers = pending.request().headers().clone();
        (headers, echo(open(pending)))
    });
    let (url, asked) = redirecting(&end);
    let options = ["--follow", "1", "-H", "Authorization: secret"];
    let mut client = Client::start(&url, &options);
    client.say(b"hello\n");
    assert_eq!(client.line(), "hello\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0, "{notes}");
    assert!(notes.contains(&format!("connected to {end}")), "{notes}");
    assert!(asked.join().unwrap().contains("secret"));
    let (headers, _) = served.join().unwrap();
    for name in ["authorization", "cookie"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
    assert!(headers.contains_key("user-agent"), "{headers:?}");
}

#[test]
fn redirects_that_are_not_followed_say_why() {
    for (location, options, words) in [
        ("/there", &[][..], "/there"),
        (
            "ftp://a/",
            &["--follow", "9"],
            "\"ftp://a/\" cannot be used",
        ),
        ("/a", &["--follow", "0"], "server redirects to ws://"),
    ] {
        let (url, asked) = redirecting(location);
        let (code, _, notes) = Client::start(&url, options).end();
        assert_eq!(code, 1);
        assert!(notes.contains(words), "{notes}");
        asked.join().unwrap();
    }
}

/// A proxy for one connection: its URL, and what it was asked for.
fn proxy() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://me:secret@{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let mut client = BufReader::new(listener.accept().unwrap().0);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            client.read_line(&mut head).unwrap();
        }
        let mut client = client.into_inner();
        let target = head.split_whitespace().nth(1).unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut client, &mut server);
        head
    });
    (url, asked)
}

#[test]
fn a_proxy_is_gone_through() {
    let (url, served) = server(Acceptor::new(), |pending| echo(open(pending)));
    let (proxy, asked) = proxy();
    let mut client = Client::start(&url, &["--proxy", &proxy]);
    client.say(b"through the proxy\n");
    assert_eq!(client.line(), "through the proxy\n");
    let (code, _, notes) = client.end_of_input();
    assert_eq!(code, 0, "{notes}");
    served.join().unwrap();
    let head = asked.join().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("connect 127.0.0.1:"), "{head}");
    // RFC 7617 2: me:secret.
    assert!(
        head.contains("proxy-authorization: basic bwu6c2vjcmv0"),
        "{head}"
    );
}

#[test]
fn a_proxy_that_is_none_ends_with_1() {
    let (code, _, notes) = Client::start("ws://127.0.0.1:1/", &["--proxy", "ftp://a"]).end();
    assert_eq!(code, 1);
    assert!(notes.contains("proxy"), "{notes}");
}

#[test]
fn the_body_of_a_proxys_refusal_is_shown() {
    let (proxy, asked) = answering("HTTP/1.1 407 x\r\nContent-Length: 12\r\n\r\nwho are you?");
    let options = ["--proxy", &proxy];
    let (code, _, notes) = Client::start("ws://a.invalid/", &options).end();
    assert_eq!(code, 1);
    assert!(
        notes.contains("407") && notes.contains("framewire: | who are you?"),
        "{notes}"
    );
    assert!(asked.join().unwrap().starts_with("CONNECT a.invalid:80 "));
}
