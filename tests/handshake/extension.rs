//! An extension that is no compression, agreed on in a handshake and used by every call: it flips each bit
//! of a message, appends a checksum of four bytes, and marks that with RSV2.

use std::error::Error as StdError;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use framewire::blocking::PreparedMessage;
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::frame::{Rsv, Violation};
use framewire::handshake::{Acceptor, Connector, Extension, HandshakeErrorKind};
use framewire::protocol::{
    Agreement, MessageDecoder, MessageEncoder, Role, SendError, Transformed, Until,
};
use framewire::{Config, ErrorKind, Opcode, WebSocket, accept_with, connect_stream_with};
use support::connection::{Kind, ends};
use support::deflate::parameters;
use support::frames::{FIN, RSV1, RSV2, TEXT, frame};
use support::loopback;
use support::oracle::frames;
use support::peer::ScriptedPeer;
use support::{pattern, peer};

const URI: &str = "ws://server.example.com/chat";
const NAME: &str = "x-flip";

/// Both halves, and what both ends agree on: there is nothing to choose.
#[derive(Debug, Clone, Default)]
struct Flip {
    is_off: bool,
    sum: u32,
    /// What came last of a message that is received: its checksum, if it ends there.
    last: Vec<u8>,
}

impl Flip {
    fn add(&mut self, byte: u8) {
        self.sum = self.sum.wrapping_mul(31).wrapping_add(byte.into());
    }
}

impl Extension for Flip {
    fn offer(&self) -> String {
        NAME.to_owned()
    }

    fn accept(&self, offered: &[&str]) -> Option<(Arc<dyn Agreement>, String)> {
        let is_offered = offered.contains(&NAME);
        is_offered.then(|| (Arc::new(Self::default()) as _, NAME.to_owned()))
    }

    fn check(
        &self,
        answered: &[&str],
    ) -> Result<Option<Arc<dyn Agreement>>, Box<dyn StdError + Send + Sync>> {
        match answered {
            [] => Ok(None),
            [NAME] => Ok(Some(Arc::new(Self::default()))),
            other => Err(format!("{other:?} is no answer").into()),
        }
    }
}

impl Agreement for Flip {
    fn encoder(&self, _role: Role) -> Box<dyn MessageEncoder> {
        Box::new(Self::default())
    }

    fn decoder(&self, _role: Role) -> Box<dyn MessageDecoder> {
        Box::new(Self::default())
    }
}

impl MessageEncoder for Flip {
    fn rsv(&self) -> Rsv {
        Rsv::RSV2
    }

    fn set_enabled(&mut self, enabled: bool) {
        self.is_off = !enabled;
    }

    fn wants(&self, _len: Option<usize>) -> bool {
        !self.is_off
    }

    fn begin(&mut self) -> bool {
        self.sum = 0;
        true
    }

    fn encode(
        &mut self,
        input: &[u8],
        until: Until,
        output: &mut [u8],
    ) -> Result<Transformed, SendError> {
        let len = input.len().min(output.len());
        for (byte, flipped) in input[..len].iter().zip(&mut *output) {
            self.add(*byte);
            *flipped = !byte;
        }
        let mut transformed = Transformed {
            consumed: len,
            produced: len,
            done: len == input.len(),
        };
        if transformed.done && until == Until::End {
            match output[len..].first_chunk_mut() {
                Some(end) => {
                    *end = self.sum.to_be_bytes();
                    transformed.produced += end.len();
                }
                None => transformed.done = false,
            }
        }
        Ok(transformed)
    }

    fn end(&mut self) {}

    fn abandon(&mut self) {}

    fn shared_kind(&self) -> Option<usize> {
        Some(0)
    }
}

impl MessageDecoder for Flip {
    fn rsv(&self) -> Rsv {
        Rsv::RSV2
    }

    fn decode(
        &mut self,
        input: &[u8],
        last: bool,
        output: &mut [u8],
    ) -> Result<Transformed, Violation> {
        let mut transformed = Transformed {
            consumed: 0,
            produced: 0,
            done: false,
        };
        // A few at a time, so that a call may use something up and give nothing.
        for &byte in input.iter().take(3) {
            if self.last.len() == 4 {
                let Some(room) = output.get_mut(transformed.produced) else {
                    return Ok(transformed);
                };
                *room = !self.last.remove(0);
                self.add(*room);
                transformed.produced += 1;
            }
            self.last.push(byte);
            transformed.consumed += 1;
        }
        transformed.done = transformed.consumed == input.len();
        if last && transformed.done {
            if self.last != self.sum.to_be_bytes() {
                return Err(Violation::Extension("checksum differs"));
            }
            *self = Self::default();
        }
        Ok(transformed)
    }
}

/// A message as it goes over the wire.
fn flipped(message: &[u8]) -> Vec<u8> {
    let mut flip = Flip::default();
    for byte in message {
        flip.add(*byte);
    }
    let mut wire: Vec<u8> = message.iter().map(|byte| !byte).collect();
    wire.extend(flip.sum.to_be_bytes());
    wire
}

/// Two ends over TCP that have agreed on it.
fn connected() -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let (near, far) = loopback::tcp();
    let serving = thread::spawn(move || {
        let acceptor = Acceptor::new().extension(Flip::default());
        accept_with(near, &acceptor, Config::default()).unwrap()
    });
    let connector = Connector::new().extension(Flip::default());
    let client = connect_stream_with(far, URI, &connector, Config::default()).unwrap();
    (serving.join().unwrap(), client)
}

