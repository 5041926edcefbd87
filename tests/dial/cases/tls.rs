//! `wss` from end to end: what is agreed on, and servers that are refused.

use super::shell::{self, Dialled};
use crate::servers::certificates::{Authority, self_signed, version_1};
use crate::servers::proxy::proxy;
use crate::servers::{PATIENCE, pattern, serve, serve_tls};
use framewire::handshake::{Connector, HandshakeError, HandshakeErrorKind};
use framewire::rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom, ring};
use framewire::rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use framewire::upgrade::{Dialer, Limits, TlsStream, UpgradeErrorKind};
use framewire::{Fault, WebSocket, rustls};
use std::error::Error as _;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
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

fn connected() -> WebSocket<Dialled> {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["localhost"]));
    let uri = format!("wss://localhost:{}/", address.port());
    shell::connect_with(&uri, &connector(&authority)).unwrap()
}

fn failure(connector: &Connector, address: SocketAddr) -> HandshakeError {
    shell::connect(connector, &format!("wss://{address}/")).unwrap_err()
}

fn assert_refused(authority: &Authority, config: Arc<ServerConfig>, words: &str) {
    let error = failure(&connector(authority), serve_tls(config));
    let text = error.to_string();
    let start = format!("{words} (invalid peer certificate: ");
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Tls)
    );
    assert_eq!(error.fault(), Fault::Peer);
    let cause: &rustls::Error = error.cause().unwrap().downcast_ref().unwrap();
    assert!(
        matches!(cause, rustls::Error::InvalidCertificate(_)),
        "{cause}"
    );
    assert!(error.source().is_none());
}

// What works over TLS.

#[test]
fn messages_of_any_size_there_and_back() {
    let mut websocket = connected();
    for len in [0, 1, 125, 126, 5000, 16_384, 65_536, 70_000, 1 << 20] {
        websocket.write(pattern(len)).unwrap();
        assert!(
            websocket.next_message().unwrap().unwrap().payload() == pattern(len),
            "{len}"
        );
    }
    let shutdown = websocket.shutdown(PATIENCE).unwrap();
    assert!(shutdown.clean);
}

#[test]
fn connection_that_is_cut_takes_nothing_more() {
    let authority = Authority::new();
    let config = authority.server(&["127.0.0.1"]);
    for is_reset in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = config.clone();
        let cutting = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let handle = stream.try_clone().unwrap();
            let stream = TlsStream::accept(stream, config, PATIENCE).unwrap();
            let websocket = framewire::accept(stream).unwrap();
            // Neither a Close frame nor TLS's own end.
            if is_reset {
                let no_wait = Some(Duration::ZERO);
                socket2::SockRef::from(&handle).set_linger(no_wait).unwrap();
            } else {
                handle.shutdown(Shutdown::Write).unwrap();
            }
            drop((websocket, handle));
        });
        let uri = format!("wss://{address}/");
        let mut websocket = shell::connect_with(&uri, &connector(&authority)).unwrap();
        cutting.join().unwrap();
        let error = websocket.next_message().unwrap_err();
        assert!(!error.is_would_block(), "{error}");
        let error = websocket.write("").unwrap_err();
        let is_lost = matches!(error.kind(), framewire::ErrorKind::ConnectionLost);
        assert!(is_lost, "{is_reset}: {error:?}");
    }
}

#[test]
fn tls_1_2_is_spoken_too() {
    let authority = Authority::new();
    let mut config = ServerConfig::clone(&authority.server(&["127.0.0.1"]));
    config.max_fragment_size = Some(1000);
    let address = serve_tls(Arc::new(config));
    let connector = with(Arc::new(authority.client_of(&[&rustls::version::TLS12])));
    let uri = format!("wss://{address}/");
    let mut websocket = shell::connect_with(&uri, &connector).unwrap();
    let version = shell::tls_version(websocket.stream());
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_2));
    websocket.write(pattern(100_000)).unwrap();
    assert!(websocket.next_message().unwrap().unwrap().payload() == pattern(100_000));
    assert!(websocket.shutdown(PATIENCE).unwrap().clean);
}

#[test]
fn address_in_the_uri_is_checked_as_a_name_is() {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["127.0.0.1"]));
    let uri = format!("wss://{address}/");
    assert!(shell::connect(&connector(&authority), &uri).is_ok());
    assert_refused(
        &authority,
        authority.server(&["127.0.0.2", "localhost"]),
        "certificate is not for 127.0.0.1, but for another host",
    );
}

