//! Through proxies: CONNECT and SOCKS5, those that refuse, hang, or say nonsense.

use super::shell::upgrade::dial;
use super::shell::{self, Dialled, assert_unarmed};
use crate::servers::proxy::{http, proxy, read, read_head, socks5};
use crate::servers::{PATIENCE, serve};
use framewire::handshake::{Connector, HandshakeError, HandshakeErrorKind};
use framewire::upgrade::{Dialer, Limits, Proxies, Proxy, UpgradeErrorKind};
use framewire::{Fault, WebSocket};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::{Duration, Instant};

const PROXY: HandshakeErrorKind = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Proxy);

fn through(url: &str) -> Connector {
    Connector::new().dialer(Dialer::new().proxy(Proxy::parse(url).unwrap()))
}

fn connect(url: &str, uri: &str) -> WebSocket<Dialled> {
    shell::connect_with(uri, &through(url)).unwrap()
}

fn failure(url: &str) -> HandshakeError {
    shell::connect(&through(url), "ws://a.example/").unwrap_err()
}

fn assert_echoes(mut websocket: WebSocket<Dialled>) {
    assert_unarmed(websocket.stream());
    websocket.write("hello").unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some("hello")
    );
    assert!(websocket.shutdown(PATIENCE).unwrap().clean);
}

/// A proxy that reads the request for a tunnel and answers so.
fn answering(answer: impl AsRef<[u8]> + Clone + Send + 'static) -> SocketAddr {
    let (address, _) = proxy(move |client, _| {
        read_head(client)?;
        client.write_all(answer.as_ref())?;
        Ok(None)
    });
    address
}

// CONNECT.

#[test]
fn rfc9110_9_3_6_tunnel_is_asked_for_by_host_and_port() {
    let (address, notes) = http(serve());
    assert_echoes(connect(&format!("http://{address}"), "ws://a.example/chat"));
    assert_eq!(
        notes.recv().unwrap(),
        "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"
    );
    assert_echoes(connect(&format!("http://{address}"), "ws://[::1]:81/"));
    assert_eq!(
        notes.recv().unwrap(),
        "CONNECT [::1]:81 HTTP/1.1\r\nHost: [::1]:81\r\n\r\n"
    );
}

#[test]
fn rfc7617_2_user_and_password_are_sent_in_base64() {
    let (address, notes) = http(serve());
    let url = format!("http://Aladdin:open%20sesame@{address}");
    assert_echoes(connect(&url, "ws://a.example/"));
    let request = notes.recv().unwrap();
    assert!(
        request.contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"),
        "{request}"
    );
}

#[test]
fn refusal_of_the_proxy_can_be_read() {
    let address = answering(
        "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 8\r\n\r\nwho? you",
    );
    let error = failure(&format!("http://u:secret@{address}"));
    assert_eq!((error.kind(), error.fault()), (PROXY, Fault::Peer));
    assert_eq!(
        error.to_string(),
        format!(
            "proxy {address} made no connection to a.example:80: it refused the tunnel with status \
             407 Proxy Authentication Required"
        )
    );
    assert!(!format!("{error:?}").contains("secret"));
    let response = error.into_response().unwrap();
    assert_eq!(response.status(), 407);
    assert_eq!(
        response.headers()["proxy-authenticate"],
        "Basic realm=\"p\""
    );
    assert_eq!(response.body(), b"who? you");
}

#[test]
fn body_of_a_refusal_is_kept_up_to_64_kib() {
    let address = answering(format!("HTTP/1.1 503 x\r\n\r\n{}", "x".repeat(100_000)));
    let response = failure(&format!("http://{address}"))
        .into_response()
        .unwrap();
    assert_eq!(response.body().len(), 64 << 10);
}

#[test]
fn interim_status_of_a_proxy_is_a_refusal_without_a_body() {
    let address = answering("HTTP/1.1 101 x\r\n\r\nmore");
    let response = failure(&format!("http://{address}"))
        .into_response()
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (101, &b""[..])
    );
}

