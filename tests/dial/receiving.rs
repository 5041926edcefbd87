//! Any input over TLS is what it is without: the suite of `behaviour`, over sessions with rustls at the
//! other end.

use crate::servers::PATIENCE;
use crate::servers::tls_peer::{NAME, client, converse, name, server};
use framewire::protocol::Role;
use framewire::upgrade::TlsStream;
use framewire::{Error, ErrorKind, Opcode, blocking};
use proptest::prelude::*;
use std::net::{Shutdown, TcpStream};
use std::thread;
use support::arbitrary::{compressed_script, script};
use support::event::{End, Event};
use support::frames::{CLOSE, CONTINUATION, FIN, PING, TEXT, close_payload, to, wire};
use support::front_end::{Events, FrontEnd, Outcome, Script, check_one, config, final_end, open};
use support::loopback::tcp;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// The rule, by hand: a text in two fragments with a Ping between them, and a Close.
#[test]
fn a_message_a_ping_and_a_close_come_over_tls_and_are_answered() {
    for (front_end, role) in front_ends() {
        let bytes = wire(&[
            to(role, TEXT, "Hel"),
            to(role, FIN | PING, "?"),
            to(role, FIN | CONTINUATION, "lo"),
            to(role, FIN | CLOSE, close_payload(1000, "")),
        ]);
        let script = Script::new(role, bytes);
        for script in [script.clone(), script.byte_by_byte()] {
            check_one(&front_end, &script);
            let outcome = front_end.run(&script);
            let hello = Event::Message(Opcode::Text, b"Hello".to_vec());
            let close = Event::Close(Some(1000), String::new());
            assert_eq!(outcome.events, [Event::Ping(b"?".to_vec()), hello, close]);
        }
    }
}

/// The peer's `close_notify` is no end of a message, nor of the connection: neither has a Close frame.
#[test]
fn a_message_that_tls_ends_in_the_middle_is_not_given() {
    for (front_end, role) in front_ends() {
        let fragment = to(role, TEXT, "Hel").bytes();
        let message = to(role, FIN | TEXT, "Hello").bytes();
        for said in [fragment, message[..message.len() - 1].to_vec(), vec![]] {
            let outcome = front_end.run(&Script::new(role, said));
            assert_eq!(outcome.events, []);
            assert_eq!(outcome.end, End::Open, "a lost connection");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_given_over_tls_is_what_the_oracle_says(script in script()) {
        check_one(&OverTls::Blocking, &script);
        check_one(&OverTls::Tokio, &script);
    }

    #[test]
    fn compression_changes_nothing_of_it(script in compressed_script()) {
        check_one(&OverTls::Blocking, &script);
        check_one(&OverTls::Tokio, &script);
    }
}

fn front_ends() -> impl Iterator<Item = (OverTls, Role)> {
    let both = [OverTls::Blocking, OverTls::Tokio].into_iter();
    both.flat_map(|one| [Role::Server, Role::Client].map(|role| (one, role)))
}

/// `next_message` of either front end, over TLS over TCP.
#[derive(Debug, Clone, Copy)]
enum OverTls {
    Blocking,
    Tokio,
}

impl FrontEnd for OverTls {
    fn name(&self) -> String {
        format!("{self:?} over TLS")
    }

    fn run(&self, script: &Script) -> Outcome {
        let (near, far) = tcp();
        // What is left unread at the end is no reset before the peer has read all that it was sent.
        let kept = near.try_clone().unwrap();
        thread::scope(|scope| {
            let peer = scope.spawn(|| converse(far, script.terms.role, &script.pieces).0);
            let events = Events::default();
            let error = match self {
                Self::Blocking => receive(near, script, &events),
                Self::Tokio => receive_in_a_task(near, script, &events),
            };
            // It may be shut down already.
            let _ = kept.shutdown(Shutdown::Write);
            Outcome {
                events: events.take(),
                end: match error.kind() {
                    // The peer has nothing more to say.
                    ErrorKind::ConnectionLost => End::Open,
                    _ => final_end(&error),
                },
                partial: vec![],
                sent: Some(peer.join().unwrap()),
            }
        })
    }
}

fn receive(socket: TcpStream, script: &Script, events: &Events) -> Error {
    let role = script.terms.role;
    let stream = match role {
        Role::Server => TlsStream::accept(socket, server(), PATIENCE),
        Role::Client => TlsStream::connect(socket, NAME, client(), PATIENCE),
    };
    let socket = blocking::WebSocket::with_leftover(stream.unwrap(), &[], role, config(script));
    let mut socket = socket.unwrap();
    if let Some(agreed) = script.compression.negotiated() {
        socket.set_extension(&agreed);
    }
    socket.on_ping(events.of_pings());
    socket.on_pong(events.of_pongs());
    socket.on_close(events.of_closes());
    loop {
        match socket.next_message() {
            Ok(Some(message)) => {
                let payload = message.payload().to_vec();
                events.push(Event::Message(message.opcode(), payload));
            }
            Ok(None) => return ErrorKind::Closed(Box::new(socket.closed().unwrap())).into(),
            Err(error) => return error,
        }
    }
}

fn receive_in_a_task(socket: TcpStream, script: &Script, events: &Events) -> Error {
    socket.set_nonblocking(true).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let received = runtime.block_on(async {
        let socket = tokio::net::TcpStream::from_std(socket).unwrap();
        timeout(PATIENCE, receive_over_tokio(socket, script, events)).await
    });
    received.expect("nothing waits for ever")
}

async fn receive_over_tokio(
    socket: tokio::net::TcpStream,
    script: &Script,
    events: &Events,
) -> Error {
    let stream: tokio_rustls::TlsStream<_> = match script.terms.role {
        Role::Server => {
            let accepted = tokio_rustls::TlsAcceptor::from(server()).accept(socket);
            accepted.await.unwrap().into()
        }
        Role::Client => {
            let connected = tokio_rustls::TlsConnector::from(client()).connect(name(), socket);
            connected.await.unwrap().into()
        }
    };
    let mut socket = open(stream, script, events);
    loop {
        match socket.next_message().await {
            Ok(Some(message)) => {
                let payload = message.payload().to_vec();
                events.push(Event::Message(message.opcode(), payload));
            }
            Ok(None) => return ErrorKind::Closed(Box::new(socket.closed().unwrap())).into(),
            Err(error) => return error,
        }
    }
}
