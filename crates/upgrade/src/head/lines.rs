//! The search for the end of a head: byte by byte, in one pass, however the input is cut.

use super::limits::Limits;
use crate::error::{UpgradeError, UpgradeErrorKind};
use http::StatusCode;

/// Bytes of one head as they arrive, up to the empty line that ends it.
#[derive(Debug, Clone)]
pub(super) struct Head {
    limits: Limits,
    /// What arrived in earlier pieces. Empty while a head arrives in one.
    stored: Vec<u8>,
    /// Bytes counted against the limit; more than `stored` once a head was taken.
    seen: usize,
    /// Lines that have ended, the first line included, empty ones not.
    lines: usize,
    line: Line,
}

/// Where in a line the last byte was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Before its first byte.
    Start,
    /// After a CR that begins it.
    EmptyEnding,
    Inside,
    /// After the CR that ends it.
    Ending,
}

/// A head that is complete.
pub(super) struct Complete<'a> {
    pub(super) bytes: &'a [u8],
    /// How many lines it has, the first included.
    pub(super) lines: usize,
    /// How many bytes of the input the head used.
    pub(super) used: usize,
}

impl Head {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            stored: Vec::new(),
            seen: 0,
            lines: 0,
            line: Line::Start,
        }
    }

    /// Takes a piece. Returns the head where the piece holds its end; otherwise stores the piece.
    pub(super) fn feed<'a>(
        &'a mut self,
        input: &'a [u8],
    ) -> Result<Option<Complete<'a>>, UpgradeError> {
        let Some(used) = self.find_end(input)? else {
            self.stored.extend_from_slice(input);
            return Ok(None);
        };
        let last = &input[..used];
        let bytes = if self.stored.is_empty() {
            last
        } else {
            self.stored.extend_from_slice(last);
            &self.stored
        };
        Ok(Some(Complete {
            bytes,
            lines: self.lines,
            used,
        }))
    }

    /// Forgets the head that was returned, but not what it counted against the limit.
    pub(super) fn next_head(&mut self) {
        self.stored = Vec::new();
        self.lines = 0;
        self.line = Line::Start;
    }

    /// Returns whether anything has arrived.
    pub(super) fn is_started(&self) -> bool {
        self.seen > 0
    }

    fn find_end(&mut self, input: &[u8]) -> Result<Option<usize>, UpgradeError> {
        for (index, &byte) in input.iter().enumerate() {
            if self.seen >= self.limits.head_bytes {
                return Err(self.too_long());
            }
            self.seen += 1;
            if self.seen == 1 && begins_tls(&[byte]) {
                return Err(malformed("it begins as a record of TLS does"));
            }
            if self.step(byte)? {
                return Ok(Some(index + 1));
            }
        }
        // There is no room for its end: refused now, not when the next byte comes.
        if self.seen >= self.limits.head_bytes {
            return Err(self.too_long());
        }
        Ok(None)
    }

    /// Takes one byte. Returns `true` when it ends the head.
    fn step(&mut self, byte: u8) -> Result<bool, UpgradeError> {
        match (self.line, byte) {
            (Line::Start, b'\r') => self.line = Line::EmptyEnding,
            (Line::Inside, b'\r') => self.line = Line::Ending,
            (Line::EmptyEnding, b'\n') => {
                self.line = Line::Start;
                // RFC 9112 2.2: empty lines before the first line are ignored.
                return Ok(self.lines > 0);
            }
            (Line::Ending, b'\n') => {
                self.line = Line::Start;
                self.lines += 1;
            }
            // RFC 9112 2.2: a CR that ends no line is invalid.
            (Line::EmptyEnding | Line::Ending, _) => {
                return Err(malformed("a carriage return without a line feed"));
            }
            // RFC 9112 2.2 would let a bare LF end a line. It does not here: request smuggling needs two readings of
            // one head.
            (_, b'\n') => return Err(malformed("a line feed without a carriage return")),
            // RFC 9110 5.5: no control characters but HTAB in a field value.
            (_, b'\t' | 0x20..=0x7e | 0x80..) => {
                if self.line == Line::Start && self.lines > self.limits.headers {
                    return Err(self.too_many_headers());
                }
                self.line = Line::Inside;
            }
            _ => return Err(malformed("a control character")),
        }
        Ok(false)
    }

    fn too_long(&self) -> UpgradeError {
        let limit = self.limits.head_bytes;
        if self.lines == 0 {
            let message =
                format!("first line is longer than the limit of {limit} bytes for a head");
            // RFC 9112 3: a request target that is too long MUST be answered with 414.
            return UpgradeError::new(UpgradeErrorKind::HeadTooLarge, message)
                .refusing(StatusCode::URI_TOO_LONG);
        }
        UpgradeError::new(
            UpgradeErrorKind::HeadTooLarge,
            format!("head exceeds the limit of {limit} bytes"),
        )
        .refusing(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    }

    fn too_many_headers(&self) -> UpgradeError {
        let message = format!(
            "head exceeds the limit of {} header lines",
            self.limits.headers
        );
        UpgradeError::new(UpgradeErrorKind::TooManyHeaders, message)
            .refusing(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    }
}

/// Returns whether this begins as a TLS record of a handshake or an alert does (RFC 8446 5.1), and is thus not a head.
/// Only the first byte counts: how much comes with it depends on how the input was cut.
pub(crate) fn begins_tls(input: &[u8]) -> bool {
    matches!(input, [0x15 | 0x16, ..])
}

/// Returns the error for a head that breaks the grammar of RFC 9112.
pub(super) fn malformed(what: impl std::fmt::Display) -> UpgradeError {
    UpgradeError::new(
        UpgradeErrorKind::Malformed,
        format!("malformed head: {what}"),
    )
    .refusing(StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_begins_as_tls_does_is_told_by_its_first_byte() {
        for input in [&b"\x16"[..], b"\x16\x03\x01", b"\x16\x16", b"\x15\x03"] {
            assert!(super::begins_tls(input), "{input:x?}");
        }
        for input in [&b""[..], b"HTTP", b"\x17\x03"] {
            assert!(!super::begins_tls(input), "{input:x?}");
        }
    }
}
