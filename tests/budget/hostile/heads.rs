//! Attacks by the heads of handshakes.

use std::time::Duration;

use framewire::Error;
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::{Acceptor, Connector};
use framewire::tokio::handshake as tokio;
use framewire::upgrade::{Limits, RequestDecoder, ResponseDecoder};
use support::http_text::request_with;
use support::peer::ScriptedPeer;
use support::wait::wait;

use super::attack::{Case, Prepared};

/// What a peer sends instead of a head, in a size that can be doubled.
pub struct Head {
    pub name: &'static str,
    pub to: To,
    pub says: fn(usize) -> String,
    /// Whether each read gives one byte.
    pub is_slow: bool,
    /// The size that is doubled.
    pub size: usize,
}

/// Whom it is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Server,
    Client,
}

/// How a head is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Decoder,
    Blocking,
    Tokio,
}

impl By {
    pub const ALL: [Self; 3] = [Self::Decoder, Self::Blocking, Self::Tokio];
}

const REQUEST: Head = Head {
    name: "",
    to: To::Server,
    says: |_| String::new(),
    is_slow: false,
    size: 1_000,
};

const RESPONSE: Head = Head {
    to: To::Client,
    ..REQUEST
};

pub const HEADS: [Head; 17] = [
    Head {
        name: "a request in one-byte reads",
        says: |size| request_with(&format!("X: {}", "x".repeat(size))),
        is_slow: true,
        ..REQUEST
    },
    Head {
        name: "empty lines before a request, in one-byte reads",
        says: |size| "\r\n".repeat(size) + &request_with("X: x"),
        is_slow: true,
        ..REQUEST
    },
    Head {
        name: "a very long target",
        says: |size| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "%20".repeat(size)),
        ..REQUEST
    },
    Head {
        name: "a very long field",
        says: |size| request_with(&format!("X: {}", "x".repeat(size))),
        size: 10_000,
        ..REQUEST
    },
    Head {
        name: "many fields",
        says: |size| request_with(&lines(size, |number| format!("X-{number}: x"))),
        size: 300,
        ..REQUEST
    },
    Head {
        name: "one field many times",
        says: |size| request_with(&lines(size, |_| "Cookie: x".to_owned())),
        size: 300,
        ..REQUEST
    },
    Head {
        name: "a long list of connection options",
        says: |size| request_with(&format!("Connection: {}", "x,".repeat(size))),
        ..REQUEST
    },
    Head {
        name: "many subprotocols",
        says: |size| request_with(&format!("Sec-WebSocket-Protocol: {}", "x, ".repeat(size))),
        ..REQUEST
    },
    Head {
        name: "many offers of extensions",
        says: |size| {
            let offers = "permessage-deflate; server_max_window_bits=99, ".repeat(size);
            request_with(&format!("Sec-WebSocket-Extensions: {offers}x"))
        },
        size: 100,
        ..REQUEST
    },
    Head {
        name: "many lines of offers",
        says: |size| request_with(&lines(size, |_| "Sec-WebSocket-Extensions: x".to_owned())),
        size: 300,
        ..REQUEST
    },
    Head {
        name: "an offer with many parameters",
        says: |size| {
            let parameters = (0..size).map(|number| format!("; x{number:05}=9"));
            let parameters: String = parameters.collect();
            let offer = format!("permessage-deflate{parameters}");
            request_with(&format!("Sec-WebSocket-Extensions: {offer}"))
        },
        size: 100,
        ..REQUEST
    },
    Head {
        name: "an answer in one-byte reads",
        says: |size| {
            let field = "x".repeat(size);
            format!("HTTP/1.1 404 No\r\nX: {field}\r\nContent-Length: 0\r\n\r\n")
        },
        is_slow: true,
        ..RESPONSE
    },
    Head {
        name: "interim answers",
        says: |size| "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(size),
        size: 100,
        ..RESPONSE
    },
    Head {
        name: "folded lines",
        says: |size| format!("HTTP/1.1 404 No\r\nX: x{}\r\n\r\n", "\r\n x".repeat(size)),
        ..RESPONSE
    },
    Head {
        name: "chunks of one byte",
        says: |size| CHUNKED.to_owned() + &"1\r\nx\r\n".repeat(size),
        size: BODY,
        ..RESPONSE
    },
    Head {
        name: "the size of a chunk, in one-byte reads",
        says: |size| format!("{CHUNKED}{};{}", "0".repeat(size), "x".repeat(size)),
        is_slow: true,
        size: BODY,
        ..RESPONSE
    },
    Head {
        name: "the body of a refusal in one-byte reads",
        says: |size| format!("HTTP/1.1 404 No\r\n\r\n{}", "x".repeat(size)),
        is_slow: true,
        size: BODY,
        ..RESPONSE
    },
];