#[test]
fn redirect_of_a_proxy_is_no_redirect_of_the_server() {
    let address = answering("HTTP/1.1 302 x\r\nLocation: ws://b.example/\r\n\r\n");
    assert_eq!(failure(&format!("http://{address}")).kind(), PROXY);
}

#[test]
fn any_2xx_is_a_tunnel_and_what_follows_its_head_is_the_targets() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
        "HTTP/1.1 299 x\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 x\r\n\r\n",
    ] {
        let address = answering(format!("{head}hello"));
        let dialer = Dialer::new().proxy(Proxy::parse(&address.to_string()).unwrap());
        let uri = "http://a.example/".parse().unwrap();
        let mut stream = dial(&dialer, &uri, PATIENCE).unwrap();
        assert_unarmed(&stream);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello", "{head}");
    }
}

#[test]
fn answer_that_comes_byte_by_byte_is_understood() {
    let (address, _) = proxy(|client, _| {
        read_head(client)?;
        client.set_nodelay(true)?;
        for byte in b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\nhello" {
            client.write_all(&[*byte])?;
        }
        Ok(None)
    });
    let dialer = Dialer::new().proxy(Proxy::parse(&address.to_string()).unwrap());
    let mut stream = dialer
        .dial(&"http://a/".parse().unwrap(), PATIENCE)
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
}

#[test]
fn proxy_that_answers_nonsense_or_nothing_made_no_connection() {
    for (answer, words) in [
        (String::new(), "it ended the connection"),
        ("HTTP/1.1 200 OK\r\n".to_owned(), "it ended the connection"),
        (
            "\u{16}\u{3}".to_owned(),
            "malformed head: it begins as a record of TLS does",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(20_000)),
            "head exceeds the limit of 16384 bytes",
        ),
    ] {
        let address = answering(answer);
        let error = failure(&format!("http://{address}"));
        assert_eq!(
            (error.kind(), error.fault()),
            (PROXY, Fault::Peer),
            "{words}"
        );
        assert_eq!(
            error.to_string(),
            format!("proxy {address} made no connection to a.example:80: {words}")
        );
    }
}

#[test]
fn proxy_that_hangs_ends_at_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for scheme in ["http", "socks5h"] {
        let started = Instant::now();
        let limits = Limits::default().time(Duration::from_millis(50));
        let connector = through(&format!("{scheme}://{address}")).limits(limits);
        let error = shell::connect(&connector, "ws://a.example/").unwrap_err();
        assert_eq!(
            error.kind(),
            HandshakeErrorKind::Upgrade(UpgradeErrorKind::TimedOut)
        );
        assert_eq!(
            error.to_string(),
            format!(
                "proxy {address} made no connection to a.example:80: read was not done within the \
                 limit of 50ms"
            )
        );
        assert!(started.elapsed() >= Duration::from_millis(50) && started.elapsed() < PATIENCE);
    }
}

#[test]
fn proxy_is_asked_for_the_place_to_connect_to() {
    let (proxy, asked) = http(serve());
    let dialer = Dialer::new().proxy(Proxy::parse(&format!("http://{proxy}")).unwrap());
    let dialer = dialer.connect_to("b.invalid:82").unwrap();
    let connector = Connector::new().dialer(dialer);
    assert_echoes(shell::connect_with("ws://a.invalid:81/", &connector).unwrap());
    let head = asked.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("CONNECT b.invalid:82 "), "{head}");
}

#[test]
fn proxy_that_is_not_there_is_named() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = failure(&format!("http://{address}"));
    assert_eq!((error.kind(), error.fault()), (PROXY, Fault::Transport));
    assert_eq!(
        error.to_string(),
        format!(
            "proxy {address} cannot be reached: connection to {address} refused: {}",
            error.cause().unwrap()
        )
    );
    assert!(error.cause().unwrap().is::<io::Error>());
}

#[test]
fn exceptions_are_connected_to_directly() {
    let nowhere = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let proxies = Proxies::from_lookup(|name| match name {
        "http_proxy" => Some(nowhere.to_string()),
        "NO_PROXY" => Some("127.0.0.0/8".to_owned()),
        _ => None,
    });
    let connector = Connector::new().dialer(Dialer::new().proxy(proxies.unwrap()));
    let uri = format!("ws://{}/", serve());
    assert_echoes(shell::connect_with(&uri, &connector).unwrap());
    let error = shell::connect(&connector, "ws://a.example/").unwrap_err();
    assert_eq!(error.kind(), PROXY);
}

