//! What to print when a server or a proxy refuses the connection.

use framewire::rustls::{self, CertificateError};
use framewire::{Error, ErrorKind, Fault};
use http::StatusCode;

use crate::failure::Failure;

/// Describes why there is no connection, with the beginning of the answer's body if that is text.
pub(crate) fn failure(error: &Error) -> Failure {
    let answer = match error.kind() {
        ErrorKind::Handshake(error) => error.response(),
        _ => None,
    };
    Failure::Refused {
        message: match certificate_advice(error) {
            Some(advice) => format!("{error}; {advice}"),
            None => error.to_string(),
        },
        lines: answer.map_or_else(Vec::new, |answer| lines(answer.body())),
        lasts: error.fault() == Fault::Caller
            || certificate_fault(error).is_some()
            || answer.is_some_and(|answer| lasts(answer.status())),
    }
}

/// Returns why the server's certificate was refused, if it was.
fn certificate_fault(error: &Error) -> Option<&CertificateError> {
    let ErrorKind::Handshake(error) = error.kind() else {
        return None;
    };
    match error.cause()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(reason) => Some(reason),
        _ => None,
    }
}

/// Returns what to do about a certificate that nobody known has signed.
fn certificate_advice(error: &Error) -> Option<&'static str> {
    // All but the first are what is said where a root has the same name by chance.
    let is_unknown = matches!(
        certificate_fault(error)?,
        CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
    );
    is_unknown.then_some("--tls-ca FILE trusts the certificates in that file")
}

/// Returns whether waiting changes nothing about an answer (RFC 9110 15.5).
fn lasts(status: StatusCode) -> bool {
    let passes = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    // A server that answers with success serves something else there.
    (status.is_client_error() || status.is_success()) && !passes.contains(&status)
}

/// Returns the first lines of a body, without empty ones, or its size if it is a page or not text. They may hold
/// characters that a terminal would obey; `note` takes them out.
fn lines(body: &[u8]) -> Vec<String> {
    let (shown, is_cut) = match body.split_at_checked(MOST_BYTES) {
        Some((shown, rest)) => (shown, !rest.is_empty()),
        None => (body, false),
    };
    let Some(text) = text(shown) else {
        return vec![format!("{} bytes that are not text", body.len())];
    };
    if text.trim_start().starts_with('<') {
        return vec![format!("a page of {} bytes", body.len())];
    }
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
    use super::{StatusCode, lasts, lines};

    #[test]
    fn a_refusal_by_a_server_that_is_busy_or_broken_does_not_last() {
        for (status, expected) in [
            (401, true),
            (404, true),
            (200, true),
            (408, false),
            (429, false),
            (503, false),
        ] {
            assert_eq!(lasts(StatusCode::from_u16(status).unwrap()), expected);
        }
    }

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
    fn a_body_that_is_not_plain_text_is_only_counted() {
        assert_eq!(lines(b"\x1f\x8b\x08\xff"), ["4 bytes that are not text"]);
        assert_eq!(lines(b"a\0b"), ["3 bytes that are not text"]);
        assert_eq!(lines(b"\n<!DOCTYPE html>\n<p>no"), ["a page of 22 bytes"]);
        // Cut within a character.
        assert_eq!(lines("zwölf".as_bytes().split_at(3).0), ["zw"]);
    }
}
