//! RFC 8441, WebSocket over HTTP/2, without I/O: one test per rule, named for its clause.

use framewire::Fault;
use framewire::handshake::{
    Acceptor, Connector, HandshakeError, HandshakeErrorKind, check_extended_connect_response,
};
use framewire::upgrade::UpgradeErrorKind;
use http::{HeaderValue, Method, Request, Response, Version};

/// The example of RFC 8441 5.1, as HTTP servers hand it over; `:protocol` is apart.
fn request() -> Request<()> {
    Request::connect("https://server.example.com/chat")
        .version(Version::HTTP_2)
        .header("sec-websocket-protocol", "chat, superchat")
        .header("sec-websocket-extensions", "permessage-deflate")
        .header("sec-websocket-version", "13")
        .header("origin", "https://server.example.com")
        .body(())
        .unwrap()
}

fn with(name: &'static str, value: &str) -> Request<()> {
    let mut request = request();
    let value = HeaderValue::from_str(value).unwrap();
    request.headers_mut().append(name, value);
    request
}

fn replacing(name: &'static str, value: &str) -> Request<()> {
    let mut request = request();
    let value = HeaderValue::from_str(value).unwrap();
    request.headers_mut().insert(name, value);
    request
}

fn with_uri(uri: &str) -> Request<()> {
    let mut request = request();
    *request.uri_mut() = uri.parse().unwrap();
    request.headers_mut().remove("origin");
    request
}

fn accepted(acceptor: &Acceptor, request: &Request<()>) -> Response<()> {
    let response = acceptor.respond_extended_connect(request, "websocket");
    response.unwrap()
}

fn refused(request: &Request<()>) -> (HandshakeErrorKind, u16) {
    refused_by(&Acceptor::new(), request, "websocket")
}

fn refused_by(
    acceptor: &Acceptor,
    request: &Request<()>,
    protocol: &str,
) -> (HandshakeErrorKind, u16) {
    let error = acceptor.respond_extended_connect(request, protocol);
    let error = error.unwrap_err();
    assert_eq!(error.fault(), Fault::Peer);
    let response = error.response().unwrap();
    // RFC 9113 8.2.2: HTTP/2 has no header of the connection.
    assert!(!response.headers().contains_key("connection"), "{error}");
    assert!(!response.headers().contains_key("upgrade"), "{error}");
    (error.kind(), response.status().as_u16())
}

const MALFORMED: (HandshakeErrorKind, u16) = (
    HandshakeErrorKind::Upgrade(UpgradeErrorKind::Malformed),
    400,
);
const OTHER_PROTOCOL: (HandshakeErrorKind, u16) = (
    HandshakeErrorKind::Upgrade(UpgradeErrorKind::NotUpgrade),
    501,
);

#[test]
fn rfc8441_4_protocol_must_be_websocket() {
    for protocol in ["", "connect-udp", "websocket2", "websocket, websocket"] {
        let refused = refused_by(&Acceptor::new(), &request(), protocol);
        assert_eq!(refused, OTHER_PROTOCOL, "{protocol:?}");
    }
    for protocol in ["websocket", "WebSocket"] {
        let response = Acceptor::new().respond_extended_connect(&request(), protocol);
        assert_eq!(response.unwrap().status(), 200);
    }
}

#[test]
fn rfc8441_4_method_must_be_connect() {
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        let mut request = request();
        *request.method_mut() = method;
        let method = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Method);
        assert_eq!(refused(&request), (method, 405));
        let error = Acceptor::new().respond_extended_connect(&request, "websocket");
        let response = error.unwrap_err().into_response().unwrap();
        assert_eq!(response.headers()["allow"], "CONNECT");
    }
    for unknown in ["connect", "BREW"] {
        let mut request = request();
        *request.method_mut() = unknown.parse().unwrap();
        let method = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Method);
        assert_eq!(refused(&request), (method, 501), "{unknown}");
    }
}

#[test]
fn rfc8441_4_version_must_be_http_2() {
    let version = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Version);
    for old in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_11] {
        let mut request = request();
        *request.version_mut() = old;
        assert_eq!(refused(&request), (version, 505));
    }
}

#[test]
fn rfc9220_3_http_3_is_the_same() {
    let mut request = request();
    *request.version_mut() = Version::HTTP_3;
    let response = accepted(&Acceptor::new(), &request);
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, Version::HTTP_3)
    );
}

#[test]
fn rfc8441_4_target_must_have_a_scheme_and_an_authority() {
    for uri in [
        "server.example.com:443",
        "/chat",
        "ftp://server.example.com/chat",
        "*",
    ] {
        assert_eq!(refused(&with_uri(uri)), MALFORMED, "{uri}");
    }
    // RFC 9113 8.3.1: no user information.
    assert_eq!(
        refused(&with_uri("https://user@server.example.com/")),
        MALFORMED
    );
    accepted(
        &Acceptor::new(),
        &with_uri("http://server.example.com:8080/chat?a"),
    );
}

