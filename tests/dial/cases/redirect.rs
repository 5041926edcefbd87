//! Redirects: an error unless asked for, and then within bounds.

use super::shell;
use crate::servers::proxy::{proxy, read_head};
use crate::servers::{PATIENCE, echo, serve};
use framewire::handshake::{Connector, HandshakeError, HandshakeErrorKind};
use framewire::upgrade::{Limits, UpgradeErrorKind};
use framewire::{Config, Fault, WebSocket};
use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// A server that answers each connection with a status and a location, and notes what it was asked.
fn redirecting(
    answer: impl Fn(&str) -> String + Clone + Send + 'static,
) -> (SocketAddr, Receiver<String>) {
    proxy(move |client, notes| {
        let head = read_head(client)?;
        let location = answer(head.split(' ').nth(1).unwrap());
        let _ = notes.send(head);
        write!(
            client,
            "HTTP/1.1 302 x\r\nLocation: {location}\r\nContent-Length: 4\r\n\r\ngone"
        )?;
        Ok(None)
    })
}

/// An echo server that notes the head it was asked with.
fn noting() -> (SocketAddr, Receiver<String>) {
    proxy(|client, notes| {
        let mut head = vec![0; 4096];
        let count = client.peek(&mut head)?;
        head.truncate(count);
        let _ = notes.send(String::from_utf8(head).unwrap());
        let _ = echo(client.try_clone()?);
        Ok(None)
    })
}

fn assert_echoes<S: framewire::Socket>(mut websocket: WebSocket<S>) {
    websocket.write("hello").unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some("hello")
    );
    assert!(websocket.shutdown(PATIENCE).unwrap().clean);
}

fn failure(connector: &Connector, uri: &str) -> HandshakeError {
    shell::connect(connector, uri).unwrap_err()
}

#[test]
fn redirect_is_an_error_that_tells_where_to() {
    let (address, _) = redirecting(|_| "../there?a=b".to_owned());
    let uri = format!("ws://{address}/here/");
    let target = format!("ws://{address}/there?a=b");
    let error = failure(&Connector::new(), &uri);
    assert_eq!(
        (error.kind(), error.fault()),
        (HandshakeErrorKind::Redirect, Fault::Peer)
    );
    assert_eq!(error.redirect().unwrap(), target.as_str());
    assert_eq!(error.to_string(), format!("server redirects to {target}"));
    // The answer can still be read.
    assert_eq!(
        error.response().unwrap().headers()["location"],
        "../there?a=b"
    );
    assert_eq!(error.into_response().unwrap().body(), b"gone");

    // Over a stream of the program's own as well.
    let stream = TcpStream::connect(address).unwrap();
    let error = shell::connect_stream(&Connector::new(), stream, &uri).unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::Redirect);
}

#[test]
fn redirect_to_nowhere_is_a_refusal() {
    for (location, why) in [
        ("ftp://a.example/", "it is not of ws, wss, http or https"),
        ("http://u:p@a.example/", "uri has user information"),
        ("//b\u{fc}cher.example/", "host of the uri is not ASCII"),
        (
            "ws://a.example\\b.example/",
            "uri has a backslash in its host",
        ),
    ] {
        let (address, _) = redirecting(move |_| location.to_owned());
        let connector = Connector::new().follow_redirects(9);
        let error = failure(&connector, &format!("ws://{address}/"));
        assert_eq!(
            error.kind(),
            HandshakeErrorKind::Upgrade(UpgradeErrorKind::Refused)
        );
        assert_eq!(
            (error.status().unwrap().as_u16(), error.redirect()),
            (302, None)
        );
        let words = format!(
            "server refused the upgrade with status 302 Found: its location {location:?} cannot be \
             used: {why}"
        );
        assert!(error.to_string().starts_with(&words), "{error}");
    }
}