// SOCKS5.

#[test]
fn socks5h_leaves_the_name_to_the_proxy() {
    let (address, notes) = socks5(serve(), None);
    assert_echoes(connect(&format!("socks5h://{address}"), "ws://a.example/"));
    assert_eq!(notes.recv().unwrap(), "3 a.example");
}

#[test]
fn socks5_resolves_the_name_here() {
    let (address, notes) = socks5(serve(), None);
    assert_echoes(connect(&format!("socks5://{address}"), "ws://localhost/"));
    let localhost = [
        "1 \\x7f\\x00\\x00\\x01".to_owned(),
        format!("4 {}\\x01", "\\x00".repeat(15)),
    ];
    assert!(localhost.contains(&notes.recv().unwrap()));
}

#[test]
fn socks5_tries_each_address_where_the_proxy_cannot_reach_one() {
    let (address, notes) = proxy(|client, notes| {
        read::<3>(client)?;
        client.write_all(&[5, 0])?;
        let [_, _, _, kind] = read(client)?;
        let _ = notes.send(format!("{kind}"));
        client.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0])?;
        Ok(None)
    });
    let connector = through(&format!("socks5://{address}"));
    let error = shell::connect(&connector, "ws://localhost/").unwrap_err();
    assert_eq!(error.kind(), PROXY);
    // One address or two, as this system has it.
    let addresses: BTreeSet<_> = ("localhost", 80).to_socket_addrs().unwrap().collect();
    assert_eq!(notes.try_iter().count(), addresses.len());
}

#[test]
fn socks5_with_a_password() {
    let (address, _) = socks5(serve(), Some(("me", "p@ss")));
    assert_echoes(connect(
        &format!("socks5h://me:p%40ss@{address}"),
        "ws://a.example/",
    ));
    for (user, words) in [
        ("me:wrong@", "it does not take the password"),
        ("", "it asks for authentication"),
    ] {
        let error = failure(&format!("socks5h://{user}{address}"));
        assert_eq!((error.kind(), error.fault()), (PROXY, Fault::Peer));
        assert_eq!(
            error.to_string(),
            format!("proxy {address} made no connection to a.example:80: {words}")
        );
    }
}

#[test]
fn socks5_reply_says_why() {
    let (address, _) = proxy(|client, _| {
        read::<3>(client)?;
        client.write_all(&[5, 0])?;
        read::<16>(client)?;
        client.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0])?;
        Ok(None)
    });
    let error = failure(&format!("socks5h://{address}"));
    assert_eq!((error.kind(), error.fault()), (PROXY, Fault::Peer));
    assert_eq!(
        error.to_string(),
        format!("proxy {address} made no connection to a.example:80: host unreachable")
    );
}

#[test]
fn socks5_takes_no_byte_that_is_the_targets() {
    let (address, _) = proxy(|client, _| {
        read::<3>(client)?;
        client.write_all(&[5, 0])?;
        read::<16>(client)?;
        client.write_all(b"\x05\0\0\x03\x03abc\0\x50hello")?;
        Ok(None)
    });
    let dialer = Dialer::new().proxy(Proxy::parse(&format!("socks5h://{address}")).unwrap());
    let uri = "http://a.example/".parse().unwrap();
    let mut stream = dial(&dialer, &uri, PATIENCE).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
}

#[test]
fn tls_goes_through_either() {
    let authority = crate::servers::certificates::Authority::new();
    let target = crate::servers::serve_tls(authority.server(&["a.example"]));
    for url in [
        format!("http://{}", http(target).0),
        format!("socks5h://{}", socks5(target, None).0),
    ] {
        let dialer = Dialer::new().proxy(Proxy::parse(&url).unwrap());
        let connector = Connector::new().dialer(dialer.tls(authority.client()));
        let websocket = shell::connect_with("wss://a.example/", &connector);
        assert_echoes(websocket.unwrap());
    }
}
