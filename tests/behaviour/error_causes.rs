//! Every error tells its cause once, however it is printed: in its own words, or as its source.

use std::error::Error as StdError;
use std::io;
use std::net::{TcpListener, TcpStream};

use framewire::deflate::{Deflate, DeflateConfig};
use framewire::frame::Violation;
use framewire::handshake::{Acceptor, Connector};
use framewire::protocol::SendError;
use framewire::upgrade::{Dialer, Proxy};
use framewire::{Closed, Error, ErrorKind, Side, TryFeedError};
use support::peer::{Ending, ScriptedPeer, Taking};

/// An error, and the words of what lies at the bottom of it.
type Told = (Error, &'static str);

/// A stream's error with a cause of its own, as TLS libraries give them.
fn nested() -> io::Error {
    #[derive(Debug)]
    struct Outer(io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("record cannot be read")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    io::Error::other(Outer(io::ErrorKind::ConnectionReset.into()))
}

fn errors_of_streams() -> Vec<Told> {
    let of = |kind: io::ErrorKind| ErrorKind::Io(kind.into()).into();
    vec![
        (of(io::ErrorKind::ConnectionReset), "connection reset"),
        (of(io::ErrorKind::BrokenPipe), "broken pipe"),
        (of(io::ErrorKind::TimedOut), "timed out"),
        (of(io::ErrorKind::WouldBlock), "would block"),
        (nested().into(), "record cannot be read: connection reset"),
        (ErrorKind::Source(nested()).into(), "connection reset"),
        (
            ErrorKind::Source(io::ErrorKind::PermissionDenied.into()).into(),
            "permission denied",
        ),
    ]
}

fn errors_without_a_cause() -> Vec<Told> {
    let closed = Closed {
        local: None,
        peer: None,
        by: Side::Peer,
    };
    let kinds: Vec<(ErrorKind, &str)> = vec![
        (ErrorKind::Violation(Violation::Masked), "masked frame"),
        (ErrorKind::Closed(Box::new(closed)), "closed by the peer"),
        (ErrorKind::ConnectionLost, "connection ended"),
        (ErrorKind::Send(SendError::Compression), "compress"),
        (ErrorKind::FrameBufferTooSmall { needed: 5 }, "5 bytes"),
        (
            ErrorKind::ChunkSize {
                requested: 0,
                limit: 1,
            },
            "0 bytes",
        ),
        (ErrorKind::MessageInProgress, "being assembled"),
        (ErrorKind::Config("no sense"), "no sense"),
    ];
    kinds
        .into_iter()
        .map(|(kind, text)| (kind.into(), text))
        .collect()
}

/// Of each way to come by an error with a cause.
fn errors_of_handshakes() -> Vec<Told> {
    let (acceptor, connector) = (Acceptor::new(), Connector::new());
    let connect = |connector: &Connector, uri: &str| connector.connect(uri).map(drop).unwrap_err();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = listener.local_addr().unwrap();
    drop(listener);
    let through = |proxy: &str| {
        let proxy = Proxy::parse(&format!("{proxy}://{nowhere}")).unwrap();
        Connector::new().dialer(Dialer::new().proxy(proxy))
    };
    let dial = |_: &_| Err::<TcpStream, _>(nested());
    let broken = ScriptedPeer::new("GET").ending(Ending::Failure(io::ErrorKind::ConnectionReset));
    let unanswered = ScriptedPeer::saying(["GET / HTTP/1.1\r\n\r\n"]).taking(Taking::AtMost(0));
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    let offering = Connector::new().deflate(deflate);
    let answer = http::Response::builder()
        .header("sec-websocket-extensions", "permessage-deflate; x=1")
        .body(())
        .unwrap();
    let errors = vec![
        (connect(&connector, &format!("ws://{nowhere}/")), "os error"),
        (
            connect(&connector, &format!("ws://{}/", "a".repeat(64))),
            "lookup",
        ),
        (connect(&through("http"), "ws://a.example/"), "os error"),
        (connect(&through("socks5h"), "ws://a.example/"), "os error"),
        (connect(&connector, "ws://a b/"), "invalid uri character"),
        (connect(&connector, "ws:/\\/"), "invalid"),
        (
            connector
                .connect_over("ws://a/", dial)
                .map(drop)
                .unwrap_err(),
            "connection reset",
        ),
        (
            offering.negotiated(&answer).map(drop).unwrap_err(),
            "answer has",
        ),
        (
            acceptor.receive(broken).map(drop).unwrap_err(),
            "connection reset",
        ),
        (
            acceptor.receive(unanswered).map(drop).unwrap_err(),
            "write zero",
        ),
    ];
    errors
        .into_iter()
        .map(|(error, text)| (error.into(), text))
        .collect()
}

/// What somebody prints who prints the causes too.
fn with_sources(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[track_caller]
fn assert_told_once(error: &dyn StdError, innermost: &str) {
    let text = error.to_string();
    assert!(text.contains(innermost), "{text:?} without {innermost:?}");
    assert_nothing_twice(error);
}

#[track_caller]
fn assert_nothing_twice(error: &dyn StdError) {
    let told = with_sources(error);
    let phrases: Vec<&str> = told.split([':', '(', ')']).map(str::trim).collect();
    for (place, phrase) in phrases.iter().enumerate() {
        let again = !phrase.is_empty() && phrases[..place].contains(phrase);
        assert!(!again, "{phrase:?} twice in {told:?}");
    }
}

#[test]
fn every_error_tells_its_cause_once_however_it_is_printed() {
    let all = || {
        let mut errors = errors_of_streams();
        errors.extend(errors_without_a_cause());
        errors.extend(errors_of_handshakes());
        errors
    };
    for (error, innermost) in all() {
        assert_told_once(&error, innermost);
        // As a field of another.
        assert_told_once(&TryFeedError::<Vec<u8>>::from(error), innermost);
    }
    for (error, innermost) in all() {
        // The stream's own is given back as it was.
        let error = io::Error::from(error);
        assert!(with_sources(&error).contains(innermost), "{error:?}");
        assert_nothing_twice(&error);
    }
}
