//! Headers that a server requires of each request: a token, for example.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use ring::digest::{Digest, SHA256, digest};

use crate::reach::parse_header;

/// A header that each request must have, with its value.
#[derive(Debug, Clone)]
pub(crate) struct RequiredHeader {
    name: HeaderName,
    /// Values are compared by their digests: how long that takes says nothing of use about the value.
    digest: Digest,
    /// The first word of the value, where that names how clients authenticate.
    scheme: Option<HeaderValue>,
}

impl RequiredHeader {
    /// Parses `NAME: VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = parse_header(text)?;
        if value.is_empty() {
            return Err("the value is missing".to_owned());
        }
        let mut words = value.as_bytes().split(|byte| *byte == b' ');
        let scheme = words.next().filter(|_| name == AUTHORIZATION);
        let scheme = scheme.and_then(|scheme| HeaderValue::from_bytes(scheme).ok());
        Ok(Self {
            name,
            digest: digest(&SHA256, value.as_bytes()),
            scheme,
        })
    }

    /// Returns the answer to a request without it, with 401 and the `WWW-Authenticate` that must be there (RFC 9110
    /// 15.5.2). It names neither the header nor its value.
    pub(crate) fn refusal(&self) -> Response<&'static str> {
        let mut response = Response::new("a header is required that this request does not have");
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, self.challenge());
        response
    }

    fn challenge(&self) -> HeaderValue {
        let other = || HeaderValue::from_static("Header");
        self.scheme.clone().unwrap_or_else(other)
    }

    /// Returns whether one of the headers is this one.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(&self.name).iter();
        values.any(|value| digest(&SHA256, value.as_bytes()).as_ref() == self.digest.as_ref())
    }
}

/// Returns the first of the required headers that a request does not have.
pub(crate) fn missing<'a>(
    required: &'a [RequiredHeader],
    headers: &HeaderMap,
) -> Option<&'a RequiredHeader> {
    required.iter().find(|header| !header.is_in(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&str, &str)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse::<HeaderValue>().unwrap())
        };
        pairs.iter().map(parse).collect()
    }

    #[test]
    fn a_request_must_have_each_of_them_as_it_is() {
        let parse = |text| RequiredHeader::parse(text).unwrap();
        let required = [parse("Authorization: Bearer a:b"), parse("x-key:c")];
        for (pairs, is_there) in [
            (&[("authorization", "Bearer a:b"), ("X-Key", "c")][..], true),
            (&[], false),
            (&[("authorization", "Bearer a:b")], false),
            (&[("x-key", "c")], false),
            (&[("authorization", "Bearer a:b"), ("x-key", "")], false),
            (&[("authorization", "bearer a:b"), ("x-key", "c")], false),
            (&[("authorization", "Bearer a:bc"), ("x-key", "c")], false),
            (&[("x-key", "Bearer a:b"), ("authorization", "c")], false),
        ] {
            let missing = missing(&required, &headers(pairs));
            assert_eq!(missing.is_none(), is_there, "{pairs:?}");
        }
        assert!(missing(&[], &headers(&[])).is_none());
    }

    #[test]
    fn nothing_tells_the_value() {
        for (text, challenge) in [
            ("Authorization: Bearer hush", "Bearer"),
            ("X-Key: hush", "Header"),
        ] {
            let required = RequiredHeader::parse(text).unwrap();
            assert_eq!(required.challenge(), challenge);
            assert!(!format!("{required:?}").contains("hush"), "{required:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "",
            "X-Key",
            "X-Key:",
            "X-Key: ",
            ": b",
            "a b: c",
            "a: b\r\nc: d",
        ] {
            assert!(RequiredHeader::parse(text).is_err(), "{text:?}");
        }
    }
}
