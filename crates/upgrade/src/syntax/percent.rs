//! Paths and queries as they go on the wire.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Percent-encodes a path and query: non-ASCII characters as UTF-8, and the characters that the URL Standard encodes
/// in each of the two. What is already encoded stays as it is.
///
/// Differs from browsers in two ways. A `\` in the path becomes `%5C`: a browser makes it a `/`, which would change a
/// path that the caller has checked. Control characters stay, and the parser refuses them: a browser drops tabs and
/// line breaks.
#[must_use]
pub fn encode(target: &str) -> Cow<'_, str> {
    let query_at = target.find('?').unwrap_or(target.len());
    let is_encoded = |(at, byte): (usize, u8)| match byte {
        0x7F.. | b' ' | b'"' | b'<' | b'>' => true,
        b'^' | b'`' | b'{' | b'}' | b'\\' => at < query_at,
        b'\'' => at > query_at,
        _ => false,
    };
    if !(0..).zip(target.bytes()).any(is_encoded) {
        return Cow::Borrowed(target);
    }
    let mut encoded = String::with_capacity(2 * target.len());
    for (at, byte) in (0..).zip(target.bytes()) {
        if is_encoded((at, byte)) {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        } else {
            encoded.push(char::from(byte));
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn paths_and_queries_are_encoded_as_the_url_standard_says() {
        for (target, expected) in [
            ("/a?b=c", "/a?b=c"),
            ("/ü?q=é", "/%C3%BC?q=%C3%A9"),
            ("/日本", "/%E6%97%A5%E6%9C%AC"),
            ("/a b?c d", "/a%20b?c%20d"),
            ("/{id}?{id}", "/%7Bid%7D?{id}"),
            ("/it's?it's", "/it's?it%27s"),
            (r"/a\..\b?a\b", r"/a%5C..%5Cb?a\b"),
            ("/<\">?<\">", "/%3C%22%3E?%3C%22%3E"),
            ("/\u{7F}", "/%7F"),
            // What is encoded stays, and so does what only looks encoded.
            ("/%C3%BC%2F?%26", "/%C3%BC%2F?%26"),
            ("/100%", "/100%"),
            // Delimiters and unreserved characters.
            (
                "/;,:@&=+$-_.~!*()[]?;,/?:@&=+$-_.~!*()[]",
                "/;,:@&=+$-_.~!*()[]?;,/?:@&=+$-_.~!*()[]",
            ),
            // Left for the parser to refuse.
            ("/\r\n", "/\r\n"),
        ] {
            assert_eq!(encode(target), expected);
        }
    }
}