#[test]
fn it_is_agreed_on_in_a_handshake_and_used_by_every_call() {
    let (mut server, mut client) = connected();
    let sending = thread::spawn(move || {
        let message = pattern(10_000);
        client.write(&message).unwrap();
        client.feed("fed").unwrap();
        client
            .stream_message(Opcode::Binary, 100, &message[..])
            .unwrap();
        let mut writer = client.message_writer(Opcode::Binary).unwrap();
        for piece in message.chunks(999) {
            writer.write_all(piece).unwrap();
            writer.flush().unwrap();
        }
        writer.finish().unwrap();
        client
    });
    assert!(server.next_message().unwrap().unwrap().payload() == pattern(10_000));
    assert_eq!(server.next_message().unwrap().unwrap().text(), Some("fed"));
    for _ in 0..2 {
        let mut streamed = vec![];
        let mut reader = server.message_reader().unwrap().unwrap();
        assert!(reader.rsv().is_none(), "its bits are not the caller's");
        reader.read_to_end(&mut streamed).unwrap();
        assert!(streamed == pattern(10_000));
    }
    let mut client = sending.join().unwrap();
    let prepared = PreparedMessage::new("prepared").unwrap();
    server.write_prepared(&prepared).unwrap();
    assert_eq!(
        client.next_message().unwrap().unwrap().text(),
        Some("prepared")
    );
}

#[test]
fn every_kind_of_connection_sends_and_receives_by_it() {
    for end in ends() {
        let message = pattern(100);
        let wire = flipped(&message);
        let said = [
            frame(peer(end.role), RSV2 | TEXT, &flipped(b"hello")[..3]),
            frame(peer(end.role), FIN, &flipped(b"hello")[3..]),
        ];
        let peer = ScriptedPeer::saying([said.concat()]);
        let opened = end
            .kind
            .open(&peer, end.role, Config::default(), Some(&Flip::default()));
        let mut connection = opened.unwrap();
        assert_eq!(
            connection.next_message().unwrap().unwrap().text(),
            Some("hello")
        );
        connection.write(&message).unwrap();
        let prepared = PreparedMessage::new(&message).unwrap();
        connection.write_prepared(&prepared).unwrap();
        connection
            .stream_message(Opcode::Binary, 4096, &mut &message[..])
            .unwrap();
        connection.feed(b"").unwrap();
        connection.flush().unwrap();
        let sent = frames(&peer.written());
        let expected = [&wire, &wire, &wire, &flipped(b"")];
        assert_eq!(sent.len(), expected.len());
        for (sent, expected) in sent.iter().zip(expected) {
            assert_eq!((sent.rsv, &sent.payload), (RSV2, expected));
        }
    }
}

#[tokio::test]
async fn it_is_agreed_on_over_tokio_too() {
    use framewire::tokio as front_end;
    let (near, far) = tokio::io::duplex(1 << 10);
    let acceptor = Acceptor::new().extension(Flip::default());
    let connector = Connector::new().extension(Flip::default());
    let (server, client) = tokio::join!(
        front_end::accept_with(near, &acceptor, Config::default()),
        front_end::connect_stream_with(far, URI, &connector, Config::default()),
    );
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    let message = pattern(10_000);
    let (written, read) = tokio::join!(client.write(&message), server.next_message(),);
    written.unwrap();
    assert!(read.unwrap().unwrap().payload() == message);
    server.write("back").await.unwrap();
    assert_eq!(
        client.next_message().await.unwrap().unwrap().text(),
        Some("back")
    );
}

#[test]
fn a_prepared_message_goes_out_by_the_extension_of_each_connection() {
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    let deflate = deflate.negotiated(parameters(false, 9));
    let both: [&dyn Agreement; 2] = [&Flip::default(), &deflate];
    for order in [[0, 1], [1, 0]] {
        let prepared = PreparedMessage::new([7; 100]).unwrap();
        for which in order {
            let peer = ScriptedPeer::default();
            let opened =
                Kind::Blocking.open(&peer, Role::Server, Config::default(), Some(both[which]));
            opened.unwrap().write_prepared(&prepared).unwrap();
            let sent = frames(&peer.written());
            assert_eq!(sent[0].rsv, [RSV2, RSV1][which], "{order:?}");
            if which == 0 {
                assert_eq!(sent[0].payload, flipped(&[7; 100]));
            }
        }
    }
}

#[test]
fn what_it_finds_wrong_ends_the_connection_with_1007() {
    for end in ends() {
        let mut wire = flipped(b"hello");
        wire[1] ^= 1;
        let peer = ScriptedPeer::saying([frame(peer(end.role), FIN | RSV2 | TEXT, &wire)]);
        let opened = end
            .kind
            .open(&peer, end.role, Config::default(), Some(&Flip::default()));
        let mut connection = opened.unwrap();
        let error = connection.next_message().unwrap_err();
        let why = Violation::Extension("checksum differs");
        assert!(matches!(error.kind(), ErrorKind::Violation(violation) if *violation == why));
        let sent = frames(&peer.written());
        assert_eq!(sent[0].payload, b"\x03\xEFchecksum differs");
    }
}

#[test]
fn an_answer_that_it_does_not_take_fails_the_handshake() {
    let connector = Connector::new().extension(Flip::default());
    let other = http::Response::builder().header("sec-websocket-extensions", "x-other");
    let error = connector.negotiated(&other.body(()).unwrap()).unwrap_err();
    assert_eq!(error.kind(), HandshakeErrorKind::Extension);
    assert!(error.to_string().ends_with("is no answer"), "{error}");
}
