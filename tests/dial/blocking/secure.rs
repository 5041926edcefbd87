//! `wss` from end to end: messages, halves and heartbeats over TLS, and servers that are refused.

use crate::servers::certificates::Authority;
use crate::servers::{PATIENCE, pattern, serve_tls};
use framewire::blocking::KeepAliveEnd;
use framewire::handshake::Connector;
use framewire::upgrade::{Dialer, Stream, TlsStream};
use framewire::{Config, WebSocket, connect_stream_with, connect_with, rustls};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

fn connected() -> WebSocket<Stream> {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["localhost"]));
    let uri = format!("wss://localhost:{}/", address.port());
    let connector = Connector::new().dialer(Dialer::new().tls(authority.client()));
    connect_with(&uri, &connector, Config::default()).unwrap()
}

#[test]
fn halves_of_two_threads_read_and_write_at_once() {
    const COUNT: usize = 24;
    let (mut read_half, write_half) = connected().split().unwrap();
    let bytes = pattern(256 << 10);
    thread::scope(|scope| {
        for mut half in [write_half.clone(), write_half.clone()] {
            let bytes = &bytes;
            scope.spawn(move || {
                for _ in 0..COUNT / 2 {
                    half.write(bytes).unwrap();
                }
            });
        }
        for _ in 0..COUNT {
            assert!(read_half.next_message().unwrap().unwrap().payload() == bytes);
        }
    });
    let mut websocket = read_half.reunite(write_half).map_err(drop).unwrap();
    assert!(websocket.shutdown(PATIENCE).unwrap().clean);
}

#[test]
fn heartbeat_hears_the_peer_and_abort_wakes_the_reader() {
    let (mut read_half, write_half) = connected().split().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    read_half.on_pong(move |_| tell.send(()).unwrap());
    let reader = thread::spawn(move || read_half.next_message().map(drop));
    let beat = write_half.keep_alive(Duration::from_millis(5), PATIENCE);
    let heart = thread::spawn(move || beat.run());
    for _ in 0..5 {
        told.recv_timeout(PATIENCE).unwrap();
    }
    write_half.stop_keep_alive();
    assert!(matches!(heart.join().unwrap(), KeepAliveEnd::Stopped));
    write_half.abort().unwrap();
    assert!(reader.join().unwrap().is_err());
}

#[test]
fn time_out_of_a_read_loses_nothing() {
    let mut websocket = connected();
    websocket.stream().get_ref().peer_addr().unwrap();
    framewire::Socket::set_read_timeout(websocket.stream(), Some(Duration::from_millis(5)))
        .unwrap();
    assert!(websocket.next_message().unwrap_err().is_would_block());
    websocket.write(pattern(100_000)).unwrap();
    loop {
        match websocket.next_message() {
            Ok(message) => break assert!(message.unwrap().payload() == pattern(100_000)),
            Err(error) => assert!(error.is_would_block(), "{error}"),
        }
    }
}

#[test]
fn tls_of_the_programs_own_works_through_client() {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["a.example"]));
    let stream = TcpStream::connect(address).unwrap();
    let stream = TlsStream::connect(stream, "a.example", authority.client(), PATIENCE).unwrap();
    let uri = "wss://a.example/";
    let mut websocket =
        connect_stream_with(stream, uri, &Connector::new(), Config::default()).unwrap();
    websocket.write("hello").unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some("hello")
    );
}

#[test]
fn no_time_out_is_left_on_the_stream() {
    let websocket = connected();
    let Stream::Tls(stream) = websocket.stream() else {
        panic!("no tls");
    };
    assert_eq!(stream.get_ref().read_timeout().unwrap(), None);
    assert_eq!(stream.get_ref().write_timeout().unwrap(), None);
    assert!(stream.get_ref().nodelay().unwrap());
    let version = stream.inspect(|session| session.protocol_version());
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_3));
}
