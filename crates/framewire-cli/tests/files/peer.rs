//! A sender and a receiver of the tests' own, which say what they like.

use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::{Acceptor, Connector};
use framewire::{CloseCode, Config, Opcode, WebSocket};
use serde_json::Value;

use crate::programs::{DEADLINE, Recv, accept};

/// SHA-256 of nothing (FIPS 180-2).
pub(crate) const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// SHA-256 of `abc` (FIPS 180-2, B.1).
pub(crate) const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

pub(crate) const PROTOCOL: &str = "framewire.files.1";

/// One end of a connection.
pub(crate) struct Peer {
    pub(crate) websocket: WebSocket<TcpStream>,
}

impl Peer {
    /// A sender.
    pub(crate) fn connect(recv: &Recv) -> Self {
        let connector = Connector::new().subprotocols([PROTOCOL]).unwrap();
        Self::try_connect(recv, &connector).unwrap()
    }

    /// A sender that compresses.
    pub(crate) fn connect_compressing(recv: &Recv) -> Self {
        let connector = Connector::new().subprotocols([PROTOCOL]).unwrap();
        let deflate = Deflate::new(DeflateConfig::default()).unwrap();
        Self::try_connect(recv, &connector.deflate(deflate)).unwrap()
    }

    pub(crate) fn try_connect(
        recv: &Recv,
        connector: &Connector,
    ) -> Result<Self, framewire::Error> {
        let stream = TcpStream::connect(recv.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let websocket =
            framewire::connect_stream_with(stream, &recv.url(), connector, Config::default())?;
        Ok(Self { websocket })
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.websocket.write(text).unwrap();
    }

    pub(crate) fn file(&mut self, bytes: &[u8]) {
        self.websocket.write((Opcode::Binary, bytes)).unwrap();
    }

    /// What the other end says next.
    pub(crate) fn hear(&mut self) -> Value {
        let message = self.websocket.next_message().unwrap();
        let Some(message) = message else {
            panic!("the connection was closed");
        };
        serde_json::from_slice(message.payload()).unwrap()
    }

    /// Announces a file of which nothing is there, and begins it.
    pub(crate) fn announce(&mut self, name: &str, size: u64) {
        self.say(&announcement(name, size));
        assert_eq!(self.hear()["from"], 0);
    }

    /// Why the receiver does not take the file.
    pub(crate) fn refusal(&mut self) -> String {
        let heard = self.hear();
        let why = heard["failed"]["why"].as_str();
        why.unwrap_or_else(|| panic!("no refusal: {heard}"))
            .to_owned()
    }

    /// Sends `abc` under a name, which has to arrive.
    pub(crate) fn sends_abc(&mut self, name: &str) {
        self.announce(name, 3);
        self.file(b"abc");
        self.say(&format!(r#"{{"sha256":"{ABC}"}}"#));
        assert_eq!(self.hear()["done"], 3);
    }

    /// The code with which the other end closes the connection.
    pub(crate) fn end(&mut self) -> CloseCode {
        while self.websocket.next_message().unwrap().is_some() {}
        self.websocket.closed().unwrap().peer.unwrap().code
    }

    /// Closes the connection, as after the last file.
    pub(crate) fn close(mut self) {
        self.websocket.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(self.end(), CloseCode::NORMAL);
    }
}

pub(crate) fn announcement(name: &str, size: u64) -> String {
    serde_json::json!({"file": {"name": name, "size": size}}).to_string()
}

/// A receiver for one connection, and its URL.
pub(crate) fn receiver<T: Send + 'static>(
    receive: impl FnOnce(Peer) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let received = thread::spawn(move || {
        let stream = accept(&listener);
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let acceptor = Acceptor::new().subprotocols([PROTOCOL]).unwrap();
        let websocket = framewire::accept_with(stream, &acceptor, Config::default());
        receive(Peer {
            websocket: websocket.unwrap(),
        })
    });
    (url, received)
}
