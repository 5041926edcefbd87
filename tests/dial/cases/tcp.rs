//! From a URI to a connection over TCP: names, addresses, time, and what is said when it fails.

use super::shell::upgrade::{dial, dial_and_request};
use super::shell::{self, assert_unarmed};
use crate::servers::proxy::{proxy, read_head};
use crate::servers::{PATIENCE, serve, serve_on};
use framewire::Fault;
use framewire::handshake::{Connector, HandshakeError, HandshakeErrorKind};
use framewire::upgrade::{self, Dialer, Limits, Proxy, UpgradeErrorKind};
use http::{HeaderMap, Request};
use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

fn within(time: Duration) -> Connector {
    Connector::new().limits(Limits::default().time(time))
}

fn failure(connector: &Connector, uri: &str) -> HandshakeError {
    shell::connect(connector, uri).unwrap_err()
}

fn kind(kind: UpgradeErrorKind) -> HandshakeErrorKind {
    HandshakeErrorKind::Upgrade(kind)
}

#[test]
fn connect_sends_and_receives() {
    let uri = format!("ws://{}/chat?a=b", serve());
    let mut websocket = shell::connect_with(&uri, &Connector::new()).unwrap();
    websocket.write("hello").unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some("hello")
    );
    assert!(websocket.shutdown(PATIENCE).unwrap().clean);
}

#[test]
fn no_time_out_is_left_on_the_stream_and_nagle_is_off() {
    let uri = format!("ws://{}/", serve());
    let websocket = shell::connect_with(&uri, &Connector::new()).unwrap();
    assert_unarmed(websocket.stream());
    assert!(websocket.stream().get_ref().nodelay().unwrap());

    let address = serve();
    let uri = format!("http://{address}/").parse().unwrap();
    let stream = dial(&Dialer::new(), &uri, PATIENCE).unwrap();
    assert_unarmed(&stream);
    assert_eq!(stream.get_ref().peer_addr().unwrap(), address);
}

#[test]
fn localhost_is_found_whichever_of_its_addresses_listens() {
    let port = serve().port();
    let uri = format!("ws://localhost:{port}/");
    let mut websocket = shell::connect_with(&uri, &Connector::new()).unwrap();
    websocket.write("hello").unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some("hello")
    );
}

#[test]
fn ipv6_address_is_written_in_brackets() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return; // This system has no IPv6.
    };
    let address = serve_on(listener);
    let uri = format!("ws://[::1]:{}/", address.port());
    let websocket = shell::connect_with(&uri, &Connector::new()).unwrap();
    assert_eq!(websocket.stream().get_ref().peer_addr().unwrap(), address);
}

#[test]
fn another_place_can_be_connected_to_than_the_uri_names() {
    let (address, asked) = proxy(|client, note| {
        let _ = note.send(read_head(client)?);
        Ok(None)
    });
    let dialer = Dialer::new().connect_to(&address.to_string()).unwrap();
    let connector = Connector::new().dialer(dialer);
    let _ = failure(&connector, "ws://a.invalid:81/chat");
    let head = asked.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("GET /chat HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Host: a.invalid:81\r\n"), "{head}");

    for place in ["", "a.example", ":80", "a.example:", "a b:80", "u@a:80"] {
        let error = Dialer::new().connect_to(place).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument, "{place}");
    }
}

#[test]
fn refused_connection_names_the_address() {
    let address = unused();
    let error = failure(&Connector::new(), &format!("ws://{address}/"));
    assert_eq!(error.kind(), kind(UpgradeErrorKind::Dial));
    assert_eq!(error.fault(), Fault::Transport);
    assert_eq!(
        error.to_string(),
        format!(
            "connection to {address} refused: {}",
            error.cause().unwrap()
        )
    );
    let cause: &io::Error = error.cause().unwrap().downcast_ref().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);

    let port = address.port();
    let error = failure(&Connector::new(), &format!("ws://localhost:{port}/"));
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("no connection to localhost:{port}: ")),
        "{text}"
    );
    assert!(
        text.contains(&format!("127.0.0.1:{port} refused")),
        "{text}"
    );
}

