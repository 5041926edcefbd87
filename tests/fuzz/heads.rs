//! Heads as hyper reads them. A head that ours takes is one that hyper takes too, with the same method or status, the
//! same target and the same headers. Where ours refuses what hyper takes, it is for one of the rules that are listed
//! here.
//!
//! The input: a byte for the kind of head, and then the head: with a `\n` alone for the end of a line, which is easier
//! to find.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::rc::Rc;

use framewire::upgrade::{Limits, RequestDecoder, ResponseDecoder, UpgradeError};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use support::peer::ScriptedPeer;
use support::tasks::Tasks;

use crate::Input;

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = input.byte();
    let mut head = vec![];
    for &byte in input.rest() {
        // A line break as it has to be, unless it is there.
        if byte == b'\n' && kind & 2 == 0 && head.last() != Some(&b'\r') {
            head.push(b'\r');
        }
        head.push(byte);
    }
    if kind & 1 == 0 {
        check_request(&head);
    } else {
        check_response(&head);
    }
}

fn check_request(head: &[u8]) {
    let mut decoder = RequestDecoder::new(&Limits::default());
    let (used, ours) = match decoder.decode(head) {
        Ok((used, Some(ours))) => (used, ours),
        Ok((_, None)) => return assert!(hyper_serves(head).is_none(), "it has no end"),
        Err(error) => return assert_reason(&error, hyper_serves(head).as_ref()),
    };
    let Some(theirs) = hyper_serves(&head[..used]) else {
        return assert!(is_framed(ours.headers()), "hyper takes it too");
    };
    assert_eq!(ours.method(), theirs.method());
    assert_eq!(ours.uri(), theirs.uri());
    assert_eq!(ours.version(), theirs.version());
    let mut headers = theirs.headers().clone();
    if theirs.uri().scheme().is_some() {
        // RFC 9112 3.2.2: ours takes the host of a target in absolute form in place of the header's.
        let host = ours.headers().get(HOST).expect("it has one").clone();
        headers.insert(HOST, host);
    }
    assert_same(ours.headers(), &headers);
}

/// The request that a server of hyper's is called with.
fn hyper_serves(head: &[u8]) -> Option<Request<()>> {
    let peer = ScriptedPeer::saying([head]);
    let served = Rc::new(RefCell::new(None));
    let service = service_fn(|request: Request<Incoming>| {
        let (parts, _) = request.into_parts();
        let request = Request::from_parts(parts, ());
        served.borrow_mut().get_or_insert(request);
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(peer.clone()), service);
    let mut tasks = Tasks::new(&peer);
    tasks.begin(async { drop(connection.await) });
    tasks.run();
    drop(tasks);
    served.take()
}

fn check_response(head: &[u8]) {
    let mut decoder = ResponseDecoder::new(&Limits::default());
    let (used, ours) = match decoder.decode(head) {
        Ok((used, Some(ours))) => (used, ours),
        Ok((_, None)) => return assert!(hyper_asks(head).is_none(), "it has no end"),
        Err(error) => return assert_reason(&error, hyper_asks(head).as_ref()),
    };
    let Some(theirs) = hyper_asks(&head[..used]) else {
        return assert!(is_framed(ours.headers()), "hyper takes it too");
    };
    assert_eq!(ours.status(), theirs.status());
    assert_eq!(ours.version(), theirs.version());
    let [ours, theirs] = [ours, theirs].map(|response| one_space(response.headers()));
    assert_same(&ours, &theirs);
}

/// RFC 9112 5.2: a fold may become any number of spaces.
fn one_space(headers: &HeaderMap) -> HeaderMap {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let values = headers.iter().map(|(name, value)| {
        let words = value.as_bytes().split(is_space);
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        let value = HeaderValue::from_bytes(&words.join(&b' '));
        (name.clone(), value.expect("it was one before"))
    });
    values.collect()
}

/// The response that a client of hyper's gets.
fn hyper_asks(head: &[u8]) -> Option<Response<()>> {
    let peer = ScriptedPeer::default();
    let asked = RefCell::new(None);
    let mut tasks = Tasks::new(&peer);
    let exchange = async {
        let stream = TokioIo::new(peer.clone());
        // RFC 9112 5.2: a client takes a folded line, with spaces for the fold.
        let shaken = hyper::client::conn::http1::Builder::new()
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(stream)
            .await;
        let (mut sender, connection) = shaken.expect("nothing is sent");
        let request = Request::get("/")
            .header(HOST, "a.example")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .body(Empty::<Bytes>::new());
        let ask = async {
            let response = sender.send_request(request.expect("a sound request")).await;
            if let Ok(response) = response {
                let (parts, _) = response.into_parts();
                asked.replace(Some(Response::from_parts(parts, ())));
            }
        };
        tokio::join!(ask, async { drop(connection.with_upgrades().await) });
    };
    tasks.begin(exchange);
    tasks.run();
    peer.say(head);
    peer.end();
    tasks.run();
    drop(tasks);
    asked.take()
}

/// Checks that where hyper takes a head, ours refuses it for a reason that hyper leaves to its caller.
fn assert_reason<T: Debug>(error: &UpgradeError, theirs: Option<&T>) {
    let error = error.to_string();
    let is_stricter = STRICTER.iter().any(|reason| error.contains(reason));
    assert!(theirs.is_none() || is_stricter, "{error}: {theirs:?}");
}

/// Whether headers say where a body ends. Where they say it badly (RFC 9112 6.3), hyper takes nothing, and ours the
/// head alone: what is there of the body of a refusal is shown, and a request with a body asks for no upgrade.
fn is_framed(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

/// Headers of one name have an order; names have none. Of `Content-Length` hyper leaves what it goes by (RFC 9112 6.3).
fn assert_same(ours: &HeaderMap, theirs: &HeaderMap) {
    let [ours, theirs] = [ours, theirs].map(|headers| {
        let mut headers = headers.clone();
        headers.remove(CONTENT_LENGTH);
        headers
    });
    assert_eq!(ours.len(), theirs.len(), "{ours:?}, {theirs:?}");
    for name in ours.keys() {
        let [ours, theirs] = [&ours, &theirs].map(|headers| headers.get_all(name));
        assert!(ours.iter().eq(&theirs), "{name}: {ours:?}, {theirs:?}");
    }
}

/// What ours refuses and hyper takes.
const STRICTER: [&str; 5] = [
    // RFC 9112 2.2: a line may end with a line feed alone, and need not.
    "a line feed without a carriage return",
    // RFC 9112 3.2: one `Host`, which is a host.
    "host header",
    // RFC 9112 3.2.3, 3.2.4, RFC 9110 4.2.4.
    "the request target",
    // RFC 9112 3.2: no form of a target has a fragment.
    "a fragment",
    "exceeds the limit",
];
