//! permessage-deflate agreed on in a handshake over a stream, and used (RFC 7692 5).

use std::sync::Arc;
use std::thread;

use framewire::deflate::{AnswerError, Deflate, DeflateConfig, Negotiated, Parameters};
use framewire::handshake::{Acceptor, Connector, HandshakeErrorKind, accept_key};
use framewire::protocol::{Agreement, Role};
use framewire::upgrade::RequestDecoder;
use framewire::{Config, Fault, WebSocket, accept_with, connect_stream_with};
use http::{Request, Response};
use support::frames::{FIN, RSV1, TEXT};
use support::loopback;
use support::oracle::frames_in;

const URI: &str = "ws://server.example.com/chat";

fn deflate(config: DeflateConfig) -> Deflate {
    Deflate::new(config).unwrap()
}

fn connector(config: DeflateConfig) -> Connector {
    Connector::new().deflate(deflate(config))
}

fn acceptor(config: DeflateConfig) -> Acceptor {
    Acceptor::new().deflate(deflate(config))
}

fn request(connector: &Connector) -> Request<()> {
    connector.request(URI).unwrap()
}

/// A server's answer with these extensions.
fn response(request: &Request<()>, extensions: &[&str]) -> Response<()> {
    let key = request.headers()["sec-websocket-key"].to_str().unwrap();
    let response = Response::builder()
        .status(101)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-accept", accept_key(key));
    let response = extensions.iter().fold(response, |response, value| {
        response.header("sec-websocket-extensions", *value)
    });
    response.body(()).unwrap()
}

/// What both ends see of the handshake of a connection.
fn agreed(server: &Acceptor, client: &Connector) -> [Option<Parameters>; 2] {
    let (server_stream, client_stream) = loopback::tcp();
    thread::scope(|scope| {
        let server = scope.spawn(|| server.accept(server_stream).unwrap());
        let client = client.connect_stream(client_stream, URI).unwrap();
        let server = server.join().unwrap();
        [server.deflate(), client.deflate()].map(|negotiated| negotiated.map(|n| *n.parameters()))
    })
}

#[test]
fn what_was_agreed_on_is_among_the_parts_of_what_was_accepted_in_two_steps() {
    let (server_stream, client_stream) = loopback::tcp();
    thread::scope(|scope| {
        let config = DeflateConfig::default();
        let client = scope.spawn(move || {
            let (connector, config) = (connector(config), Config::default());
            let mut client = connect_stream_with(client_stream, URI, &connector, config).unwrap();
            let text = "to be compressed ".repeat(20);
            client.write(&text).unwrap();
            client
        });
        let pending = acceptor(config).receive(server_stream).unwrap();
        let parts = pending.accept().unwrap().into_parts();
        let agreed = parts.extension.unwrap();
        let (role, config) = (Role::Server, Config::default());
        let server = WebSocket::with_leftover(parts.stream, &parts.leftover, role, config);
        let mut server = server.unwrap();
        server.set_extension(&*agreed);
        assert_eq!(server.next_message().unwrap().unwrap().payload().len(), 340);
        client.join().unwrap();
    });
}

#[test]
fn rfc7692_5_1_both_ends_agree() {
    let expected = Parameters::default()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
        .server_max_window_bits(12)
        .client_max_window_bits(10);
    let by_server = DeflateConfig::default()
        .server_no_context_takeover(true)
        .client_max_window_bits(10);
    let by_client = DeflateConfig::default()
        .client_no_context_takeover(true)
        .server_max_window_bits(12);
    let parameters = agreed(&acceptor(by_server), &connector(by_client));
    assert_eq!(parameters, [Some(expected); 2]);
    let parameters = agreed(&acceptor(by_client), &connector(by_server));
    let expected = Parameters::default()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
        .server_max_window_bits(12)
        .client_max_window_bits(10);
    assert_eq!(parameters, [Some(expected); 2]);
}

#[test]
fn rfc7692_5_1_without_one_end_there_is_no_compression() {
    let open = DeflateConfig::default();
    assert_eq!(agreed(&acceptor(open), &Connector::new()), [None; 2]);
    assert_eq!(agreed(&Acceptor::new(), &connector(open)), [None; 2]);
}

#[test]
fn a_response_carries_what_was_agreed_on() {
    let mut asked = request(&Connector::new());
    for value in ["mux", "permessage-deflate; x, permessage-deflate"] {
        asked
            .headers_mut()
            .append("sec-websocket-extensions", value.parse().unwrap());
    }
    let answered = acceptor(DeflateConfig::default()).respond(&asked).unwrap();
    let values: Vec<_> = answered
        .headers()
        .get_all("sec-websocket-extensions")
        .iter()
        .collect();
    assert_eq!(values, ["permessage-deflate"]);
    let agreed: &Arc<dyn Agreement> = answered.extensions().get().unwrap();
    let negotiated: &Negotiated = agreed.downcast_ref().unwrap();
    assert_eq!(negotiated.parameters(), &Parameters::default());
}