#[test]
fn redirects_are_followed_up_to_the_limit() {
    let (end, asked) = noting();
    let (address, _) = redirecting(move |path| match path {
        "/0" => "1".to_owned(),
        "/1" => "/2".to_owned(),
        _ => format!("http://{end}/end?x"),
    });
    let uri = format!("ws://{address}/0");
    let following = |count| Connector::new().follow_redirects(count);
    let websocket = shell::connect_with(&uri, &following(3)).unwrap();
    shell::assert_unarmed(websocket.stream());
    assert_echoes(websocket);
    let head = asked.recv().unwrap();
    assert!(head.starts_with("GET /end?x HTTP/1.1\r\n"), "{head}");
    assert!(
        head.to_lowercase()
            .contains(&format!("\r\nhost: {end}\r\n")),
        "{head}"
    );
    let established = shell::connect(&following(3), &uri).unwrap();
    assert_eq!(
        established.request().uri(),
        format!("ws://{end}/end?x").as_str()
    );

    let error = failure(&following(2), &uri);
    assert_eq!(
        (error.kind(), error.fault()),
        (HandshakeErrorKind::TooManyRedirects, Fault::Peer)
    );
    assert_eq!(
        error.redirect().unwrap(),
        format!("ws://{end}/end?x").as_str()
    );
    assert_eq!(
        error.to_string(),
        format!("server redirects to ws://{end}/end?x, over the limit of 2 redirects")
    );
}

#[test]
fn redirect_in_a_circle_ends() {
    let (address, asked) = redirecting(|_| "/".to_owned());
    let error = failure(
        &Connector::new().follow_redirects(5),
        &format!("ws://{address}/"),
    );
    assert_eq!(error.kind(), HandshakeErrorKind::TooManyRedirects);
    assert_eq!(asked.try_iter().count(), 6);
}

/// What was asked for with all headers that a redirect may drop, and one that it may not.
fn with_credentials() -> Connector {
    let mut connector = Connector::new().follow_redirects(3);
    let names = [
        AUTHORIZATION,
        COOKIE,
        PROXY_AUTHORIZATION,
        HeaderName::from_static("x-mine"),
    ];
    for name in names {
        connector = connector.header(name, "secret").unwrap();
    }
    connector
}

fn credentials(head: &str) -> usize {
    assert!(head.contains("X-Mine: secret\r\n"), "{head}");
    head.matches(": secret\r\n").count() - 1
}

#[test]
fn credentials_stay_with_the_server_that_they_were_meant_for() {
    let (address, asked) = redirecting(|path| match path {
        "/same" => "/again".to_owned(),
        _ => "ws://127.0.0.1:1/".to_owned(),
    });
    let _ = failure(&with_credentials(), &format!("ws://{address}/same"));
    let heads: Vec<_> = asked.try_iter().map(|head| credentials(&head)).collect();
    assert_eq!(heads, [3, 3]);
}

#[test]
fn credentials_are_dropped_for_another_host_or_port_for_good() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (other, asked_there) = redirecting(move |path| match path {
        "/there" => "/still-there".to_owned(),
        _ => format!("ws://127.0.0.1:{port}/back"),
    });
    let home = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for location in [format!("ws://{other}/there"), "nowhere:".to_owned()] {
            let (mut stream, _) = listener.accept().unwrap();
            heads.push(credentials(&read_head(&mut stream).unwrap()));
            write!(stream, "HTTP/1.1 307 x\r\nLocation: {location}\r\n\r\n").unwrap();
        }
        heads
    });
    let error = failure(&with_credentials(), &format!("ws://127.0.0.1:{port}/"));
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Refused)
    );
    assert_eq!(home.join().unwrap(), [3, 0]);
    let heads: Vec<_> = asked_there
        .try_iter()
        .map(|head| credentials(&head))
        .collect();
    assert_eq!(heads, [0, 0]);
}

#[test]
fn time_limit_is_for_all_redirects_together() {
    let (address, asked) = redirecting(|_| "/".to_owned());
    let limits = Limits::default().time(Duration::from_millis(100));
    // Each takes far less than the limit, and all of them far more.
    let connector = Connector::new().limits(limits).follow_redirects(100_000);
    let error = failure(&connector, &format!("ws://{address}/"));
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::TimedOut)
    );
    assert!(asked.try_iter().count() > 1);
}

#[test]
fn body_of_a_redirect_that_is_followed_is_not_waited_for() {
    let end = serve();
    let (address, _) = proxy(move |client, _| {
        let location = match read_head(client)?.split(' ').nth(1) {
            Some("/0") => "/1".to_owned(),
            Some("/1") => "/2".to_owned(),
            Some("/2") => "/3".to_owned(),
            _ => format!("ws://{end}/"),
        };
        write!(client, "HTTP/1.1 302 x\r\nLocation: {location}\r\n\r\n")?;
        // The body goes on until the client has gone.
        io::copy(client, &mut io::sink())?;
        Ok(None)
    });
    // A client that waited for one would never come to the next, and fail at its limit of time.
    let limits = Limits::default().time(PATIENCE);
    let connector = Connector::new().limits(limits).follow_redirects(4);
    shell::connect(&connector, &format!("ws://{address}/0")).unwrap();
}

