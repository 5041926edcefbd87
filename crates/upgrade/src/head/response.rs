//! Decoding a response, for a client.

use super::fields::collect_headers;
use super::limits::Limits;
use super::lines::{Head, malformed};
use crate::error::{UpgradeError, UpgradeErrorKind};
use http::{Response, StatusCode, Version};

/// A decoder of one final response head, without I/O.
///
/// It is as strict as [`RequestDecoder`](super::RequestDecoder), but joins header lines that go on in the next line,
/// as RFC 9112 5.2 has a user agent do. Interim responses (1xx but 101) are skipped (RFC 9110 15.2); their bytes count
/// against the same limit.
#[derive(Debug, Clone)]
pub struct ResponseDecoder {
    head: Head,
}

impl ResponseDecoder {
    /// Creates a decoder for one response. Allocates nothing until part of a head is fed.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            head: Head::new(*limits),
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.head.is_started()
    }

    /// Takes what has arrived. Returns how much of it the head used, and the response once its head is complete.
    ///
    /// Without a response, all of `input` was used. What the head did not use belongs to the upgraded protocol or the
    /// body, and is the caller's to store. The decoder is done after a response or an error.
    ///
    /// # Errors
    /// [`UpgradeErrorKind::Malformed`], [`UpgradeErrorKind::HeadTooLarge`], [`UpgradeErrorKind::TooManyHeaders`] or
    /// [`UpgradeErrorKind::Version`]; the server is at fault.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Response<()>>), UpgradeError> {
        let mut used = 0;
        loop {
            let complete = match self.head.feed(&input[used..]) {
                Ok(Some(complete)) => complete,
                Ok(None) => return Ok((input.len(), None)),
                Err(error) => return Err(error.without_response()),
            };
            used += complete.used;
            let response =
                parse(complete.bytes, complete.lines).map_err(UpgradeError::without_response)?;
            if response.status().is_informational()
                && response.status() != StatusCode::SWITCHING_PROTOCOLS
            {
                self.head.next_head();
                continue;
            }
            return Ok((used, Some(response)));
        }
    }
}

fn parse(head: &[u8], lines: usize) -> Result<Response<()>, UpgradeError> {
    let unfolded = unfold(head);
    let head = unfolded.as_deref().unwrap_or(head);
    // The first line is no header: one is to spare.
    let mut headers = vec![httparse::EMPTY_HEADER; lines];
    let mut parsed = httparse::Response::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("it ends early")),
        Err(httparse::Error::Version) => {
            return Err(UpgradeError::new(
                UpgradeErrorKind::Version,
                "response is not http/1.1",
            ));
        }
        Err(error) => return Err(malformed(error)),
    }
    let Some(code) = parsed.code else {
        return Err(malformed("no status line"));
    };
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(code).map_err(malformed)?;
    parts.version = if parsed.version == Some(1) {
        Version::HTTP_11
    } else {
        Version::HTTP_10
    };
    parts.headers = collect_headers(parsed.headers)?;
    Ok(Response::from_parts(parts, ()))
}

/// Replaces each fold, a line end before white space, with spaces (RFC 9112 5.2). `None` where there is none. White
/// space after the status line is not a fold (RFC 9112 2.2): it stays, and is refused later.
fn unfold(head: &[u8]) -> Option<Vec<u8>> {
    let is_fold = |at: usize| matches!(head[at..], [b'\r', b'\n', b' ' | b'\t', ..]);
    let ends_line = |at: &usize| head[*at..].starts_with(b"\r\n");
    // RFC 9112 2.2: empty lines before the status line are ignored.
    let start = head.iter().position(|byte| !b"\r\n".contains(byte))?;
    let first = (start..head.len()).filter(ends_line).nth(1)?;
    let mut folds = (first..head.len()).filter(|&at| is_fold(at)).peekable();
    folds.peek()?;
    let mut unfolded = head.to_vec();
    for at in folds {
        unfolded[at..at + 2].fill(b' ');
    }
    Some(unfolded)
}
