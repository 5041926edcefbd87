//! `wss` from end to end: messages, halves and heartbeats over TLS, and servers that are refused.
#![cfg(feature = "rustls")]
#![allow(clippy::unwrap_used)]

mod dial_support;

use dial_support::certificates::{Authority, self_signed};
use dial_support::proxy::proxy;
use dial_support::{PATIENCE, pattern, serve, serve_tls};
use framewire::blocking::KeepAliveEnd;
use framewire::handshake::{Connector, Error, ErrorKind};
use framewire::rustls::{ClientConfig, ServerConfig};
use framewire::upgrade::{self, Dialer, Limits, Stream, TlsStream};
use framewire::{Config, Fault, Opcode, WebSocket, client, connect_with, rustls};
use std::error::Error as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Connects to a name or address at the port of a server, with the authority alone trusted.
fn connector(authority: &Authority) -> Connector {
    with(authority.client())
}

fn with(config: Arc<ClientConfig>) -> Connector {
    Connector::new().dialer(Dialer::new().tls(config))
}

fn connected() -> WebSocket<Stream> {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["localhost"]));
    let uri = format!("wss://localhost:{}/", address.port());
    connect_with(&uri, &connector(&authority), Config::default()).unwrap()
}

fn failure(connector: &Connector, address: SocketAddr) -> Error {
    connector.connect(&format!("wss://{address}/")).unwrap_err()
}

fn assert_refused(authority: &Authority, config: Arc<ServerConfig>, words: &str) {
    let error = failure(&connector(authority), serve_tls(config));
    assert_eq!(error.to_string(), words);
    assert_eq!(error.kind(), ErrorKind::Upgrade(upgrade::ErrorKind::Tls));
    assert_eq!(error.fault(), Fault::Peer);
    let source: &rustls::Error = error.source().unwrap().downcast_ref().unwrap();
    assert!(
        matches!(source, rustls::Error::InvalidCertificate(_)),
        "{source}"
    );
}

// What works over TLS.

#[test]
fn messages_of_any_size_there_and_back() {
    let mut websocket = connected();
    for len in [0, 1, 125, 126, 5000, 16_384, 65_536, 70_000, 1 << 20] {
        websocket
            .write_message(Opcode::Binary, &pattern(len))
            .unwrap();
        assert!(
            websocket.next_message().unwrap().payload() == pattern(len),
            "{len}"
        );
    }
    let shutdown = websocket.shutdown(PATIENCE).unwrap();
    assert!(shutdown.clean);
}

#[test]
fn tls_1_2_is_spoken_too() {
    let authority = Authority::new();
    let mut config = ServerConfig::clone(&authority.server(&["127.0.0.1"]));
    config.max_fragment_size = Some(1000);
    let address = serve_tls(Arc::new(config));
    let connector = with(Arc::new(authority.client_of(&[&rustls::version::TLS12])));
    let uri = format!("wss://{address}/");
    let mut websocket = connect_with(&uri, &connector, Config::default()).unwrap();
    let Stream::Tls(stream) = websocket.stream() else {
        panic!("no tls");
    };
    let version = stream.inspect(|session| session.protocol_version());
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_2));
    websocket
        .write_message(Opcode::Binary, &pattern(100_000))
        .unwrap();
    assert!(websocket.next_message().unwrap().payload() == pattern(100_000));
    assert!(websocket.shutdown(PATIENCE).unwrap().clean);
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

#[test]
fn halves_of_two_threads_read_and_write_at_once() {
    const COUNT: usize = 24;
    let (mut read_half, write_half) = connected().split().unwrap();
    let bytes = pattern(256 << 10);
    thread::scope(|scope| {
        for half in [write_half.clone(), write_half.clone()] {
            let bytes = &bytes;
            scope.spawn(move || {
                for _ in 0..COUNT / 2 {
                    half.write_message(Opcode::Binary, bytes).unwrap();
                }
            });
        }
        for _ in 0..COUNT {
            assert!(read_half.next_message().unwrap().payload() == bytes);
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
    let beating = write_half.clone();
    let heart = thread::spawn(move || beating.keep_alive(Duration::from_millis(5), PATIENCE));
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
    websocket
        .write_message(Opcode::Binary, &pattern(100_000))
        .unwrap();
    loop {
        match websocket.next_message() {
            Ok(message) => break assert!(message.payload() == pattern(100_000)),
            Err(error) => assert!(error.is_would_block(), "{error}"),
        }
    }
}

#[test]
fn address_in_the_uri_is_checked_as_a_name_is() {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["127.0.0.1"]));
    assert!(
        connector(&authority)
            .connect(&format!("wss://{address}/"))
            .is_ok()
    );
    assert_refused(
        &authority,
        authority.server(&["127.0.0.2", "localhost"]),
        "certificate is not for 127.0.0.1, but for another host",
    );
}

#[test]
fn tls_of_the_programs_own_works_through_client() {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["a.example"]));
    let stream = TcpStream::connect(address).unwrap();
    let stream = TlsStream::connect(stream, "a.example", authority.client(), PATIENCE).unwrap();
    let uri = "wss://a.example/";
    let mut websocket = client(stream, uri, &Connector::new(), Config::default()).unwrap();
    websocket.write_message(Opcode::Text, b"hello").unwrap();
    assert_eq!(websocket.next_message().unwrap().text(), Some("hello"));
}

