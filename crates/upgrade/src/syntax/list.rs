//! Comma-separated lists in header fields (RFC 9110 5.6.1).

use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue};

/// Returns the elements of every line of a header, in order. Empty ones are left out, as RFC 9110 5.6.1.2 asks of a
/// recipient.
///
/// For lists without quoted strings.
pub fn lists(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().flat_map(elements)
}

/// Returns the elements of one header line.
fn elements(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value
        .as_bytes()
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Returns whether a list header holds a token, in any case.
pub(crate) fn contains(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    lists(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// Returns whether bytes are a token (RFC 9110 5.6.2): one or more visible ASCII characters that are not delimiters.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// Returns whether bytes are a protocol (RFC 9110 7.8): `token [ "/" token ]`.
pub(crate) fn is_protocol(bytes: &[u8]) -> bool {
    match bytes.iter().position(|&byte| byte == b'/') {
        Some(slash) => is_token(&bytes[..slash]) && is_token(&bytes[slash + 1..]),
        None => is_token(bytes),
    }
}
