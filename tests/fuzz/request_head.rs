//! Any bytes in any pieces as the head of a request. Every cut gives the same request or refusal, the limits
//! hold, and our client takes our server's 101.
//!
//! The input: a byte each for the limits on the head's bytes and on its headers, three for piece lengths, and
//! then the bytes as they arrive.

use std::time::Duration;

use crate::{Input, cut};
use framewire::Untimed;
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::{self, Acceptor};
use framewire::upgrade::{self, Limits, RequestDecoder, ResponseDecoder, UpgradeError};
use http::{HeaderMap, Request, Response, StatusCode};
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
        assert_eq!(outcome(&whole), outcome(&decode(&limits, pieces)));
    }
    match whole {
        Ok(Some((used, request))) => {
            assert!(used <= limits.head_bytes);
            // A host in the request target replaces the header, or takes its part if it is missing.
            assert!(request.headers().len() <= limits.headers + 1);
            check_answer(&request);
            check_stream(&limits, pieces, Some((&request, &bytes[used..])));
        }
        Ok(None) => {
            assert!(bytes.len() < limits.head_bytes);
            check_stream(&limits, pieces, None);
        }
        Err(error) => {
            let refusal = error.response().expect("a server refuses with an answer");
            check_refusal(refusal);
            check_stream(&limits, pieces, None);
        }
    }
}

/// The request and the length of its head, or an error.
type Decoded = Result<Option<(usize, Request<()>)>, UpgradeError>;

fn decode(limits: &Limits, pieces: &[Vec<u8>]) -> Decoded {
    let mut decoder = RequestDecoder::new(limits);
    let mut before = 0;
    for piece in pieces {
        let (used, request) = decoder.decode(piece)?;
        if let Some(request) = request {
            return Ok(Some((before + used, request)));
        }
        assert_eq!(used, piece.len());
        before += used;
    }
    Ok(None)
}

/// Returns the result in a form that can be compared.
fn outcome(decoded: &Decoded) -> String {
    match decoded {
        Ok(decoded) => format!("{decoded:?}"),
        Err(error) => format!("{error:?} {:?}", error.response()),
    }
}

/// Checks that a server's answer is sound HTTP, and that a client takes a 101.
fn check_answer(request: &Request<()>) {
    let acceptor = Acceptor::new()
        .subprotocols(["chat", "superchat"])
        .expect("tokens");
    match acceptor.respond(request) {
        Ok(response) => {
            let response = decode_answer(&response.map(|()| Vec::new()));
            handshake::check_response(request, &response).expect("an answer to the request");
        }
        Err(error) => check_refusal(error.response().expect("a refusal")),
    }
    let deflate = Deflate::new(DeflateConfig::default()).expect("a legal configuration");
    match acceptor
        .allow_any_origin()
        .deflate(deflate)
        .respond(request)
    {
        Ok(response) => drop(decode_answer(&response.map(|()| Vec::new()))),
        Err(error) => check_refusal(error.response().expect("a refusal")),
    }
    match upgrade::respond(request, &["echo/1", "websocket"], HeaderMap::new()) {
        Ok(response) => {
            let response = decode_answer(&response.map(|()| Vec::new()));
            upgrade::check_response(request, &response).expect("an answer to the request");
        }
        Err(error) => check_refusal(error.response().expect("a refusal")),
    }
}

fn check_refusal(refusal: &Response<Vec<u8>>) {
    let status = refusal.status();
    let of_server = [
        StatusCode::NOT_IMPLEMENTED,
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    ];
    assert!(status.is_client_error() || of_server.contains(&status));
    assert_eq!(decode_answer(refusal).status(), status);
}

/// Encodes an answer, and decodes its head again.
fn decode_answer(answer: &Response<Vec<u8>>) -> Response<()> {
    let bytes = upgrade::encode_response(answer).expect("an answer that can be sent");
    let decoded = ResponseDecoder::new(&Limits::default()).decode(&bytes);
    let (used, decoded) = decoded.expect("sound http");
    assert_eq!(bytes.len(), used + answer.body().len());
    decoded.expect("a whole head")
}

/// Checks that a blocking server reads the same from a stream, and loses nothing of what comes after the head.
fn check_stream(limits: &Limits, pieces: Vec<Vec<u8>>, expected: Option<(&Request<()>, &[u8])>) {
    let peer = ScriptedPeer::saying(pieces).ending(Ending::Eof);
    let received = upgrade::receive(Untimed(peer), limits);
    let Some((request, after)) = expected else {
        assert!(received.is_err());
        return;
    };
    let pending = received.expect("the request that was decoded");
    assert_eq!(format!("{request:?}"), format!("{:?}", pending.request()));
    let Ok(upgraded) = pending.accept(&["echo/1", "websocket"], HeaderMap::new()) else {
        return;
    };
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut upgraded.into_rewind(), &mut rest).expect("a sound stream");
    assert_eq!(rest, after);
}
