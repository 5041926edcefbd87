//! URLs of a client, and where redirects lead. Nothing panics; where the URL Standard reads the same text, by the
//! crate `url`, both agree on what is dialled, what `Host` says and what is asked for.
//!
//! The input: a URL, a line break, and the `Location` of a redirect.
//!
//! What is left out, since ours follows other rules on purpose:
//! * `\` in a path is encoded, and is no `/`: see `Connector::request`.
//! * A host that the URL Standard reads as a number stays a name: RFC 3986 3.2.2 has IPv4 addresses of four decimal
//!   numbers alone.
//! * `^` in a path is encoded, as the URL Standard has it since 2024. Both forms mean the same.
//! * Dot segments of the URL that redirects, and those that are percent-encoded: RFC 3986 5.2 takes both as they are.
//! * `c:` is a segment as any other, and no drive, which the URL Standard knows in URLs of files alone.
//! * Line breaks, tabs and spaces around a URL are refused, and not removed.

use std::net::Ipv4Addr;

use framewire::Untimed;
use framewire::handshake::Connector;
use framewire::upgrade::UpgradeError;
use framewire::upgrade::layer::{Target, split_host};
use http::header::HOST;
use http::{HeaderValue, Uri};
use support::peer::ScriptedPeer;
use url::{Host, Position, Url};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let (text, location) = match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &b""[..]),
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let Ok(request) = Connector::new().request(text) else {
        return;
    };
    let uri = request.uri();
    check(uri);
    if let Some(expected) = standard(text, uri) {
        let secure = is_secure(uri);
        assert_eq!(secure, expected.scheme() == "wss");
        let host = expected.host_str().expect("a host");
        let port = expected.port_or_known_default().expect("a port");
        let dialled = Target::new(secure, &format!("{host}:{port}")).expect("a host and a port");
        assert_eq!(target(uri).expect("a host and a port"), dialled);
        let host = request.headers()[HOST].to_str().expect("ASCII");
        // RFC 6455 4.1: the port only where it is not the default.
        let (_, port) = split_host(host).expect("a host");
        assert_eq!(port, expected.port());
        let host = Target::new(secure, &host.to_ascii_lowercase());
        assert_eq!(host.expect("a host and a port"), dialled);
        assert_same(uri, &expected);
    }
    check_redirect(text, uri, location);
}

/// Checks what a URI that was accepted always has.
fn check(uri: &Uri) {
    let authority = uri.authority().expect("an authority").as_str();
    assert!(!authority.contains('@'), "no user information");
    assert!(uri.path().starts_with('/'), "{uri}");
    match target(uri) {
        Ok(target) => assert!(!target.certificate_host().is_empty()),
        // A literal of another kind than IPv6 (RFC 3986 3.2.2) can be asked for over any stream, and not dialled.
        Err(_) => assert!(authority.starts_with('['), "{uri}"),
    }
}

fn is_secure(uri: &Uri) -> bool {
    let scheme = uri.scheme_str().expect("a scheme");
    scheme.eq_ignore_ascii_case("wss")
}

/// What is dialled for a URI, whose host has no case.
fn target(uri: &Uri) -> Result<Target, UpgradeError> {
    let authority = uri.authority().expect("an authority").as_str();
    Target::new(is_secure(uri), &authority.to_ascii_lowercase())
}

/// What the URL Standard makes of a text where ours follows the same rules.
fn standard(text: &str, ours: &Uri) -> Option<Url> {
    let is_left_out = text.contains(|c: char| c == '\\' || c.is_control() || c == ' ');
    let is_left_out = is_left_out || has_drive(text);
    let url = Url::parse(text).ok().filter(|_| !is_left_out)?;
    is_comparable(&url, ours).then_some(url)
}

fn is_comparable(url: &Url, ours: &Uri) -> bool {
    let has_number = matches!(url.host(), Some(Host::Ipv4(_)));
    let is_address = ours
        .host()
        .is_some_and(|host| host.parse::<Ipv4Addr>().is_ok());
    matches!(url.scheme(), "ws" | "wss") && has_number == is_address
}

/// Checks that a URI of ours means what a URL does: the URL Standard reads both as the same.
fn assert_same(ours: &Uri, expected: &Url) {
    let ours = Url::parse(&ours.to_string()).expect("a URL");
    let [ours, expected] =
        [&ours, expected].map(|url| url[..Position::AfterQuery].replace("%5E", "^"));
    assert_eq!(ours, expected);
}

/// Whether a segment is what names a drive in the URL of a file.
fn has_drive(text: &str) -> bool {
    text.split('/').any(|segment| {
        let segment = segment.as_bytes();
        matches!(segment, [letter, b':' | b'|', ..] if letter.is_ascii_alphabetic())
    })
}

/// Checks where a redirect leads.
fn check_redirect(text: &str, asked: &Uri, location: &[u8]) {
    let Ok(location) = HeaderValue::from_bytes(location) else {
        return;
    };
    let answer = [
        b"HTTP/1.1 302 x\r\nContent-Length: 0\r\nLocation: ",
        location.as_bytes(),
        b"\r\n\r\n",
    ];
    let peer = Untimed(ScriptedPeer::new(answer.concat()));
    let error = Connector::new().connect_stream(peer, text);
    let error = error.expect_err("it was not accepted");
    let Some(target) = error.redirect() else {
        return;
    };
    check(target);
    // What is around a header's value is no part of it.
    let Ok(location) = std::str::from_utf8(location.as_bytes().trim_ascii()) else {
        panic!("it leads to {target}, and its location is not UTF-8");
    };
    let base = Url::parse(&asked.to_string());
    let has_dots = asked
        .path()
        .split('/')
        .any(|name| matches!(name, "." | ".."));
    let encodes_dots = [asked.path(), location].map(str::to_ascii_lowercase);
    let encodes_dots = encodes_dots.iter().any(|text| text.contains("%2e"));
    let has_drive = has_drive(asked.path()) || has_drive(location);
    let is_left_out = location.contains(['\\', '\t', ' ']) || has_dots || encodes_dots || has_drive;
    let (Ok(base), false) = (base, is_left_out) else {
        return;
    };
    let Ok(mut expected) = base.join(location) else {
        return;
    };
    let scheme = match expected.scheme() {
        "http" => "ws",
        "https" => "wss",
        other => other,
    }
    .to_owned();
    // A port is left out where it is the scheme's: both have the same.
    expected.set_scheme(&scheme).expect("a special scheme");
    if is_comparable(&expected, target) {
        assert_same(target, &expected);
    }
}
