//! The body of a refusal, as far as a client stores it.

use crate::syntax::lists;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Response, StatusCode};

/// Stands in the extensions of a refusal whose body is not whole (RFC 9112 8): it is longer than what is stored, was
/// not there in time, broke off, or did not say rightly where it ends.
///
/// # Examples
/// ```
/// use framewire_upgrade::{IncompleteBody, UpgradeError};
///
/// fn is_whole(error: &UpgradeError) -> bool {
///     let refusal = error.response();
///     refusal.is_some_and(|refusal| refusal.extensions().get::<IncompleteBody>().is_none())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncompleteBody;

/// The beginning of a body, taken as it arrives (RFC 9112 6.3).
#[derive(Debug)]
pub(crate) struct Body {
    stored: Vec<u8>,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many more bytes.
    Length(u64),
    UntilClose,
    /// In the line with a chunk's size (RFC 9112 7.1).
    ChunkSize {
        size: u64,
        digits: Digits,
    },
    ChunkData(u64),
    /// The line break after a chunk.
    ChunkEnd,
    Done,
    /// There is no telling where it ends.
    Invalid,
}

/// Whether hexadecimal digits may still come in a chunk's size line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    None,
    Some,
    Over,
}

impl Body {
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        Self {
            stored: Vec::new(),
            framing: framing(status, headers),
        }
    }

    /// Takes what arrived. Returns `true` when nothing more is wanted.
    pub(crate) fn feed(&mut self, mut input: &[u8]) -> bool {
        while !input.is_empty() && !self.is_done() {
            let used = self.take(input);
            input = &input[used..];
        }
        self.is_done()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_whole() || self.framing == Framing::Invalid || self.stored.len() >= BODY_LIMIT
    }

    /// Takes the end of the stream, which may be that of the body.
    pub(crate) fn end(&mut self) {
        if self.framing == Framing::UntilClose {
            self.framing = Framing::Done;
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.framing, Framing::Done | Framing::Length(0))
    }

    /// Returns the response with this body, and with [`IncompleteBody`] where more of it was to come.
    pub(crate) fn of(self, response: Response<()>) -> Response<Vec<u8>> {
        let is_whole = self.is_whole();
        let mut response = response.map(|()| self.stored);
        if !is_whole {
            response.extensions_mut().insert(IncompleteBody);
        }
        response
    }

    /// Takes a part of the input, at least one byte. Returns its length.
    fn take(&mut self, input: &[u8]) -> usize {
        match self.framing {
            Framing::Length(left) => {
                let count = self.store(input, left);
                self.framing = Framing::Length(left - count as u64);
                count
            }
            Framing::UntilClose => self.store(input, u64::MAX),
            Framing::ChunkData(left) => {
                let count = self.store(input, left);
                let left = left - count as u64;
                self.framing = if left == 0 {
                    Framing::ChunkEnd
                } else {
                    Framing::ChunkData(left)
                };
                count
            }
            Framing::ChunkSize { size, digits } => {
                self.framing = chunk_size(size, digits, input[0]);
                1
            }
            Framing::ChunkEnd => {
                self.framing = match input[0] {
                    b'\r' => Framing::ChunkEnd,
                    b'\n' => FIRST_CHUNK,
                    _ => Framing::Invalid,
                };
                1
            }
            Framing::Done | Framing::Invalid => input.len(),
        }
    }

    fn store(&mut self, input: &[u8], at_most: u64) -> usize {
        let room = (BODY_LIMIT - self.stored.len()) as u64;
        let count = (input.len() as u64).min(at_most).min(room) as usize;
        self.stored.extend_from_slice(&input[..count]);
        count
    }
}

fn framing(status: StatusCode, headers: &HeaderMap) -> Framing {
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none || status.is_informational() {
        return Framing::Done;
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        let last = lists(headers, TRANSFER_ENCODING).last().unwrap_or_default();
        let mut parts = last.splitn(2, |&byte| byte == b';');
        let name = parts.next().unwrap_or_default().trim_ascii_end();
        // RFC 9112 6.3: chunked when it is the last coding, until the end of the stream if not.
        return match (name.eq_ignore_ascii_case(b"chunked"), parts.next()) {
            (true, None) => FIRST_CHUNK,
            // RFC 9112 7.1: parameters of the chunked coding are an error.
            (true, Some(_)) => Framing::Invalid,
            (false, _) => Framing::UntilClose,
        };
    }
    if !headers.contains_key(CONTENT_LENGTH) {
        return Framing::UntilClose;
    }
    // RFC 9112 6.3: several equal lengths are one, and with any other there is no telling what the body is.
    let mut lengths = lists(headers, CONTENT_LENGTH).map(length);
    match lengths.next().flatten() {
        Some(first) if lengths.all(|other| other == Some(first)) => Framing::Length(first),
        _ => Framing::Invalid,
    }
}

/// RFC 9110 8.6: digits alone.
fn length(digits: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(digits).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Takes one byte of a size line. One that breaks the grammar ends the body, which is only shown to a person.
fn chunk_size(size: u64, digits: Digits, byte: u8) -> Framing {
    match ((byte as char).to_digit(16), byte, digits) {
        (Some(digit), _, Digits::None | Digits::Some) => match size.checked_mul(16) {
            Some(size) => Framing::ChunkSize {
                size: size + u64::from(digit),
                digits: Digits::Some,
            },
            None => Framing::Invalid,
        },
        (_, _, Digits::None) => Framing::Invalid,
        // The chunk of size zero is the last one; trailers are ignored.
        (_, b'\n', _) if size == 0 => Framing::Done,
        (_, b'\n', _) => Framing::ChunkData(size),
        _ => Framing::ChunkSize {
            size,
            digits: Digits::Over,
        },
    }
}

const FIRST_CHUNK: Framing = Framing::ChunkSize {
    size: 0,
    digits: Digits::None,
};
/// How many bytes of a body are stored.
const BODY_LIMIT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// Feeds a chunked body byte by byte. Returns after how many bytes more was wanted, and what was stored.
    fn wanted(chunks: &str) -> (usize, Vec<u8>) {
        let chunked = (TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        let mut body = Body::new(StatusCode::FORBIDDEN, &HeaderMap::from_iter([chunked]));
        let bytes = chunks.as_bytes().chunks(1);
        let wanted = bytes.take_while(|byte| !body.feed(byte)).count();
        (wanted, body.stored)
    }

    /// More would be waited for, with what has arrived already.
    #[test]
    fn nothing_is_wanted_after_the_last_chunk_and_after_a_byte_that_is_none_of_a_chunk() {
        for (chunks, rest, stored) in [
            ("0\r\n", "\r\n", ""),
            ("1\r\na\r\n0\r\n", "X: a\r\n\r\n", "a"),
            ("x", "\r\n", ""),
            ("-", "1\r\na", ""),
            ("\r", "\n", ""),
            ("\n", "", ""),
            ("1\r\na\r\n;", "b\r\n", "a"),
            ("1\r\nab", "\r\n", "a"),
            ("fffffffffffffffff", "\r\n", ""),
        ] {
            let (wanted, body) = wanted(&format!("{chunks}{rest}"));
            assert_eq!(wanted, chunks.len() - 1, "{chunks:?}");
            assert_eq!(body, stored.as_bytes(), "{chunks:?}");
        }
    }
}