#[test]
fn nothing_is_offered_in_alpn_and_nothing_but_http_1_1_may_be_agreed_on() {
    let authority = Authority::new();
    let mut config = ServerConfig::clone(&authority.server(&["127.0.0.1"]));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let address = serve_tls(Arc::new(config));
    let connect = |alpn: &[&str]| {
        let mut config = authority.client_config();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        with(Arc::new(config)).connect(&format!("wss://{address}/"))
    };
    assert!(connect(&[]).is_ok());
    assert!(connect(&["http/1.1"]).is_ok());
    let error = connect(&["http/1.1", "h2"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Upgrade(upgrade::ErrorKind::Tls));
    assert_eq!(
        error.to_string(),
        "127.0.0.1 and the tls configuration agreed on h2, which is not http/1.1"
    );
}

// Who is refused.

#[test]
fn certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    assert_refused(
        &authority,
        authority.server(&["a.example"]),
        "certificate is not for 127.0.0.1, but for another host",
    );
}

#[test]
fn certificate_out_of_its_time_is_refused() {
    let authority = Authority::new();
    assert_refused(
        &authority,
        authority.server_valid(&["127.0.0.1"], (2000, 2001)),
        "certificate of 127.0.0.1 has expired",
    );
    assert_refused(
        &authority,
        authority.server_valid(&["127.0.0.1"], (2900, 3000)),
        "certificate of 127.0.0.1 is not valid yet",
    );
}

#[test]
fn certificate_of_an_unknown_issuer_is_refused() {
    let words = "certificate of 127.0.0.1 is not trusted: its issuer is unknown";
    let authority = Authority::new();
    assert_refused(&authority, self_signed(&["127.0.0.1"]), words);
    assert_refused(&authority, Authority::new().server(&["127.0.0.1"]), words);
    assert_refused(
        &Authority::named("one"),
        Authority::named("one").server(&["127.0.0.1"]),
        "certificate of 127.0.0.1 is not trusted: its issuer did not sign it",
    );
}

#[test]
fn platform_trusts_no_authority_made_for_a_test() {
    let address = serve_tls(Authority::new().server(&["127.0.0.1"]));
    let error = failure(&Connector::new(), address);
    // A system may have no roots at all.
    let kinds = [upgrade::ErrorKind::Tls, upgrade::ErrorKind::Io].map(ErrorKind::Upgrade);
    assert!(kinds.contains(&error.kind()), "{error}");
    assert!(error.to_string().contains("trust"), "{error}");
}

#[test]
fn server_without_tls_is_refused() {
    let authority = Authority::new();
    let error = failure(&connector(&authority), serve());
    assert_eq!(error.kind(), ErrorKind::Upgrade(upgrade::ErrorKind::Tls));
    assert_eq!(
        error.to_string(),
        "127.0.0.1 answered with something else than tls"
    );
    assert_eq!(error.fault(), Fault::Peer);
}

#[test]
fn server_that_says_nothing_to_the_hello_ends_at_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = Limits {
        time: Duration::from_millis(50),
        ..Limits::default()
    };
    let connector = connector(&Authority::new()).limits(limits);
    let started = Instant::now();
    let error = failure(&connector, listener.local_addr().unwrap());
    assert_eq!(
        error.kind(),
        ErrorKind::Upgrade(upgrade::ErrorKind::TimedOut)
    );
    assert_eq!(
        error.to_string(),
        "tls handshake with 127.0.0.1 was not done within the limit of 50ms"
    );
    assert!(started.elapsed() >= Duration::from_millis(50) && started.elapsed() < PATIENCE);
}

#[test]
fn time_limit_is_for_tls_and_the_answer_together() {
    let authority = Authority::new();
    let config = authority.server(&["127.0.0.1"]);
    let time = Duration::from_millis(500);
    // Neither takes too long alone.
    let (address, _) = proxy(move |client, _| {
        thread::sleep(time * 3 / 5);
        let stream = client.try_clone()?;
        let mut stream = TlsStream::accept(stream, config.clone(), PATIENCE).unwrap();
        let _ = stream.read(&mut [0; 4096])?;
        thread::sleep(time * 3 / 5);
        stream.write_all(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")?;
        Ok(None)
    });
    let limits = Limits {
        time,
        ..Limits::default()
    };
    let started = Instant::now();
    let error = failure(&connector(&authority).limits(limits), address);
    assert_eq!(
        error.kind(),
        ErrorKind::Upgrade(upgrade::ErrorKind::TimedOut)
    );
    assert!(started.elapsed() >= time);
}

#[test]
fn connection_cut_in_the_handshake_is_the_streams_fault() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // What was not read makes the end a reset.
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.peek(&mut [0]).unwrap();
    });
    let error = failure(&connector(&Authority::new()), address);
    server.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Upgrade(upgrade::ErrorKind::Tls));
    assert_eq!(error.fault(), Fault::Transport);
    assert_eq!(
        error.to_string(),
        "tls handshake with 127.0.0.1 failed: read failed"
    );
    assert!(error.source().unwrap().is::<std::io::Error>());
}

#[test]
fn server_that_ends_without_an_answer_has_closed() {
    let authority = Authority::new();
    let config = authority.server(&["127.0.0.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = TlsStream::accept(stream, config, PATIENCE).unwrap();
        let mut head = [0; 4096];
        assert!(std::io::Read::read(&mut stream, &mut head).unwrap() > 0);
    });
    let error = failure(&connector(&authority), address);
    server.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Upgrade(upgrade::ErrorKind::Closed));
}