#[test]
fn certificate_is_for_the_uris_host_wherever_it_is_connected_to() {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["a.invalid"]));
    let dialer = Dialer::new().tls(authority.client());
    let dialer = dialer.connect_to(&address.to_string()).unwrap();
    let connector = Connector::new().dialer(dialer);
    assert!(shell::connect(&connector, "wss://a.invalid/").is_ok());
    let error = shell::connect(&connector, "wss://b.invalid/").unwrap_err();
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Tls)
    );
}

#[test]
fn rfc6455_4_1_tls_is_told_the_name_of_the_server() {
    let authority = Authority::new();
    let address = serve_tls(authority.server_that_is_named("a.invalid"));
    let connect = |config: ClientConfig| {
        let dialer = Dialer::new().tls(Arc::new(config));
        let dialer = dialer.connect_to(&address.to_string()).unwrap();
        shell::connect(&Connector::new().dialer(dialer), "wss://a.invalid/")
    };
    assert!(connect(authority.client_config()).is_ok());
    // A client that does not say it is shown no certificate.
    let mut silent = authority.client_config();
    silent.enable_sni = false;
    assert!(connect(silent).is_err());
}

/// All that a client sends, the request and a message and the Close frame, is in records of TLS.
#[test]
fn rfc6455_4_1_tls_comes_before_the_request() {
    let authority = Authority::new();
    let server = serve_tls(authority.server(&["a.invalid"]));
    let (address, sent) = proxy(move |client, note| {
        let mut to = TcpStream::connect(server)?;
        let (mut answers, mut back) = (to.try_clone()?, client.try_clone()?);
        let answering = thread::spawn(move || {
            let _ = io::copy(&mut answers, &mut back);
            let _ = back.shutdown(Shutdown::Write);
        });
        let mut sent = Vec::new();
        let mut piece = [0; 4096];
        // It may end in a reset.
        while let Ok(len @ 1..) = client.read(&mut piece) {
            sent.extend_from_slice(&piece[..len]);
            let _ = to.write_all(&piece[..len]);
        }
        let _ = note.send(sent.into_iter().map(char::from).collect());
        let _ = to.shutdown(Shutdown::Both);
        answering.join().unwrap();
        Ok(None)
    });
    let dialer = Dialer::new().tls(authority.client());
    let dialer = dialer.connect_to(&address.to_string()).unwrap();
    let connector = Connector::new().dialer(dialer);
    let mut websocket = shell::connect_with("wss://a.invalid/", &connector).unwrap();
    websocket.write("hello").unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().payload(),
        b"hello"
    );
    assert!(websocket.shutdown(PATIENCE).unwrap().clean);
    drop(websocket);

    let sent = sent.recv_timeout(PATIENCE).unwrap();
    let sent: Vec<u8> = sent
        .chars()
        .map(|byte| u8::try_from(byte).unwrap())
        .collect();
    let mut kinds = Vec::new();
    let mut rest = &sent[..];
    // RFC 8446 5.1: what a record is, 3 and the version, and its length.
    while let [kind, 3, _, high, low, payload @ ..] = rest {
        kinds.push(*kind);
        rest = &payload[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    assert_eq!(rest, b"");
    assert_eq!(kinds[0], 22, "a handshake");
    assert!(kinds.contains(&23), "data: {kinds:?}");
    assert!(
        kinds.iter().all(|kind| (20..=23).contains(kind)),
        "{kinds:?}"
    );
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
        shell::connect(&with(Arc::new(config)), &format!("wss://{address}/"))
    };
    assert!(connect(&[]).is_ok());
    assert!(connect(&["http/1.1"]).is_ok());
    let error = connect(&["http/1.1", "h2"]).unwrap_err();
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Tls)
    );
    assert_eq!(
        error.to_string(),
        "127.0.0.1 and the tls configuration agreed on h2, which is not http/1.1"
    );
}