#[test]
fn rfc8441_5_connection_and_upgrade_must_not_be_there() {
    assert_eq!(refused(&with("connection", "Upgrade")), MALFORMED);
    assert_eq!(refused(&with("connection", "keep-alive")), MALFORMED);
    assert_eq!(refused(&with("upgrade", "websocket")), MALFORMED);
}

/// RFC 9113 8.1.1: what follows on the stream would have to add up to it.
#[test]
fn rfc9113_8_1_1_length_must_not_be_there() {
    assert_eq!(refused(&with("content-length", "0")), MALFORMED);
    assert_eq!(refused(&with("content-length", "10")), MALFORMED);
    assert_eq!(refused(&with("transfer-encoding", "chunked")), MALFORMED);
}

#[test]
fn rfc9113_8_3_1_host_must_be_the_authority() {
    accepted(&Acceptor::new(), &with("host", "Server.Example.com"));
    for host in ["other.example.com", "", "server.example.com:444"] {
        assert_eq!(refused(&with("host", host)), MALFORMED, "{host}");
    }
    let mut two = with("host", "server.example.com");
    two.headers_mut()
        .append("host", "server.example.com".parse().unwrap());
    assert_eq!(refused(&two), MALFORMED);
}

#[test]
fn rfc8441_5_key_and_accept_are_not_used() {
    let response = accepted(&Acceptor::new(), &request());
    assert_eq!(response.headers().len(), 0, "{:?}", response.headers());
    let response = accepted(&Acceptor::new(), &with("sec-websocket-key", "no key"));
    assert!(!response.headers().contains_key("sec-websocket-accept"));
}

#[test]
fn rfc8441_5_version_is_as_in_rfc_6455() {
    for request in [
        replacing("sec-websocket-version", "8"),
        replacing("sec-websocket-version", "13, 8"),
        with("sec-websocket-version", "13"),
    ] {
        // RFC 9110 15.5.22: no 426, whose Upgrade header HTTP/2 does not have.
        assert_eq!(refused(&request), (HandshakeErrorKind::Version, 400));
    }
    let mut request = request();
    request.headers_mut().remove("sec-websocket-version");
    assert_eq!(refused(&request), (HandshakeErrorKind::Version, 400));
    let error = Acceptor::new().respond_extended_connect(&request, "websocket");
    let response = error.unwrap_err().into_response().unwrap();
    // RFC 6455 4.4: the one that is spoken.
    assert_eq!(response.headers()["sec-websocket-version"], "13");
}

#[test]
fn rfc8441_5_subprotocol_is_as_in_rfc_6455() {
    let acceptor = Acceptor::new().subprotocols(["superchat", "chat"]).unwrap();
    let response = accepted(&acceptor, &request());
    assert_eq!(response.headers()["sec-websocket-protocol"], "superchat");
    let acceptor = Acceptor::new().subprotocols(["mqtt"]).unwrap();
    let response = accepted(&acceptor, &request());
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
    let refused = refused(&replacing("sec-websocket-protocol", "a b"));
    assert_eq!(refused, (HandshakeErrorKind::Subprotocol, 400));
}

#[test]
fn rfc8441_5_origin_is_as_in_rfc_6455() {
    let page = |origin| replacing("origin", origin);
    let same = Acceptor::new();
    accepted(&same, &page("https://SERVER.example.com:443"));
    for other in [
        "https://example.com",
        "https://server.example.com:8443",
        "null",
    ] {
        assert_eq!(
            refused(&page(other)),
            (HandshakeErrorKind::Origin, 403),
            "{other}"
        );
    }
    let two = with("origin", "https://server.example.com");
    assert_eq!(refused(&two), (HandshakeErrorKind::Origin, 403));
    let named = Acceptor::new().allow_origins(["https://example.com"]);
    accepted(&named.unwrap(), &page("https://example.com"));
    accepted(&Acceptor::new().allow_any_origin(), &page("null"));
}

/// RFC 8441 5: `https` is for `wss`, so the scheme tells which pages are of the same origin.
#[test]
fn rfc8441_5_same_origin_is_of_the_scheme_of_the_target() {
    let origin = (HandshakeErrorKind::Origin, 403);
    let page = |origin, uri| {
        let mut request = replacing("origin", origin);
        *request.uri_mut() = http::Uri::from_static(uri);
        request
    };
    let plain_to_secure = page("http://a.example", "https://a.example/");
    assert_eq!(refused(&plain_to_secure), origin);
    let secure_to_plain = page("https://a.example", "http://a.example/");
    assert_eq!(refused(&secure_to_plain), origin);
    accepted(
        &Acceptor::new(),
        &page("http://a.example", "http://a.example/"),
    );
    // A proxy has ended TLS, and the program knows.
    let acceptor = Acceptor::new().secure(true);
    accepted(&acceptor, &secure_to_plain);
    let plain = page("http://a.example", "http://a.example/");
    assert_eq!(refused_by(&acceptor, &plain, "websocket"), origin);
}