/// So short that it has come long before half a second, for which a client waits, even where instructions are counted.
const BODY: usize = 150;

const CHUNKED: &str = "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n";

impl Head {
    pub fn case(&'static self, by: By, limits: Limits) -> Case {
        Case {
            attack: self.name,
            on: format!("{by:?}, {:?}", self.to),
            size: self.size,
            prepare: Box::new(move |size| self.prepare(by, limits, size)),
        }
    }

    fn prepare(&self, by: By, limits: Limits, size: usize) -> Prepared {
        wait(async { Ok::<_, Error>(()) }).expect("nothing to wait for");
        let said = (self.says)(size);
        let peer = ScriptedPeer::new(said.clone());
        peer.reserve(64 << 10);
        let piece = if self.is_slow { 1 } else { said.len() };
        let peer = peer.in_pieces_of(piece);
        let run: Box<dyn FnOnce()> = match self.to {
            To::Server => accept(by, limits, said, piece, peer.clone()),
            To::Client => connect(by, limits, said, piece, peer.clone()),
        };
        Prepared { peer, run }
    }
}

/// A server's end, whose policy asks for all that a request may have.
fn accept(
    by: By,
    limits: Limits,
    said: String,
    piece: usize,
    stream: ScriptedPeer,
) -> Box<dyn FnOnce()> {
    let deflate = Deflate::new(DeflateConfig::default()).expect("the default");
    let acceptor = Acceptor::new().limits(limits).extension(deflate);
    let acceptor = acceptor.subprotocols(["a", "b", "c"]).expect("tokens");
    match by {
        By::Decoder => Box::new(move || {
            let mut decoder = RequestDecoder::new(&limits);
            for piece in said.as_bytes().chunks(piece) {
                match acceptor.decode(&mut decoder, piece) {
                    Ok(None) => {}
                    Ok(Some(pending)) => return drop(pending.into_answer()),
                    Err(_) => return,
                }
            }
        }),
        By::Blocking => Box::new(move || drop(acceptor.accept(stream))),
        By::Tokio => Box::new(move || {
            let accepted = async { Ok(tokio::accept(stream, &acceptor).await) };
            drop(wait::<_, Error>(accepted));
        }),
    }
}

fn connect(
    by: By,
    limits: Limits,
    said: String,
    piece: usize,
    stream: ScriptedPeer,
) -> Box<dyn FnOnce()> {
    let connector = Connector::new().limits(limits);
    match by {
        By::Decoder => Box::new(move || {
            let mut decoder = ResponseDecoder::new(&limits);
            let mut pieces = said.as_bytes().chunks(piece);
            while let Some(Ok((_, None))) = pieces.next().map(|piece| decoder.decode(piece)) {}
        }),
        By::Blocking => Box::new(move || drop(connector.connect_stream(stream, URI))),
        By::Tokio => Box::new(move || {
            let connected = async { Ok(tokio::connect_stream(stream, URI, &connector).await) };
            drop(wait::<_, Error>(connected));
        }),
    }
}

const URI: &str = "ws://a/";

/// No limits but those of `http`'s own, so that an attack can be as large as it likes.
pub fn unlimited() -> Limits {
    let limits = Limits::default().head_bytes(usize::MAX).headers(usize::MAX);
    limits.time(Duration::MAX)
}

/// Header lines, each by its number.
fn lines(count: usize, line: fn(usize) -> String) -> String {
    let lines: Vec<_> = (0..count).map(line).collect();
    lines.join("\r\n")
}