#[test]
fn rfc7692_7_1_offers_that_are_declined_are_not_answered() {
    for value in [
        "permessage-bzip2",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=\"16\"",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; x",
    ] {
        let mut asked = request(&Connector::new());
        asked
            .headers_mut()
            .append("sec-websocket-extensions", value.parse().unwrap());
        let answered = acceptor(DeflateConfig::default()).respond(&asked).unwrap();
        assert_eq!(answered.status(), 101);
        assert!(!answered.headers().contains_key("sec-websocket-extensions"));
    }
}

#[test]
fn an_answer_that_is_refused_says_why() {
    let connector = connector(DeflateConfig::default());
    let answer = ["permessage-deflate; server_max_window_bits=16"];
    let response = response(&request(&connector), &answer);
    let error = connector.negotiated(&response).unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::Extension);
    assert_eq!(error.fault(), Fault::Peer);
    let cause = error.cause().unwrap().downcast_ref();
    assert_eq!(cause, Some(&AnswerError::InvalidValue));
    let text = error.to_string();
    assert!(
        text.ends_with(&AnswerError::InvalidValue.to_string()),
        "{text}"
    );
}

#[test]
fn rfc7692_7_1_a_client_fails_an_answer_that_was_not_offered() {
    let small = DeflateConfig::default().server_max_window_bits(10);
    for answer in [
        &["permessage-bzip2"][..],
        &["permessage-deflate; server_max_window_bits=11"],
        &["permessage-deflate"],
        &["permessage-deflate; server_max_window_bits=10; x"],
        &["permessage-deflate; server_max_window_bits=10", "mux"],
        &["permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"],
        &["permessage-deflate; server_max_window_bits=\"ten\""],
        &[
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
        ],
        &["="],
    ] {
        let (mut server, stream) = loopback::tcp();
        thread::scope(|scope| {
            scope.spawn(move || {
                let asked = read_request(&mut server);
                let head =
                    framewire::upgrade::encode_response(&response(&asked, answer).map(|()| [0; 0]))
                        .unwrap();
                std::io::Write::write_all(&mut server, &head).unwrap();
            });
            let error = connector(small).connect_stream(stream, URI).unwrap_err();
            assert_eq!(error.kind(), HandshakeErrorKind::Extension, "{answer:?}");
            assert_eq!(error.fault(), Fault::Peer, "{answer:?}");
        });
    }
}

/// Reads a request's head, which comes alone.
fn read_request(stream: &mut impl std::io::Read) -> Request<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let mut decoder = RequestDecoder::new(&framewire::upgrade::Limits::default());
    decoder.decode(&head).unwrap().1.unwrap()
}

/// A socket whose other end is a server of ours in a thread, and what goes over it: no scripted peer answers.
struct Tap {
    stream: std::net::TcpStream,
    written: Vec<u8>,
}

impl std::io::Read for Tap {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.stream.read(buf)
    }
}

impl std::io::Write for Tap {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let len = self.stream.write(buf)?;
        self.written.extend_from_slice(&buf[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

impl framewire::Socket for Tap {
    fn set_read_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
        self.stream.set_write_timeout(timeout)
    }
}

/// Sends `text` and takes the echo, and gives back the frame that was sent.
fn exchange(websocket: &mut WebSocket<Tap>, text: &str) -> (u8, Vec<u8>) {
    websocket.stream_mut().written.clear();
    websocket.write(text).unwrap();
    assert_eq!(
        websocket.next_message().unwrap().unwrap().text(),
        Some(text)
    );
    let mut sent = frames_in(&websocket.stream().written);
    assert_eq!(sent.len(), 1);
    sent.remove(0)
}

#[test]
fn messages_go_compressed() {
    let open = DeflateConfig::default();
    for (acceptor, compressed) in [(acceptor(open), RSV1), (Acceptor::new(), 0)] {
        let (server, stream) = loopback::tcp();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut server = accept_with(server, &acceptor, Config::default()).unwrap();
                while let Some((message, writer)) = server.next_message_and_writer().unwrap() {
                    writer.write(message).unwrap();
                }
            });
            let written = Vec::new();
            let stream = Tap { stream, written };
            let mut client =
                connect_stream_with(stream, URI, &connector(open), Config::default()).unwrap();
            let text = "so it goes, ".repeat(30);
            let (first_byte, payload) = exchange(&mut client, &text);
            assert_eq!(first_byte, FIN | compressed | TEXT);
            assert_eq!(payload.len() < 50, compressed != 0, "{}", payload.len());
            // The window is kept: the second time it is a single reference.
            let (_, again) = exchange(&mut client, &text);
            assert!(compressed == 0 || again.len() < payload.len());
            client.set_compression(false);
            assert_eq!(exchange(&mut client, &text).0, FIN | TEXT);
            client.close(framewire::CloseCode::NORMAL, "").unwrap();
            assert!(client.next_message().unwrap().is_none());
        });
    }
}
