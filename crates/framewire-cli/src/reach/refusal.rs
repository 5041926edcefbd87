//! What to print when a server or a proxy refuses the connection.

use framewire::{Error, ErrorKind};

use crate::failure::Failure;

/// Describes why there is no connection, with the beginning of the answer's body if that is text.
pub(crate) fn failure(error: &Error) -> Failure {
    let body = match error.kind() {
        ErrorKind::Handshake(error) => error.response().map(http::Response::body),
        _ => None,
    };
    Failure::Refused(
        error.to_string(),
        body.map_or_else(Vec::new, |body| lines(body)),
    )
}

/// Returns the first lines of a body, without empty ones, or its size if it is not text. They may hold
/// characters that a terminal would obey; `note` takes them out.
fn lines(body: &[u8]) -> Vec<String> {
    let (shown, is_cut) = match body.split_at_checked(MOST_BYTES) {
        Some((shown, rest)) => (shown, !rest.is_empty()),
        None => (body, false),
    };
    let Some(text) = text(shown) else {
        return vec![format!("{} bytes that are not text", body.len())];
    };
    let mut lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    if is_cut || lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        lines.push("…".to_owned());
    }
    lines
}

/// Returns the bytes as text, without a last character that was cut.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

/// How many bytes of a body are shown.
const MOST_BYTES: usize = 1 << 10;
const MOST_LINES: usize = 10;

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_body_is_shown_by_its_first_lines() {
        let shown = |body: &str| lines(body.as_bytes());
        assert_eq!(shown(""), [""; 0]);
        assert_eq!(shown("no\r\n\r\n  way\n"), ["no", "way"]);
        let many = "line\n".repeat(11);
        assert_eq!(shown(&many).len(), 11);
        assert_eq!(shown(&many)[10], "…");
        assert_eq!(shown(&many[5..]).len(), 10);
        let long = shown(&"a".repeat(1025));
        assert_eq!((long[0].len(), &long[1][..]), (1024, "…"));
        assert_eq!(shown(&"a".repeat(1024)), ["a".repeat(1024)]);
    }

    #[test]
    fn a_body_that_is_not_text_is_only_counted() {
        assert_eq!(lines(b"\x1f\x8b\x08\xff"), ["4 bytes that are not text"]);
        assert_eq!(lines(b"a\0b"), ["3 bytes that are not text"]);
        // Cut within a character.
        assert_eq!(lines("zwölf".as_bytes().split_at(3).0), ["zw"]);
    }
}
