//! The web page, and the answers to requests that are no WebSocket handshakes.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{Method, Request, Response, StatusCode};

/// Returns the page, with this server's limit written into it.
pub(crate) fn page(max_message: usize) -> String {
    include_str!("page.html").replace("{max_message}", &max_message.to_string())
}

/// Answers a request that does not ask for a WebSocket.
pub(crate) fn answer<'a>(request: &Request<()>, page: &'a str) -> Response<&'a str> {
    if request.uri().path() != "/" {
        return text(StatusCode::NOT_FOUND, "there is nothing here but /\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this takes GET and HEAD\n");
        response.headers_mut().insert(ALLOW, value("GET, HEAD"));
        return response;
    }
    let mut response = Response::new(page);
    for (name, text) in PAGE_HEADERS {
        response.headers_mut().insert(name, value(text));
    }
    response
}

/// Returns the answer while all slots are taken.
pub(crate) fn full() -> Response<&'static str> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, "too many connections\n");
    response
        .headers_mut()
        .insert(http::header::RETRY_AFTER, value("10"));
    response
}

/// Returns the answer to half a request whose time is over.
pub(crate) fn timed_out() -> Response<&'static str> {
    text(
        StatusCode::REQUEST_TIMEOUT,
        "the request did not come in time\n",
    )
}

fn text(status: StatusCode, body: &str) -> Response<&str> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, value("text/plain; charset=utf-8"));
    response
}

const fn value(text: &'static str) -> http::HeaderValue {
    http::HeaderValue::from_static(text)
}

const PAGE_HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (
        http::header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
         connect-src ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (http::header::REFERRER_POLICY, "no-referrer"),
    // An isolated page gets a clock of 5 µs instead of 100 µs, which the short round trips here need.
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    ),
];
