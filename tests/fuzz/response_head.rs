//! Any bytes in any pieces as the answer to a client. Every cut gives the same response or error, the limits
//! hold, and nothing that follows is lost: of the next protocol, or of a refusal's body.
//!
//! The input: a byte each for the limits on the head's bytes and on its headers, three for piece lengths, and
//! then the bytes as they arrive.

use std::io::Read as _;
use std::time::Duration;

use crate::{Input, cut};
use framewire::Untimed;
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::{self, Connector};
use framewire::upgrade::{self, Limits, ResponseDecoder, UpgradeError};
use http::header::SEC_WEBSOCKET_KEY;
use http::{HeaderValue, Request, Response};
use support::peer::{Ending, ScriptedPeer};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = Limits::default()
        .head_bytes((usize::from(input.byte()) + 1) * 16)
        .headers(input.byte().into())
        .time(Duration::MAX);
    let lengths = input.lengths();
    let bytes = input.rest();

    let whole = decode(&limits, &[bytes.to_vec()]);
    let pieces = cut(bytes, lengths);
    for pieces in [&pieces, &cut(bytes, [1; 3])] {
        assert_eq!(
            format!("{whole:?}"),
            format!("{:?}", decode(&limits, pieces))
        );
    }
    match &whole {
        Ok(Some((used, response))) => {
            assert!(*used <= limits.head_bytes);
            assert!(response.headers().len() <= limits.headers);
        }
        Ok(None) => assert!(bytes.len() < limits.head_bytes.max(1)),
        Err(error) => assert!(error.response().is_none(), "a client answers nothing"),
    }

    let at_once = ask(&limits, vec![bytes.to_vec()]);
    let asked = ask(&limits, pieces);
    assert_eq!(format!("{at_once:?}"), format!("{asked:?}"));
    match asked {
        Asked::Upgraded(rest) => {
            let (used, _) = whole.expect("a sound head").expect("a whole one");
            assert_eq!(rest, bytes[used..]);
        }
        Asked::Refused(refusal) => assert!(refusal.body().len() <= bytes.len()),
        Asked::Failed(why) => assert!(!why.is_empty()),
    }
}

/// The response and the length of its head, or an error.
type Decoded = Result<Option<(usize, Response<()>)>, UpgradeError>;

fn decode(limits: &Limits, pieces: &[Vec<u8>]) -> Decoded {
    let mut decoder = ResponseDecoder::new(limits);
    let mut before = 0;
    for piece in pieces {
        let (used, response) = decoder.decode(piece)?;
        if let Some(response) = response {
            return Ok(Some((before + used, response)));
        }
        assert_eq!(used, piece.len());
        before += used;
    }
    Ok(None)
}

/// The result of a request that gets this answer.
#[derive(Debug)]
enum Asked {
    /// The bytes after the head.
    Upgraded(Vec<u8>),
    Refused(Response<Vec<u8>>),
    /// The error, in words.
    Failed(String),
}

fn ask(limits: &Limits, pieces: Vec<Vec<u8>>) -> Asked {
    let peer = ScriptedPeer::saying(pieces).ending(Ending::Eof);
    let deflate = Deflate::new(DeflateConfig::default()).expect("a legal configuration");
    let connector = Connector::new()
        .subprotocols(["chat", "superchat"])
        .expect("tokens")
        .deflate(deflate);
    let request = request(&connector);
    let asked = upgrade::request(Untimed(peer), request.clone(), limits, |response| {
        handshake::check_response(&request, response)?;
        connector.negotiated(response).map(drop)
    });
    match asked {
        Ok(upgraded) => {
            let mut rest = Vec::new();
            let read = upgraded.into_rewind().read_to_end(&mut rest);
            read.expect("a sound stream");
            Asked::Upgraded(rest)
        }
        Err(error) => match error.response() {
            Some(refusal) => Asked::Refused(refusal.clone()),
            None => Asked::Failed(error.to_string()),
        },
    }
}

/// Returns a request with the key of RFC 6455 1.3, so that an input can hold the answer to it.
fn request(connector: &Connector) -> Request<()> {
    let mut request = connector
        .request("ws://server.example.com/chat")
        .expect("a sound uri");
    let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
    request.headers_mut().insert(SEC_WEBSOCKET_KEY, key);
    request
}