#[test]
fn rfc8441_5_headers_of_the_program_are_sent() {
    let acceptor = Acceptor::new().header("x-node", HeaderValue::from(3));
    let response = accepted(&acceptor.unwrap(), &request());
    assert_eq!(response.headers()["x-node"], "3");
}

#[test]
fn rfc8441_5_extensions_are_as_in_rfc_6455() {
    use framewire::deflate::{Deflate, DeflateConfig, Negotiated};
    use framewire::protocol::Agreement;
    use std::sync::Arc;
    let deflate = || Deflate::new(DeflateConfig::default()).unwrap();
    let acceptor = Acceptor::new().deflate(deflate());
    let connector = Connector::new().deflate(deflate());

    let request = connector
        .extended_connect_request("wss://server.example.com/")
        .unwrap();
    let response = accepted(&acceptor, &request);
    let agreed: &Arc<dyn Agreement> = response.extensions().get().unwrap();
    check_extended_connect_response(&request, &response).unwrap();
    let understood = connector.negotiated(&response).unwrap().unwrap();
    let of = |agreed: &dyn Agreement| *agreed.downcast_ref::<Negotiated>().unwrap().parameters();
    assert_eq!(of(&**agreed), of(&*understood));

    let response = accepted(&Acceptor::new(), &request);
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    assert!(connector.negotiated(&response).unwrap().is_none());
}

// The client.

#[test]
fn rfc8441_5_request_of_a_client() {
    let connector = Connector::new()
        .subprotocols(["chat", "superchat"])
        .unwrap()
        .origin("https://page.example")
        .unwrap()
        .header("cookie", HeaderValue::from_static("a=b"))
        .unwrap();
    let request = connector.extended_connect_request("wss://server.example.com:8443/chat?x=y");
    let request = request.unwrap();
    assert_eq!(request.method(), Method::CONNECT);
    assert_eq!(request.version(), Version::HTTP_2);
    // "https" for "wss"; the remainder is that of the WebSocket URI.
    assert_eq!(request.uri(), "https://server.example.com:8443/chat?x=y");
    let headers = request.headers();
    assert_eq!(headers["cookie"], "a=b");
    assert_eq!(headers["origin"], "https://page.example");
    assert_eq!(headers["sec-websocket-protocol"], "chat, superchat");
    assert_eq!(headers["sec-websocket-version"], "13");
    assert_eq!(headers.len(), 4, "{headers:?}");

    let plain = Connector::new().extended_connect_request("ws://server.example.com");
    assert_eq!(plain.unwrap().uri(), "http://server.example.com/");
}

#[test]
fn rfc8441_5_uri_of_a_client_must_be_ws_or_wss() {
    for uri in [
        "http://a.example/",
        "ws://",
        "wss://a.example/#there",
        "ws://b@a.example/",
    ] {
        let error: HandshakeError = Connector::new().extended_connect_request(uri).unwrap_err();
        assert_eq!(error.kind(), HandshakeErrorKind::InvalidArgument, "{uri}");
    }
}

fn checked(response: http::response::Builder) -> Result<(), HandshakeErrorKind> {
    let connector = Connector::new().subprotocols(["chat"]).unwrap();
    let request = connector
        .extended_connect_request("wss://a.example/")
        .unwrap();
    let checked = check_extended_connect_response(&request, &response.body(()).unwrap());
    checked.map_err(|error| {
        assert_eq!(error.fault(), Fault::Peer);
        error.kind()
    })
}

#[test]
fn rfc8441_5_response_must_be_of_success() {
    let ok = Response::builder;
    assert_eq!(checked(ok()), Ok(()));
    assert_eq!(
        checked(ok().header("sec-websocket-protocol", "chat")),
        Ok(())
    );
    // RFC 9110 9.3.6: any 2xx.
    assert_eq!(checked(ok().status(202)), Ok(()));
    let refused = Err(HandshakeErrorKind::Upgrade(UpgradeErrorKind::Refused));
    for status in [101, 304, 401, 501] {
        assert_eq!(checked(ok().status(status)), refused, "{status}");
    }
}

#[test]
fn rfc8441_5_response_must_keep_to_what_was_offered() {
    let answer = |name, value| checked(Response::builder().header(name, value));
    assert_eq!(
        answer("sec-websocket-protocol", "mqtt"),
        Err(HandshakeErrorKind::Subprotocol)
    );
    assert_eq!(
        answer("sec-websocket-extensions", "permessage-deflate"),
        Err(HandshakeErrorKind::Extension)
    );
}