#[test]
fn a_client_that_refuses_what_was_agreed_on_ends_tls() {
    let authority = Authority::new();
    let mut config = ServerConfig::clone(&authority.server(&["127.0.0.1"]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        StreamOwned::new(session, stream).read_to_end(&mut Vec::new())
    });
    let mut config = authority.client_config();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let refused = shell::connect(&with(Arc::new(config)), &format!("wss://{address}/"));
    refused.unwrap_err();
    assert_eq!(server.join().unwrap().unwrap(), 0);
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
    let kinds = [UpgradeErrorKind::Tls, UpgradeErrorKind::Io].map(HandshakeErrorKind::Upgrade);
    assert!(kinds.contains(&error.kind()), "{error}");
    assert!(error.to_string().contains("trust"), "{error}");
}

#[test]
fn server_without_tls_is_refused() {
    let authority = Authority::new();
    let error = failure(&connector(&authority), serve());
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Tls)
    );
    assert_eq!(
        error.to_string(),
        "127.0.0.1 does not speak TLS: connect to it without TLS \
         (received corrupt message of type InvalidContentType)"
    );
    assert_eq!(error.fault(), Fault::Peer);
}

#[test]
fn server_that_speaks_tls_is_told_from_one_that_speaks_nonsense() {
    let authority = Authority::new();
    let address = serve_tls(authority.server(&["127.0.0.1"]));
    let error = shell::connect(&Connector::new(), &format!("ws://{address}/")).unwrap_err();
    let malformed = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Malformed);
    assert_eq!(error.kind(), malformed);
    let text = "the peer speaks TLS: connect to it with TLS";
    assert_eq!(error.to_string(), text);
    assert_eq!(error.fault(), Fault::Peer);
}

#[test]
fn certificate_of_an_authority_is_no_servers() {
    let authority = Authority::new();
    assert_refused(
        &authority,
        authority.server_itself(),
        "certificate of 127.0.0.1 is one of an authority (CA:TRUE), which no server may show: have it \
         sign one with CA:FALSE for the server",
    );
}

#[test]
fn certificate_of_version_1_is_refused_with_what_to_do() {
    assert_refused(
        &Authority::new(),
        version_1(),
        "certificate of 127.0.0.1 is of X.509 version 1: make one of version 3, with the host in \
         subjectAltName",
    );
}

#[test]
fn certificate_without_names_is_refused_with_what_to_do() {
    let authority = Authority::new();
    assert_refused(
        &authority,
        authority.server(&[]),
        "certificate of 127.0.0.1 names no host: make one with the host in subjectAltName",
    );
}

#[test]
fn configuration_that_cannot_be_used_is_the_fault_of_the_caller() {
    #[derive(Debug)]
    struct NothingRandom;
    impl SecureRandom for NothingRandom {
        fn fill(&self, _: &mut [u8]) -> Result<(), GetRandomFailed> {
            Err(GetRandomFailed)
        }
    }
    let provider = CryptoProvider {
        secure_random: &NothingRandom,
        ..ring::default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty());
    let server = serve_tls(Authority::new().server(&["127.0.0.1"]));
    let error = failure(&with(Arc::new(config.with_no_client_auth())), server);
    assert_eq!(error.kind(), HandshakeErrorKind::InvalidArgument);
    assert_eq!(error.fault(), Fault::Caller);
    let text = error.to_string();
    assert!(
        text.starts_with("tls configuration cannot be used: "),
        "{text}"
    );
}

#[test]
fn server_that_says_nothing_to_the_hello_ends_at_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = Limits::default().time(Duration::from_millis(50));
    let connector = connector(&Authority::new()).limits(limits);
    let started = Instant::now();
    let error = failure(&connector, listener.local_addr().unwrap());
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::TimedOut)
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
    // Neither takes too long alone: what is added up is time itself, so it has to pass.
    let (address, _) = proxy(move |client, _| {
        thread::sleep(time * 3 / 5);
        let stream = client.try_clone()?;
        let mut stream = TlsStream::accept(stream, config.clone(), PATIENCE).unwrap();
        let _ = stream.read(&mut [0; 4096])?;
        thread::sleep(time * 3 / 5);
        stream.write_all(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")?;
        Ok(None)
    });
    let limits = Limits::default().time(time);
    let started = Instant::now();
    let error = failure(&connector(&authority).limits(limits), address);
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::TimedOut)
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
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Tls)
    );
    assert_eq!(error.fault(), Fault::Transport);
    let text = error.to_string();
    assert!(
        text.starts_with("tls handshake with 127.0.0.1 failed: "),
        "{text}"
    );
    assert!(error.cause().unwrap().is::<std::io::Error>());
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
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Closed)
    );
}