/// An address where nothing listens.
fn unused() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn name_that_cannot_be_resolved_is_named() {
    // A label is of 63 bytes at most (RFC 1035 2.3.4), so that nobody has to be asked.
    let name = "a".repeat(64);
    let error = failure(&Connector::new(), &format!("ws://{name}/"));
    assert_eq!(error.kind(), kind(UpgradeErrorKind::Resolve));
    assert_eq!(error.fault(), Fault::Transport);
    assert_eq!(
        error.to_string(),
        format!(
            "host {name} could not be resolved: {}",
            error.cause().unwrap()
        )
    );
    assert!(error.cause().unwrap().is::<io::Error>());
}

#[cfg(target_os = "linux")]
#[test]
fn connection_that_is_not_answered_ends_at_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Linux drops what comes once the queue of the listener is full.
    let tick = Duration::from_millis(100);
    let connect = || TcpStream::connect_timeout(&address, tick).ok();
    let queue: Vec<TcpStream> = std::iter::from_fn(connect).take(10_000).collect();
    let started = Instant::now();
    let error = failure(&within(tick), &format!("ws://{address}/"));
    assert!(queue.len() < 10_000 && started.elapsed() >= tick);
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(error.kind(), kind(UpgradeErrorKind::TimedOut));
    assert_eq!(
        error.to_string(),
        format!("connection to {address} was not done within the limit of 100ms")
    );
}

#[test]
fn time_limit_is_for_the_connection_and_the_answer_together() {
    let time = Duration::from_millis(500);
    // Neither takes too long alone: what is added up is time itself, so it has to pass.
    let (address, _) = proxy(move |client, _| {
        read_head(client)?;
        thread::sleep(time * 3 / 5);
        client.write_all(b"HTTP/1.1 200 x\r\n\r\n")?;
        read_head(client)?;
        thread::sleep(time * 3 / 5);
        client.write_all(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")?;
        Ok(None)
    });
    let through = Proxy::parse(&format!("http://{address}")).unwrap();
    let connector = within(time).dialer(Dialer::new().proxy(through));
    let started = Instant::now();
    let error = failure(&connector, "ws://a.example/");
    assert_eq!(error.kind(), kind(UpgradeErrorKind::TimedOut));
    assert!(started.elapsed() >= time);
    // Nothing is left to connect with.
    let error = failure(&within(Duration::ZERO), &format!("ws://{}/", serve()));
    assert_eq!(error.kind(), kind(UpgradeErrorKind::TimedOut));
}

#[test]
fn without_a_limit_of_time_nothing_is_set() {
    let uri = format!("ws://{}/", serve());
    let mut websocket = shell::connect_with(&uri, &within(Duration::MAX)).unwrap();
    assert_unarmed(websocket.stream());
    websocket.write("hello").unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some("hello")
    );
}

#[test]
fn uri_that_cannot_be_dialled_is_the_callers_fault() {
    for uri in [
        "/",
        "ws://a.example/",
        "http:/a",
        "http://u:p@a.example/",
        "http://a:x/",
        "http://[v1.a]/",
    ] {
        // Some are no URI at all.
        let Ok(uri) = uri.parse() else { continue };
        let error = dial(&Dialer::new(), &uri, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument, "{uri}");
        assert_eq!(error.fault(), Fault::Caller);
    }
    let error = failure(&Connector::new(), "http://127.0.0.1/");
    assert_eq!(error.kind(), HandshakeErrorKind::InvalidArgument);
}

#[test]
fn any_protocol_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let pending = upgrade::receive(stream, &Limits::default()).unwrap();
        let upgraded = pending.accept(&["echo/1"], HeaderMap::new()).unwrap();
        let mut stream = upgraded.into_rewind();
        let mut text = [0; 5];
        stream.read_exact(&mut text).unwrap();
        stream.write_all(&text).unwrap();
    });
    let request = Request::get(uri)
        .header("upgrade", "echo/1")
        .body(())
        .unwrap();
    let (dialer, limits) = (Dialer::new(), Limits::default());
    let upgraded = dial_and_request(&dialer, request, &limits, |_| Ok(())).unwrap();
    assert_unarmed(upgraded.get_ref());
    let mut stream = upgraded.into_rewind();
    stream.write_all(b"hello").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    server.join().unwrap();
}