#[test]
fn redirect_to_what_cannot_be_dialled_is_the_servers_fault() {
    let (address, _) = redirecting(|_| "ws://[v1.x]/".to_owned());
    let connector = Connector::new().follow_redirects(1);
    let error = failure(&connector, &format!("ws://{address}/"));
    assert_eq!(
        (error.kind(), error.fault()),
        (HandshakeErrorKind::Redirect, Fault::Peer)
    );
    assert_eq!(error.redirect().unwrap(), "ws://[v1.x]/");
    assert_eq!(
        error.to_string(),
        "server redirects to ws://[v1.x]/: authority of the uri is not host[:port]"
    );
    assert_eq!(error.status().unwrap().as_u16(), 302);
    // What the caller asks for itself is the caller's.
    let error = failure(&Connector::new(), "ws://[v1.x]/");
    assert_eq!(error.fault(), Fault::Caller);
}

mod tls {
    use super::*;
    use crate::servers::certificates::Authority;
    use framewire::upgrade::{Dialer, TlsStream};

    /// A server with TLS that redirects there.
    fn redirecting_over_tls(authority: &Authority, location: String) -> SocketAddr {
        let config = authority.server(&["127.0.0.1"]);
        let (address, _) = proxy(move |client, _| {
            let stream = client.try_clone()?;
            let mut stream = TlsStream::accept(stream, config.clone(), PATIENCE).unwrap();
            std::io::Read::read(&mut stream, &mut [0; 4096])?;
            write!(
                stream,
                "HTTP/1.1 301 x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            )?;
            Ok(None)
        });
        address
    }

    fn connector(authority: &Authority) -> Connector {
        with_credentials().dialer(Dialer::new().tls(authority.client()))
    }

    #[test]
    fn redirect_from_wss_to_ws_is_never_followed() {
        let authority = Authority::new();
        let (plain, asked) = noting();
        for scheme in ["ws", "http"] {
            let address = redirecting_over_tls(&authority, format!("{scheme}://{plain}/"));
            let error = failure(&connector(&authority), &format!("wss://{address}/"));
            assert_eq!(error.kind(), HandshakeErrorKind::Redirect);
            assert_eq!(error.redirect().unwrap(), format!("ws://{plain}/").as_str());
            assert_eq!(
                error.to_string(),
                format!("server redirects to ws://{plain}/, from wss to ws, which is not followed")
            );
        }
        assert!(asked.try_recv().is_err());
    }

    #[test]
    fn redirect_from_ws_to_wss_is_followed() {
        let authority = Authority::new();
        let secure = crate::servers::serve_tls(authority.server(&["127.0.0.1"]));
        let (address, _) = redirecting(move |_| format!("https://{secure}/"));
        let uri = format!("ws://{address}/");
        let websocket = shell::connect_with(&uri, &connector(&authority)).unwrap();
        let request_was_over_tls = websocket.stream().get_ref().peer_addr().unwrap() == secure;
        assert!(request_was_over_tls);
        assert_echoes(websocket);
    }
}

#[test]
fn streams_of_the_callers_own_are_redirected_too() {
    let (address, _) = noting();
    let target = format!("ws://{address}/there");
    let (first, _) = redirecting({
        let target = target.clone();
        move |_| target.clone()
    });
    let mut dialled = Vec::new();
    let uri = format!("ws://{first}/here");
    let connector = Connector::new().follow_redirects(1);
    let established = shell::connect_over(&connector, &uri, |uri| {
        dialled.push(uri.to_string());
        TcpStream::connect(uri.authority().unwrap().as_str())
    })
    .unwrap();
    assert_eq!(dialled, [uri, target]);
    let config = Config::default();
    assert_echoes(WebSocket::from_established(established, config).unwrap());
}

#[test]
fn stream_that_the_caller_cannot_connect_is_an_error_with_its_reason() {
    let refuse = |_: &_| Err::<TcpStream, _>(io::ErrorKind::ConnectionRefused.into());
    let error = shell::connect_over(&Connector::new(), "ws://a/", refuse).unwrap_err();
    assert_eq!(
        error.kind(),
        HandshakeErrorKind::Upgrade(UpgradeErrorKind::Dial)
    );
    assert_eq!(error.fault(), Fault::Transport);
    let cause = error.cause().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
}
