//! Heads as bytes: what goes on the wire, without anything that must not.

use crate::error::UpgradeError;
use crate::syntax::{contains, percent_encode, split_host};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};

/// Returns the bytes of a request that asks for an upgrade.
///
/// The target is the path and query of the URI, percent-encoded where necessary. `Host` is the header of that name or
/// else the URI's authority. `Connection: Upgrade` is added. Allocates the result. Does no I/O.
///
/// # Errors
/// [`UpgradeErrorKind::InvalidArgument`](crate::UpgradeErrorKind::InvalidArgument) where the method is not `GET`, there
/// is no `Upgrade` header, no host (or one with user information), or a header that announces a body.
pub fn encode_request(request: &Request<()>) -> Result<Vec<u8>, UpgradeError> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(UpgradeError::invalid(
            "an upgrade is asked for with the method get",
        ));
    }
    if !headers.contains_key(UPGRADE) {
        return Err(UpgradeError::invalid("request has no upgrade header"));
    }
    if headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
        return Err(UpgradeError::invalid(
            "a request for an upgrade has no body",
        ));
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = match (headers.get(HOST), authority) {
        (Some(host), _) => host.as_bytes(),
        // RFC 9110 7.2: user information is not part of Host.
        (None, Some(host)) if split_host(host).is_some() => host.as_bytes(),
        (None, Some(_)) => return Err(UpgradeError::invalid("host of the uri is not host[:port]")),
        (None, None) => {
            return Err(UpgradeError::invalid(
                "request has no host in a header or its uri",
            ));
        }
    };

    let mut bytes = b"GET ".to_vec();
    match request.uri().path_and_query() {
        Some(target) => bytes.extend_from_slice(percent_encode(&target.to_string()).as_bytes()),
        None => bytes.push(b'/'),
    }
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    put_header(&mut bytes, &HOST, host);
    // RFC 9110 7.8: a sender of Upgrade MUST also send the connection option.
    if !contains(headers, CONNECTION, "upgrade") {
        put_header(&mut bytes, &CONNECTION, b"Upgrade");
    }
    for (name, value) in headers.iter().filter(|(name, _)| **name != HOST) {
        put_header(&mut bytes, name, value.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

/// Returns the bytes of a response: a 101 as it is, any other so that it ends the connection.
///
/// Unless it is a 101, `Content-Length` is set to the body's, `Connection` gets `close` (and `upgrade` where there is
/// an `Upgrade` header, RFC 9110 7.8), and `Transfer-Encoding` is removed. Allocates the result. Does no I/O.
///
/// # Errors
/// [`UpgradeErrorKind::InvalidArgument`](crate::UpgradeErrorKind::InvalidArgument) for another 1xx status, which would
/// not be an answer, and for a body with a status that has none (101, 204, 304).
pub fn encode_response<B: AsRef<[u8]>>(response: &Response<B>) -> Result<Vec<u8>, UpgradeError> {
    let body = response.body().as_ref();
    let mut bytes = encode_head(response.status(), response.headers(), body.len())?;
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// As [`encode_response`], without the body: the answer to a `HEAD`.
pub(crate) fn encode_head(
    status: StatusCode,
    headers: &HeaderMap,
    body_len: usize,
) -> Result<Vec<u8>, UpgradeError> {
    let switching = status == StatusCode::SWITCHING_PROTOCOLS;
    if status.is_informational() && !switching {
        return Err(UpgradeError::invalid(format!(
            "status {status} is not a final answer"
        )));
    }
    // RFC 9110 6.4.1, 8.6: these have no body, and all but 304 no Content-Length either.
    let bodyless = switching || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodyless && body_len > 0 {
        return Err(UpgradeError::invalid(format!(
            "status {status} has no body"
        )));
    }

    let mut bytes = b"HTTP/1.1 ".to_vec();
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        if switching || (*name != CONTENT_LENGTH && *name != TRANSFER_ENCODING) {
            put_header(&mut bytes, name, value.as_bytes());
        }
    }
    if !switching {
        if !bodyless {
            put_header(&mut bytes, &CONTENT_LENGTH, body_len.to_string().as_bytes());
        }
        if !contains(headers, CONNECTION, "close") {
            put_header(&mut bytes, &CONNECTION, b"close");
        }
        if headers.contains_key(UPGRADE) && !contains(headers, CONNECTION, "upgrade") {
            put_header(&mut bytes, &CONNECTION, b"Upgrade");
        }
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

fn put_header(bytes: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    put_name(bytes, name.as_str());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

/// Appends a name as the RFCs spell it. `http` has it in lower case, and some embedded peers compare case although RFC
/// 9110 5.1 says that it does not count.
fn put_name(bytes: &mut Vec<u8>, name: &str) {
    for (index, word) in name.split('-').enumerate() {
        if index > 0 {
            bytes.push(b'-');
        }
        if let Some(known) = WORDS.iter().find(|known| known.eq_ignore_ascii_case(word)) {
            bytes.extend_from_slice(known.as_bytes());
            continue;
        }
        let start = bytes.len();
        bytes.extend_from_slice(word.as_bytes());
        if let Some(first) = bytes.get_mut(start) {
            first.make_ascii_uppercase();
        }
    }
}

/// The words of registered names that are not written with one capital.
const WORDS: [&str; 12] = [
    "WebSocket",
    "WWW",
    "ETag",
    "TE",
    "DNT",
    "MD5",
    "HTTP2",
    "XSS",
    "UA",
    "CH",
    "IP",
    "GPC",
];
